use ocpp_codec::Limits;

use crate::support::{both, feed, frame, new, open, open_with, request, text};

const BEAT: &str = r#"[2,"a","Heartbeat",{}]"#;
const TOLD: &str = "call a Heartbeat {}";

fn seen(data: &[u8]) -> Vec<String> {
    both(|| open("ocpp1.6"), data)
}

#[test]
fn many_messages_in_one_segment() {
    let data: Vec<u8> = (0..33).flat_map(|i| text(&format!(r#"[2,"{i}","Heartbeat",{{}}]"#))).collect();
    let wanted: Vec<String> = (0..33).map(|i| format!("call {i} Heartbeat {{}}")).collect();
    assert_eq!(seen(&data), wanted);
}

#[test]
fn every_length_form() {
    for pad in [0, 50, 103, 104, 200, 60_000] {
        let message = format!("{BEAT}{}", " ".repeat(pad));
        assert_eq!(seen(&text(&message)), [TOLD], "{pad}");
    }
    let big = Limits { max_message: 100_000, ..Limits::default() };
    let message = format!("{BEAT}{}", " ".repeat(70_000));
    assert_eq!(both(|| open_with("ocpp1.6", big), &text(&message)), [TOLD]);
}

#[test]
fn fragments_with_control_frames_between() {
    let (one, rest) = BEAT.split_at(5);
    let (two, three) = rest.split_at(1);
    let data = [
        frame(0x01, one.as_bytes()),
        frame(0x89, b"p"),
        frame(0x00, two.as_bytes()),
        frame(0x00, b""),
        frame(0x8A, b"q"),
        frame(0x80, three.as_bytes()),
        text(BEAT),
    ]
    .concat();
    assert_eq!(seen(&data), ["reply pong p", "pong q", TOLD, TOLD]);
}

#[test]
fn one_byte_fragments() {
    let bytes = BEAT.as_bytes();
    let mut data = frame(0x01, &bytes[..1]);
    for byte in &bytes[1..bytes.len() - 1] {
        data.extend(frame(0x00, &[*byte]));
    }
    data.extend(frame(0x80, &bytes[bytes.len() - 1..]));
    assert_eq!(seen(&data), [TOLD]);
}

#[test]
fn a_character_split_between_fragments() {
    let message = "[2,\"\u{20ac}\",\"Heartbeat\",{}]".as_bytes();
    let data = [frame(0x01, &message[..5]), frame(0x80, &message[5..])].concat();
    assert_eq!(seen(&data), ["call \u{20ac} Heartbeat {}"]);
}

#[test]
fn violations() {
    for (data, wanted) in [
        (frame(0x82, b"x"), "violation 1003 text frames only"),
        (frame(0x81, b"\xFF"), "violation 1007 invalid UTF-8"),
        (frame(0x81, b"\xED\xA0\x80"), "violation 1007 invalid UTF-8"),
        (frame(0x81, b"\xC0\xAF"), "violation 1007 invalid UTF-8"),
        (frame(0x80, b"x"), "violation 1002 continuation of nothing"),
        ([frame(0x01, b"x"), frame(0x81, b"y")].concat(), "violation 1002 message inside a message"),
        ([frame(0x01, b"x"), frame(0x82, b"y")].concat(), "violation 1002 message inside a message"),
        (frame(0x83, b""), "violation 1002 reserved opcode"),
        (frame(0xC1, b"x"), "violation 1002 reserved bit set"),
        (frame(0xC9, b"x"), "violation 1002 reserved bit set"),
        (frame(0xA1, b"x"), "violation 1002 reserved bit set"),
        ([frame(0x01, b"x"), frame(0x40, b"y")].concat(), "violation 1002 reserved bit set"),
        (frame(0x09, b""), "violation 1002 control frame fragmented or too long"),
        (frame(0x89, &[b'x'; 126]), "violation 1002 control frame fragmented or too long"),
        (b"\x81\x05Hello".to_vec(), "violation 1002 client frame not masked"),
        (b"\x81\xFE\x00\x05....Hello".to_vec(), "violation 1002 length not in its shortest form"),
        (b"GET / HTTP/1.1\r\n".to_vec(), "violation 1002 reserved opcode"),
    ] {
        let after = [data.clone(), text(BEAT)].concat();
        assert_eq!(seen(&after), [wanted], "{data:02x?}");
    }
}

#[test]
fn what_came_before_a_violation_is_told() {
    assert_eq!(seen(&[text(BEAT), frame(0x82, b"x")].concat()), [TOLD, "violation 1003 text frames only"]);
}

#[test]
fn messages_at_the_limit_and_one_byte_over() {
    let limits = Limits { max_message: 1_000, ..Limits::default() };
    let make = || open_with("ocpp1.6", limits);
    let exact = format!("{BEAT}{}", " ".repeat(1_000 - BEAT.len()));
    assert_eq!(both(make, &text(&exact)), [TOLD]);
    assert_eq!(both(make, &text(&(exact.clone() + " "))), ["violation 1009 message too big"]);
    let (one, two) = exact.as_bytes().split_at(500);
    assert_eq!(both(make, &[frame(0x01, one), frame(0x80, two)].concat()), [TOLD]);
    let over = [frame(0x01, one), frame(0x00, two), frame(0x80, b" ")].concat();
    assert_eq!(both(make, &over), ["violation 1009 message too big"]);
}

#[test]
fn a_huge_length_is_refused_at_its_header_and_nothing_is_reserved() {
    let mut connection = open("ocpp1.6");
    let header = [&[0x81, 0xFF][..], &u64::to_be_bytes(1 << 62), &[0; 4]].concat();
    assert_eq!(feed(&mut connection, &header), ["violation 1009 message too big"]);
    let mut connection = open("ocpp1.6");
    let header = [&[0x81, 0xFF][..], &u64::to_be_bytes(65_536), &[0; 4]].concat();
    assert!(feed(&mut connection, &header).is_empty());
    assert!(connection.buffered() < 64, "{}", connection.buffered());
}

#[test]
fn endless_fragments_are_bounded() {
    for part in [&b""[..], b" "] {
        let mut connection = open("ocpp1.6");
        feed(&mut connection, &frame(0x01, b"["));
        let lines: Vec<String> = (0..10_000).flat_map(|_| feed(&mut connection, &frame(0x00, part))).collect();
        assert_eq!(lines, ["violation 1008 too many fragments"]);
    }
}

#[test]
fn an_idle_connection_holds_nothing() {
    let mut connection = open("ocpp1.6");
    feed(&mut connection, &text(BEAT));
    for byte in text(BEAT) {
        feed(&mut connection, &[byte]);
    }
    feed(&mut connection, &frame(0x89, b"ping"));
    assert_eq!(connection.buffered(), 0);
    assert!(size_of_val(&connection) <= 64);
}

#[test]
fn half_a_message_is_accounted_for() {
    let mut connection = open("ocpp1.6");
    let data = text(&format!("{BEAT}{}", " ".repeat(30_000)));
    feed(&mut connection, &data[..20_000]);
    assert!((19_000..70_000).contains(&connection.buffered()));
    assert_eq!(feed(&mut connection, &data[20_000..]), [TOLD]);
    assert_eq!(connection.buffered(), 0);
}

#[test]
fn the_same_limits_hold_where_data_is_ignored() {
    let make = || {
        let mut connection = new(Limits::default());
        feed(&mut connection, &request(""));
        connection.accept(None, false, 65_536).unwrap();
        connection
    };
    let dropped = "dropped no-subprotocol";
    let parts = [frame(0x01, b"a"), frame(0x80, b"b"), text("c"), frame(0x89, b"p"), frame(0x88, b"\x03\xE8")];
    let wanted = [dropped, dropped, "reply pong p", "reply close close 1000", "closed 1000 "];
    assert_eq!(both(make, &parts.concat()), wanted);
    assert_eq!(both(make, &text(&" ".repeat(65_537))), ["violation 1009 message too big"]);
    let mut connection = make();
    feed(&mut connection, &text(&" ".repeat(60_000))[..50_000]);
    assert_eq!(connection.buffered(), 0);
}
