//! Ways to make an input wrong.

use crate::chance::Chance;

/// Words that parsers take to mean something.
const JSON_WORDS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1e400",
    "1e-400",
    "1E+308",
    "2147483648",
    "-2147483649",
    "1.0",
    "1e5",
    "01",
    "+1",
    ".5",
    "9223372036854775808",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "{}",
    "[]",
    "[[]]",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "NaN",
    "Infinity",
    "//",
    "/**/",
    "'x'",
    "\u{feff}",
    "\u{2028}",
    "\\",
    "\"",
    ",",
    ":",
    "[",
    "]",
    "{",
    "}",
    " ",
    "\n",
    "\u{0}",
    "\u{7f}",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "2.0",
    "\"2\"",
    "\"x\"",
    "\"customData\":{\"vendorId\":\"v\"}",
];

/// The same for HTTP.
const HEAD_WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "=",
    "\"",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/2.0",
    "GET ",
    "POST ",
    "Host: h\r\n",
    "Upgrade: websocket\r\n",
    "Connection: Upgrade\r\n",
    "Connection: close\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Version: 8\r\n",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    "Sec-WebSocket-Protocol: ocpp1.6\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    "; server_max_window_bits=",
    "; client_max_window_bits",
    "; server_no_context_takeover",
    ", permessage-deflate",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    " folded\r\n",
    "\u{e9}",
    "\0",
    "%00",
    "..",
    "/",
    "?",
    "#",
    "ocpp2.0.1",
    "X: y\r\n",
];

/// Change bytes here and there; at most `most` bytes come out.
pub fn bytes(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance, most: usize) {
    for _ in 0..chance.between(1, 4) {
        one(input, other, &[], chance);
    }
    input.truncate(most);
}

/// Change an HTTP head.
pub fn head(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance, most: usize) {
    for _ in 0..chance.between(1, 4) {
        one(input, other, HEAD_WORDS, chance);
    }
    input.truncate(most);
}

/// Change a JSON text: mostly value by value, at times byte by byte.
pub fn json(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance, most: usize) {
    for _ in 0..chance.between(1, 3) {
        if chance.once_in(4) || !value(input, other, chance) {
            one(input, other, JSON_WORDS, chance);
        }
    }
    input.truncate(most);
}

fn one(input: &mut Vec<u8>, other: &[u8], words: &[&str], chance: &mut Chance) {
    let at = chance.below(input.len() + 1);
    let end = at + chance.length(input.len() - at).min(input.len() - at);
    match chance.below(11) {
        0 if at < input.len() => input[at] ^= 1 << chance.below(8),
        1 if at < input.len() => input[at] = chance.byte(),
        2 if at < input.len() => {
            input[at] = *chance.pick(&[0, 1, 0x1F, 0x20, 0x22, 0x5C, 0x7F, 0x80, 0xC0, 0xED, 0xF4, 0xFF])
        }
        3 => input.insert(at, chance.byte()),
        4 => drop(input.drain(at..end)),
        5 => {
            let copy = input[at..end].to_vec();
            let to = chance.below(input.len() + 1);
            input.splice(to..to, copy);
        }
        6 => {
            let copy = input[at..end].to_vec();
            let times = chance.length(200);
            input.splice(at..at, copy.repeat(times.min(20_000 / copy.len().max(1))));
        }
        7 => input.truncate(at),
        8 if !other.is_empty() => {
            let from = chance.below(other.len());
            let to = from + chance.length(other.len() - from).min(other.len() - from);
            input.splice(at..end, other[from..to].iter().copied());
        }
        _ if !words.is_empty() => {
            let to = if chance.once_in(2) { at } else { end };
            input.splice(at..to, chance.pick(words).bytes());
        }
        _ => input.insert(at, chance.byte()),
    }
}

/// Replace, repeat, remove or wrap one JSON value; false if there is none.
fn value(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) -> bool {
    let Some((start, end)) = some_value(input, chance) else { return false };
    match chance.below(9) {
        0..=2 => drop(input.splice(start..end, chance.pick(JSON_WORDS).bytes())),
        3 => {
            if let Some((from, to)) = some_value(other, chance) {
                input.splice(start..end, other[from..to].iter().copied());
            }
        }
        4 => {
            // Also takes a comma with it, so that what is left may still be JSON.
            let end = if input.get(end) == Some(&b',') { end + 1 } else { end };
            input.drain(start..end);
        }
        5 => {
            let copy = input[start..end].to_vec();
            let times = chance.length(300).min(20_000 / copy.len().max(1)) + 1;
            let repeated = vec![copy; times].join(&b","[..]);
            input.splice(start..end, repeated);
        }
        6 => {
            let depth = chance.length(140) + 1;
            let (open, close): (&[u8], &[u8]) = if chance.once_in(2) { (b"[", b"]") } else { (b"{\"a\":", b"}") };
            input.splice(end..end, close.repeat(depth));
            input.splice(start..start, open.repeat(depth));
        }
        7 => {
            let digits = b"7".repeat(chance.length(60));
            input.splice(start..start, digits);
        }
        _ => {
            let name = format!("\"{}\":1,", "k".repeat(chance.length(300)));
            input.splice(start..start, name.bytes());
        }
    }
    true
}

/// Where a value, a name or a whole container stands; the text need not be JSON any more.
fn some_value(text: &[u8], chance: &mut Chance) -> Option<(usize, usize)> {
    if text.is_empty() {
        return None;
    }
    let from = chance.below(text.len());
    let start = from
        + text[from..]
            .iter()
            .position(|b| matches!(b, b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'))?;
    let rest = &text[start..];
    let length = match rest[0] {
        b'"' => 2 + rest[1..].iter().position(|&b| b == b'"')?,
        b'{' | b'[' => {
            let mut depth = 0_i32;
            1 + rest.iter().position(|b| {
                depth += i32::from(matches!(b, b'{' | b'[')) - i32::from(matches!(b, b'}' | b']'));
                depth == 0
            })?
        }
        _ => rest.iter().position(|b| !b.is_ascii_alphanumeric() && !b"+-.".contains(b)).unwrap_or(rest.len()),
    };
    Some((start, start + length.max(1).min(rest.len())))
}
