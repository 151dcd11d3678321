//! The bytes of an HTTP request and what follows it before the handshake is decided.

use super::Target;
use crate::chance::Chance;
use crate::mutate;
use crate::subject::Subject;
use crate::trace::{Kind, Note, Trace};

/// Bytes of a request head that are taken; the codec's default.
const MAX_HEAD: usize = 8_192;

pub const TARGET: Target = Target {
    name: "head",
    make,
    check,
    kept: |corpus| &corpus.heads,
    setups: 20,
    sees: &[
        "BadRequest 400 line not ended by CR LF",
        "BadRequest 400 malformed Sec-WebSocket-Protocol",
        "BadRequest 400 request body not allowed",
        "BadRequest 400 too much data before the handshake is complete",
        "BadRequest 405 GET required",
        "BadRequest 426 WebSocket upgrade required",
        "BadRequest 431 request head too large",
        "BadRequest 431 too many header lines",
        "BadRequest 505 HTTP/1.1 required",
        "Upgrade 101",
    ],
};

fn make(subject: &Subject, chance: &mut Chance) -> Vec<u8> {
    let heads = &subject.corpus.heads;
    let mut input = chance.pick(heads).input.clone();
    if !chance.once_in(50) {
        let other = &chance.pick(heads).input;
        mutate::head(&mut input, other, chance, 3 * MAX_HEAD);
    }
    if chance.once_in(8) {
        input.extend((0..chance.length(2 * MAX_HEAD)).map(|n| n as u8));
    }
    input
}

fn check(subject: &mut Subject, input: &[u8], chance: &mut Chance) {
    let mut whole = subject.fresh();
    subject.feed(&mut whole, input, 0, usize::MAX, MAX_HEAD);
    let chunk = *chance.pick(&[1, 3, 20, 500]);
    let mut pieces = subject.fresh();
    subject.feed(&mut pieces, input, 1, chunk, MAX_HEAD);
    let [first, second] = &mut subject.traces;
    if too_much_came_early(second) {
        // Cut in pieces, the request was told before the bytes after it became too many.
        second.notes.remove(0);
    }
    assert!(first.same(second), "at once:\n{}in pieces:\n{}", first.describe(), second.describe());
    let Some(note) = first.notes.first().cloned() else { return };
    assert_eq!(first.notes.len(), 1, "more than one event");
    match note.kind {
        Kind::BadRequest => {
            let response = first.part(&note, 1);
            assert!(matches!(note.number, 400 | 405 | 426 | 431 | 505), "status {}", note.number);
            assert!(response.starts_with(format!("HTTP/1.1 {} ", note.number).as_bytes()), "status line");
            let (fields, body) = split_head(response);
            assert!(fields.contains(&"Connection: close"), "the connection stays open");
            assert!(fields.contains(&format!("Content-Length: {}", body.len()).as_str()), "length of the body");
            subject.feed(&mut whole, input, 0, usize::MAX, MAX_HEAD);
            assert!(subject.traces[0].notes.is_empty(), "something follows a refusal");
        }
        Kind::Upgrade => upgrade(subject, &note, whole, chance),
        other => panic!("{other:?} before the upgrade"),
    }
}

fn too_much_came_early(trace: &Trace) -> bool {
    matches!(trace.notes.as_slice(), [a, b] if a.kind == Kind::Upgrade && b.kind == Kind::BadRequest && b.number == 400)
}

/// The fields of a response and its body; each field is one line of printable ASCII.
fn split_head(response: &[u8]) -> (Vec<&str>, &[u8]) {
    let end = response.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of the head");
    let head = std::str::from_utf8(&response[..end]).expect("a head in ASCII");
    let lines: Vec<_> = head.split("\r\n").collect();
    assert!(lines.iter().all(|line| line.bytes().all(|b| (0x20..0x7F).contains(&b))), "odd bytes in {head:?}");
    (lines, &response[end + 4..])
}

fn upgrade(subject: &mut Subject, note: &Note, connection: ocpp_codec::Connection, chance: &mut Chance) {
    let mut connection = connection;
    let told = &subject.traces[0];
    let (target, fields, subprotocols) = (told.text(note, 1), told.part(note, 2).to_vec(), told.text(note, 3));
    assert_eq!(told.text(note, 0), "GET");
    assert!(!target.is_empty() && target.bytes().all(|b| b > 0x20 && b != 0x7F), "target {target:?}");
    assert!(subprotocols.bytes().all(|b| b.is_ascii_graphic()), "sub-protocols {subprotocols:?}");
    let deflate = told.text(note, 4).to_owned();
    // What was understood, sent again, is understood in the same way.
    let again = [format!("GET {target} HTTP/1.1\r\n").into_bytes(), fields, b"\r\n".to_vec()].concat();
    if again.len() <= MAX_HEAD {
        let mut other = subject.fresh();
        subject.feed(&mut other, &again, 1, usize::MAX, MAX_HEAD);
        let [first, second] = &subject.traces;
        let [its] = second.notes.as_slice() else { panic!("read again:\n{}", second.describe()) };
        let same = [0, 1, 2, 3, 4].iter().all(|&part| first.part(note, part) == second.part(its, part));
        assert!(its.kind == Kind::Upgrade && same, "read again:\n{}", second.describe());
    }
    if chance.once_in(2) {
        let value = String::from_utf8_lossy(&again).chars().take(40).collect::<String>();
        if let Ok(response) = connection.reject(401, &[("X-Odd".to_owned(), value)], b"no") {
            let (fields, body) = split_head(&response);
            assert_eq!((fields.len(), body), (4, &b"no"[..]), "{fields:?}");
        }
    } else {
        let version = chance.pick(&subject.versions);
        let response = connection.accept(Some(&version.name), true, 65_536).expect("accepted");
        let (fields, rest) = split_head(&response);
        assert_eq!(fields[0], "HTTP/1.1 101 Switching Protocols");
        assert_eq!((fields.len(), rest.len()), (5 + usize::from(!deflate.is_empty()), 0), "{fields:?}");
        subject.feed(&mut connection, &[], 1, usize::MAX, MAX_HEAD);
    }
}
