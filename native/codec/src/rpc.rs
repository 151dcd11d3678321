//! The OCPP-J envelope: message types, ids, matching of answers, and rows 2 to 7, 10 and 11 of the table of checks.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use foldhash::quality::RandomState;

use crate::catalogue::{Action, ActionId, Catalogue, Kind, VersionId};
use crate::dialect::Dialect;
use crate::event::{Event, ReplyReason};
use crate::fault::{Fault, truncate};
use crate::json::{NotJson, Scanner, Token};
use crate::limits::Limits;
use crate::outbound::Outbound;
use crate::schema::validate;

/// Longest message id, in code points (F1).
pub const MAX_MESSAGE_ID: usize = 36;
/// Longest error code and description kept, in code points (F1).
pub const MAX_TEXT: usize = 255;
/// Calls that may wait for an answer at once; the protocol knows one, a few may be carried over from older connections.
const MAX_PENDING: usize = 64;

const CALL: u64 = 2;
const RESULT: u64 = 3;
const ERROR: u64 = 4;
const RESULT_ERROR: u64 = 5;
const SEND: u64 = 6;

/// Takes events.
pub type Sink<'s> = dyn FnMut(Event<'_>) + 's;

/// OCPP-J state of one connection.
#[derive(Debug)]
pub(crate) struct Rpc {
    version: VersionId,
    dialect: Dialect,
    pending: Vec<(Box<str>, ActionId)>,
}

/// What a message is handled with.
pub(crate) struct Context<'c> {
    pub catalogue: &'c Catalogue,
    pub limits: &'c Limits,
    pub outbound: Outbound,
    /// Our close frame is out: no answer can be sent any more.
    pub closing: bool,
}

