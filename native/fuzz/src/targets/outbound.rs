//! What we send: the encoders, their checks of our own payloads, and the answers that follow.

use std::str;

use ocpp_codec::{Kind as Direction, UsageError};
use serde_json::Value;

use super::Target;
use crate::chance::Chance;
use crate::mutate;
use crate::peer::{self, FIN, TEXT};
use crate::shapes::Version;
use crate::subject::{PENDING, Setup, Subject};
use crate::trace::Kind;

pub const TARGET: Target = Target {
    name: "outbound",
    make,
    check,
    kept: |corpus| &corpus.outbound,
    setups: 20,
    sees: &["Error 0", "InvalidResult 12", "InvalidResult 13", "Result 0", "Unmatched 3", "Unmatched 4"],
};

/// Most calls that may wait at once.
const MAX_PENDING: usize = 64;

fn make(subject: &Subject, chance: &mut Chance) -> Vec<u8> {
    if chance.once_in(4) {
        let mut input = chance.pick(&subject.corpus.outbound).input.clone();
        mutate::json(&mut input, b"{}", chance, 20_000);
        return input;
    }
    let version: &Version = chance.pick(&subject.versions);
    let action = chance.pick(&version.actions);
    let eager = chance.once_in(5);
    let (what, mut payload) = match &action.response {
        Some(response) if !action.from_csms => ("result", response.right(chance, eager)),
        _ if chance.once_in(4) => ("error", "{\"path\":\"/a\",\"rule\":\"type\"}".to_owned()),
        _ => ("call", action.request.right(chance, eager)),
    }
    .to_owned();
    if chance.once_in(20) {
        payload = "null".to_owned();
    }
    let mut payload = payload.into_bytes();
    if chance.once_in(2) {
        mutate::json(&mut payload, b"{\"a\":1}", chance, 20_000);
    }
    let id = *chance.pick(&[
        "m1",
        "",
        "\u{20ac}\"\\\u{1}",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ]);
    let name = match what {
        "error" => {
            *chance.pick(&["GenericError", "NotSupported", "FormatViolation", "FormationViolation", "Nonsense", ""])
        }
        _ => &action.name,
    };
    let description: String =
        (0..chance.length(400)).map(|_| *chance.pick(&['a', '\u{fc}', '"', '\u{0}', '\u{1f50c}'])).collect();
    [format!("{what}\n{id}\n{name}\n{description}\n").into_bytes(), payload].concat()
}

/// The fields of an input; missing ones are empty.
fn fields(input: &[u8]) -> Option<[&str; 4]> {
    let mut lines = input.splitn(5, |&b| b == b'\n').map(str::from_utf8);
    let mut next = || lines.next().unwrap_or(Ok("")).ok();
    Some([next()?, next()?, next()?, next()?])
}

fn check(subject: &mut Subject, input: &[u8], chance: &mut Chance) {
    let Some([what, id, name, description]) = fields(input) else { return };
    let payload = input.splitn(5, |&b| b == b'\n').nth(4).unwrap_or_default();
    let version = chance.below(subject.versions.len());
    let setup =
        Setup { version: Some(version), deflate: chance.once_in(2), max_message: 65_536, tight: false, closing: false };
    let mut connection = subject.open(setup);
    let catalogued = subject.catalogue.version(&subject.versions[version].name).expect("the version");
    let judged =
        |direction| subject.catalogue.validate(catalogued, name, direction, payload, subject.limits(false)).is_ok();
    let known = subject.versions[version].actions.iter().find(|action| action.name == name);
    let right_id = (1..=36).contains(&id.chars().count());
    match what {
        "call" => {
            let right = right_id && known.is_some_and(|a| a.from_csms && !a.send) && judged(Direction::Request);
            let called = connection.encode_call(id, name, payload);
            let fresh = !PENDING.contains(&id);
            assert_eq!(called.is_ok(), right && fresh, "{called:?}");
            if let Ok(frame) = called {
                let expected = [Value::from(2), id.into(), name.into(), parsed(payload)];
                assert_eq!(peer::message(&frame).as_deref(), Ok(&expected[..]));
                // No station can name an id with NUL in its answer (F5); ours are UUIDs.
                if !id.contains('\0') {
                    answered_once(subject, setup, connection, id, chance);
                }
            } else {
                assert_eq!(connection.buffered(), subject.open(setup).buffered(), "a refused call leaves something");
            }
        }
        "result" => {
            let right = right_id && known.is_some_and(|a| a.from_station) && judged(Direction::Response);
            let frame = connection.encode_result(id, name, payload);
            assert_eq!(frame.is_ok(), right, "{frame:?}");
            if let Ok(frame) = frame {
                assert_eq!(peer::message(&frame).as_deref(), Ok(&[Value::from(3), id.into(), parsed(payload)][..]));
            }
        }
        "error" => {
            let frame = connection.encode_error(id, name, description, payload);
            if let Ok(frame) = &frame {
                assert_eq!(subject.check_error(version, frame), (id.to_owned(), 4, name.to_owned()));
                let sent = peer::message(frame).expect("a message");
                let cut: String = description.chars().take(255).collect();
                assert_eq!((&sent[3], &sent[4]), (&Value::from(cut), &parsed(payload)));
            } else {
                let wrong =
                    !right_id || !subject.has_code(version, name) || frame == Err(UsageError::Argument(DETAILS));
                assert!(wrong, "{frame:?}");
            }
        }
        _ => control(subject, setup, connection, input, chance),
    }
}

