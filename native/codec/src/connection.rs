//! One socket's server side: joins HTTP, WebSocket and OCPP-J into a single machine.
//!
//! ```text
//! Head ──request──▶ Deciding ──accept()──▶ Open ──close frame, violation──▶ Finished
//!   └──bad request────┴──reject()────────────────────────────────────────────▲
//! ```

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::catalogue::{Action, ActionId, Catalogue, Kind, VersionId};
use crate::event::{Event, ReplyReason};
use crate::fault::{Fault, truncate};
use crate::frame::{self, MAX_CONTROL, Opcode, encode, encode_close, is_close_code};
use crate::handshake::Offer;
use crate::http::{self, HeadReader, Refusal};
use crate::json::{Scanner, Token};
use crate::limits::Limits;
use crate::outbound::Outbound;
use crate::rpc::{Context, MAX_MESSAGE_ID, MAX_TEXT, Rpc, Sink};
use crate::scratch;
use crate::websocket::{Assembler, Incoming, Violation};

/// The owner asked for something that cannot be done; the connection is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageError {
    /// The call does not belong to the present phase of the connection.
    Phase(&'static str),
    /// An argument is not valid.
    Argument(&'static str),
    /// Our own payload breaks its schema.
    InvalidPayload(Fault),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phase(text) | Self::Argument(text) => f.write_str(text),
            Self::InvalidPayload(fault) => f.write_str(&fault.description),
        }
    }
}

impl std::error::Error for UsageError {}

#[derive(Debug)]
enum Phase {
    Head(Box<HeadReader>),
    Deciding(Box<Deciding>),
    Open(Box<Open>),
    Finished,
}

/// The request was right; the owner decides.
#[derive(Debug)]
struct Deciding {
    accept_key: String,
    deflate: Option<Offer>,
    /// Bytes that came too early; read after the acceptance.
    early: Vec<u8>,
}

/// The WebSocket is open.
#[derive(Debug)]
struct Open {
    assembler: Assembler,
    outbound: Outbound,
    /// `None`: no sub-protocol was agreed, data is ignored until the close (C5).
    rpc: Option<Rpc>,
    early: Vec<u8>,
    close_sent: bool,
}

/// Server side of one socket.
#[derive(Debug)]
pub struct Connection {
    catalogue: Arc<Catalogue>,
    limits: Arc<Limits>,
    phase: Phase,
}

impl Connection {
    #[must_use]
    pub fn new(catalogue: Arc<Catalogue>, limits: Arc<Limits>) -> Self {
        Self { catalogue, limits, phase: Phase::Head(Box::default()) }
    }

    /// Take bytes in and tell `sink` what they mean. Empty `data` is allowed: it reads what came before the acceptance.
    /// A panic inside becomes a violation with close code 1011.
    pub fn receive(&mut self, data: &[u8], sink: &mut Sink<'_>) {
        if contain(|| self.advance(data, sink)).is_none() {
            self.phase = Phase::Finished;
            let (code, reason) = (1011, "internal error");
            sink(Event::Violation { code, reason, frame: &encode_close(code, reason) });
        }
    }

    fn advance(&mut self, data: &[u8], sink: &mut Sink<'_>) {
        match &mut self.phase {
            Phase::Head(reader) => match Self::read_head(reader, data, &self.limits) {
                Ok(None) => {}
                Ok(Some((upgrade, early))) => {
                    sink(Event::Upgrade(&upgrade));
                    let http::Upgrade { accept_key, deflate, .. } = upgrade;
                    self.phase = Phase::Deciding(Box::new(Deciding { accept_key, deflate, early }));
                }
                Err(refusal) => self.refuse(refusal, sink),
            },
            Phase::Deciding(deciding) => {
                if data.len() > self.limits.max_head.saturating_sub(deciding.early.len()) {
                    self.refuse(EARLY, sink);
                } else {
                    deciding.early.extend_from_slice(data);
                }
            }
            Phase::Open(open) => {
                let early = std::mem::take(&mut open.early);
                let open_still = open.read(&early, &self.catalogue, &self.limits, sink)
                    && open.read(data, &self.catalogue, &self.limits, sink);
                if !open_still {
                    self.phase = Phase::Finished;
                }
            }
            Phase::Finished => {}
        }
    }

