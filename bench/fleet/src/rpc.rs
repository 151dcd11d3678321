//! The OCPP-J envelope of what arrives.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

#[derive(Debug)]
pub enum Inbound<'a> {
    Call {
        id: Cow<'a, str>,
        action: Cow<'a, str>,
        payload: &'a RawValue,
    },
    CallResult {
        id: Cow<'a, str>,
        payload: &'a RawValue,
    },
    CallError {
        id: Cow<'a, str>,
        code: Cow<'a, str>,
    },
    /// A type of message that a station does not answer.
    Other,
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Inbound<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Envelope)
    }
}

struct Envelope;

impl<'de> Visitor<'de> for Envelope {
    type Value = Inbound<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an OCPP-J message")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        fn part<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(parts: &mut A, name: &'static str) -> Result<T, A::Error> {
            parts.next_element()?.ok_or_else(|| A::Error::missing_field(name))
        }
        let kind: u8 = part(&mut parts, "type")?;
        let found = match kind {
            2 => {
                let Text(id) = part(&mut parts, "id")?;
                let Text(action) = part(&mut parts, "action")?;
                Inbound::Call { id, action, payload: part(&mut parts, "payload")? }
            }
            3 => {
                let Text(id) = part(&mut parts, "id")?;
                Inbound::CallResult { id, payload: part(&mut parts, "payload")? }
            }
            4 => {
                let Text(id) = part(&mut parts, "id")?;
                let Text(code) = part(&mut parts, "code")?;
                Inbound::CallError { id, code }
            }
            _ => Inbound::Other,
        };
        while parts.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// Reads a frame.
///
/// # Errors
/// It is no OCPP-J message.
pub fn parse(text: &str) -> Result<Inbound<'_>, serde_json::Error> {
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let Inbound::Call { id, action, payload } = parse(r#"[2,"a\u0062","Reset",{"type": "Soft"}]"#).unwrap() else {
            panic!("not a CALL")
        };
        assert_eq!((&*id, &*action, payload.get()), ("ab", "Reset", r#"{"type": "Soft"}"#));
        assert!(matches!(parse(r#"[3,"x",{}]"#).unwrap(), Inbound::CallResult { id, .. } if id == "x"));
        let error = parse(r#"[4,"x","InternalError","why",{}]"#).unwrap();
        assert!(matches!(error, Inbound::CallError { code, .. } if code == "InternalError"));
        assert!(matches!(parse(r#"[6,"x","NotifyPeriodicEventStream",{}]"#).unwrap(), Inbound::Other));
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for text in ["", "{}", "[]", "[3]", "[2,\"a\",\"Reset\"]", "[3,\"x\",{}] tail", "[\"3\",\"x\",{}]"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