const DETAILS: &str = "details must be a JSON object";

/// The payload as it must arrive: `null` is sent as `{}` (F1).
fn parsed(payload: &[u8]) -> Value {
    match serde_json::from_slice(payload) {
        Ok(Value::Null) => Value::Object(serde_json::Map::new()),
        Ok(value) => value,
        Err(e) => panic!("we sent what is not JSON: {e}"),
    }
}

/// A CALL is waited for exactly once.
fn answered_once(
    subject: &mut Subject,
    setup: Setup,
    connection: ocpp_codec::Connection,
    id: &str,
    chance: &mut Chance,
) {
    let mut connection = connection;
    assert!(
        connection.encode_call(id, "Reset", b"{}").is_err() && connection.expect(id, "Reset").is_err(),
        "waits twice"
    );
    let id_text = Value::from(id).to_string();
    let error = format!("[4,{id_text},\"GenericError\",\"\",{{}}]");
    let answer = if chance.once_in(2) { format!("[3,{id_text},{{\"status\":\"Accepted\"}}]") } else { error.clone() };
    if chance.once_in(8) {
        connection.forget(id);
    }
    let mut data = Vec::new();
    peer::frame(&mut data, FIN | TEXT, answer.as_bytes(), [0; 4]);
    peer::frame(&mut data, FIN | TEXT, error.as_bytes(), [0; 4]);
    subject.feed(&mut connection, &data, 0, usize::MAX, answer.len());
    let trace = &subject.traces[0];
    let ended =
        trace.notes.iter().filter(|n| matches!(n.kind, Kind::Result | Kind::InvalidResult | Kind::Error)).count();
    assert!(ended <= 1, "answered twice:\n{}", trace.describe());
    assert_eq!(trace.notes.last().map(|note| note.kind), Some(Kind::Unmatched), "{}", trace.describe());
    assert_eq!(connection.buffered(), subject.open(setup).buffered(), "an answered call leaves something");
}

/// Pings, closes and more calls than may wait.
fn control(subject: &mut Subject, setup: Setup, connection: ocpp_codec::Connection, input: &[u8], chance: &mut Chance) {
    let mut connection = connection;
    let ping = connection.ping(input);
    assert_eq!(ping.is_ok(), input.len() <= 125);
    if let Ok(frame) = ping {
        assert_eq!(peer::unframe(&frame).map(|f| (f.opcode, f.payload)), Ok((peer::PING, input.to_vec())));
    }
    if chance.once_in(8) {
        let Some(action) = subject.versions[setup.version.unwrap_or(0)].actions.iter().find(|a| a.from_csms && !a.send)
        else {
            return;
        };
        let taken =
            (0..2 * MAX_PENDING).filter(|n| connection.expect(&format!("{n:036}"), &action.name).is_ok()).count();
        assert_eq!(taken, MAX_PENDING - PENDING.len());
        assert!(connection.buffered() < 8_192, "{} bytes for pending calls", connection.buffered());
    }
    let code = (chance.next() % 6_000) as u16;
    let valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    let reason = String::from_utf8_lossy(input);
    match connection.close(code, &reason) {
        Ok(frame) => {
            assert!(valid, "closed with {code}");
            assert_eq!(peer::close_code(&frame), Ok(code));
            assert_eq!(connection.close(1000, ""), Ok(Vec::new()), "closed twice");
            assert_eq!(connection.ping(b""), Ok(Vec::new()), "a ping after the close");
            assert_eq!(connection.encode_result("m1", "Heartbeat", b"{}"), Ok(Vec::new()), "an answer after the close");
        }
        Err(_) => assert!(!valid, "not closed with {code}"),
    }
}
