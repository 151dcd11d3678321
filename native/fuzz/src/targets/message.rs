//! The text of one OCPP-J message of any version.

use super::Target;
use crate::chance::Chance;
use crate::mutate;
use crate::peer::{self, FIN, TEXT};
use crate::subject::{Setup, Subject, is_json};
use crate::trace::{Kind, Note};
use ocpp_codec::{Kind as Direction, Limits, metering};
use serde_json::Value;

pub const TARGET: Target = Target {
    name: "message",
    make,
    check,
    kept: |corpus| &corpus.messages,
    setups: 60,
    sees: &[
        "Call 0",
        "Dropped 0 malformed-answer",
        "Dropped 0 not-json",
        "Dropped 0 unknown-message-type",
        "Error 0",
        "InvalidCall 6",
        "InvalidCall 7",
        "InvalidCall 10",
        "InvalidCall 11",
        "InvalidCall 12",
        "InvalidCall 13",
        "InvalidCall 14",
        "InvalidCall 16",
        "InvalidResult 12",
        "InvalidResult 13",
        "InvalidResult 14",
        "InvalidResult 16",
        "Reply 0 rpc-error",
        "Result 0",
        "Unmatched 3",
        "Unmatched 4",
        "Violation 1007 invalid UTF-8",
        "Violation 1009 message too big",
    ],
};

/// Longest message made: more than the largest limit.
const LONGEST: usize = 70_000;

fn make(subject: &Subject, chance: &mut Chance) -> Vec<u8> {
    let version = chance.below(subject.versions.len());
    let mut input = if chance.once_in(4) {
        chance.pick(&subject.corpus.messages).input.clone()
    } else {
        subject.message(version, chance).as_bytes().to_vec()
    };
    if !chance.once_in(8) {
        let other = subject.message(version, chance).as_bytes();
        mutate::json(&mut input, other, chance, LONGEST);
    }
    input
}

fn check(subject: &mut Subject, input: &[u8], chance: &mut Chance) {
    let setup = Setup { closing: false, ..subject.setup(chance) };
    let Some(version) = setup.version else { return };
    if chance.once_in(8) {
        right_is_accepted(subject, version, chance);
    }
    let mut connection = subject.open(setup);
    let mut data = Vec::with_capacity(input.len() + 14);
    peer::frame(&mut data, FIN | TEXT, input, [0x5A, 0xA5, 0x3C, 0xC3]);
    let largest = setup.max_message.min(input.len());
    subject.feed(&mut connection, &data, 0, usize::MAX, largest);
    subject.check(setup, 0);
    let trace = &subject.traces[0];
    let is21 = subject.versions[version].name == "ocpp2.1";
    let note = match trace.notes.as_slice() {
        [note] => note.clone(),
        [reply, note] if is21 && reply.kind == Kind::Reply && note.kind == Kind::InvalidResult => note.clone(),
        _ => panic!("not one event:\n{}", trace.describe()),
    };
    let refused_text = input.len() > setup.max_message || std::str::from_utf8(input).is_err();
    assert_eq!(note.kind == Kind::Violation, refused_text, "{}", trace.describe());
    let unreadable = matches!(note.kind, Kind::Violation | Kind::Dropped | Kind::Reply);
    assert!(unreadable || is_json(input), "another parser does not take it for JSON:\n{}", trace.describe());
    match note.kind {
        Kind::Call => judged_again(subject, setup, version, &note, chance),
        Kind::InvalidCall => refused_again(subject, setup, version, &note),
        _ => {}
    }
    if matches!(note.kind, Kind::Call | Kind::InvalidCall | Kind::Dropped | Kind::Unmatched) && chance.once_in(4) {
        subject.feed(&mut connection, &data, 1, usize::MAX, largest);
        assert!(subject.traces[0].same(&subject.traces[1]), "not the same when it comes again");
    }
}

