//! Strict scanner (F5): walks text once, holds no tree, and refuses what parsers disagree on.

use std::borrow::Cow;

use super::keys::KeySet;
use crate::limits::Limits;

/// The text is not JSON in the strict sense of rule F5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson {
    /// Byte offset at which it was noticed.
    pub at: usize,
    pub reason: &'static str,
}

pub type Result<T> = std::result::Result<T, NotJson>;

/// Kind of the value that starts at the current position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A string between its quotes, as it stands in the text; its escapes are checked.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    pub raw: &'a str,
    escaped: bool,
    ascii: bool,
}

impl<'a> Text<'a> {
    /// Length in Unicode code points.
    #[must_use]
    pub fn code_points(&self) -> usize {
        if self.escaped {
            self.unescape().chars().count()
        } else if self.ascii {
            self.raw.len()
        } else {
            self.raw.chars().count()
        }
    }

    /// The string's value.
    #[must_use]
    pub fn value(&self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(self.unescape()) } else { Cow::Borrowed(self.raw) }
    }

    #[cold]
    fn unescape(&self) -> String {
        let mut out = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some((plain, after)) = rest.split_once('\\') {
            out.push_str(plain);
            let mut chars = after.chars();
            match chars.next() {
                Some('b') => out.push('\u{8}'),
                Some('f') => out.push('\u{c}'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('u') => {
                    let unit = take_hex(&mut chars);
                    let code = if (0xD800..0xDC00).contains(&unit) {
                        chars.next();
                        chars.next();
                        let low = take_hex(&mut chars);
                        0x1_0000 + ((unit - 0xD800) << 10) + (low.wrapping_sub(0xDC00) & 0x3FF)
                    } else {
                        unit
                    };
                    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Some(other) => out.push(other),
                None => {}
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
        out
    }
}

fn take_hex(chars: &mut std::str::Chars<'_>) -> u32 {
    (0..4).fold(0, |value, _| value << 4 | chars.next().and_then(|c| c.to_digit(16)).unwrap_or(0))
}

/// A number as it stands in the text.
#[derive(Debug, Clone, Copy)]
pub struct Number<'a> {
    pub raw: &'a str,
    /// Written without fraction and exponent.
    pub integer: bool,
}

impl Number<'_> {
    /// The value; finite by construction.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        self.raw.parse().unwrap_or(f64::NAN)
    }
}

/// Position in a text that is walked once.
pub struct Scanner<'a> {
    text: &'a str,
    pos: usize,
    depth: usize,
    max_depth: usize,
    max_keys: usize,
    max_items: usize,
    max_number_length: usize,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// High bit of every byte that ends or interrupts a string: quote, backslash, control character. Bytes after the first hit
/// may be flagged wrongly (borrow), so only the lowest one counts.
const fn specials(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    ((word.wrapping_sub(ONES * 0x20) & !word)
        | (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash))
        & HIGHS
}

impl<'a> Scanner<'a> {
    /// A scanner at the start of `text`.
    #[must_use]
    pub fn new(text: &'a str, limits: &Limits) -> Self {
        Self {
            text,
            pos: 0,
            depth: 0,
            max_depth: limits.depth(),
            max_keys: limits.max_keys,
            max_items: limits.max_items,
            max_number_length: limits.max_number_length,
        }
    }

    /// A scanner for text that stands `depth` levels deep in something else.
    #[must_use]
    pub fn nested(text: &'a str, limits: &Limits, depth: usize) -> Self {
        Self { depth, ..Self::new(text, limits) }
    }

    /// Byte offset of the current position.
    #[must_use]
    pub fn pos(&self) -> usize {
        self.pos
    }