/// The frame is not JSON or its message id cannot be read (rows 2, 3 and 5).
struct Unreadable(&'static str);

impl From<NotJson> for Unreadable {
    fn from(_: NotJson) -> Self {
        Self("not-json")
    }
}

/// Content hash of a message, for the detection of repeats inside this process.
fn digest(action: &str, payload: &str) -> u64 {
    static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    let mut hasher = STATE.build_hasher();
    hasher.write(action.as_bytes());
    // No byte of UTF-8, so that the boundary counts.
    hasher.write_u8(0xFF);
    hasher.write(payload.as_bytes());
    hasher.finish()
}

impl Rpc {
    pub fn new(catalogue: &Catalogue, version: VersionId) -> Self {
        Self { version, dialect: catalogue.dialect(version), pending: Vec::new() }
    }

    pub fn version(&self) -> VersionId {
        self.version
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Bytes held.
    pub fn buffered(&self) -> usize {
        self.pending.capacity() * size_of::<(Box<str>, ActionId)>()
            + self.pending.iter().map(|(id, _)| id.len()).sum::<usize>()
    }

    /// Remember that `message_id` waits for the answer of `action`; false if it waits already or too many do.
    pub fn expect(&mut self, message_id: &str, action: ActionId) -> bool {
        if self.pending.len() >= MAX_PENDING || self.position(message_id).is_some() {
            return false;
        }
        self.pending.push((message_id.into(), action));
        true
    }

    pub fn forget(&mut self, message_id: &str) {
        self.pending.retain(|(id, _)| id.as_ref() != message_id);
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }

    fn position(&self, message_id: &str) -> Option<ActionId> {
        self.pending.iter().find(|(id, _)| id.as_ref() == message_id).map(|&(_, action)| action)
    }

    /// Handle one text message.
    pub fn receive(&mut self, text: &str, context: &Context<'_>, sink: &mut Sink<'_>) {
        if let Err(Unreadable(reason)) = self.dispatch(text, context, sink) {
            if self.dialect.answers_unreadable() && !context.closing {
                let frame = context.outbound.error(4, "-1", "RpcFrameworkError", "", "{}");
                sink(Event::Reply { frame: &frame, reason: ReplyReason::RpcError });
            } else {
                sink(Event::Dropped { reason });
            }
        }
    }

    fn dispatch(&mut self, text: &str, context: &Context<'_>, sink: &mut Sink<'_>) -> Result<(), Unreadable> {
        let mut frame = Frame { scan: Scanner::new(text, context.limits), count: 0, closed: false, text };
        frame.scan.space();
        if frame.scan.token()? != Token::Array {
            frame.scan.skip()?;
            frame.scan.end()?;
            return Err(Unreadable("not-an-array"));
        }
        frame.scan.enter()?;
        if !frame.next()? || frame.scan.token()? != Token::Number {
            return Err(Unreadable("no-message-type"));
        }
        let message_type = frame.scan.number()?;
        if !message_type.integer {
            return Err(Unreadable("no-message-type"));
        }
        match message_type.raw.parse::<u64>() {
            Ok(CALL) => self.call(frame, context, sink),
            Ok(RESULT) => self.result(frame, context, sink),
            Ok(ERROR) => self.error(frame, ERROR, sink),
            Ok(RESULT_ERROR) if self.dialect.has_send() => self.error(frame, RESULT_ERROR, sink),
            Ok(SEND) if self.dialect.has_send() => self.send(frame, context, sink),
            _ => self.unknown(frame, context, sink),
        }
    }

    /// F4.
    fn unknown(&self, mut frame: Frame<'_>, context: &Context<'_>, sink: &mut Sink<'_>) -> Result<(), Unreadable> {
        let id = frame.optional_string()?;
        frame.finish()?;
        match id.filter(|id| !id.is_empty() && id.chars().count() <= MAX_MESSAGE_ID) {
            Some(id) if self.dialect.answers_unknown_type() && !context.closing => {
                let frame = context.outbound.error(4, &id, self.dialect.code(4), "unknown message type", "{}");
                sink(Event::Reply { frame: &frame, reason: ReplyReason::RpcError });
            }
            _ => sink(Event::Dropped { reason: "unknown-message-type" }),
        }
        Ok(())
    }

    fn call(&self, frame: Frame<'_>, context: &Context<'_>, sink: &mut Sink<'_>) -> Result<(), Unreadable> {
        let text = frame.text;
        let request = self.request(frame, context, false)?;
        if context.closing {
            sink(Event::Dropped { reason: "closing" });
            return Ok(());
        }
        let Request { message_id, action, known, payload, fault } = request;
        match (fault, known) {
            (None, Some((id, action))) => {
                let payload = payload.unwrap_or("{}");
                let digest = digest(&action.name, payload);
                sink(Event::Call { message_id: &message_id, action: id, payload, digest });
            }
            // An action that is not known is a fault.
            (None, None) => {}
            (Some(fault), known) => {
                let mut message_id = message_id.into_owned();
                truncate(&mut message_id, MAX_MESSAGE_ID);
                let reply = context.outbound.error(4, &message_id, fault.code, &fault.description, &fault.details());
                sink(Event::InvalidCall {
                    message_id: &message_id,
                    action: action.as_deref(),
                    fault: &fault,
                    payload: payload.unwrap_or(text),
                    reply: &reply,
                    billing: known.is_some_and(|(_, action)| action.billing),
                });
            }
        }
        Ok(())
    }

    fn send(&self, frame: Frame<'_>, context: &Context<'_>, sink: &mut Sink<'_>) -> Result<(), Unreadable> {
        // F7: a SEND is never answered, not even with an error.
        let reason = match self.request(frame, context, true) {
            Ok(Request { fault: None, known: Some((id, action)), message_id, payload, .. }) => {
                let payload = payload.unwrap_or("{}");
                let digest = digest(&action.name, payload);
                sink(Event::Send { message_id: &message_id, action: id, payload, digest });
                return Ok(());
            }
            Ok(_) => "invalid-send",
            Err(Unreadable(reason)) => reason,
        };
        sink(Event::Dropped { reason });
        Ok(())
    }

    /// Read a CALL or SEND and find its first fault.
    fn request<'a, 'c>(
        &self,
        mut frame: Frame<'a>,
        context: &'c Context<'_>,
        send: bool,
    ) -> Result<Request<'a, 'c>, Unreadable> {
        let message_id = frame.optional_string()?.filter(|id| !id.is_empty()).ok_or(Unreadable("no-message-id"))?;
        let mut faults = Faults { dialect: self.dialect, first: None };
        if message_id.len() > MAX_MESSAGE_ID && message_id.chars().count() > MAX_MESSAGE_ID {
            faults.add(6, "messageId", "message id longer than 36 characters");
        }
        let action = frame.optional_string()?;
        let mut known = None;
        if let Some(name) = &action {
            known = context.catalogue.find(self.version, name).and_then(|id| Some((id, context.catalogue.action(id)?)));
            match known {
                None => faults.add(10, "action", "unknown action"),
                Some((_, action)) if !action.from_station || action.send != send => {
                    faults.add(11, "action", "action not supported in this direction");
                }
                Some(_) => {}
            }
        } else {
            faults.add(7, "action", "action must be a string");
        }
        let mut payload = None;
        if frame.next()? {
            let start = frame.scan.pos();
            let token = frame.scan.token()?;
            let node = known.and_then(|(_, action)| action.node(Kind::Request));
            if let (Token::Object | Token::Null, Some(node)) = (token, node) {
                faults.merge(validate::payload(&mut frame.scan, context.catalogue.nodes(), node, self.dialect)?);
            } else {
                frame.scan.skip()?;
            }
            match token {
                Token::Object => payload = Some(frame.scan.since(start)),
                Token::Null => payload = Some("{}"),
                _ => faults.add(7, "payload", "payload must be an object"),
            }
        } else {
            faults.add(7, "envelope", "a CALL has 4 elements");
        }
        if frame.finish()? {
            faults.add(7, "envelope", "a CALL has 4 elements");
        }
        Ok(Request { message_id, action, known, payload, fault: faults.first })
    }

    fn result(&mut self, mut frame: Frame<'_>, context: &Context<'_>, sink: &mut Sink<'_>) -> Result<(), Unreadable> {
        let Some(mut message_id) = frame.optional_string()?.map(Cow::into_owned) else {
            frame.finish()?;
            sink(Event::Dropped { reason: "malformed-answer" });
            return Ok(());
        };
        let node = self.position(&message_id).and_then(|id| context.catalogue.action(id)?.node(Kind::Response));
        let Some(node) = node else {
            frame.finish()?;
            truncate(&mut message_id, MAX_MESSAGE_ID);
            sink(Event::Unmatched { message_id: &message_id, message_type: RESULT as u8 });
            return Ok(());
        };
        let mut fault = None;
        let mut payload = "{}";
        let mut shape = !frame.next()?;
        if !shape {
            let start = frame.scan.pos();
            let null = frame.scan.token()? == Token::Null;
            fault = validate::payload(&mut frame.scan, context.catalogue.nodes(), node, self.dialect)?;
            if !null {
                payload = frame.scan.since(start);
            }
        }
        shape |= frame.finish()?;
        if shape {
            let what = "a CALLRESULT has 3 elements";
            fault = Some(Fault::new(self.dialect, 7, String::new(), "envelope", what));
        }
        self.forget(&message_id);
        let Some(fault) = fault else {
            sink(Event::Result { message_id: &message_id, payload });
            return Ok(());
        };
        if self.dialect.has_send() && !context.closing {
            let details = fault.details();
            let frame = context.outbound.error(5, &message_id, fault.code, &fault.description, &details);
            sink(Event::Reply { frame: &frame, reason: ReplyReason::RpcError });
        }
        sink(Event::InvalidResult { message_id: &message_id, fault: &fault, payload });
        Ok(())
    }

    /// CALLERROR and CALLRESULTERROR. Read with patience: whatever is wrong with it, it ends the call it names.
    fn error(&mut self, mut frame: Frame<'_>, message_type: u64, sink: &mut Sink<'_>) -> Result<(), Unreadable> {
        let Some(mut message_id) = frame.optional_string()?.map(Cow::into_owned) else {
            frame.finish()?;
            sink(Event::Dropped { reason: "malformed-answer" });
            return Ok(());
        };
        let mut code = frame.optional_string()?.unwrap_or_default().into_owned();
        let mut description = frame.optional_string()?.unwrap_or_default().into_owned();
        let mut details = "{}";
        if frame.next()? {
            let start = frame.scan.pos();
            let object = frame.scan.token()? == Token::Object;
            frame.scan.skip()?;
            if object {
                details = frame.scan.since(start);
            }
        }
        frame.finish()?;
        truncate(&mut code, MAX_TEXT);
        truncate(&mut description, MAX_TEXT);
        let (code, description) = (code.as_str(), description.as_str());
        if message_type == RESULT_ERROR {
            truncate(&mut message_id, MAX_MESSAGE_ID);
            sink(Event::ResultError { message_id: &message_id, code, description, details });
        } else if self.position(&message_id).is_some() {
            self.forget(&message_id);
            sink(Event::Error { message_id: &message_id, code, description, details });
        } else {
            truncate(&mut message_id, MAX_MESSAGE_ID);
            sink(Event::Unmatched { message_id: &message_id, message_type: ERROR as u8 });
        }
        Ok(())
    }
}

/// A CALL or SEND as read.
struct Request<'a, 'c> {
    message_id: Cow<'a, str>,
    action: Option<Cow<'a, str>>,
    known: Option<(ActionId, &'c Action)>,
    /// Text of the payload if there was one.
    payload: Option<&'a str>,
    fault: Option<Fault>,
}

/// Keeps the fault of the lowest row; within a row the first one.
struct Faults {
    dialect: Dialect,
    first: Option<Fault>,
}

impl Faults {
    fn add(&mut self, row: u8, rule: &'static str, what: &str) {
        self.merge(Some(Fault::new(self.dialect, row, String::new(), rule, what)));
    }

    fn merge(&mut self, fault: Option<Fault>) {
        if let Some(fault) = fault
            && self.first.as_ref().is_none_or(|first| first.row > fault.row)
        {
            self.first = Some(fault);
        }
    }
}

/// The array of a frame, element by element.
struct Frame<'a> {
    scan: Scanner<'a>,
    count: usize,
    closed: bool,
    text: &'a str,
}

impl<'a> Frame<'a> {
    /// Go to the next element; false if there is none.
    fn next(&mut self) -> Result<bool, NotJson> {
        self.closed = self.closed || !self.scan.element(&mut self.count)?;
        Ok(!self.closed)
    }

    /// The next element if it is there and a string.
    fn optional_string(&mut self) -> Result<Option<Cow<'a, str>>, NotJson> {
        if !self.next()? {
            return Ok(None);
        }
        if self.scan.token()? == Token::String {
            return Ok(Some(self.scan.string()?.value()));
        }
        self.scan.skip()?;
        Ok(None)
    }

    /// Step over what is left; true if an element was left.
    fn finish(&mut self) -> Result<bool, NotJson> {
        let mut left = false;
        while self.next()? {
            left = true;
            self.scan.skip()?;
        }
        self.scan.end()?;
        Ok(left)
    }
}
