use ocpp_codec::{Catalogue, Kind, Limits};

use crate::support::{catalogue, message};

fn fault(version: &str, action: &str, payload: &str) -> Option<(u8, String, &'static str)> {
    let catalogue = catalogue();
    let id = catalogue.version(version).unwrap();
    let outcome = catalogue.validate(id, action, Kind::Request, payload.as_bytes(), &Limits::default());
    outcome.err().map(|f| (f.row, f.path, f.rule))
}

fn boot(members: &str) -> Option<(u8, String, &'static str)> {
    fault("ocpp1.6", "Boot", &format!(r#"{{"vendor":"v","model":"m"{members}}}"#))
}

fn at(row: u8, path: &str, rule: &'static str) -> Option<(u8, String, &'static str)> {
    Some((row, path.to_owned(), rule))
}

#[test]
fn right_payloads() {
    for members in [
        "",
        r#","serial":"aZ0*-_=:+|@.""#,
        r#","location":"ftp://u:p@h/x""#,
        r#","count":-2147483648"#,
        r#","count":2147483647"#,
        r#","count":-0"#,
        r#","phase":1"#,
        r#","limit":0"#,
        r#","limit":1.005e2"#,
        r#","free":-1e300"#,
        r#","on":true"#,
        r#","on":false"#,
        r#","any":null"#,
        r#","any":{"x":[1,"2",{}]}"#,
        r#","inner":{"timestamp":"2024-01-01T00:00:00Z","sampledValue":[{"value":"1","unit":"Wh"}]}"#,
        r#","inner":{"timestamp":"2024-01-01T00:00:00","sampledValue":[{"value":"1","unit":"Celcius"},{"value":"","unit":"Celsius"}]}"#,
    ] {
        assert_eq!(boot(members), None, "{members}");
    }
}

#[test]
fn lengths_count_code_points() {
    let vendor = |text: &str| fault("ocpp1.6", "Boot", &format!(r#"{{"vendor":"{text}","model":"m"}}"#));
    assert_eq!(vendor(&"v".repeat(20)), None);
    assert_eq!(vendor(&"v".repeat(21)), at(16, "/vendor", "maxLength"));
    assert_eq!(vendor(&"\u{20ac}".repeat(20)), None);
    assert_eq!(vendor(&"\u{20ac}".repeat(21)), at(16, "/vendor", "maxLength"));
    assert_eq!(vendor(&"\\ud83d\\ude00".repeat(20)), None);
    assert_eq!(vendor(&"\\u00e9".repeat(21)), at(16, "/vendor", "maxLength"));
    assert_eq!(vendor(""), at(16, "/vendor", "minLength"));
    assert_eq!(vendor("\\n"), None);
}

#[test]
fn each_rule() {
    for (members, row, path, rule) in [
        (r#","x":1"#, 13, "/x", "additionalProperties"),
        (r#","Vendor":"v""#, 13, "/Vendor", "additionalProperties"),
        (r#","a/b~c":1"#, 13, "/a~1b~0c", "additionalProperties"),
        (r#","count":"1""#, 14, "/count", "type"),
        (r#","count":1.5"#, 14, "/count", "type"),
        (r#","count":1.0"#, 14, "/count", "type"),
        (r#","count":1e0"#, 14, "/count", "type"),
        (r#","count":true"#, 14, "/count", "type"),
        (r#","count":null"#, 14, "/count", "type"),
        (r#","count":[1]"#, 14, "/count", "type"),
        (r#","serial":1"#, 14, "/serial", "type"),
        (r#","on":"true""#, 14, "/on", "type"),
        (r#","on":1"#, 14, "/on", "type"),
        (r#","limit":"1""#, 14, "/limit", "type"),
        (r#","inner":[]"#, 14, "/inner", "type"),
        (r#","inner":{"timestamp":"2024-01-01T00:00:00Z","sampledValue":{}}"#, 14, "/inner/sampledValue", "type"),
        (r#","count":2147483648"#, 16, "/count", "maximum"),
        (r#","count":-2147483649"#, 16, "/count", "minimum"),
        (r#","count":99999999999999999999999"#, 16, "/count", "maximum"),
        (r#","count":-99999999999999999999999"#, 16, "/count", "minimum"),
        (r#","phase":0"#, 16, "/phase", "minimum"),
        (r#","phase":4"#, 16, "/phase", "maximum"),
        (r#","limit":-0.1"#, 16, "/limit", "minimum"),
        (r#","limit":100.6"#, 16, "/limit", "maximum"),
        (r#","serial":"a b""#, 16, "/serial", "format"),
        (r#","location":"nowhere""#, 16, "/location", "format"),
    ] {
        assert_eq!(boot(members), at(row, path, rule), "{members}");
    }
}

#[test]
fn lists_and_nested_paths() {
    let meter =
        |values: &str| fault("ocpp1.6", "MeterValues", &format!(r#"{{"connectorId":1,"meterValue":[{values}]}}"#));
    let right = r#"{"timestamp":"2024-01-01T00:00:00Z","sampledValue":[{"value":"1"}]}"#;
    assert_eq!(meter(right), None);
    assert_eq!(meter(""), at(15, "/meterValue", "minItems"));
    let sampled = |n: usize| {
        let items = vec![r#"{"value":"1"}"#; n].join(",");
        format!(r#"{{"timestamp":"2024-01-01T00:00:00Z","sampledValue":[{items}]}}"#)
    };
    assert_eq!(meter(&sampled(3)), None);
    assert_eq!(meter(&sampled(4)), at(15, "/meterValue/0/sampledValue", "maxItems"));
    let late = format!(r#"{right},{{"timestamp":"now","sampledValue":[{{"value":"1"}}]}}"#);
    assert_eq!(meter(&late), at(16, "/meterValue/1/timestamp", "format"));
    let unit = r#"{"timestamp":"2024-01-01T00:00:00Z","sampledValue":[{"value":"1"},{"value":"1","unit":"wh"}]}"#;
    assert_eq!(meter(unit), at(16, "/meterValue/0/sampledValue/1/unit", "enum"));
}

#[test]
fn the_lowest_row_then_the_first_in_the_document() {
    // 12 before 13 before 14 before 15 before 16, wherever they stand.
    let all =
        r#"{"phase":9,"inner":{"timestamp":"2024-01-01T00:00:00Z","sampledValue":[]},"count":"1","x":1,"model":"m"}"#;
    assert_eq!(fault("ocpp1.6", "Boot", all), at(12, "/vendor", "required"));
    let all = all.replace(r#""model""#, r#""vendor":"v","model""#);
    assert_eq!(fault("ocpp1.6", "Boot", &all), at(13, "/x", "additionalProperties"));
    let all = all.replace(r#""x":1,"#, "");
    assert_eq!(fault("ocpp1.6", "Boot", &all), at(14, "/count", "type"));
    let all = all.replace(r#""count":"1","#, "");
    assert_eq!(fault("ocpp1.6", "Boot", &all), at(15, "/inner/sampledValue", "minItems"));
    let all = all.replace("[]", r#"[{"value":"1"}]"#);
    assert_eq!(fault("ocpp1.6", "Boot", &all), at(16, "/phase", "maximum"));
    // Within a row: document order, for missing fields the order of the definition.
    assert_eq!(boot(r#","phase":0,"count":99999999999"#), at(16, "/phase", "minimum"));
    assert_eq!(boot(r#","y":0,"x":0"#), at(13, "/y", "additionalProperties"));
    assert_eq!(fault("ocpp1.6", "Boot", "{}"), at(12, "/vendor", "required"));
    // An object begins before what it holds.
    assert_eq!(fault("ocpp1.6", "Boot", r#"{"vendor":"v","inner":{}}"#), at(12, "/model", "required"));
    assert_eq!(boot(r#","inner":{"sampledValue":[{}]}"#), at(12, "/inner/timestamp", "required"));
    let lists = r#"{"connectorId":1,"meterValue":[{"timestamp":"x","sampledValue":[]}]}"#;
    assert_eq!(fault("ocpp1.6", "MeterValues", lists), at(15, "/meterValue/0/sampledValue", "minItems"));
}

#[test]
fn not_json_beats_every_fault() {
    for payload in [
        r#"{"vendor":"v","model":"m","vendor":"v"}"#,
        r#"{"vendor":"v","model":"m","x":1,"x":1}"#,
        r#"{"vendor":"v","model":"m","v\u0065ndor":"v"}"#,
        r#"{"x":1,"y":{"a":1,"a":2}}"#,
        r#"{"vendor":1,"model":"\u0000"}"#,
        r#"{"vendor":1,"count":1e999}"#,
        r#"{"count":12345678901234567890123456789012345678901}"#,
        r#"{"vendor":"v","model":"m"},"#,
    ] {
        assert_eq!(fault("ocpp1.6", "Boot", payload).unwrap().0, 2, "{payload}");
    }
}

#[test]
fn custom_data() {
    let beat = |payload: &str| fault("ocpp2.0.1", "Heartbeat", payload);
    assert_eq!(beat(r#"{"customData":{"vendorId":"v","x":[1]}}"#), None);
    assert_eq!(beat(r#"{"customData":{"x":1}}"#), at(12, "/customData/vendorId", "required"));
    assert_eq!(beat(r#"{"customData":{"vendorId":5}}"#), at(14, "/customData/vendorId", "type"));
    assert_eq!(beat(&format!(r#"{{"customData":{{"vendorId":"{}"}}}}"#, "v".repeat(255))), None);
    let long = format!(r#"{{"customData":{{"vendorId":"{}"}}}}"#, "v".repeat(256));
    assert_eq!(beat(&long), at(16, "/customData/vendorId", "maxLength"));
    assert_eq!(beat(r#"{"customData":5}"#), at(14, "/customData", "type"));
    assert_eq!(beat(r#"{"customData":{"vendorId":"v","x":1,"x":2}}"#), at(2, "", "json"));
    assert_eq!(
        fault("ocpp1.6", "Heartbeat", r#"{"customData":{"vendorId":"v"}}"#),
        at(13, "/customData", "additionalProperties")
    );
}

#[test]
fn recursive_types_end_at_the_depth_limit() {
    let tree = |n: usize| format!(r#"{{"tree":{}{{}}{}}}"#, r#"{"child":"#.repeat(n), "}".repeat(n));
    assert_eq!(fault("ocpp2.0.1", "Grow", &tree(29)), None);
    assert_eq!(fault("ocpp2.0.1", "Grow", &tree(30)), at(2, "", "json"));
    assert_eq!(fault("ocpp2.0.1", "Grow", &tree(10_000)), at(2, "", "json"));
    // A payload alone and the same payload in its frame have the same limit.
    assert!(message("ocpp2.0.1", &format!(r#"[2,"a","Grow",{}]"#, tree(29)))[0].starts_with("call "));
    assert!(message("ocpp2.0.1", &format!(r#"[2,"a","Grow",{}]"#, tree(30)))[0].starts_with("reply rpc-error"));
}

#[test]
fn descriptions_name_path_and_limit_and_stay_short() {
    let catalogue = catalogue();
    let id = catalogue.version("ocpp1.6").unwrap();
    let check = |payload: &str| {
        let outcome = catalogue.validate(id, "Boot", Kind::Request, payload.as_bytes(), &Limits::default());
        outcome.unwrap_err().description
    };
    assert_eq!(check(r#"{"vendor":"v","model":"m","count":"1"}"#), "/count: integer required");
    assert_eq!(check(r#"{"vendor":"v","model":"m","phase":4}"#), "/phase: at most 3 allowed");
    let name = "n\\n".repeat(10_000);
    let text = check(&format!(r#"{{"vendor":"v","model":"m","{name}":1}}"#));
    assert!(text.len() < 255 && !text.contains('\n'), "{text}");
}

#[test]
fn tables_that_are_not_usable() {
    let with = |request: &str| {
        format!(
            r#"{{"versions":{{"v":{{"dialect":"1.6","types":{{"R":{{"t":"ref","name":"R"}}}},"actions":{{"A":{{
            "from_station":true,"from_csms":false,"billing":false,"request":{request},
            "response":{{"t":"object","fields":[]}}}}}}}}}}}}"#
        )
    };
    let right = r#"{"t":"object","fields":[{"name":"a","required":true,"type":{"t":"any"}}]}"#;
    assert!(Catalogue::new(with(right).as_bytes()).is_ok());
    let many: Vec<String> =
        (0..64).map(|i| format!(r#"{{"name":"f{i}","required":false,"type":{{"t":"any"}}}}"#)).collect();
    for (request, why) in [
        (r#"{"t":"string"}"#.to_owned(), "v A: a payload must be an object"),
        (r#"{"t":"ref","name":"X"}"#.to_owned(), "v A: no type \"X\""),
        (r#"{"t":"ref","name":"R"}"#.to_owned(), "type \"R\" only refers to another type"),
        (right.replace("}]", r#"},{"name":"a","required":true,"type":{"t":"any"}}]"#), "v A: a name occurs twice"),
        (format!(r#"{{"t":"object","fields":[{}]}}"#, many.join(",")), "v A: more than 63 fields"),
        (right.replace("any", "every"), "unknown variant"),
        (right.replace("\"required\":true,", ""), "missing field"),
        ("7".to_owned(), "invalid type"),
    ] {
        let error = Catalogue::new(with(&request).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(Catalogue::new(b"").is_err());
    assert!(Catalogue::new(br#"{"versions":{"v":{"dialect":"3","types":{},"actions":{}}}}"#).is_err());
}
