//! Events as plain tuples whose first member says what follows.

use ocpp_codec::{Event, OwnedEvent};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::catalogue::Catalogue;
use crate::fault::Fault;

/// First member of an event tuple.
#[derive(Clone, Copy)]
pub enum Tag {
    Upgrade = 1,
    BadRequest,
    Call,
    InvalidCall,
    Result,
    InvalidResult,
    Error,
    Unmatched,
    Reply,
    Dropped,
    Pong,
    Closed,
    Violation,
    Send,
    ResultError,
}

impl Tag {
    /// The constants of the module.
    pub const ALL: [(&str, Self); 15] = [
        ("UPGRADE", Self::Upgrade),
        ("BAD_REQUEST", Self::BadRequest),
        ("CALL", Self::Call),
        ("INVALID_CALL", Self::InvalidCall),
        ("RESULT", Self::Result),
        ("INVALID_RESULT", Self::InvalidResult),
        ("ERROR", Self::Error),
        ("UNMATCHED", Self::Unmatched),
        ("REPLY", Self::Reply),
        ("DROPPED", Self::Dropped),
        ("PONG", Self::Pong),
        ("CLOSED", Self::Closed),
        ("VIOLATION", Self::Violation),
        ("SEND", Self::Send),
        ("RESULT_ERROR", Self::ResultError),
    ];
}

/// The tuples of events.
pub fn list<'py>(py: Python<'py>, catalogue: &Catalogue, events: &[OwnedEvent]) -> PyResult<Bound<'py, PyList>> {
    let tuples = events.iter().map(|event| tuple(py, catalogue, &event.as_event())).collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, tuples)
}

/// The tuple of an event.
fn tuple<'py>(py: Python<'py>, catalogue: &Catalogue, event: &Event<'_>) -> PyResult<Bound<'py, PyTuple>> {
    let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
    let text = |text: &str| PyBytes::new(py, text.as_bytes());
    match *event {
        Event::Upgrade(upgrade) => {
            let headers = upgrade.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let subprotocols = upgrade.subprotocols.iter().map(String::as_str);
            let (headers, subprotocols): (Vec<_>, Vec<_>) = (headers.collect(), subprotocols.collect());
            let (method, target) = (upgrade.method.as_str(), upgrade.target.as_str());
            (Tag::Upgrade as u8, method, target, headers, subprotocols, upgrade.deflate.is_some()).into_pyobject(py)
        }
        Event::BadRequest { status, reason, response } => {
            (Tag::BadRequest as u8, status, reason, bytes(response)).into_pyobject(py)
        }
        Event::Call { message_id, action, payload, digest } => {
            let action = catalogue.action_name(py, action);
            (Tag::Call as u8, message_id, action, text(payload), digest).into_pyobject(py)
        }
        Event::InvalidCall { message_id, action, fault, payload, reply, billing } => {
            let fault = Fault::from(fault.clone());
            (Tag::InvalidCall as u8, message_id, action, fault, text(payload), bytes(reply), billing).into_pyobject(py)
        }
        Event::Result { message_id, payload } => (Tag::Result as u8, message_id, text(payload)).into_pyobject(py),
        Event::InvalidResult { message_id, fault, payload } => {
            (Tag::InvalidResult as u8, message_id, Fault::from(fault.clone()), text(payload)).into_pyobject(py)
        }
        Event::Error { message_id, code, description, details } => {
            (Tag::Error as u8, message_id, code, description, text(details)).into_pyobject(py)
        }
        Event::Unmatched { message_id, message_type } => {
            (Tag::Unmatched as u8, message_id, message_type).into_pyobject(py)
        }
        Event::Send { message_id, action, payload, digest } => {
            let action = catalogue.action_name(py, action);
            (Tag::Send as u8, message_id, action, text(payload), digest).into_pyobject(py)
        }
        Event::ResultError { message_id, code, description, details } => {
            (Tag::ResultError as u8, message_id, code, description, text(details)).into_pyobject(py)
        }
        Event::Reply { frame, reason } => (Tag::Reply as u8, bytes(frame), reason.name()).into_pyobject(py),
        Event::Dropped { reason } => (Tag::Dropped as u8, reason).into_pyobject(py),
        Event::Pong { payload } => (Tag::Pong as u8, bytes(payload)).into_pyobject(py),
        Event::Closed { code, reason } => (Tag::Closed as u8, code, reason).into_pyobject(py),
        Event::Violation { code, reason, frame } => {
            (Tag::Violation as u8, code, reason, bytes(frame)).into_pyobject(py)
        }
    }
}
