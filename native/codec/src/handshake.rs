//! The answer to an upgrade request: accept key, sub-protocol list and extension negotiation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::deflate::Agreement;

/// Fixed by RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The `Sec-WebSocket-Accept` value for a client key; `None` unless the key is 16 bytes in base64.
#[must_use]
pub fn accept_key(key: &str) -> Option<String> {
    let nonce = STANDARD.decode(key).ok()?;
    if nonce.len() != 16 {
        return None;
    }
    let mut digest = Sha1::new();
    digest.update(key.as_bytes());
    digest.update(GUID);
    Some(STANDARD.encode(digest.finalize()))
}

/// Whether `text` is a token of RFC 9110.
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Members of a comma-separated header value; empty members are skipped (RFC 9110 section 5.6.1).
pub fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty())
}

/// The first offer of permessage-deflate in a `Sec-WebSocket-Extensions` value that we can accept. Offers we cannot serve and
/// other extensions are declined, which RFC 7692 section 5.1 asks for, not refused.
#[must_use]
pub fn deflate_offer(value: &str) -> Option<Offer> {
    list(value).find_map(parse_offer)
}

/// An acceptable offer of permessage-deflate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Window limit asked of us; must be in the answer if it was in the offer.
    server_window_bits: Option<u8>,
}

impl Offer {
    /// What holds on the connection if this offer is accepted.
    #[must_use]
    pub fn agreement(self) -> Agreement {
        Agreement { server_window_bits: self.server_window_bits.unwrap_or(15) }
    }

    /// The `Sec-WebSocket-Extensions` value of the answer.
    #[must_use]
    pub fn answer(self) -> String {
        let mut answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover".to_owned();
        if let Some(bits) = self.server_window_bits {
            answer.push_str(&format!("; server_max_window_bits={bits}"));
        }
        answer
    }
}

fn parse_offer(offer: &str) -> Option<Offer> {
    let mut parts = offer.split(';').map(|part| part.trim_matches([' ', '\t']));
    if parts.next() != Some("permessage-deflate") {
        return None;
    }
    let mut seen = Vec::new();
    let mut server_window_bits = None;
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
            None => (part, None),
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits", None) => {}
            ("client_max_window_bits", Some(value)) => {
                window_bits(value)?;
            }
            ("server_max_window_bits", Some(value)) => server_window_bits = Some(window_bits(value)?),
            _ => return None,
        }
    }
    Some(Offer { server_window_bits })
}

/// 8 to 15 without leading zero, as token or quoted.
fn window_bits(value: &str) -> Option<u8> {
    let digits = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
    match digits {
        "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15" => digits.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_6455() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ==").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys_that_are_not_16_bytes() {
        for key in
            ["", "abc", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ===", "AAAA", "????????????????????????"]
        {
            assert_eq!(accept_key(key), None, "{key}");
        }
    }

    #[test]
    fn offers() {
        for (value, bits, answered) in [
            ("permessage-deflate", 15, false),
            ("permessage-deflate; client_max_window_bits", 15, false),
            ("permessage-deflate ; client_max_window_bits=9 ; server_no_context_takeover", 15, false),
            ("permessage-deflate; server_max_window_bits=10", 10, true),
            ("permessage-deflate; server_max_window_bits=\"12\"; client_no_context_takeover", 12, true),
            ("x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=8", 8, true),
            ("permessage-deflate; server_max_window_bits=16, permessage-deflate", 15, false),
        ] {
            let offer = deflate_offer(value).unwrap();
            assert_eq!(offer.agreement().server_window_bits, bits, "{value}");
            assert_eq!(offer.answer().contains("server_max_window_bits"), answered, "{value}");
        }
    }

    #[test]
    fn offers_we_decline() {
        for value in [
            "",
            "permessage-deflat",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=08",
            "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; unknown",
            "permessage-deflate;",
        ] {
            assert_eq!(deflate_offer(value), None, "{value}");
        }
    }
}
