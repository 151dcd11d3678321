use ocpp_codec::UsageError;

use crate::support::{decode, decode_text, open};

const HARD: &[u8] = br#"{"type":"Hard"}"#;

#[test]
fn calls() {
    let mut connection = open("ocpp1.6");
    let frame = connection.encode_call("id \"1\"\n", "Reset", b" {\"type\":\"Hard\"}\n").unwrap();
    assert_eq!(decode_text(&frame), r#"[2,"id \"1\"\n","Reset",{"type":"Hard"}]"#);
    assert!(matches!(connection.encode_call("id \"1\"\n", "Reset", HARD), Err(UsageError::Argument(_))));
    for (id, action) in [("", "Reset"), (&"i".repeat(37), "Reset"), ("a", "Heartbeat"), ("a", "reset")] {
        assert!(matches!(connection.encode_call(id, action, HARD), Err(UsageError::Argument(_))), "{id} {action}");
    }
}

#[test]
fn our_own_payloads_are_checked() {
    let mut connection = open("ocpp1.6");
    for (payload, row) in [
        (&b"{}"[..], 12),
        (br#"{"type":"Hard","x":1}"#, 13),
        (br#"{"type":1}"#, 14),
        (br#"{"type":"Never"}"#, 16),
        (b"{", 2),
        (br#"{"type":"Hard"}]"#, 2),
        (b"\xFF", 1),
        (b"[]", 7),
    ] {
        match connection.encode_call("a", "Reset", payload) {
            Err(UsageError::InvalidPayload(fault)) => assert_eq!(fault.row, row),
            other => panic!("{other:?}"),
        }
    }
    // A refused call is not pending.
    assert!(connection.encode_call("a", "Reset", HARD).is_ok());
    assert!(matches!(connection.encode_result("a", "Heartbeat", b"{}"), Err(UsageError::InvalidPayload(_))));
    assert!(matches!(connection.encode_result("a", "Reset", b"{}"), Err(UsageError::Argument(_))));
}

#[test]
fn null_is_never_sent() {
    let mut connection = open("ocpp1.6");
    assert_eq!(decode_text(&connection.encode_result("a", "MeterValues", b"null").unwrap()), r#"[3,"a",{}]"#);
}

#[test]
fn errors() {
    let mut connection = open("ocpp1.6");
    let frame = connection.encode_error("a", "OccurenceConstraintViolation", "why", b"{\"x\":1}").unwrap();
    assert_eq!(decode_text(&frame), r#"[4,"a","OccurenceConstraintViolation","why",{"x":1}]"#);
    let frame = connection.encode_error("a", "InternalError", &"\u{fc}".repeat(300), b"{}").unwrap();
    assert_eq!(decode_text(&frame).matches('\u{fc}').count(), 255);
    for (code, details) in [
        ("OccurrenceConstraintViolation", &b"{}"[..]),
        ("RpcFrameworkError", b"{}"),
        ("Vendor", b"{}"),
        ("InternalError", b"[]"),
        ("InternalError", b"null"),
        ("InternalError", b"{}]"),
        ("InternalError", b""),
    ] {
        assert!(matches!(connection.encode_error("a", code, "", details), Err(UsageError::Argument(_))), "{code}");
    }
    assert!(open("ocpp2.0.1").encode_error("a", "OccurrenceConstraintViolation", "", b"{}").is_ok());
    assert!(open("ocpp2.0.1").encode_error("a", "OccurenceConstraintViolation", "", b"{}").is_err());
}

#[test]
fn pings() {
    let connection = open("ocpp1.6");
    assert_eq!(decode(&connection.ping(b"abc").unwrap()), (0x89, b"abc".to_vec()));
    assert!(connection.ping(&[0; 125]).is_ok());
    assert!(connection.ping(&[0; 126]).is_err());
}

#[test]
fn pending_calls_are_bounded() {
    let mut connection = open("ocpp1.6");
    let accepted = (0..1_000).filter(|i| connection.expect(&i.to_string(), "Reset").is_ok()).count();
    assert_eq!(accepted, 64);
}
