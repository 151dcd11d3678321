//! Invariant: whatever comes in, nothing panics, nothing grows beyond the limits, and the events do not depend on how the
//! bytes were cut.

use std::time::Instant;

use ocpp_codec::{Connection, Event, Limits};

use crate::support::{feed, frame, new, open, open_deflate, request, text};

/// A small generator with a fixed seed: failures repeat.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }

    /// Change, insert, remove or repeat a few bytes.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len().max(1)).min(bytes.len());
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] = self.next() as u8,
                1 => bytes.insert(at, b"[]{}\",:\\0123.eE+-ntfu \x00\xff"[self.below(24)]),
                2 if at < bytes.len() => {
                    bytes.remove(at);
                }
                3 => {
                    let piece: Vec<u8> = bytes[at..].iter().take(8).copied().collect();
                    bytes.splice(at..at, piece);
                }
                _ => bytes.truncate(at),
            }
        }
    }
}

/// The events of `data`, in pieces of random size; never a contained panic.
fn run(mut connection: Connection, data: &[u8], random: &mut Random) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(1 + random.below(rest.len()));
        lines.extend(feed(&mut connection, part));
        rest = after;
    }
    assert!(!lines.iter().any(|line| line.contains("1011")), "{lines:?}");
    assert!(connection.buffered() < 3 * 65_536);
    lines
}

fn same_however_cut(make: impl Fn() -> Connection, data: &[u8], random: &mut Random) {
    let whole = feed(&mut make(), data);
    assert!(!whole.iter().any(|line| line.contains("1011")), "{whole:?}");
    assert_eq!(run(make(), data, random), whole, "{data:02x?}");
}

#[test]
fn random_bytes() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..3_000 {
        let length = random.below(300);
        let data = random.bytes(length);
        same_however_cut(|| new(Limits::default()), &data, &mut random);
        same_however_cut(|| open("ocpp1.6"), &data, &mut random);
        same_however_cut(|| open("ocpp2.0.1"), &frame(0x81, &data), &mut random);
        same_however_cut(|| open_deflate("permessage-deflate", Limits::default()), &frame(0xC1, &data), &mut random);
    }
}

#[test]
fn mutated_requests() {
    let mut random = Random(1);
    let seed = request("Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Extensions: permessage-deflate\r\n");
    for _ in 0..3_000 {
        let mut data = seed.clone();
        random.mutate(&mut data);
        same_however_cut(|| new(Limits::default()), &data, &mut random);
    }
}

#[test]
fn mutated_messages() {
    let mut random = Random(2);
    let seeds = [
        r#"[2,"a","Boot",{"vendor":"v","model":"m","count":12,"limit":1.5e1,"on":true,"any":{"x":[null]},"inner":{"timestamp":"2024-01-01T00:00:00Z","sampledValue":[{"value":"1","unit":"Wh"}]}}]"#,
        r#"[3,"c",{"status":"Accepted"}]"#,
        r#"[4,"c","GenericError","d\u00e9",{"a":{}}]"#,
        r#"[6,"s","NotifyPeriodicEventStream",{"id":1}]"#,
    ];
    for version in ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"] {
        for _ in 0..2_500 {
            let mut data = seeds[random.below(seeds.len())].as_bytes().to_vec();
            random.mutate(&mut data);
            let make = || {
                let mut connection = open(version);
                connection.expect("c", "Reset").unwrap();
                connection
            };
            same_however_cut(make, &frame(0x81, &data), &mut random);
        }
    }
}

#[test]
fn a_payload_told_is_json_for_another_parser_too() {
    let mut random = Random(3);
    let seed = r#"[2,"a","Boot",{"vendor":"v","model":"m\u00e9","count":-0,"any":{"x":[1.5e-7,"\ud83d\ude00",true]}}]"#;
    let mut told = 0;
    for _ in 0..10_000 {
        let mut data = seed.as_bytes().to_vec();
        random.mutate(&mut data);
        open("ocpp1.6").receive(&frame(0x81, &data), &mut |event| {
            if let Event::Call { payload, .. } | Event::InvalidCall { payload, .. } = event {
                told += 1;
                assert!(serde_json::from_str::<serde_json::Value>(payload).is_ok(), "{payload}");
            }
        });
    }
    assert!(told > 500, "{told}");
}

#[test]
fn mutated_frames() {
    let mut random = Random(4);
    let beat = text(r#"[2,"a","Heartbeat",{}]"#);
    let seed = [&beat[..], &frame(0x01, b"[2,"), &frame(0x89, b"p"), &frame(0x80, b"]"), &beat].concat();
    for _ in 0..5_000 {
        let mut data = seed.clone();
        random.mutate(&mut data);
        same_however_cut(|| open("ocpp1.6"), &data, &mut random);
    }
}

#[test]
fn worst_messages_cost_little_time() {
    let limits = Limits { max_message: 1 << 20, ..Limits::default() };
    let keys = |n: usize, name: fn(usize) -> String| {
        let members: Vec<String> = (0..n).map(|i| format!("\"{}\":0", name(i))).collect();
        format!(r#"[2,"a","Boot",{{{}}}]"#, members.join(","))
    };
    for message in [
        format!(r#"[2,"a","Boot",{}"#, "[".repeat(900_000)),
        format!(r#"[2,"a","Boot",{{"count":{}}}]"#, "1".repeat(900_000)),
        format!(r#"[2,"a","Boot",{{"vendor":"{}"}}]"#, "\\u00e9".repeat(150_000)),
        format!(r#"[2,"a","Boot",{{"{}":1}}]"#, "k".repeat(900_000)),
        format!("[2,{}]", " ".repeat(900_000)),
        format!("[2,\"{}\"]", "\u{20ac}".repeat(300_000)),
        keys(100_000, |i| i.to_string()),
        keys(1_000, |i| format!("{}{i:04}", "k".repeat(900))),
        format!(r#"[2,"a","Boot",{{"any":[{}0]}}]"#, "{},".repeat(9_999)),
        format!(r#"[2,"a","MeterValues",{{"meterValue":[{}0]}}]"#, "0,".repeat(9_999)),
    ] {
        let mut connection = crate::support::open_with("ocpp1.6", limits);
        let data = text(&message);
        let start = Instant::now();
        feed(&mut connection, &data);
        let taken = start.elapsed().as_millis();
        assert!(taken < 500, "{taken} ms: {}", &message[..60]);
    }
}

#[test]
fn byte_by_byte_is_linear() {
    let limits = Limits { max_message: 1 << 20, ..Limits::default() };
    let data = text(&format!(r#"[2,"a","Heartbeat",{{}}{}]"#, " ".repeat(1_000_000)));
    let mut connection = crate::support::open_with("ocpp1.6", limits);
    let start = Instant::now();
    for byte in &data {
        feed(&mut connection, &[*byte]);
    }
    assert!(start.elapsed().as_secs() < 5);
    assert_eq!(connection.buffered(), 0);
}
