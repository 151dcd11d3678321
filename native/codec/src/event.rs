//! What a connection tells its owner. Events borrow from the machine and are valid during the call only.

use crate::catalogue::ActionId;
use crate::fault::Fault;
use crate::http::Upgrade;

/// Why a frame has to be sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyReason {
    Pong,
    Close,
    RpcError,
}

impl ReplyReason {
    /// Name for logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pong => "pong",
            Self::Close => "close",
            Self::RpcError => "rpc-error",
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Event<'e> {
    /// A syntactically right upgrade; nothing after it is read until the owner accepts or rejects.
    Upgrade(&'e Upgrade),
    /// Not an upgrade: send `response`, then close the socket.
    BadRequest { status: u16, reason: &'e str, response: &'e [u8] },
    /// A CALL that passed every check.
    Call { message_id: &'e str, action: ActionId, payload: &'e str, digest: u64 },
    /// A CALL that failed a check; `reply` is the CALLERROR for it.
    InvalidCall {
        message_id: &'e str,
        action: Option<&'e str>,
        fault: &'e Fault,
        payload: &'e str,
        reply: &'e [u8],
        billing: bool,
    },
    /// The valid answer to a pending CALL.
    Result { message_id: &'e str, payload: &'e str },
    /// An answer to a pending CALL that breaks its schema.
    InvalidResult { message_id: &'e str, fault: &'e Fault, payload: &'e str },
    /// The station refused a pending CALL.
    Error { message_id: &'e str, code: &'e str, description: &'e str, details: &'e str },
    /// An answer to nothing pending.
    Unmatched { message_id: &'e str, message_type: u8 },
    /// 2.1: a SEND that passed every check.
    Send { message_id: &'e str, action: ActionId, payload: &'e str, digest: u64 },
    /// 2.1: our answer with this id was not understood.
    ResultError { message_id: &'e str, code: &'e str, description: &'e str, details: &'e str },
    /// Bytes to send at once that concern no handler.
    Reply { frame: &'e [u8], reason: ReplyReason },
    /// A frame that is counted and ignored.
    Dropped { reason: &'static str },
    /// Answer to a ping.
    Pong { payload: &'e [u8] },
    /// The peer closed; nothing follows.
    Closed { code: u16, reason: &'e str },
    /// The peer broke the protocol: send `frame`, then drop the connection; nothing follows.
    Violation { code: u16, reason: &'e str, frame: &'e [u8] },
}
