use crate::support::{both, decode, feed, frame, open, text};

fn seen(data: &[u8]) -> Vec<String> {
    both(|| open("ocpp1.6"), data)
}

#[test]
fn a_close_frame_is_echoed_and_ends_everything() {
    let after = text(r#"[2,"a","Heartbeat",{}]"#);
    for (payload, wanted) in [
        (&b""[..], ["reply close close", "closed 1005 "]),
        (b"\x03\xE8", ["reply close close 1000", "closed 1000 "]),
        (b"\x03\xE9going", ["reply close close 1001", "closed 1001 going"]),
        (b"\x0F\xA0\xC3\xBC", ["reply close close 4000", "closed 4000 \u{fc}"]),
    ] {
        assert_eq!(seen(&[frame(0x88, payload), after.clone()].concat()), wanted);
    }
}

#[test]
fn broken_close_frames() {
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        assert_eq!(seen(&frame(0x88, &code.to_be_bytes())), ["violation 1002 invalid close code"], "{code}");
    }
    assert_eq!(seen(&frame(0x88, b"\x03")), ["violation 1002 close frame of one byte"]);
    assert_eq!(seen(&frame(0x88, b"\x03\xE8\xFF")), ["violation 1007 invalid UTF-8"]);
}

#[test]
fn our_close_goes_out_once_and_its_echo_is_not_answered() {
    let mut connection = open("ocpp1.6");
    let (first, payload) = decode(&connection.close(1001, "restart").unwrap());
    assert_eq!((first, payload.as_slice()), (0x88, &b"\x03\xE9restart"[..]));
    assert_eq!(connection.close(1001, "restart"), Ok(Vec::new()));
    assert_eq!(feed(&mut connection, &frame(0x88, b"\x03\xE9")), ["closed 1001 "]);
    assert!(feed(&mut connection, &text("x")).is_empty());
    assert_eq!(connection.close(1000, ""), Ok(Vec::new()));
}

#[test]
fn while_closing_answers_are_told_and_calls_are_dropped() {
    let mut connection = open("ocpp2.0.1");
    connection.encode_call("c1", "Reset", br#"{"type":"Immediate"}"#).unwrap();
    connection.close(1001, "").unwrap();
    let data = [
        text(r#"[2,"a","Heartbeat",{}]"#),
        text(r#"[2,"a","Nonsense",{}]"#),
        text(r#"[3,"c1",{"status":"Accepted"}]"#),
        text("not json"),
        text(r#"[9,"a"]"#),
        frame(0x89, b"p"),
        frame(0x83, b""),
    ];
    let wanted = [
        "dropped closing",
        "dropped closing",
        r#"result c1 {"status":"Accepted"}"#,
        "dropped not-json",
        "dropped unknown-message-type",
        "violation 1002 reserved opcode",
    ];
    assert_eq!(feed(&mut connection, &data.concat()), wanted);
}

#[test]
fn nothing_is_encoded_after_a_close() {
    let mut connection = open("ocpp1.6");
    connection.close(1000, "").unwrap();
    assert_eq!(connection.encode_call("a", "Reset", br#"{"type":"Hard"}"#), Ok(Vec::new()));
    assert_eq!(connection.encode_result("a", "MeterValues", b"{}"), Ok(Vec::new()));
    assert_eq!(connection.encode_error("a", "InternalError", "", b"{}"), Ok(Vec::new()));
    assert_eq!(connection.ping(b""), Ok(Vec::new()));
    assert_eq!(connection.expect("a", "Reset"), Ok(()));
    assert!(connection.close(1005, "").is_err());
}
