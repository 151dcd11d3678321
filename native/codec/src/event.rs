//! What a connection tells its owner. Events borrow from the machine and are valid during the call only; [`OwnedEvent`] outlives it.

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

/// An [`Event`] that borrows nothing.
#[derive(Debug)]
pub enum OwnedEvent {
    Upgrade(Box<Upgrade>),
    BadRequest { status: u16, reason: Box<str>, response: Box<[u8]> },
    Call { message_id: Box<str>, action: ActionId, payload: Box<str>, digest: u64 },
    InvalidCall(Box<InvalidCall>),
    Result { message_id: Box<str>, payload: Box<str> },
    InvalidResult { message_id: Box<str>, fault: Box<Fault>, payload: Box<str> },
    Error { message_id: Box<str>, code: Box<str>, description: Box<str>, details: Box<str> },
    Unmatched { message_id: Box<str>, message_type: u8 },
    Send { message_id: Box<str>, action: ActionId, payload: Box<str>, digest: u64 },
    ResultError { message_id: Box<str>, code: Box<str>, description: Box<str>, details: Box<str> },
    Reply { frame: Box<[u8]>, reason: ReplyReason },
    Dropped { reason: &'static str },
    Pong { payload: Box<[u8]> },
    Closed { code: u16, reason: Box<str> },
    Violation { code: u16, reason: Box<str>, frame: Box<[u8]> },
}

/// The members of [`Event::InvalidCall`].
#[derive(Debug)]
pub struct InvalidCall {
    pub message_id: Box<str>,
    pub action: Option<Box<str>>,
    pub fault: Fault,
    pub payload: Box<str>,
    pub reply: Box<[u8]>,
    pub billing: bool,
}

impl From<&Event<'_>> for OwnedEvent {
    fn from(event: &Event<'_>) -> Self {
        match *event {
            Event::Upgrade(upgrade) => Self::Upgrade(Box::new(upgrade.clone())),
            Event::BadRequest { status, reason, response } => {
                Self::BadRequest { status, reason: reason.into(), response: response.into() }
            }
            Event::Call { message_id, action, payload, digest } => {
                Self::Call { message_id: message_id.into(), action, payload: payload.into(), digest }
            }
            Event::InvalidCall { message_id, action, fault, payload, reply, billing } => {
                Self::InvalidCall(Box::new(InvalidCall {
                    message_id: message_id.into(),
                    action: action.map(Into::into),
                    fault: fault.clone(),
                    payload: payload.into(),
                    reply: reply.into(),
                    billing,
                }))
            }
            Event::Result { message_id, payload } => {
                Self::Result { message_id: message_id.into(), payload: payload.into() }
            }
            Event::InvalidResult { message_id, fault, payload } => Self::InvalidResult {
                message_id: message_id.into(),
                fault: Box::new(fault.clone()),
                payload: payload.into(),
            },
            Event::Error { message_id, code, description, details } => Self::Error {
                message_id: message_id.into(),
                code: code.into(),
                description: description.into(),
                details: details.into(),
            },
            Event::Unmatched { message_id, message_type } => {
                Self::Unmatched { message_id: message_id.into(), message_type }
            }
            Event::Send { message_id, action, payload, digest } => {
                Self::Send { message_id: message_id.into(), action, payload: payload.into(), digest }
            }
            Event::ResultError { message_id, code, description, details } => Self::ResultError {
                message_id: message_id.into(),
                code: code.into(),
                description: description.into(),
                details: details.into(),
            },
            Event::Reply { frame, reason } => Self::Reply { frame: frame.into(), reason },
            Event::Dropped { reason } => Self::Dropped { reason },
            Event::Pong { payload } => Self::Pong { payload: payload.into() },
            Event::Closed { code, reason } => Self::Closed { code, reason: reason.into() },
            Event::Violation { code, reason, frame } => {
                Self::Violation { code, reason: reason.into(), frame: frame.into() }
            }
        }
    }
}

impl OwnedEvent {
    /// Bytes of it that its peer decides on.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Call { payload, .. }
            | Self::Result { payload, .. }
            | Self::InvalidResult { payload, .. }
            | Self::Send { payload, .. } => payload.len(),
            Self::InvalidCall(call) => call.payload.len() + call.reply.len(),
            Self::Error { details, .. } | Self::ResultError { details, .. } => details.len(),
            Self::Reply { frame, .. } | Self::Violation { frame, .. } => frame.len(),
            Self::Pong { payload } => payload.len(),
            Self::Upgrade(_)
            | Self::BadRequest { .. }
            | Self::Unmatched { .. }
            | Self::Dropped { .. }
            | Self::Closed { .. } => 0,
        }
    }

    /// The event as it was told.
    #[must_use]
    pub fn as_event(&self) -> Event<'_> {
        match self {
            Self::Upgrade(upgrade) => Event::Upgrade(upgrade),
            Self::BadRequest { status, reason, response } => Event::BadRequest { status: *status, reason, response },
            Self::Call { message_id, action, payload, digest } => {
                Event::Call { message_id, action: *action, payload, digest: *digest }
            }
            Self::InvalidCall(call) => Event::InvalidCall {
                message_id: &call.message_id,
                action: call.action.as_deref(),
                fault: &call.fault,
                payload: &call.payload,
                reply: &call.reply,
                billing: call.billing,
            },
            Self::Result { message_id, payload } => Event::Result { message_id, payload },
            Self::InvalidResult { message_id, fault, payload } => Event::InvalidResult { message_id, fault, payload },
            Self::Error { message_id, code, description, details } => {
                Event::Error { message_id, code, description, details }
            }
            Self::Unmatched { message_id, message_type } => {
                Event::Unmatched { message_id, message_type: *message_type }
            }
            Self::Send { message_id, action, payload, digest } => {
                Event::Send { message_id, action: *action, payload, digest: *digest }
            }
            Self::ResultError { message_id, code, description, details } => {
                Event::ResultError { message_id, code, description, details }
            }
            Self::Reply { frame, reason } => Event::Reply { frame, reason: *reason },
            Self::Dropped { reason } => Event::Dropped { reason },
            Self::Pong { payload } => Event::Pong { payload },
            Self::Closed { code, reason } => Event::Closed { code: *code, reason },
            Self::Violation { code, reason, frame } => Event::Violation { code: *code, reason, frame },
        }
    }
}
