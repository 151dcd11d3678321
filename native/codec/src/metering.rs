//! The ordinary `meterValue` of a valid payload, read in one walk: plain numbers under kinds of samples that come again
//! and again. Whatever is not ordinary is left to the caller, who knows all of it.

use crate::json::{NotJson, Scanner, Text, Token};
use crate::limits::Limits;

/// The most sampled values of one `meterValue`, and bytes of all that says what they are.
pub const MOST_SAMPLES: usize = 48;
pub const LONGEST_LAYOUT: usize = 4096;

/// One element of `meterValue`.
#[derive(Debug, PartialEq, Eq)]
pub struct MeterValue<'a> {
    pub timestamp: &'a str,
    /// All that the sampled values say but their values, as it stands: equal for two that measure the same in the same order.
    pub layout: String,
    /// Decimals without exponent, as they stand.
    pub values: Vec<&'a str>,
}

/// What is in a payload.
#[derive(Debug, PartialEq, Eq)]
pub struct Metering<'a> {
    pub meter_values: Vec<MeterValue<'a>>,
    /// The array as it stands.
    pub text: &'a str,
    /// The payload without it.
    pub rest: String,
}

/// Read a payload whose schema was checked. None: something in it is not ordinary, or not JSON.
#[must_use]
pub fn read<'a>(payload: &'a str, limits: &Limits) -> Option<Metering<'a>> {
    read_payload(payload, limits).ok().flatten()
}

type Read<T> = Result<Option<T>, NotJson>;

fn read_payload<'a>(payload: &'a str, limits: &Limits) -> Read<Metering<'a>> {
    let mut scan = Scanner::nested(payload, limits, 1);
    let mut found = None;
    let mut rest = String::with_capacity(payload.len());
    scan.space();
    if scan.token()? != Token::Object {
        return Ok(None);
    }
    scan.enter()?;
    let mut count = 0;
    while let Some(name) = scan.member(&mut count)? {
        let start = scan.pos();
        if name.raw == "meterValue" {
            let Some(meter_values) = read_array(&mut scan, read_meter_value)? else { return Ok(None) };
            found = Some((meter_values, scan.since(start)));
        } else {
            scan.skip()?;
            rest.push(if rest.is_empty() { '{' } else { ',' });
            push_member(&mut rest, &name, scan.since(start));
        }
    }
    rest.push_str(if rest.is_empty() { "{}" } else { "}" });
    Ok(found.map(|(meter_values, text)| Metering { meter_values, text, rest }))
}

fn read_meter_value<'a>(scan: &mut Scanner<'a>) -> Read<MeterValue<'a>> {
    if scan.token()? != Token::Object {
        return Ok(None);
    }
    scan.enter()?;
    let mut timestamp = None;
    let mut values = None;
    let mut layout = String::with_capacity(1024);
    let mut count = 0;
    while let Some(name) = scan.member(&mut count)? {
        match name.raw {
            "timestamp" if scan.token()? == Token::String => timestamp = plain(&scan.string()?),
            "sampledValue" => {
                values = read_array(scan, |scan| read_sample(scan, &mut layout))?;
                if values.is_none() {
                    return Ok(None);
                }
            }
            _ => scan.skip()?,
        }
    }
    let (Some(timestamp), Some(values)) = (timestamp, values) else { return Ok(None) };
    let ordinary = values.len() <= MOST_SAMPLES && layout.len() <= LONGEST_LAYOUT;
    Ok(ordinary.then_some(MeterValue { timestamp, layout, values }))
}

/// The value of a sample; what else it says goes to the end of `layout`.
fn read_sample<'a>(scan: &mut Scanner<'a>, layout: &mut String) -> Read<&'a str> {
    if scan.token()? != Token::Object {
        return Ok(None);
    }
    scan.enter()?;
    let mut value = None;
    let mut count = 0;
    while let Some(name) = scan.member(&mut count)? {
        if name.raw == "value" {
            value = match scan.token()? {
                Token::String => plain(&scan.string()?),
                Token::Number => Some(scan.number()?.raw),
                _ => return Ok(None),
            };
        } else {
            let start = scan.pos();
            scan.skip()?;
            push_member(layout, &name, scan.since(start));
        }
    }
    layout.push(';');
    Ok(value.filter(|value| is_plain_number(value)))
}

/// The elements of an array; None when one of them is not ordinary.
fn read_array<'a, T>(scan: &mut Scanner<'a>, mut read_one: impl FnMut(&mut Scanner<'a>) -> Read<T>) -> Read<Vec<T>> {
    if scan.token()? != Token::Array {
        return Ok(None);
    }
    scan.enter()?;
    let mut all = Vec::with_capacity(8);
    let mut count = 0;
    while scan.element(&mut count)? {
        let Some(one) = read_one(scan)? else { return Ok(None) };
        all.push(one);
    }
    Ok(Some(all))
}

