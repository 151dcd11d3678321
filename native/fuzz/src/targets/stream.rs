//! WebSocket frames on an open connection: fragmented, masked, compressed, mixed with control frames, right and wrong.

use super::Target;
use crate::chance::Chance;
use crate::mutate;
use crate::peer::{self, CLOSE, CONTINUATION, FIN, PING, PONG, RSV1, TEXT};
use crate::subject::{Setup, Subject};
use crate::trace::Kind;

pub const TARGET: Target = Target {
    name: "stream",
    make,
    check,
    kept: |corpus| &corpus.streams,
    setups: 60,
    sees: &[
        "Call 0",
        "Closed 1000",
        "Closed 1005",
        "Dropped 0 closing",
        "Dropped 0 no-subprotocol",
        "Dropped 0 not-json",
        "Error 0",
        "InvalidCall 14",
        "InvalidResult 12",
        "Pong 0",
        "Reply 0 close",
        "Reply 0 pong",
        "Reply 0 rpc-error",
        "Result 0",
        "Violation 1002 client frame not masked",
        "Violation 1002 message inside a message",
        "Violation 1002 reserved bit set",
        "Violation 1003 text frames only",
        "Violation 1007 compressed data corrupt",
        "Violation 1007 invalid UTF-8",
        "Violation 1009 message too big",
    ],
};

/// Longest stream made.
const LONGEST: usize = 100_000;

fn make(subject: &Subject, chance: &mut Chance) -> Vec<u8> {
    let streams = &subject.corpus.streams;
    let mut input = match chance.below(4) {
        0 => chance.pick(streams).input.clone(),
        _ => frames(subject, chance),
    };
    if !chance.once_in(4) {
        let other = &chance.pick(streams).input;
        mutate::bytes(&mut input, other, chance, LONGEST);
    }
    input
}

/// Some frames, most of them right.
fn frames(subject: &Subject, chance: &mut Chance) -> Vec<u8> {
    let mut out = Vec::new();
    let version = chance.below(subject.versions.len());
    for _ in 0..chance.between(1, 4) {
        let payload: Vec<u8> = (0..chance.below(130)).map(|_| chance.byte()).collect();
        match chance.below(14) {
            0 => peer::frame(&mut out, FIN | PING, &payload, [1, 2, 3, 4]),
            1 => peer::frame(&mut out, FIN | PONG, &payload, [0; 4]),
            2 => {
                let code = *chance.pick(&[1000_u16, 1001, 1005, 1006, 1015, 2999, 3000, 4999, 5000, 0, 65_535]);
                let reason = &payload[..payload.len().min(20)];
                peer::frame(&mut out, FIN | CLOSE, &[&code.to_be_bytes(), reason].concat(), [7; 4]);
            }
            3 => peer::frame(&mut out, chance.byte(), &payload, [3; 4]),
            4 => {
                // A length that is only announced.
                out.extend([FIN | TEXT, 0x80 | chance.pick(&[126_u8, 127])]);
                out.extend(chance.next().to_be_bytes());
            }
            5 if chance.once_in(1_000) => {
                peer::frame(&mut out, TEXT, b"", [0; 4]);
                for _ in 0..chance.between(4_000, 4_200) {
                    peer::frame(&mut out, CONTINUATION, b"", [0; 4]);
                }
            }
            6 => peer::fragments(&mut out, TEXT | RSV1, &payload, chance, &mut Vec::new()),
            _ => {
                let message = subject.message(version, chance).as_bytes();
                if chance.once_in(3) {
                    let message = peer::deflated(message, chance);
                    peer::fragments(&mut out, TEXT | RSV1, &message, chance, &mut Vec::new());
                } else {
                    peer::fragments(&mut out, TEXT, message, chance, &mut Vec::new());
                }
            }
        }
    }
    out
}

fn check(subject: &mut Subject, input: &[u8], chance: &mut Chance) {
    let setup = subject.setup(chance);
    at_once_and_in_pieces(subject, setup, input, chance);
    if chance.once_in(4) {
        wrapping_changes_nothing(subject, setup, chance);
    }
}

/// The events do not depend on how the bytes were cut, and the checks of every event hold.
fn at_once_and_in_pieces(subject: &mut Subject, setup: Setup, input: &[u8], chance: &mut Chance) {
    let largest = largest(setup, input);
    let mut whole = subject.open(setup);
    subject.feed(&mut whole, input, 0, usize::MAX, largest);
    subject.check(setup, 0);
    let chunk = if input.len() < 2_000 { *chance.pick(&[1, 2, 9, 100]) } else { *chance.pick(&[17, 400, 5_000]) };
    let mut pieces = subject.open(setup);
    subject.feed(&mut pieces, input, 1, chunk, largest);
    let [first, second] = &subject.traces;
    assert!(first.same(second), "at once:\n{}in pieces:\n{}", first.describe(), second.describe());
    if first.notes.last().is_some_and(|note| matches!(note.kind, Kind::Closed | Kind::Violation)) {
        assert_eq!((whole.buffered(), pieces.buffered()), (0, 0), "held after the end");
        subject.feed(&mut whole, input, 0, usize::MAX, largest);
        assert!(subject.traces[0].notes.is_empty(), "something follows the end");
    }
}

/// The longest message the peer can make us hold: what the limit allows, and without compression what was sent.
fn largest(setup: Setup, input: &[u8]) -> usize {
    if setup.deflate { setup.max_message } else { setup.max_message.min(input.len()) }
}

/// Messages in fragments, compressed, with pings between, mean what each of them means in a frame of its own.
fn wrapping_changes_nothing(subject: &mut Subject, setup: Setup, chance: &mut Chance) {
    let Some(version) = setup.version else { return };
    let setup = Setup { max_message: 65_536, ..setup };
    let (mut plain, mut wrapped, mut pings) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..chance.between(1, 3) {
        let mut message = subject.message(version, chance).as_bytes().to_vec();
        if chance.once_in(2) {
            mutate::json(&mut message, b"{}", chance, 30_000);
        }
        if std::str::from_utf8(&message).is_err() {
            continue;
        }
        peer::frame(&mut plain, FIN | TEXT, &message, [0; 4]);
        if setup.deflate && chance.once_in(2) {
            let small = peer::deflated(&message, chance);
            peer::fragments(&mut wrapped, TEXT | RSV1, &small, chance, &mut pings);
        } else {
            peer::fragments(&mut wrapped, TEXT, &message, chance, &mut pings);
        }
    }
    let mut one = subject.open(setup);
    subject.feed(&mut one, &plain, 0, usize::MAX, setup.max_message);
    let mut other = subject.open(setup);
    subject.feed(&mut other, &wrapped, 1, *chance.pick(&[7, 300, usize::MAX]), setup.max_message);
    let [first, second] = &mut subject.traces;
    let pongs: Vec<_> = second
        .notes
        .iter()
        .filter(|note| note.kind == Kind::Reply && second.text(note, 1) == "pong")
        .map(|note| peer::unframe(second.part(note, 0)).expect("a pong").payload)
        .collect();
    assert_eq!(pongs, if setup.closing { Vec::new() } else { pings }, "pongs");
    let kept = second.notes.iter().filter(|note| note.kind != Kind::Reply || second.text(note, 1) != "pong");
    let same = first.notes.len() + pongs.len() == second.notes.len()
        && first.notes.iter().zip(kept).all(|(a, b)| first.same_note(a, second, b));
    assert!(same, "in frames of their own:\n{}wrapped:\n{}", first.describe(), second.describe());
}
