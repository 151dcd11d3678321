use flate2::{Compress, Compression, FlushCompress};
use ocpp_codec::Limits;

use crate::support::{both, decode, feed, frame, open_deflate};

const BEAT: &str = r#"[2,"a","Heartbeat",{}]"#;
const TOLD: &str = "call a Heartbeat {}";

fn deflated(message: &[u8]) -> Vec<u8> {
    let mut machine = Compress::new(Compression::default(), false);
    let mut out = Vec::with_capacity(message.len() + 1_024);
    machine.compress_vec(message, &mut out, FlushCompress::Sync).unwrap();
    assert!(out.ends_with(&[0, 0, 0xFF, 0xFF]));
    out.truncate(out.len() - 4);
    out
}

fn make() -> ocpp_codec::Connection {
    open_deflate("permessage-deflate; client_max_window_bits", Limits::default())
}

#[test]
fn compressed_messages_whole_and_in_fragments() {
    let small = deflated(BEAT.as_bytes());
    assert_eq!(both(make, &frame(0xC1, &small)), [TOLD]);
    let (one, two) = small.split_at(4);
    let data = [frame(0x41, one), frame(0x89, b"p"), frame(0x80, two), frame(0x81, BEAT.as_bytes())].concat();
    assert_eq!(both(make, &data), ["reply pong p", TOLD, TOLD]);
}

#[test]
fn each_message_stands_alone() {
    // The second message refers to nothing of the first: no context is kept.
    let data = [frame(0xC1, &deflated(BEAT.as_bytes())), frame(0xC1, &deflated(BEAT.as_bytes()))].concat();
    assert_eq!(both(make, &data), [TOLD, TOLD]);
}

#[test]
fn broken_compressed_messages() {
    assert_eq!(both(make, &frame(0xC1, b"\xFF\xFF\xFF")), ["violation 1007 compressed data corrupt"]);
    assert_eq!(both(make, &frame(0xC1, &deflated(b"\xFF"))), ["violation 1007 invalid UTF-8"]);
    let data = [frame(0x41, b"x"), frame(0xC0, b"y")].concat();
    assert_eq!(both(make, &data), ["violation 1002 reserved bit set"]);
    assert_eq!(both(make, &frame(0xC9, b"")), ["violation 1002 reserved bit set"]);
}

#[test]
fn the_limit_counts_inflated_bytes() {
    let exact = format!("{BEAT}{}", " ".repeat(65_536 - BEAT.len()));
    assert_eq!(both(make, &frame(0xC1, &deflated(exact.as_bytes()))), [TOLD]);
    let over = exact + " ";
    assert_eq!(both(make, &frame(0xC1, &deflated(over.as_bytes()))), ["violation 1009 message too big"]);
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let bomb = deflated(&vec![b' '; 60_000_000]);
    assert!(bomb.len() < 73_000, "{}", bomb.len());
    assert_eq!(feed(&mut make(), &frame(0xC1, &bomb)), ["violation 1009 message too big"]);
}

#[test]
fn long_answers_are_compressed_in_the_window_asked_for() {
    let data = "x".repeat(2_000);
    let payload = format!(r#"{{"customData":{{"vendorId":"v","data":"{data}"}}}}"#);
    for (offer, compressed) in [
        ("permessage-deflate", true),
        ("permessage-deflate; server_max_window_bits=9", true),
        // No deflate library makes this window; an uncompressed message is always right.
        ("permessage-deflate; server_max_window_bits=8", false),
    ] {
        let mut connection = open_deflate(offer, Limits::default());
        let (first, body) = decode(&connection.encode_result("a", "Heartbeat", payload.as_bytes()).unwrap());
        assert_eq!(first, if compressed { 0xC1 } else { 0x81 }, "{offer}");
        if compressed {
            let mut text = Vec::new();
            ocpp_codec::deflate::inflate(&body, 10_000, &mut text).unwrap();
            assert_eq!(text, format!("[3,\"a\",{payload}]").into_bytes());
        }
        let (first, _) = decode(&connection.encode_result("a", "Heartbeat", b"{}").unwrap());
        assert_eq!(first, 0x81);
    }
}

#[test]
fn an_idle_connection_that_compressed_holds_nothing() {
    let mut connection = make();
    feed(&mut connection, &frame(0xC1, &deflated(BEAT.as_bytes())));
    assert_eq!(connection.buffered(), 0);
}
