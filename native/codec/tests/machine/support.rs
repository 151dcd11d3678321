//! A client's side of the wire, small type tables, and events as readable lines.

use std::sync::{Arc, LazyLock};

use ocpp_codec::{Catalogue, Connection, Event, Limits, OwnedEvent};

pub const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

static CATALOGUE: LazyLock<Arc<Catalogue>> =
    LazyLock::new(|| Arc::new(Catalogue::new(include_bytes!("tables.json")).unwrap()));

pub fn catalogue() -> Arc<Catalogue> {
    Arc::clone(&CATALOGUE)
}

/// A masked frame: `first` is FIN, RSV and opcode.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        n @ 0..=125 => out.push(0x80 | n as u8),
        n @ 126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m));
    out
}

pub fn text(message: &str) -> Vec<u8> {
    frame(0x81, message.as_bytes())
}

pub fn request(extra: &str) -> Vec<u8> {
    format!(
        "GET /ocpp/ST1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extra}\r\n"
    )
    .into_bytes()
}

pub fn new(limits: Limits) -> Connection {
    Connection::new(catalogue(), Arc::new(limits))
}

/// An open connection of this version.
pub fn open(version: &str) -> Connection {
    open_with(version, Limits::default())
}

pub fn open_with(version: &str, limits: Limits) -> Connection {
    let mut connection = new(limits);
    assert!(feed(&mut connection, &request(""))[0].starts_with("upgrade"));
    connection.accept(Some(version), false, limits.max_message).unwrap();
    connection
}

/// An open connection that compresses.
pub fn open_deflate(extension: &str, limits: Limits) -> Connection {
    let mut connection = new(limits);
    feed(&mut connection, &request(&format!("Sec-WebSocket-Extensions: {extension}\r\n")));
    let answer = connection.accept(Some("ocpp2.0.1"), true, limits.max_message).unwrap();
    assert!(String::from_utf8(answer).unwrap().contains("permessage-deflate"));
    connection
}

pub fn feed(connection: &mut Connection, data: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    connection.receive(data, &mut |event| {
        let told = line(&event);
        assert_eq!(line(&OwnedEvent::from(&event).as_event()), told, "what is kept of an event is the event");
        lines.push(told);
    });
    lines
}

/// The events of `data` on connections that `make` makes: at once and byte by byte, which must be the same.
pub fn both(make: impl Fn() -> Connection, data: &[u8]) -> Vec<String> {
    let whole = feed(&mut make(), data);
    let mut connection = make();
    let bytewise: Vec<String> = data.iter().flat_map(|byte| feed(&mut connection, &[*byte])).collect();
    assert_eq!(whole, bytewise);
    whole
}

/// The events of one message in a version.
pub fn message(version: &str, message: &str) -> Vec<String> {
    both(|| open(version), &text(message))
}

/// First byte and payload of a frame of ours.
pub fn decode(frame: &[u8]) -> (u8, Vec<u8>) {
    let (header, length) = match frame[1] {
        126 => (4, usize::from(u16::from_be_bytes([frame[2], frame[3]]))),
        127 => (10, u64::from_be_bytes(frame[2..10].try_into().unwrap()) as usize),
        n => (2, usize::from(n)),
    };
    assert_eq!(frame.len(), header + length, "one unmasked frame");
    (frame[0], frame[header..].to_vec())
}

pub fn decode_text(frame: &[u8]) -> String {
    let (first, payload) = decode(frame);
    assert_eq!(first, 0x81);
    String::from_utf8(payload).unwrap()
}

fn reply(frame: &[u8]) -> String {
    let (first, payload) = decode(frame);
    match first {
        0x88 if payload.is_empty() => "close".into(),
        0x88 => format!("close {}", u16::from_be_bytes([payload[0], payload[1]])),
        _ => String::from_utf8_lossy(&payload).into_owned(),
    }
}

fn line(event: &Event<'_>) -> String {
    match event {
        Event::Upgrade(u) => format!("upgrade {} {:?} deflate={}", u.target, u.subprotocols, u.deflate.is_some()),
        Event::BadRequest { status, reason, response } => {
            assert!(response.starts_with(format!("HTTP/1.1 {status} ").as_bytes()));
            format!("bad-request {status} {reason}")
        }
        Event::Call { message_id, action, payload, .. } => {
            format!("call {message_id} {} {payload}", catalogue().action(*action).unwrap().name)
        }
        Event::InvalidCall { message_id, action, fault, payload, reply: frame, billing } => {
            let code = fault.code;
            let wanted = format!("[4,{},\"{code}\",", serde_json::to_string(message_id).unwrap());
            let answer = reply(frame);
            assert!(answer.starts_with(&wanted), "{answer}");
            assert!(serde_json::from_str::<serde_json::Value>(&answer).is_ok());
            assert!(!payload.is_empty());
            let billing = if *billing { " billing" } else { "" };
            let action = action.unwrap_or("?");
            format!("invalid {} {code} {action} {} {}{billing}", fault.row, fault.path, fault.rule)
        }
        Event::Result { message_id, payload } => format!("result {message_id} {payload}"),
        Event::InvalidResult { message_id, fault, payload } => {
            format!("invalid-result {message_id} {} {} {} {payload}", fault.row, fault.path, fault.rule)
        }
        Event::Error { message_id, code, description, details } => {
            format!("error {message_id} {code} {description:?} {details}")
        }
        Event::Unmatched { message_id, message_type } => format!("unmatched {message_id} {message_type}"),
        Event::Send { message_id, action, payload, .. } => {
            format!("send {message_id} {} {payload}", catalogue().action(*action).unwrap().name)
        }
        Event::ResultError { message_id, code, .. } => format!("result-error {message_id} {code}"),
        Event::Reply { frame, reason } => format!("reply {} {}", reason.name(), reply(frame)),
        Event::Dropped { reason } => format!("dropped {reason}"),
        Event::Pong { payload } => format!("pong {}", String::from_utf8_lossy(payload)),
        Event::Closed { code, reason } => format!("closed {code} {reason}"),
        Event::Violation { code, reason, frame } => {
            assert!(frame.is_empty() || reply(frame) == format!("close {code}"));
            format!("violation {code} {reason}")
        }
    }
}