    fn read_head(
        reader: &mut HeadReader,
        data: &[u8],
        limits: &Limits,
    ) -> Result<Option<(http::Upgrade, Vec<u8>)>, Refusal> {
        let Some((head, early)) = reader.push(data, limits)? else { return Ok(None) };
        let upgrade = http::parse(&head)?;
        if early.len() > limits.max_head {
            return Err(EARLY);
        }
        Ok(Some((upgrade, early.to_vec())))
    }

    fn refuse(&mut self, refusal: Refusal, sink: &mut Sink<'_>) {
        self.phase = Phase::Finished;
        let Refusal { status, reason } = refusal;
        sink(Event::BadRequest { status, reason, response: &refusal.response() });
    }

    /// Accept the upgrade: the 101 to send. Without `subprotocol` the connection is open only to be closed (C5).
    /// `max_message` replaces the limit for this connection; `compression` is used if the peer offered it.
    ///
    /// # Errors
    /// No upgrade waits for a decision, or the catalogue has no such version.
    pub fn accept(
        &mut self,
        subprotocol: Option<&str>,
        compression: bool,
        max_message: usize,
    ) -> Result<Vec<u8>, UsageError> {
        let Phase::Deciding(deciding) = &mut self.phase else {
            return Err(UsageError::Phase("no upgrade waits for a decision"));
        };
        let rpc = match subprotocol.map(|name| self.catalogue.version(name)) {
            None => None,
            Some(Some(version)) => Some(Rpc::new(&self.catalogue, version)),
            Some(None) => return Err(UsageError::Argument("unknown sub-protocol")),
        };
        let offer = deciding.deflate.filter(|_| compression);
        let answer = http::switching_protocols(&deciding.accept_key, subprotocol, offer);
        self.phase = Phase::Open(Box::new(Open {
            assembler: Assembler::new(max_message, offer.is_some(), rpc.is_none()),
            outbound: Outbound { deflate: offer.map(Offer::agreement) },
            rpc,
            early: std::mem::take(&mut deciding.early),
            close_sent: false,
        }));
        Ok(answer)
    }

    /// Refuse the upgrade: the whole response to send before the socket is closed.
    ///
    /// # Errors
    /// No upgrade waits for a decision, or status or headers are not valid.
    pub fn reject(&mut self, status: u16, headers: &[(String, String)], body: &[u8]) -> Result<Vec<u8>, UsageError> {
        if !matches!(self.phase, Phase::Deciding(_)) {
            return Err(UsageError::Phase("no upgrade waits for a decision"));
        }
        let response = http::response(status, headers, body).map_err(UsageError::Argument)?;
        self.phase = Phase::Finished;
        Ok(response)
    }

    /// Bytes held for the peer, beyond the fixed size of the machine.
    #[must_use]
    pub fn buffered(&self) -> usize {
        match &self.phase {
            Phase::Head(reader) => reader.buffered(),
            Phase::Deciding(deciding) => deciding.early.capacity(),
            Phase::Open(open) => {
                open.early.capacity() + open.assembler.buffered() + open.rpc.as_ref().map_or(0, Rpc::buffered)
            }
            Phase::Finished => 0,
        }
    }

    /// `None` once nothing can be sent any more: closing or closed.
    fn sending(phase: &mut Phase) -> Result<Option<(&mut Rpc, Outbound)>, UsageError> {
        match phase {
            Phase::Open(open) => {
                let rpc = open.rpc.as_mut().ok_or(UsageError::Phase("no sub-protocol was agreed"))?;
                Ok((!open.close_sent).then_some((rpc, open.outbound)))
            }
            Phase::Finished => Ok(None),
            Phase::Head(_) | Phase::Deciding(_) => Err(UsageError::Phase("the handshake is not complete")),
        }
    }