    /// The text from byte `start` to the current position.
    #[must_use]
    pub fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.pos).unwrap_or("")
    }

    #[cold]
    fn fail<T>(&self, reason: &'static str) -> Result<T> {
        Err(NotJson { at: self.pos, reason })
    }

    /// The byte at the current position; 0 (never part of valid JSON) at the end.
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.pos).copied().unwrap_or(0)
    }

    /// Step over white space.
    pub fn space(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.pos += 1;
        }
    }

    /// Kind of the value that starts here.
    ///
    /// # Errors
    /// No value starts here.
    pub fn token(&self) -> Result<Token> {
        Ok(match self.byte() {
            b'"' => Token::String,
            b'{' => Token::Object,
            b'[' => Token::Array,
            b'-' | b'0'..=b'9' => Token::Number,
            b't' => Token::True,
            b'f' => Token::False,
            b'n' => Token::Null,
            _ => return self.fail("value expected"),
        })
    }

    /// Step over an opening bracket (the caller has looked) into its array or object.
    ///
    /// # Errors
    /// Nested too deep.
    pub fn enter(&mut self) -> Result<()> {
        if self.depth >= self.max_depth {
            return self.fail("nested too deep");
        }
        self.depth += 1;
        self.pos += 1;
        Ok(())
    }

    /// Go to the next member of the object entered: its name, with the position at its value; `None` once the object was
    /// closed. `count` is the number of members read so far and is counted up.
    ///
    /// # Errors
    /// Not JSON, or too many members.
    // Inlined by force, as `string` below: handing the result over in memory cost a third of the whole validation.
    #[inline(always)]
    pub fn member(&mut self, count: &mut usize) -> Result<Option<Text<'a>>> {
        self.space();
        match self.byte() {
            b'}' => {
                self.pos += 1;
                self.depth -= 1;
                return Ok(None);
            }
            b',' if *count > 0 => {
                self.pos += 1;
                self.space();
            }
            _ if *count > 0 => return self.fail("',' or '}' expected"),
            _ => {}
        }
        if *count >= self.max_keys {
            return self.fail("too many members in one object");
        }
        *count += 1;
        if self.byte() != b'"' {
            return self.fail("member name expected");
        }
        let name = self.string()?;
        self.space();
        if self.byte() != b':' {
            return self.fail("':' expected");
        }
        self.pos += 1;
        self.space();
        Ok(Some(name))
    }

    /// Go to the next element of the array entered; false once the array was closed. `count` as in [`Self::member`].
    ///
    /// # Errors
    /// Not JSON, or too many elements.
    #[inline]
    pub fn element(&mut self, count: &mut usize) -> Result<bool> {
        self.space();
        match self.byte() {
            b']' => {
                self.pos += 1;
                self.depth -= 1;
                return Ok(false);
            }
            b',' if *count > 0 => {
                self.pos += 1;
                self.space();
                if self.byte() == b']' {
                    return self.fail("value expected");
                }
            }
            _ if *count > 0 => return self.fail("',' or ']' expected"),
            _ => {}
        }
        if *count >= self.max_items {
            return self.fail("too many elements in one array");
        }
        *count += 1;
        Ok(true)
    }

    /// Read a string (the caller has seen its quote).
    ///
    /// # Errors
    /// Unterminated, control character, bad escape, NUL or unpaired surrogate.
    #[inline(always)]
    pub fn string(&mut self) -> Result<Text<'a>> {
        let bytes = self.text.as_bytes();
        let start = self.pos + 1;
        let mut at = start;
        let mut high = 0_u64;
        let mut escaped = false;
        loop {
            while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
                let word = u64::from_le_bytes(*chunk);
                let hits = specials(word);
                if hits != 0 {
                    let before = hits.trailing_zeros() / 8;
                    // Bits of the bytes before the hit; the shift is below 64 because a hit leaves at most 7 before it.
                    high |= word & ((1_u64 << (before * 8)) - 1);
                    at += before as usize;
                    break;
                }
                high |= word;
                at += 8;
            }
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.pos = at;
                    at = self.escape()?;
                }
                Some(&byte) if byte >= 0x20 => {
                    high |= u64::from(byte);
                    at += 1;
                }
                Some(_) => {
                    self.pos = at;
                    return self.fail("control character in a string");
                }
                None => {
                    self.pos = at;
                    return self.fail("unterminated string");
                }
            }
        }
        self.pos = at + 1;
        let raw = self.text.get(start..at).unwrap_or("");
        Ok(Text { raw, escaped, ascii: high & HIGHS == 0 })
    }

    /// Check the escape at the current position and give the position after it.
    #[cold]
    fn escape(&self) -> Result<usize> {
        match self.text.as_bytes().get(self.pos + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(self.pos + 2),
            Some(b'u') => match self.hex(self.pos + 2) {
                None => self.fail("bad \\u escape"),
                Some(0) => self.fail("NUL in a string"),
                Some(0xDC00..=0xDFFF) => self.fail("unpaired surrogate"),
                Some(0xD800..=0xDBFF) => {
                    let pair = self.text.as_bytes().get(self.pos + 6..self.pos + 8) == Some(b"\\u");
                    match self.hex(self.pos + 8) {
                        Some(0xDC00..=0xDFFF) if pair => Ok(self.pos + 12),
                        _ => self.fail("unpaired surrogate"),
                    }
                }
                Some(_) => Ok(self.pos + 6),
            },
            _ => self.fail("bad escape"),
        }
    }

    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.text.as_bytes().get(at..at + 4)?;
        digits.iter().try_fold(0, |value, &d| Some(value << 4 | char::from(d).to_digit(16)?))
    }

    /// Read a number (the caller has seen its first character).
    ///
    /// # Errors
    /// Bad form, too long, or beyond the range of a double.
    pub fn number(&mut self) -> Result<Number<'a>> {
        let start = self.pos;
        let mut integer = true;
        if self.byte() == b'-' {
            self.pos += 1;
        }
        match self.byte() {
            b'0' => self.pos += 1,
            b'1'..=b'9' => self.digits(),
            _ => return self.fail("digit expected"),
        }
        if self.byte() == b'.' {
            integer = false;
            self.pos += 1;
            if !self.byte().is_ascii_digit() {
                return self.fail("digit expected");
            }
            self.digits();
        }
        let exponent = matches!(self.byte(), b'e' | b'E');
        if exponent {
            integer = false;
            self.pos += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.pos += 1;
            }
            if !self.byte().is_ascii_digit() {
                return self.fail("digit expected");
            }
            self.digits();
        }
        let raw = self.since(start);
        if raw.len() > self.max_number_length {
            return self.fail("number too long");
        }
        if exponent && !in_double_range(raw) {
            return self.fail("number out of range");
        }
        Ok(Number { raw, integer })
    }

    fn digits(&mut self) {
        while self.byte().is_ascii_digit() {
            self.pos += 1;
        }
    }

    /// Step over `true`, `false` or `null`.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn literal(&mut self, word: &'static str) -> Result<()> {
        if self.text.get(self.pos..).is_some_and(|rest| rest.starts_with(word)) {
            self.pos += word.len();
            Ok(())
        } else {
            self.fail("value expected")
        }
    }

    /// Check one value of any shape and step over it.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn skip(&mut self) -> Result<()> {
        match self.token()? {
            Token::String => self.string().map(drop),
            Token::Number => self.number().map(drop),
            Token::True => self.literal("true"),
            Token::False => self.literal("false"),
            Token::Null => self.literal("null"),
            Token::Array => {
                self.enter()?;
                let mut count = 0;
                while self.element(&mut count)? {
                    self.skip()?;
                }
                Ok(())
            }
            Token::Object => {
                self.enter()?;
                let mut count = 0;
                let mut names = KeySet::default();
                while let Some(name) = self.member(&mut count)? {
                    if !names.insert(name.value()) {
                        return self.duplicate();
                    }
                    self.skip()?;
                }
                Ok(())
            }
        }
    }

    /// The error for a name that occurs twice in one object.
    ///
    /// # Errors
    /// Always.
    #[cold]
    pub fn duplicate<T>(&self) -> Result<T> {
        self.fail("duplicate name")
    }

    /// Nothing but white space may follow.
    ///
    /// # Errors
    /// Something follows.
    pub fn end(&mut self) -> Result<()> {
        self.space();
        if self.pos == self.text.len() { Ok(()) } else { self.fail("text after the value") }
    }
}

