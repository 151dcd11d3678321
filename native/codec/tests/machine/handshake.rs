use ocpp_codec::{Limits, UsageError};

use crate::support::{both, decode_text, feed, new, request, text};

#[test]
fn an_upgrade_is_told_and_accepted() {
    let extra = "Sec-WebSocket-Protocol: ocpp2.0.1, ocpp1.6\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
    let lines = both(|| new(Limits::default()), &request(extra));
    assert_eq!(lines, [r#"upgrade /ocpp/ST1 ["ocpp2.0.1", "ocpp1.6"] deflate=true"#]);

    let mut connection = new(Limits::default());
    feed(&mut connection, &request(extra));
    let answer = String::from_utf8(connection.accept(Some("ocpp1.6"), true, 65_536).unwrap()).unwrap();
    assert_eq!(
        answer,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\r\n"
    );
}

#[test]
fn compression_is_agreed_only_if_both_want_it() {
    for (offered, wanted) in [(true, false), (false, true), (false, false)] {
        let mut connection = new(Limits::default());
        let extra = if offered { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
        feed(&mut connection, &request(extra));
        let answer = connection.accept(Some("ocpp1.6"), wanted, 65_536).unwrap();
        assert!(!String::from_utf8(answer).unwrap().contains("Extensions"));
    }
}

#[test]
fn without_a_subprotocol_data_is_ignored_until_the_close() {
    let mut connection = new(Limits::default());
    feed(&mut connection, &request(""));
    let answer = connection.accept(None, true, 65_536).unwrap();
    assert!(!String::from_utf8(answer).unwrap().contains("Protocol:"));
    assert_eq!(feed(&mut connection, &text(r#"[2,"a","Heartbeat",{}]"#)), ["dropped no-subprotocol"]);
    assert!(matches!(connection.encode_call("a", "Reset", b"{}"), Err(UsageError::Phase(_))));
    assert!(!connection.close(1002, "no common sub-protocol").unwrap().is_empty());
}

#[test]
fn frames_that_come_too_early_are_kept_and_read_after_the_acceptance() {
    let early = [request(""), text(r#"[2,"a","Heartbeat",{}]"#)].concat();
    let mut connection = new(Limits::default());
    assert_eq!(feed(&mut connection, &early).len(), 1);
    assert!(feed(&mut connection, &text(r#"[2,"b","Heartbeat",{}]"#)).is_empty());
    connection.accept(Some("ocpp1.6"), false, 65_536).unwrap();
    assert_eq!(feed(&mut connection, b""), ["call a Heartbeat {}", "call b Heartbeat {}"]);
    assert_eq!(connection.buffered(), 0);
}

#[test]
fn early_bytes_are_bounded() {
    let mut connection = new(Limits::default());
    feed(&mut connection, &request(""));
    assert!(feed(&mut connection, &[0; 8_192]).is_empty());
    assert!(connection.buffered() >= 8_192);
    assert_eq!(feed(&mut connection, &[0])[0], "bad-request 400 too much data before the handshake is complete");
    assert!(connection.accept(Some("ocpp1.6"), false, 65_536).is_err());
    assert!(feed(&mut connection, &request("")).is_empty());
}

#[test]
fn a_refused_request_ends_the_connection() {
    let lines = both(|| new(Limits::default()), b"GET /health HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    assert_eq!(lines, ["bad-request 426 WebSocket upgrade required"]);
}

#[test]
fn the_owner_rejects() {
    let mut connection = new(Limits::default());
    feed(&mut connection, &request(""));
    let headers = [("WWW-Authenticate".to_owned(), "Basic realm=\"OCPP\"".to_owned())];
    assert!(connection.reject(42, &headers, b"").is_err());
    let answer = String::from_utf8(connection.reject(401, &headers, b"no").unwrap()).unwrap();
    assert_eq!(
        answer,
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"OCPP\"\r\nContent-Length: 2\r\n\
         Connection: close\r\n\r\nno"
    );
    assert!(feed(&mut connection, &text("x")).is_empty());
    assert!(connection.reject(401, &[], b"").is_err());
}

#[test]
fn nothing_is_sent_before_the_handshake() {
    let mut connection = new(Limits::default());
    assert!(matches!(connection.accept(Some("ocpp1.6"), false, 65_536), Err(UsageError::Phase(_))));
    assert!(matches!(connection.encode_result("a", "Heartbeat", b"{}"), Err(UsageError::Phase(_))));
    assert!(matches!(connection.ping(b""), Err(UsageError::Phase(_))));
    assert_eq!(connection.close(1000, ""), Ok(Vec::new()));
    feed(&mut connection, &request(""));
    assert!(matches!(connection.accept(Some("ocpp9"), false, 65_536), Err(UsageError::Argument(_))));
    connection.accept(Some("ocpp1.6"), false, 65_536).unwrap();
    let answer = br#"{"currentTime":"2024-01-01T00:00:00Z"}"#;
    let frame = connection.encode_result("a", "Heartbeat", answer).unwrap();
    assert_eq!(decode_text(&frame), r#"[3,"a",{"currentTime":"2024-01-01T00:00:00Z"}]"#);
}