fn push_member(into: &mut String, name: &Text<'_>, value: &str) {
    into.push('"');
    into.push_str(name.raw);
    into.push_str("\":");
    into.push_str(value);
}

/// The value of a string without escapes.
fn plain<'a>(text: &Text<'a>) -> Option<&'a str> {
    (!text.raw.contains('\\')).then_some(text.raw)
}

/// Digits, perhaps with a sign before and a fraction behind them; short enough for any sum.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str, most: usize| {
        !part.is_empty() && part.len() <= most && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    all_digits(whole, 20) && all_digits(fraction, 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(payload: &str) -> Option<Vec<Vec<String>>> {
        let found = read(payload, &Limits::default())?;
        Some(found.meter_values.iter().map(|one| one.values.iter().map(ToString::to_string).collect()).collect())
    }

    fn one(sample: &str) -> Option<Vec<Vec<String>>> {
        values(&format!(r#"{{"meterValue":[{{"timestamp":"t","sampledValue":[{sample}]}}]}}"#))
    }

    #[test]
    fn reads_what_is_ordinary() {
        let payload = r#" {"connectorId":1, "meterValue" : [{"timestamp":"2026-01-01T00:00:00Z","sampledValue":
            [{"value":"12.50","unit":"Wh"},{"unit":"A","value":-3}]}] ,"transactionId" : 5} "#;
        let found = read(payload, &Limits::default()).unwrap();
        assert_eq!(found.rest, r#"{"connectorId":1,"transactionId":5}"#);
        assert!(found.text.starts_with(r#"[{"timestamp""#) && found.text.ends_with("}]"));
        let [first] = found.meter_values.as_slice() else { panic!("{found:?}") };
        assert_eq!(first.timestamp, "2026-01-01T00:00:00Z");
        assert_eq!(first.values, ["12.50", "-3"]);
        assert_eq!(first.layout, r#""unit":"Wh";"unit":"A";"#);
    }

    #[test]
    fn layouts_tell_apart_what_is_measured() {
        let layout = |samples: &str| {
            let payload = format!(r#"{{"meterValue":[{{"timestamp":"t","sampledValue":[{samples}]}}]}}"#);
            read(&payload, &Limits::default()).unwrap().meter_values.remove(0).layout
        };
        let wh = r#"{"value":1,"unit":"Wh"}"#;
        assert_eq!(layout(wh), layout(r#"{ "unit" : "Wh", "value":2.5 }"#));
        assert_ne!(layout(wh), layout(r#"{"value":1,"unit":"kWh"}"#));
        assert_ne!(layout(wh), layout(&format!("{wh},{wh}")));
        let both = r#"{"value":1,"unit":"Wh","phase":"L1"}"#;
        let apart = r#"{"value":1,"unit":"Wh"},{"value":1,"phase":"L1"}"#;
        assert_ne!(layout(both), layout(apart));
    }

    #[test]
    fn leaves_what_is_not() {
        for value in
            ["\"1e3\"", "1e3", "\" 1\"", "\"\"", "\"0xFF\"", "\"1,5\"", "\".5\"", "\"5.\"", "true", "\"\\u0031\""]
        {
            assert_eq!(one(&format!(r#"{{"value":{value}}}"#)), None, "{value}");
        }
        assert_eq!(one(r#"{"value":"123456789012345678901"}"#), None);
        assert_eq!(one(&[r#"{"value":1}"#; 49].join(",")), None);
        assert_eq!(one(&format!(r#"{{"value":1,"unit":"{}"}}"#, "x".repeat(LONGEST_LAYOUT))), None);
        for payload in
            ["", "null", "[]", "{}", r#"{"meterValue":{}}"#, r#"{"meterValue":[1]}"#, r#"{"meterValue":[{}]}"#]
        {
            assert_eq!(values(payload), None, "{payload}");
        }
        assert_eq!(values(r#"{"meterValue":[{"timestamp":"\n","sampledValue":[{"value":1}]}]}"#), None);
    }

    #[test]
    fn nothing_is_a_plain_number_that_is_none() {
        for text in ["1", "0.5", "-7", "+7", "00012.3400", "12345678901234567890.123456789012345"] {
            assert!(is_plain_number(text), "{text}");
        }
        for text in ["", "-", ".", "1.", ".1", "--1", "1-", "1.2.3", "1e1", "١", "1234567890123456789012"] {
            assert!(!is_plain_number(text), "{text}");
        }
    }
}