/// Whether a number with an exponent fits what every reader behind us can hold: doubles on one side, and PostgreSQL
/// numerics, which have no tiny exponents, on the other.
fn in_double_range(raw: &str) -> bool {
    let exponent = raw.split_once(['e', 'E']).and_then(|(_, digits)| digits.parse::<i32>().ok());
    exponent.is_some_and(|e| (-308..=308).contains(&e)) && raw.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> std::result::Result<(), &'static str> {
        let mut scanner = Scanner::new(text, &Limits::default());
        scanner.space();
        scanner.skip().and_then(|()| scanner.end()).map_err(|e| e.reason)
    }

    #[test]
    fn accepts_json() {
        for text in [
            "{}",
            " [ ] ",
            "0",
            "-0",
            "-0.5e-3",
            "1E+2",
            "\"\"",
            "\"\\ud83d\\ude00\"",
            "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
            "{\"a\":[1,2,{\"b\":null}],\"c\":true,\"d\":false}",
            "\t\r\n{ \"a\" : 1 , \"b\" : [ 1 , 2 ] }\n",
            "\"ü€😀 and more than eight bytes\"",
            "9999999999999999999999999999999999999999",
            "\"\u{7f}\"",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn refuses_what_parsers_disagree_on() {
        for text in [
            "",
            " ",
            "[",
            "]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\":1,}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\" 1}",
            "{a:1}",
            "{1:1}",
            "{'a':1}",
            "01",
            "+1",
            ".5",
            "1.",
            "1.e1",
            "1e",
            "1e+",
            "-",
            "--1",
            "0x1",
            "NaN",
            "Infinity",
            "-Infinity",
            "nul",
            "nulll",
            "True",
            "\"",
            "\"abc",
            "\"abcdefgh",
            "\"\\\"",
            "\"\\x41\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"\\ud800xu0041\"",
            "\"\\u0000\"",
            "\"a\u{0}b\"",
            "\"line\nbreak\"",
            "\"1234567\u{1f}8\"",
            "{} {}",
            "[]x",
            "// c\n1",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
            "1e-2147483648",
            "10000000000000000000000000000000000000000",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"\\u0061\":2}",
            "\u{feff}{}",
            "[1}",
            "{\"a\":1]",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_limited_before_recursion() {
        let nest = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(check(&nest(32)), Ok(()));
        assert_eq!(check(&nest(33)), Err("nested too deep"));
        assert_eq!(check(&"[".repeat(1_000_000)), Err("nested too deep"));
        assert_eq!(check(&"{\"a\":".repeat(100_000)), Err("nested too deep"));
    }

    #[test]
    fn members_and_elements_are_limited() {
        let object = |n: usize| {
            let members: Vec<String> = (0..n).map(|i| format!("\"{i}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert_eq!(check(&object(1_000)), Ok(()));
        assert_eq!(check(&object(1_001)), Err("too many members in one object"));
        let array = |n: usize| format!("[{}]", vec!["0"; n].join(","));
        assert_eq!(check(&array(10_000)), Ok(()));
        assert_eq!(check(&array(10_001)), Err("too many elements in one array"));
    }

    #[test]
    fn duplicates_are_found_beyond_the_linear_part() {
        let mut members: Vec<String> = (0..200).map(|i| format!("\"{i}\":0")).collect();
        members.push("\"3\":0".into());
        assert_eq!(check(&format!("{{{}}}", members.join(","))), Err("duplicate name"));
        members.pop();
        members.push("\"199\":0".into());
        assert_eq!(check(&format!("{{{}}}", members.join(","))), Err("duplicate name"));
    }

    #[test]
    fn a_string_ends_wherever_its_quote_falls() {
        for length in 0..40 {
            for odd in ["", "ü", "\\n", "\\\"", "\\ud83d\\ude00"] {
                let text = format!("\"{}{odd}{}\"", "a".repeat(length), "b".repeat(length % 5));
                let mut scanner = Scanner::new(&text, &Limits::default());
                let read = scanner.string().unwrap();
                let wanted: String = serde_json::from_str(&text).unwrap();
                assert_eq!(read.value(), wanted);
                assert_eq!(read.code_points(), wanted.chars().count());
                assert!(scanner.end().is_ok());
            }
        }
    }
}