    /// A CALL to send; its answer is expected from now on. Empty once the connection is closing.
    ///
    /// # Errors
    /// The action is not one of ours, the id is not 1 to 36 characters or waits already, or the payload is invalid.
    pub fn encode_call(&mut self, message_id: &str, action: &str, payload: &[u8]) -> Result<Vec<u8>, UsageError> {
        let Some((rpc, outbound)) = Self::sending(&mut self.phase)? else { return Ok(Vec::new()) };
        check_id(message_id)?;
        let (id, action_row) = our_action(&self.catalogue, rpc.version(), action)?;
        let text = checked(&self.catalogue, rpc, action_row, Kind::Request, payload, &self.limits)?;
        if !rpc.expect(message_id, id) {
            return Err(UsageError::Argument("message id is pending, or too many are"));
        }
        Ok(outbound.call(message_id, action, text))
    }

    /// Expect the answer to a CALL that went out on an older connection of the same station.
    ///
    /// # Errors
    /// The action is not one of ours, the id is not 1 to 36 characters or waits already.
    pub fn expect(&mut self, message_id: &str, action: &str) -> Result<(), UsageError> {
        let Some((rpc, _)) = Self::sending(&mut self.phase)? else { return Ok(()) };
        check_id(message_id)?;
        let (id, _) = our_action(&self.catalogue, rpc.version(), action)?;
        if rpc.expect(message_id, id) {
            Ok(())
        } else {
            Err(UsageError::Argument("message id is pending, or too many are"))
        }
    }

    /// Stop expecting an answer. Unknown ids are no error.
    pub fn forget(&mut self, message_id: &str) {
        if let Phase::Open(open) = &mut self.phase
            && let Some(rpc) = &mut open.rpc
        {
            rpc.forget(message_id);
        }
    }

    /// The CALLRESULT of a station's CALL. Empty once the connection is closing.
    ///
    /// # Errors
    /// The action is not one of the station's, or the payload is invalid.
    pub fn encode_result(&mut self, message_id: &str, action: &str, payload: &[u8]) -> Result<Vec<u8>, UsageError> {
        let Some((rpc, outbound)) = Self::sending(&mut self.phase)? else { return Ok(Vec::new()) };
        check_id(message_id)?;
        let known = self.catalogue.find(rpc.version(), action).and_then(|id| self.catalogue.action(id));
        let action = known
            .filter(|action| action.from_station && !action.send)
            .ok_or(UsageError::Argument("not an action of stations"))?;
        let text = checked(&self.catalogue, rpc, action, Kind::Response, payload, &self.limits)?;
        Ok(outbound.result(message_id, text))
    }

    /// The CALLERROR of a station's CALL. Empty once the connection is closing. The description is cut at 255 characters.
    ///
    /// # Errors
    /// The code is not one of the version's, or `details` is not a JSON object.
    pub fn encode_error(
        &mut self,
        message_id: &str,
        code: &str,
        description: &str,
        details: &[u8],
    ) -> Result<Vec<u8>, UsageError> {
        let Some((rpc, outbound)) = Self::sending(&mut self.phase)? else { return Ok(Vec::new()) };
        check_id(message_id)?;
        if !rpc.dialect().has_code(code) {
            return Err(UsageError::Argument("not an error code of this version"));
        }
        let details = object(details, &self.limits).ok_or(UsageError::Argument("details must be a JSON object"))?;
        let mut description = description.to_owned();
        truncate(&mut description, MAX_TEXT);
        Ok(outbound.error(4, message_id, code, &description, details))
    }

    /// A ping frame. Empty once the connection is closing.
    ///
    /// # Errors
    /// The WebSocket is not open yet, or the payload is longer than 125 bytes.
    pub fn ping(&self, payload: &[u8]) -> Result<Vec<u8>, UsageError> {
        if payload.len() > MAX_CONTROL {
            return Err(UsageError::Argument("a ping carries at most 125 bytes"));
        }
        match &self.phase {
            Phase::Open(open) if open.close_sent => Ok(Vec::new()),
            Phase::Open(_) => Ok(encode(Opcode::Ping, false, payload)),
            Phase::Finished => Ok(Vec::new()),
            Phase::Head(_) | Phase::Deciding(_) => Err(UsageError::Phase("the handshake is not complete")),
        }
    }

    /// Our close frame; empty if one is out already or nothing is open. Until the peer's close frame comes, answers
    /// to our CALLs are still told, its CALLs are dropped.
    ///
    /// # Errors
    /// `code` may not stand in a close frame.
    pub fn close(&mut self, code: u16, reason: &str) -> Result<Vec<u8>, UsageError> {
        if !is_close_code(code) {
            return Err(UsageError::Argument("not a close code"));
        }
        match &mut self.phase {
            Phase::Open(open) if !open.close_sent => {
                open.close_sent = true;
                Ok(encode_close(code, reason))
            }
            _ => Ok(Vec::new()),
        }
    }
}

