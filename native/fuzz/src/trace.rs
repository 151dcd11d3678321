//! What a connection told, kept flat so that traces compare fast and recording allocates nothing.

use std::ops::Range;

use ocpp_codec::{Catalogue, Event};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Upgrade,
    BadRequest,
    Call,
    InvalidCall,
    Result,
    InvalidResult,
    Error,
    Unmatched,
    Send,
    ResultError,
    Reply,
    Dropped,
    Pong,
    Closed,
    Violation,
}

/// One event: its texts are parts of the trace's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub kind: Kind,
    /// Status, row, close code, message type or digest, by kind.
    pub number: u64,
    parts: [Range<usize>; 6],
    used: usize,
}

/// Events in order.
#[derive(Default)]
pub struct Trace {
    bytes: Vec<u8>,
    pub notes: Vec<Note>,
}

impl Trace {
    /// A trace with room for what any input of the fuzzer makes, so that recording does not count as memory of the codec.
    pub fn roomy() -> Self {
        Self { bytes: Vec::with_capacity(8 << 20), notes: Vec::with_capacity(1 << 15) }
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.notes.clear();
    }

    pub fn part(&self, note: &Note, index: usize) -> &[u8] {
        &self.bytes[note.parts[index].clone()]
    }

    /// A part that is text by its type.
    pub fn text(&self, note: &Note, index: usize) -> &str {
        std::str::from_utf8(self.part(note, index)).expect("a text of an event")
    }

    fn note(&mut self, kind: Kind, number: u64, parts: &[&[u8]]) {
        let mut note = Note { kind, number, parts: [const { 0..0 }; 6], used: parts.len() };
        for (range, part) in note.parts.iter_mut().zip(parts) {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(part);
            *range = start..self.bytes.len();
        }
        self.notes.push(note);
    }

    pub fn record(&mut self, event: &Event<'_>, catalogue: &Catalogue) {
        let name = |id| catalogue.action(id).map_or("", |action| &action.name).as_bytes();
        match *event {
            Event::Upgrade(upgrade) => {
                let mut fields = Vec::new();
                for (name, value) in &upgrade.headers {
                    fields.extend_from_slice(name.as_bytes());
                    fields.extend_from_slice(b": ");
                    fields.extend(value.chars().map(|c| c as u8));
                    fields.extend_from_slice(b"\r\n");
                }
                let subprotocols = upgrade.subprotocols.join(",");
                let deflate = upgrade.deflate.map_or_else(String::new, |offer| offer.answer());
                let parts = [
                    upgrade.method.as_bytes(),
                    upgrade.target.as_bytes(),
                    &fields,
                    subprotocols.as_bytes(),
                    deflate.as_bytes(),
                ];
                self.note(Kind::Upgrade, 101, &parts);
            }
            Event::BadRequest { status, reason, response } => {
                self.note(Kind::BadRequest, status.into(), &[reason.as_bytes(), response]);
            }
            Event::Call { message_id, action, payload, digest } => {
                self.note(Kind::Call, digest, &[message_id.as_bytes(), name(action), payload.as_bytes()]);
            }
            Event::Send { message_id, action, payload, digest } => {
                self.note(Kind::Send, digest, &[message_id.as_bytes(), name(action), payload.as_bytes()]);
            }
            Event::InvalidCall { message_id, action, fault, payload, reply, billing } => {
                let action = action.unwrap_or_default().as_bytes();
                let path = fault.path.as_bytes();
                let parts = [message_id.as_bytes(), action, payload.as_bytes(), reply, path, fault.code.as_bytes()];
                self.note(Kind::InvalidCall, u64::from(fault.row) | u64::from(billing) << 8, &parts);
            }
            Event::Result { message_id, payload } => {
                self.note(Kind::Result, 0, &[message_id.as_bytes(), payload.as_bytes()]);
            }
            Event::InvalidResult { message_id, fault, payload } => {
                let parts = [message_id.as_bytes(), payload.as_bytes(), fault.path.as_bytes(), fault.code.as_bytes()];
                self.note(Kind::InvalidResult, fault.row.into(), &parts);
            }
            Event::Error { message_id, code, description, details } => {
                let parts = [message_id.as_bytes(), code.as_bytes(), description.as_bytes(), details.as_bytes()];
                self.note(Kind::Error, 0, &parts);
            }
            Event::ResultError { message_id, code, description, details } => {
                let parts = [message_id.as_bytes(), code.as_bytes(), description.as_bytes(), details.as_bytes()];
                self.note(Kind::ResultError, 0, &parts);
            }
            Event::Unmatched { message_id, message_type } => {
                self.note(Kind::Unmatched, message_type.into(), &[message_id.as_bytes()]);
            }
            Event::Reply { frame, reason } => self.note(Kind::Reply, 0, &[frame, reason.name().as_bytes()]),
            Event::Dropped { reason } => self.note(Kind::Dropped, 0, &[reason.as_bytes()]),
            Event::Pong { payload } => self.note(Kind::Pong, 0, &[payload]),
            Event::Closed { code, reason } => self.note(Kind::Closed, code.into(), &[reason.as_bytes()]),
            Event::Violation { code, reason, frame } => {
                self.note(Kind::Violation, code.into(), &[reason.as_bytes(), frame]);
            }
        }
    }

    /// What an event stands for in the list of outcomes seen: kind, and row, status, close code or reason.
    pub fn outcome(&self, note: &Note) -> (Kind, u64, &[u8]) {
        match note.kind {
            Kind::Call | Kind::Send => (note.kind, 0, b""),
            Kind::InvalidCall => (note.kind, note.number & 0xFF, b""),
            Kind::Dropped | Kind::BadRequest | Kind::Violation => (note.kind, note.number, self.part(note, 0)),
            Kind::Reply => (note.kind, 0, self.part(note, 1)),
            kind => (kind, note.number, b""),
        }
    }

    /// Whether both say the same.
    pub fn same(&self, other: &Self) -> bool {
        self.notes.len() == other.notes.len()
            && self.notes.iter().zip(&other.notes).all(|(a, b)| self.same_note(a, other, b))
    }

    /// Whether a note of this trace says the same as one of another.
    pub fn same_note(&self, note: &Note, other: &Self, its: &Note) -> bool {
        note.kind == its.kind
            && note.number == its.number
            && note.used == its.used
            && (0..note.used).all(|index| self.part(note, index) == other.part(its, index))
    }

    /// For a person.
    pub fn describe(&self) -> String {
        let line = |note: &Note| {
            let parts: Vec<_> =
                (0..note.used).map(|i| String::from_utf8_lossy(self.part(note, i)).into_owned()).collect();
            format!("  {:?} {} {parts:?}\n", note.kind, note.number)
        };
        self.notes.iter().map(line).collect()
    }
}
