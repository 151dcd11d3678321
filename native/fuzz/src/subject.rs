//! The codec as the targets use it: catalogue, limits, open connections, and what must hold of every event.

use std::sync::Arc;

use ocpp_codec::{Catalogue, Connection, Limits};

use crate::chance::Chance;
use crate::corpus::Corpus;
use crate::memory;
use crate::peer;
use crate::shapes::{self, Version};
use crate::trace::{Kind, Note, Trace};

/// Error codes we may send; the standard's own lists, written down a second time on purpose.
const CODES_16: &str = "NotImplemented NotSupported InternalError ProtocolError SecurityError FormationViolation \
    PropertyConstraintViolation OccurenceConstraintViolation TypeConstraintViolation GenericError";
const CODES_2X: &str = "FormatViolation GenericError InternalError MessageTypeNotSupported NotImplemented NotSupported \
    OccurrenceConstraintViolation PropertyConstraintViolation ProtocolError RpcFrameworkError SecurityError TypeConstraintViolation";

/// Right payloads made in advance for each action and direction.
const POOLED: usize = 12;

/// A bound of memory that follows from the limits.
struct Bound {
    fixed: usize,
    /// Bytes for each byte of the longest message that may be sent.
    each: usize,
}

impl Bound {
    const fn of(&self, largest: usize) -> usize {
        self.fixed + self.each * largest
    }
}

/// During one call: the message as received and inflated, the names of the members of all objects that are open, the answer.
const WORKING: Bound = Bound { fixed: 64 * 1024, each: 16 };
/// Between calls: a message that is not complete, in a buffer that doubled; a control frame; the ids of pending calls.
const HELD: Bound = Bound { fixed: 12 * 1024, each: 3 };

/// Calls that every open connection waits for, by id; the action is the version's first one of ours.
pub const PENDING: [&str; 2] = ["p1", "p-2"];

pub struct Subject {
    pub catalogue: Arc<Catalogue>,
    pub versions: Vec<Version>,
    pub corpus: Corpus,
    /// Right messages of each version, CALLs and answers.
    messages: Vec<Vec<String>>,
    limits: [Arc<Limits>; 2],
    heads: Vec<[Vec<u8>; 2]>,
    /// Trace buffers that targets may use.
    pub traces: [Trace; 2],
    /// The largest growth of memory that one call of the machine caused, as a share of what is allowed.
    pub fullest: f64,
}

/// How a connection is set up.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Index of the version; `None`: without a sub-protocol.
    pub version: Option<usize>,
    pub deflate: bool,
    pub max_message: usize,
    /// JSON limits far below the defaults.
    pub tight: bool,
    /// Our close frame is out before anything comes in.
    pub closing: bool,
}

impl Subject {
    pub fn new(tables: &[u8], corpus: Corpus) -> Self {
        let catalogue = Arc::new(Catalogue::new(tables).expect("the tables compile"));
        let versions = shapes::read(tables);
        let tight = Limits { max_depth: 5, max_keys: 6, max_items: 7, max_number_length: 8, ..Limits::default() };
        let heads = versions.iter().map(|version| [head(&version.name, false), head(&version.name, true)]).collect();
        let mut chance = Chance::new(0);
        let messages = versions.iter().map(|version| messages(version, &mut chance)).collect();
        let subject = Self {
            catalogue,
            versions,
            corpus,
            messages,
            limits: [Arc::new(Limits::default()), Arc::new(tight)],
            heads,
            traces: [Trace::roomy(), Trace::roomy()],
            fullest: 0.0,
        };
        subject.warm_up();
        subject
    }

    /// Make the compressors that the codec keeps for each thread: no input shall be charged with them.
    fn warm_up(&self) {
        let setup = Setup { version: Some(0), deflate: true, max_message: 65_536, tight: false, closing: false };
        let mut connection = self.open(setup);
        connection.encode_error("m", "GenericError", &"x".repeat(255), b"{\"path\":\"\"}").expect("encoded");
        let mut data = Vec::new();
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        peer::frame(&mut data, peer::FIN | peer::RSV1 | peer::TEXT, &hello, [0; 4]);
        connection.receive(&data, &mut |_| {});
    }

    pub fn limits(&self, tight: bool) -> &Arc<Limits> {
        &self.limits[usize::from(tight)]
    }

    /// A connection that waits for its request.
    pub fn fresh(&self) -> Connection {
        Connection::new(Arc::clone(&self.catalogue), Arc::clone(self.limits(false)))
    }

    /// A random set-up.
    pub fn setup(&self, chance: &mut Chance) -> Setup {
        Setup {
            version: (!chance.once_in(40)).then(|| chance.below(self.versions.len())),
            deflate: chance.once_in(2),
            max_message: *chance.pick(&[65_536, 65_536, 65_536, 4_096, 300, 1]),
            tight: chance.once_in(12),
            closing: chance.once_in(40),
        }
    }

