use crate::support::{both, feed, message, open, text};

const BEAT: &str = r#"[2,"a","Heartbeat",{}]"#;
const ALL: [&str; 3] = ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"];
const FRAMEWORK_ERROR: &str = r#"reply rpc-error [4,"-1","RpcFrameworkError","",{}]"#;

#[test]
fn right_calls() {
    for version in ALL {
        assert_eq!(message(version, BEAT), ["call a Heartbeat {}"]);
        assert_eq!(message(version, r#"[2,"a","Heartbeat",null]"#), ["call a Heartbeat {}"]);
        assert_eq!(message(version, " [ 2 , \"a\" ,\t\"Heartbeat\" , { } ]\r\n"), ["call a Heartbeat { }"]);
        assert_eq!(message(version, r#"[2,"\u0061","Heart\u0062eat",{}]"#), ["call a Heartbeat {}"]);
    }
}

#[test]
fn frames_without_a_readable_id() {
    for frame in [
        "",
        " ",
        "{\"a\":1}",
        "[]",
        "\"x\"",
        "42",
        "null",
        "[2",
        "[2,",
        "[2]",
        "[2,\"a\"",
        "[2,\"a\",\"Heartbeat\",{}",
        "[2,\"a\",\"Heartbeat\",{}]x",
        "[2,\"a\",\"Heartbeat\",{}] []",
        "[2,\"a\",\"Heartbeat\",{\"a\":NaN}]",
        "[2,\"a\",\"Heartbeat\",{\"a\":1,\"a\":1}]",
        "[2,\"a\",\"Nonsense\",{\"a\":\"\\u0000\"}]",
        "[2,\"a\",7,{\"a\":\"\\ud800\"}]",
        "[2.0,\"a\",\"Heartbeat\",{}]",
        "[2e0,\"a\",\"Heartbeat\",{}]",
        "[\"2\",\"a\",\"Heartbeat\",{}]",
        "[true,\"a\",\"Heartbeat\",{}]",
        "[null]",
        "[[]]",
        "[2,5,\"Heartbeat\",{}]",
        "[2,null,\"Heartbeat\",{}]",
        "[2,\"\",\"Heartbeat\",{}]",
        "[2,[],\"Heartbeat\",{}]",
        "[02,\"a\",\"Heartbeat\",{}]",
        "[3,\"a\",{]",
        "[4,\"a\",\"b\",\"c\",{},]",
    ] {
        for version in ALL {
            let data = [text(frame), text(BEAT)].concat();
            let lines = both(|| open(version), &data);
            assert_eq!(lines.len(), 2, "{frame}: {lines:?}");
            if version == "ocpp1.6" {
                assert!(lines[0].starts_with("dropped "), "{frame}: {lines:?}");
            } else {
                assert_eq!(lines[0], FRAMEWORK_ERROR, "{frame}");
            }
            assert_eq!(lines[1], "call a Heartbeat {}");
        }
    }
}

#[test]
fn unknown_message_types() {
    for kind in ["7", "0", "1", "-1", "-0", "99999999999999999999"] {
        let frame = format!(r#"[{kind},"a","Heartbeat",{{}}]"#);
        assert_eq!(message("ocpp1.6", &frame), ["dropped unknown-message-type"]);
        assert_eq!(message("ocpp2.1", &frame), ["dropped unknown-message-type"]);
        let wanted = r#"reply rpc-error [4,"a","MessageTypeNotSupported","unknown message type",{}]"#;
        assert_eq!(message("ocpp2.0.1", &frame), [wanted]);
    }
    for frame in ["[7]", "[7,1]", "[7,\"\"]", "[5,{}]"] {
        assert_eq!(message("ocpp2.0.1", frame), ["dropped unknown-message-type"]);
    }
    for frame in [r#"[5,"a","GenericError","",{}]"#, r#"[6,"a","NotifyPeriodicEventStream",{"id":1}]"#] {
        assert_eq!(message("ocpp1.6", frame), ["dropped unknown-message-type"]);
        assert!(message("ocpp2.0.1", frame)[0].starts_with(r#"reply rpc-error [4,"a","MessageTypeNotSupported""#));
    }
    assert_eq!(message("ocpp2.0.1", "[7,\"a\",}"), [FRAMEWORK_ERROR]);
}

#[test]
fn long_message_ids() {
    let id = "i".repeat(36);
    assert_eq!(message("ocpp1.6", &format!(r#"[2,"{id}","Heartbeat",{{}}]"#)), [format!("call {id} Heartbeat {{}}")]);
    let wide = "\u{20ac}".repeat(36);
    assert_eq!(message("ocpp2.1", &format!(r#"[2,"{wide}","Heartbeat",{{}}]"#)).len(), 1);
    let long = format!(r#"[2,"{id}j","Heartbeat",{{}}]"#);
    // The reply echoes 36 characters; `support` checks that it carries the id told.
    assert_eq!(message("ocpp1.6", &long), ["invalid 6 FormationViolation Heartbeat  messageId"]);
    assert_eq!(message("ocpp2.0.1", &long), ["invalid 6 RpcFrameworkError Heartbeat  messageId"]);
}

#[test]
fn wrong_shapes() {
    for (frame, action, rule) in [
        (r#"[2,"a"]"#, "?", "action"),
        (r#"[2,"a","Heartbeat"]"#, "Heartbeat", "envelope"),
        (r#"[2,"a","Heartbeat",{},{}]"#, "Heartbeat", "envelope"),
        (r#"[2,"a","Heartbeat",{},1,2,[3]]"#, "Heartbeat", "envelope"),
        (r#"[2,"a",5,{}]"#, "?", "action"),
        (r#"[2,"a",null,{}]"#, "?", "action"),
        (r#"[2,"a",{"x":1},{}]"#, "?", "action"),
        (r#"[2,"a","Heartbeat",[]]"#, "Heartbeat", "payload"),
        (r#"[2,"a","Heartbeat","{}"]"#, "Heartbeat", "payload"),
        (r#"[2,"a","Heartbeat",false]"#, "Heartbeat", "payload"),
        (r#"[2,"a","Nonsense",1]"#, "Nonsense", "payload"),
    ] {
        let (old, new) = (message("ocpp1.6", frame), message("ocpp2.0.1", frame));
        assert_eq!(old, [format!("invalid 7 FormationViolation {action}  {rule}")], "{frame}");
        assert_eq!(new, [format!("invalid 7 RpcFrameworkError {action}  {rule}")], "{frame}");
    }
}

#[test]
fn actions_that_are_unknown_or_not_the_stations() {
    for version in ALL {
        for name in ["heartbeat", "HeartbeatRequest", "Heartbeat.req", "", "Nonsense"] {
            let lines = message(version, &format!(r#"[2,"a","{name}",{{"x":1}}]"#));
            assert_eq!(lines, [format!("invalid 10 NotImplemented {name}  action")]);
        }
        let lines = message(version, r#"[2,"a","Reset",{"type":"Never"}]"#);
        assert_eq!(lines, ["invalid 11 NotSupported Reset  action"]);
    }
}

#[test]
fn the_lowest_row_wins() {
    let id = "i".repeat(37);
    // 6 before 7 before 10; 7 before 11; 11 before 12.
    assert!(message("ocpp1.6", &format!(r#"[2,"{id}",5,[],1]"#))[0].starts_with("invalid 6 "));
    assert!(message("ocpp1.6", r#"[2,"a","Nonsense",{},1]"#)[0].starts_with("invalid 7 "));
    assert!(message("ocpp1.6", r#"[2,"a","Reset",[]]"#)[0].starts_with("invalid 7 "));
    assert!(message("ocpp1.6", r#"[2,"a","Boot",{},1]"#)[0].starts_with("invalid 7 "));
    assert!(message("ocpp1.6", r#"[2,"a","Reset",{}]"#)[0].starts_with("invalid 11 "));
    assert!(message("ocpp1.6", &format!(r#"[2,"{id}",5,[],1"#))[0].starts_with("dropped not-json"));
}

#[test]
fn billing_is_marked() {
    assert!(message("ocpp1.6", r#"[2,"a","MeterValues",{}]"#)[0].ends_with(" billing"));
    assert!(message("ocpp1.6", r#"[2,"a","MeterValues",[]]"#)[0].ends_with(" billing"));
    assert!(!message("ocpp1.6", r#"[2,"a","Boot",{}]"#)[0].ends_with(" billing"));
}

#[test]
fn answers_to_nothing() {
    for version in ALL {
        let data = [
            text(r#"[3,"nope",{}]"#),
            text(r#"[4,"nope","GenericError","",{}]"#),
            text(r#"[3,5,{}]"#),
            text(r#"[4]"#),
            text(&format!(r#"[3,"{}",{{}}]"#, "i".repeat(40))),
        ];
        let long = format!("unmatched {} 3", "i".repeat(36));
        let wanted =
            ["unmatched nope 3", "unmatched nope 4", "dropped malformed-answer", "dropped malformed-answer", &long];
        assert_eq!(both(|| open(version), &data.concat()), wanted);
    }
}

#[test]
fn the_answer_to_a_call() {
    let mut connection = open("ocpp1.6");
    connection.encode_call("c1", "Reset", br#"{"type":"Hard"}"#).unwrap();
    connection.expect("c2", "Reset").unwrap();
    connection.expect("c3", "Reset").unwrap();
    connection.expect("c4", "Reset").unwrap();
    connection.forget("c4");
    connection.forget("unknown");
    let data = [
        text(r#"[3,"c2",{"status":"Rejected"}]"#),
        text(r#"[3,"c2",{"status":"Rejected"}]"#),
        text(r#"[3,"c3",{"status":"no"}]"#),
        text(r#"[4,"c3","GenericError","",{}]"#),
        text(r#"[4,"c1","Vendor","busy",{"a":1}]"#),
        text(r#"[3,"c4",{"status":"Accepted"}]"#),
    ];
    let wanted = [
        r#"result c2 {"status":"Rejected"}"#,
        "unmatched c2 3",
        r#"invalid-result c3 16 /status enum {"status":"no"}"#,
        "unmatched c3 4",
        r#"error c1 Vendor "busy" {"a":1}"#,
        "unmatched c4 3",
    ];
    assert_eq!(feed(&mut connection, &data.concat()), wanted);
    assert_eq!(connection.buffered(), 0);
}

#[test]
fn answers_in_a_bad_shape_still_end_the_call() {
    for (answer, wanted) in [
        (r#"[3,"c"]"#, "invalid-result c 7  envelope {}"),
        (r#"[3,"c",{"status":"Accepted"},1]"#, r#"invalid-result c 7  envelope {"status":"Accepted"}"#),
        (r#"[3,"c",[]]"#, "invalid-result c 7  type []"),
        (r#"[3,"c",null]"#, "invalid-result c 12 /status required {}"),
        (r#"[4,"c"]"#, r#"error c  "" {}"#),
        (r#"[4,"c",5,null,[]]"#, r#"error c  "" {}"#),
        (r#"[4,"c","E","d"]"#, r#"error c E "d" {}"#),
    ] {
        let make = || {
            let mut connection = open("ocpp1.6");
            connection.expect("c", "Reset").unwrap();
            connection
        };
        assert_eq!(both(make, &text(answer)), [wanted], "{answer}");
    }
}

#[test]
fn an_answer_that_is_not_json_leaves_the_call_pending() {
    let mut connection = open("ocpp1.6");
    connection.expect("c", "Reset").unwrap();
    assert_eq!(feed(&mut connection, &text(r#"[3,"c",{"status":"Accepted"}"#)), ["dropped not-json"]);
    let right = r#"[3,"c",{"status":"Accepted"}]"#;
    assert_eq!(feed(&mut connection, &text(right)), [r#"result c {"status":"Accepted"}"#]);
}

#[test]
fn error_texts_are_cut() {
    let mut connection = open("ocpp1.6");
    connection.expect("c", "Reset").unwrap();
    let long = "\u{fc}".repeat(300);
    let lines = feed(&mut connection, &text(&format!(r#"[4,"c","{long}","{long}",{{}}]"#)));
    let cut = "\u{fc}".repeat(255);
    assert_eq!(lines, [format!("error c {cut} \"{cut}\" {{}}")]);
}

#[test]
fn messages_of_2_1() {
    let data = [
        text(r#"[6,"s1","NotifyPeriodicEventStream",{"id":1}]"#),
        text(r#"[6,"s2","Heartbeat",{}]"#),
        text(r#"[6,"s3","NotifyPeriodicEventStream",{"id":-1}]"#),
        text("[6,"),
        text("[6,1]"),
        text(r#"[2,"s4","NotifyPeriodicEventStream",{"id":1}]"#),
        text(r#"[5,"s5","FormatViolation","",{}]"#),
    ];
    let wanted = [
        r#"send s1 NotifyPeriodicEventStream {"id":1}"#,
        "dropped invalid-send",
        "dropped invalid-send",
        "dropped not-json",
        "dropped no-message-id",
        "invalid 11 NotSupported NotifyPeriodicEventStream  action",
        "result-error s5 FormatViolation",
    ];
    assert_eq!(both(|| open("ocpp2.1"), &data.concat()), wanted);

    let mut connection = open("ocpp2.1");
    connection.expect("c", "Reset").unwrap();
    let lines = feed(&mut connection, &text(r#"[3,"c",{"status":5}]"#));
    let reply = r#"reply rpc-error [5,"c","TypeConstraintViolation","/status: string required",{"path":"/status","rule":"type"}]"#;
    assert_eq!(lines, [reply, r#"invalid-result c 14 /status type {"status":5}"#]);
}

#[test]
fn the_digest_tells_contents_apart() {
    let digests = |frames: &[&str]| {
        let mut connection = open("ocpp1.6");
        let mut digests = Vec::new();
        for frame in frames {
            connection.receive(&text(frame), &mut |event| {
                if let ocpp_codec::Event::Call { digest, .. } = event {
                    digests.push(digest);
                }
            });
        }
        digests
    };
    let one = r#"[2,"a","Boot",{"vendor":"v","model":"m"}]"#;
    let again = r#"[2,"b","Boot",{"vendor":"v","model":"m"}]"#;
    let other = r#"[2,"a","Boot",{"vendor":"v","model":"n"}]"#;
    let seen = digests(&[one, again, other, BEAT, r#"[2,"a","Heartbeat",null]"#]);
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[3], seen[4]);
    assert!(seen[0] != seen[2] && seen[0] != seen[3]);
}
