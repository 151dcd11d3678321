//! Formats of strings.

use serde::Deserialize;

/// Named format of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Format {
    #[serde(rename = "date-time")]
    DateTime,
    #[serde(rename = "uri")]
    Uri,
    #[serde(rename = "identifier")]
    Identifier,
}

impl Format {
    /// Whether `text` has this format.
    #[must_use]
    pub fn holds(self, text: &str) -> bool {
        match self {
            Self::DateTime => is_date_time(text.as_bytes()),
            Self::Uri => is_uri(text.as_bytes()),
            Self::Identifier => text.bytes().all(|b| b.is_ascii_alphanumeric() || b"*-_=:+|@.".contains(&b)),
        }
    }

    /// What is demanded, for a fault description.
    #[must_use]
    pub fn demand(self) -> &'static str {
        match self {
            Self::DateTime => "RFC 3339 date and time required",
            Self::Uri => "absolute URI required",
            Self::Identifier => "only letters, digits and * - _ = : + | @ . allowed",
        }
    }
}

/// Value of exactly two digits at the start of `text`, and the rest.
fn two_digits(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] => Some(((a - b'0') * 10 + (b - b'0'), rest)),
        _ => None,
    }
}

/// Characters of a dateTime, which is kept as sent: nanoseconds with an offset need 35.
const LONGEST_DATE_TIME: usize = 64;

/// RFC 3339, with the deviations seen in the field: many fraction digits or none, no zone (means UTC), leap second in any
/// minute. The year is not judged here: the domain marks years it does not believe.
fn is_date_time(text: &[u8]) -> bool {
    text.len() <= LONGEST_DATE_TIME && parse_date_time(text).is_some()
}

fn parse_date_time(text: &[u8]) -> Option<()> {
    let (century, rest) = two_digits(text)?;
    let (year, rest) = two_digits(rest)?;
    let (month, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let (day, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let year = u16::from(century) * 100 + u16::from(year);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    let rest = rest.strip_prefix(b"T").or_else(|| rest.strip_prefix(b"t"))?;
    let (hour, rest) = two_digits(rest)?;
    let (minute, rest) = two_digits(rest.strip_prefix(b":")?)?;
    let (second, mut rest) = two_digits(rest.strip_prefix(b":")?)?;
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        rest = fraction.get(digits..).filter(|_| digits > 0)?;
    }
    match rest {
        b"" | b"Z" | b"z" => Some(()),
        [b'+' | b'-', offset @ ..] => {
            let (hours, offset) = two_digits(offset)?;
            let (minutes, end) = two_digits(offset.strip_prefix(b":")?)?;
            (end.is_empty() && hours <= 23 && minutes <= 59).then_some(())
        }
        _ => None,
    }
}

/// RFC 3986 `scheme ":" …` with something after the colon and only characters a URI may have.
fn is_uri(text: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', text) else { return false };
    let (scheme, rest) = text.split_at(colon);
    let scheme_holds = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b));
    scheme_holds && rest.len() > 1 && only_uri_characters(rest)
}

fn only_uri_characters(text: &[u8]) -> bool {
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [a, b, after @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => after,
            (b'%', _) => return false,
            (byte, _) if byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(byte) => tail,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_times() {
        for text in [
            "2024-02-29T12:00:00Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.1Z",
            "2024-01-01T00:00:00.123456789+02:00",
            "1970-01-01t00:00:00z",
            "2016-12-31T23:59:60Z",
            "2222-10-27T19:10:11-00:00",
            "0000-01-01T00:00:00Z",
        ] {
            assert!(Format::DateTime.holds(text), "{text}");
        }
        for text in [
            "",
            "1000000",
            "2024-01-01",
            "222222017-10-27T19:10:11Z",
            "2023-02-29T12:00:00Z",
            "1900-02-29T12:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-04-31T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:61Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+2:00",
            "2024-01-01T00:00:00+0200",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00Zx",
            "2024-01-01 00:00:00Z",
            "2024-01-01T00:00Z",
            "２024-01-01T00:00:00Z",
        ] {
            assert!(!Format::DateTime.holds(text), "{text}");
        }
    }

    #[test]
    fn date_times_are_bounded() {
        let of_length = |digits: usize| format!("2024-01-01T00:00:00.{}Z", "1".repeat(digits));
        assert!(Format::DateTime.holds(&of_length(LONGEST_DATE_TIME - 21)));
        assert!(!Format::DateTime.holds(&of_length(LONGEST_DATE_TIME - 20)));
    }

    #[test]
    fn uris() {
        for text in ["ftp://user:pw@host/path", "https://[::1]:80/a%20b?q#f", "mailto:a@b", "urn:x"] {
            assert!(Format::Uri.holds(text), "{text}");
        }
        for text in ["", "host/path", ":x", "http:", "1http://x", "http://a b", "http://ü", "http://a%2", "http://<x>"]
        {
            assert!(!Format::Uri.holds(text), "{text}");
        }
    }

    #[test]
    fn identifiers() {
        assert!(Format::Identifier.holds("aZ09*-_=:+|@."));
        assert!(!Format::Identifier.holds("a b"));
        assert!(!Format::Identifier.holds("ü"));
    }
}