    /// A connection after its handshake that waits for the answers to `PENDING`.
    pub fn open(&self, setup: Setup) -> Connection {
        let mut connection = Connection::new(Arc::clone(&self.catalogue), Arc::clone(self.limits(setup.tight)));
        connection.receive(&self.heads[setup.version.unwrap_or(0)][usize::from(setup.deflate)], &mut |_| {});
        let name = setup.version.map(|index| self.versions[index].name.as_str());
        connection.accept(name, setup.deflate, setup.max_message).expect("accepted");
        if let Some(index) = setup.version {
            for (id, action) in
                PENDING.iter().zip(self.versions[index].actions.iter().filter(|a| a.from_csms && !a.send))
            {
                connection.expect(id, &action.name).expect("expected");
            }
        }
        if setup.closing {
            connection.close(1001, "").expect("closed");
        }
        connection
    }

    /// A right message of a version, from the pool.
    pub fn message(&self, version: usize, chance: &mut Chance) -> &str {
        chance.pick::<String>(&self.messages[version])
    }

    /// Feed `data` in chunks of random sizes up to `chunk` bytes and record the events from anew. `largest` is the longest
    /// message that the peer may make us hold.
    pub fn feed(&mut self, connection: &mut Connection, data: &[u8], trace: usize, chunk: usize, largest: usize) {
        let mut sizes = Chance::new(data.len() as u64);
        let Self { traces, catalogue, .. } = self;
        let trace = &mut traces[trace];
        trace.clear();
        let (mut working, mut held) = (0, 0);
        let mut rest = data;
        while !rest.is_empty() {
            let size = if chunk >= rest.len() { rest.len() } else { sizes.between(1, chunk) };
            let (part, after) = rest.split_at(size);
            let ((), grown) =
                memory::peak_of(|| connection.receive(part, &mut |event| trace.record(&event, catalogue)));
            working = working.max(grown);
            held = held.max(connection.buffered());
            rest = after;
        }
        let (work, hold) = (WORKING.of(largest), HELD.of(largest));
        assert!(working <= work, "memory grew by {working} bytes in one call; at most {work} are allowed");
        assert!(held <= hold, "{held} bytes are held; at most {hold} are allowed");
        self.fullest = self.fullest.max(working as f64 / work as f64).max(held as f64 / hold as f64);
    }

    /// Codes that may be sent in a version.
    pub fn has_code(&self, version: usize, code: &str) -> bool {
        let codes = if self.versions[version].name == "ocpp1.6" { CODES_16 } else { CODES_2X };
        codes.split_whitespace().any(|known| known == code)
    }

    /// What holds for every trace of an open connection, whatever came in.
    pub fn check(&self, setup: Setup, trace: usize) {
        let trace = &self.traces[trace];
        for (index, note) in trace.notes.iter().enumerate() {
            let over = matches!(note.kind, Kind::Closed | Kind::Violation);
            assert!(!over || index + 1 == trace.notes.len(), "something follows the end");
            match note.kind {
                Kind::Upgrade | Kind::BadRequest => panic!("HTTP on an open WebSocket"),
                Kind::Violation => self.check_violation(setup, trace, note),
                Kind::Closed => {
                    let code = note.number;
                    assert!(matches!(code, 1000..=1003 | 1005 | 1007..=1014 | 3000..=4999), "closed with {code}");
                }
                Kind::Pong => assert!(trace.part(note, 0).len() <= 125),
                Kind::Dropped => {}
                Kind::Reply => self.check_reply(setup, trace, note),
                _ => self.check_message(setup, trace, note),
            }
        }
    }

    fn check_violation(&self, setup: Setup, trace: &Trace, note: &Note) {
        let (code, frame) = (note.number as u16, trace.part(note, 1));
        assert_ne!(code, 1011, "the codec panicked");
        assert!(matches!(code, 1002 | 1003 | 1007 | 1008 | 1009), "violation {code}");
        if setup.closing {
            assert!(frame.is_empty(), "a second close frame");
        } else {
            assert_eq!(peer::close_code(frame), Ok(code));
        }
    }

    fn check_reply(&self, setup: Setup, trace: &Trace, note: &Note) {
        let frame = trace.part(note, 0);
        assert!(!setup.closing, "an answer after our close frame");
        match trace.text(note, 1) {
            "pong" => assert_eq!(peer::unframe(frame).map(|f| f.opcode), Ok(peer::PONG)),
            "close" => assert!(peer::close_code(frame).is_ok()),
            "rpc-error" => {
                let version = setup.version.expect("no answers without a sub-protocol");
                assert_ne!(self.versions[version].name, "ocpp1.6", "1.6 answers no unreadable frame");
                let kind = self.check_error(version, frame);
                assert!(kind.1 != 5 || self.versions[version].name == "ocpp2.1", "type 5 outside 2.1");
            }
            other => panic!("reply {other}"),
        }
    }