const EARLY: Refusal = Refusal { status: 400, reason: "too much data before the handshake is complete" };

impl Open {
    /// Read messages until `data` is used up; false once the connection is over.
    fn read(&mut self, data: &[u8], catalogue: &Catalogue, limits: &Limits, sink: &mut Sink<'_>) -> bool {
        let mut data = data;
        scratch::with(|scratch| {
            while !data.is_empty() {
                match self.assembler.step(&mut data, scratch) {
                    Ok(None) => return true,
                    Ok(Some(Incoming::Text(text))) => {
                        let context = Context { catalogue, limits, outbound: self.outbound, closing: self.close_sent };
                        if let Some(rpc) = &mut self.rpc {
                            rpc.receive(text, &context, sink);
                        }
                    }
                    Ok(Some(Incoming::Ignored)) => sink(Event::Dropped { reason: "no-subprotocol" }),
                    Ok(Some(Incoming::Ping(_))) if self.close_sent => {}
                    Ok(Some(Incoming::Ping(payload))) => {
                        let frame = encode(Opcode::Pong, false, payload);
                        sink(Event::Reply { frame: &frame, reason: ReplyReason::Pong });
                    }
                    Ok(Some(Incoming::Pong(payload))) => sink(Event::Pong { payload }),
                    Ok(Some(Incoming::Close { code, reason })) => {
                        if !self.close_sent {
                            // RFC 6455 section 5.5.1: the echo carries the code received.
                            let echo = match code {
                                1005 => encode(Opcode::Close, false, &[]),
                                code => encode_close(code, ""),
                            };
                            sink(Event::Reply { frame: &echo, reason: ReplyReason::Close });
                        }
                        sink(Event::Closed { code, reason });
                        return false;
                    }
                    Err(Violation { code, reason }) => {
                        let frame = if self.close_sent { Vec::new() } else { frame::encode_close(code, reason) };
                        sink(Event::Violation { code, reason, frame: &frame });
                        return false;
                    }
                }
            }
            true
        })
    }
}

/// Run `work`; `None` if it panicked. The state it worked on must not be used afterwards.
fn contain<R>(work: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

fn check_id(message_id: &str) -> Result<(), UsageError> {
    if message_id.is_empty() || message_id.chars().count() > MAX_MESSAGE_ID {
        return Err(UsageError::Argument("a message id has 1 to 36 characters"));
    }
    Ok(())
}

fn our_action<'c>(
    catalogue: &'c Catalogue,
    version: VersionId,
    name: &str,
) -> Result<(ActionId, &'c Action), UsageError> {
    catalogue
        .find(version, name)
        .and_then(|id| Some((id, catalogue.action(id)?)))
        .filter(|(_, action)| action.from_csms && !action.send)
        .ok_or(UsageError::Argument("not an action of the CSMS"))
}

/// The text of one of our own payloads, if it keeps its schema.
fn checked<'p>(
    catalogue: &Catalogue,
    rpc: &Rpc,
    action: &Action,
    kind: Kind,
    payload: &'p [u8],
    limits: &Limits,
) -> Result<&'p str, UsageError> {
    let node = action.node(kind).ok_or(UsageError::Argument("the action has no such payload"))?;
    let text = catalogue.check(rpc.dialect(), node, payload, limits).map_err(UsageError::InvalidPayload)?;
    // F1: we never send null.
    Ok(match text.trim() {
        "null" => "{}",
        text => text,
    })
}

/// The text of a JSON object.
fn object<'p>(bytes: &'p [u8], limits: &Limits) -> Option<&'p str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut scanner = Scanner::nested(text, limits, 1);
    scanner.space();
    let right = scanner.token() == Ok(Token::Object) && scanner.skip().is_ok() && scanner.end().is_ok();
    right.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_contained() {
        assert_eq!(contain(|| 1), Some(1));
        assert_eq!(contain(|| panic!("on purpose")), None::<()>);
    }
}