/// The payload handed out is right by itself, and the same content in another envelope has the same digest.
fn judged_again(subject: &mut Subject, setup: Setup, version: usize, note: &Note, chance: &mut Chance) {
    let trace = &subject.traces[0];
    let (action, payload) = (trace.text(note, 1).to_owned(), trace.text(note, 2).to_owned());
    let id = subject.catalogue.version(&subject.versions[version].name).expect("the version");
    let limits = subject.limits(setup.tight);
    let verdict = subject.catalogue.validate(id, &action, Direction::Request, payload.as_bytes(), limits);
    assert_eq!(verdict, Ok(()), "the payload alone");
    metered_whole(&payload, limits);
    if !chance.once_in(4) {
        return;
    }
    for (payload, equal) in [(payload.clone(), true), (payload.replacen('{', "{ ", 1), false)] {
        let message = format!(" [ 2 , \"z\" , \"{action}\" , {payload} ] ");
        let mut data = Vec::new();
        peer::frame(&mut data, FIN | TEXT, message.as_bytes(), [1; 4]);
        let mut other = subject.open(Setup { max_message: 100_000, ..setup });
        subject.feed(&mut other, &data, 1, usize::MAX, message.len());
        let again = &subject.traces[1];
        let [call] = again.notes.as_slice() else { panic!("in another envelope:\n{}", again.describe()) };
        assert_eq!((call.kind, again.text(call, 1), again.text(call, 2)), (Kind::Call, &*action, &*payload));
        assert_eq!(call.number == note.number, equal, "digests of contents that are equal: {equal}");
    }
}

/// What is read as ordinary meter values, and what is left, are together the payload.
fn metered_whole(payload: &str, limits: &Limits) {
    let Some(found) = metering::read(payload, limits) else { return };
    let mut whole: serde_json::Map<String, Value> = serde_json::from_str(payload).expect("an object");
    let text: Value = serde_json::from_str(found.text).expect("the array");
    assert_eq!(whole.remove("meterValue"), Some(text), "the array as it stands");
    assert_eq!(serde_json::from_str::<Value>(&found.rest).expect("the rest"), Value::Object(whole));
    for one in &found.meter_values {
        assert!(one.values.iter().all(|value| value.parse::<f64>().is_ok()), "plain decimals");
    }
}

/// A payload made from the tables is accepted.
fn right_is_accepted(subject: &mut Subject, version: usize, chance: &mut Chance) {
    let action = chance.pick(&subject.versions[version].actions);
    let eager = chance.once_in(4);
    let (message, wanted) = match &action.response {
        _ if action.send => {
            (format!("[6,\"s\",\"{}\",{}]", action.name, action.request.right(chance, eager)), Kind::Send)
        }
        _ if action.from_station => {
            (format!("[2,\"s\",\"{}\",{}]", action.name, action.request.right(chance, eager)), Kind::Call)
        }
        Some(response) => (format!("[3,\"s\",{}]", response.right(chance, eager)), Kind::Result),
        None => return,
    };
    let setup = Setup { version: Some(version), deflate: false, max_message: 1 << 20, tight: false, closing: false };
    let expected = (wanted == Kind::Result).then(|| action.name.clone());
    let mut connection = subject.open(setup);
    if let Some(name) = expected {
        connection.expect("s", &name).expect("expected");
    }
    let mut data = Vec::new();
    peer::frame(&mut data, FIN | TEXT, message.as_bytes(), [0; 4]);
    subject.feed(&mut connection, &data, 0, usize::MAX, message.len());
    let trace = &subject.traces[0];
    assert!(trace.notes.iter().map(|note| note.kind).eq([wanted]), "{message} is right, but:\n{}", trace.describe());
}

/// A payload that was refused by its schema is refused by itself, for the same reason.
fn refused_again(subject: &Subject, setup: Setup, version: usize, note: &Note) {
    let trace = &subject.traces[0];
    let row = (note.number & 0xFF) as u8;
    if row < 12 {
        return;
    }
    let id = subject.catalogue.version(&subject.versions[version].name).expect("the version");
    let limits = subject.limits(setup.tight);
    let verdict = subject.catalogue.validate(id, trace.text(note, 1), Direction::Request, trace.part(note, 2), limits);
    let fault = verdict.expect_err("the payload alone is right");
    assert_eq!((fault.row, fault.path.as_str(), fault.code), (row, trace.text(note, 4), trace.text(note, 5)));
}