    /// Rule F1 for a CALLERROR or CALLRESULTERROR of ours: its id, type and code.
    pub fn check_error(&self, version: usize, frame: &[u8]) -> (String, u64, String) {
        let message = peer::message(frame).unwrap_or_else(|wrong| panic!("{wrong}"));
        let [kind, id, code, description, details] = message.as_slice() else {
            panic!("not five elements: {message:?}")
        };
        let (Some(kind @ (4 | 5)), Some(id), Some(code), Some(description), true) =
            (kind.as_u64(), id.as_str(), code.as_str(), description.as_str(), details.is_object())
        else {
            panic!("not an error of rule F1: {message:?}")
        };
        assert!((1..=36).contains(&id.chars().count()), "id {id:?}");
        assert!(description.chars().count() <= 255, "description {description:?}");
        assert!(self.has_code(version, code), "code {code}");
        (id.to_owned(), kind, code.to_owned())
    }

    fn check_message(&self, setup: Setup, trace: &Trace, note: &Note) {
        let version = setup.version.expect("no messages without a sub-protocol");
        let id = trace.text(note, 0);
        let length = id.chars().count();
        assert!(length <= 36, "id {id:?}");
        assert!(length > 0 || note.kind == Kind::Unmatched || note.kind == Kind::ResultError, "no id");
        match note.kind {
            Kind::Call | Kind::Send => {
                // A SEND wants no answer, so it is told until the peer has closed, too.
                assert!(!setup.closing || note.kind == Kind::Send, "a CALL after our close frame");
                assert!(is_object(trace.part(note, 2)), "payload is no object");
                let action = self.versions[version].actions.iter().find(|a| a.name == trace.text(note, 1));
                assert!(action.is_some_and(|a| a.from_station && a.send == (note.kind == Kind::Send)), "wrong action");
            }
            Kind::InvalidCall => {
                let (replied, kind, code) = self.check_error(version, trace.part(note, 3));
                assert_eq!((replied.as_str(), kind, code.as_str()), (id, 4, trace.text(note, 5)));
                assert!(matches!(note.number & 0xFF, 6 | 7 | 10..=16), "row {}", note.number & 0xFF);
            }
            Kind::Result | Kind::InvalidResult => {
                assert!(PENDING.contains(&id), "not pending: {id}");
                assert!(note.kind == Kind::InvalidResult || is_object(trace.part(note, 1)), "payload is no object");
            }
            Kind::Error => {
                assert!(PENDING.contains(&id), "not pending: {id}");
                assert!(is_object(trace.part(note, 3)), "details are no object");
            }
            Kind::ResultError => assert_eq!(self.versions[version].name, "ocpp2.1"),
            Kind::Unmatched => assert!(matches!(note.number, 3 | 4)),
            other => panic!("{other:?}"),
        }
    }
}

/// Whether the text is a JSON object for another parser, too.
pub fn is_object(text: &[u8]) -> bool {
    is_json(text) && text.trim_ascii_start().first() == Some(&b'{')
}

/// Whether the text is JSON for another parser.
pub fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

fn head(version: &str, deflate: bool) -> Vec<u8> {
    let extensions = if deflate { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    format!(
        "GET /ocpp/ST1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {version}\r\n{extensions}\r\n"
    )
    .into_bytes()
}

fn messages(version: &Version, chance: &mut Chance) -> Vec<String> {
    let mut made = Vec::new();
    let ours = version.actions.iter().filter(|action| action.from_csms && !action.send);
    let pending: Vec<_> = ours.take(PENDING.len()).map(|action| action.name.as_str()).collect();
    for action in &version.actions {
        let waited_for = pending.iter().position(|name| *name == action.name);
        for turn in 0..POOLED {
            let eager = turn % 3 == 2;
            if action.from_station {
                let payload = action.request.right(chance, eager);
                let kind = if action.send { 6 } else { 2 };
                made.push(format!("[{kind},\"m{turn}\",\"{}\",{payload}]", action.name));
            }
            if let Some(response) = action.response.as_ref().filter(|_| action.from_csms) {
                let id = PENDING.get(waited_for.unwrap_or(turn)).unwrap_or(&"other");
                made.push(format!("[3,\"{id}\",{}]", response.right(chance, eager)));
            }
        }
    }
    made.push("[4,\"p1\",\"GenericError\",\"words\",{\"a\":1}]".into());
    made.push("[4,\"p-2\",\"NotSupported\",\"\",{}]".into());
    made.push("[5,\"m1\",\"FormatViolation\",\"\",{}]".into());
    made
}
