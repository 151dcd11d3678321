//! The HTTP/1.1 request that opens a connection, and our answers to it.

use std::fmt::Write;

use crate::handshake::{self, Offer, accept_key, is_token};
use crate::limits::Limits;

/// More header lines than any limit allows; room for the parser.
const HEADER_SLOTS: usize = 256;

/// Collects a request head byte by byte or at once; each byte is looked at once.
#[derive(Debug, Default)]
pub struct HeadReader {
    bytes: Vec<u8>,
    lines: usize,
    /// Position after the last line end.
    line_start: usize,
}

/// A syntactically right WebSocket upgrade.
#[derive(Debug, Clone)]
pub struct Upgrade {
    pub method: String,
    pub target: String,
    /// Names in lower case, values as latin-1.
    pub headers: Vec<(String, String)>,
    pub subprotocols: Vec<String>,
    pub accept_key: String,
    pub deflate: Option<Offer>,
}

/// The request is refused; the connection closes after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub reason: &'static str,
}

/// A complete request head, and what followed it.
pub type Split<'d> = (Vec<u8>, &'d [u8]);

const fn refuse<T>(status: u16, reason: &'static str) -> Result<T, Refusal> {
    Err(Refusal { status, reason })
}

impl HeadReader {
    /// Take bytes in; the head once it is complete.
    ///
    /// # Errors
    /// The bytes cannot become a request head within the limits.
    pub fn push<'d>(&mut self, data: &'d [u8], limits: &Limits) -> Result<Option<Split<'d>>, Refusal> {
        let mut rest = data;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end + 1);
            self.take(line, limits)?;
            rest = after;
            if !self.bytes.ends_with(b"\r\n") {
                return refuse(400, "line not ended by CR LF");
            }
            if self.bytes.len() - self.line_start == 2 {
                return Ok(Some((std::mem::take(&mut self.bytes), rest)));
            }
            self.line_start = self.bytes.len();
            self.lines += 1;
            if self.lines > limits.max_header_lines + 1 {
                return refuse(431, "too many header lines");
            }
        }
        self.take(rest, limits)?;
        Ok(None)
    }

    fn take(&mut self, part: &[u8], limits: &Limits) -> Result<(), Refusal> {
        // What is not HTTP at all (a TLS hello, say) must not keep us waiting for a line end. First of the checks, so that the
        // answer does not depend on how much of it comes at once.
        if self.bytes.is_empty() && part.first().is_some_and(|b| !b.is_ascii_uppercase()) {
            return refuse(400, "not an HTTP request");
        }
        if self.bytes.len() + part.len() > limits.max_head {
            return refuse(431, "request head too large");
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    /// Bytes held.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Check a complete request head.
///
/// # Errors
/// It is not an upgrade to WebSocket version 13 that RFC 6455 section 4.2.1 allows.
pub fn parse(head: &[u8]) -> Result<Upgrade, Refusal> {
    let mut slots = [httparse::EMPTY_HEADER; HEADER_SLOTS];
    let mut request = httparse::Request::new(&mut slots);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::Version) => return refuse(505, "HTTP/1.1 required"),
        Err(httparse::Error::TooManyHeaders) => return refuse(431, "too many header lines"),
        Ok(httparse::Status::Partial) | Err(_) => return refuse(400, "malformed request"),
    }
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return refuse(400, "malformed request");
    };
    if version != 1 {
        return refuse(505, "HTTP/1.1 required");
    }
    if method != "GET" {
        return refuse(405, "GET required");
    }
    let headers = Headers(&*request.headers);
    if !matches!(headers.only("host"), Ok(Some(host)) if !host.is_empty()) {
        return refuse(400, "one Host header required");
    }
    // A body would be read as frames, or as a second request by a proxy that counts differently.
    if headers.has("transfer-encoding") || headers.all("content-length").any(|length| length != b"0") {
        return refuse(400, "request body not allowed");
    }
    if !headers.lists("upgrade", "websocket")? || !headers.lists("connection", "upgrade")? {
        return refuse(426, "WebSocket upgrade required");
    }
    match headers.only("sec-websocket-version")? {
        Some("13") => {}
        Some(_) => return refuse(426, "WebSocket version 13 required"),
        None => return refuse(400, "Sec-WebSocket-Version required"),
    }
    let Some(accept_key) = headers.only("sec-websocket-key")?.and_then(accept_key) else {
        return refuse(400, "Sec-WebSocket-Key of 16 bytes required");
    };
    let mut subprotocols = Vec::new();
    for value in headers.texts("sec-websocket-protocol") {
        for name in handshake::list(value?) {
            if !is_token(name) {
                return refuse(400, "malformed Sec-WebSocket-Protocol");
            }
            subprotocols.push(name.to_owned());
        }
    }
    let deflate = headers.texts("sec-websocket-extensions").flatten().find_map(handshake::deflate_offer);
    Ok(Upgrade {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: headers.0.iter().map(|h| (h.name.to_ascii_lowercase(), latin1(h.value))).collect(),
        subprotocols,
        accept_key,
        deflate,
    })
}

struct Headers<'h>(&'h [httparse::Header<'h>]);

impl<'h> Headers<'h> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.0.iter().filter(move |h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value)
    }

    fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    fn texts(&self, name: &str) -> impl Iterator<Item = Result<&'h str, Refusal>> {
        self.all(name).map(|value| match std::str::from_utf8(value) {
            Ok(text) if text.is_ascii() => Ok(text),
            _ => refuse(400, "header not ASCII"),
        })
    }

    /// Value of a header that may stand at most once.
    fn only(&self, name: &str) -> Result<Option<&'h str>, Refusal> {
        let mut values = self.texts(name);
        let first = values.next().transpose()?;
        if values.next().is_some() {
            return refuse(400, "header given twice");
        }
        Ok(first)
    }

    /// Whether a list header has `member`, case ignored.
    fn lists(&self, name: &str, member: &str) -> Result<bool, Refusal> {
        for value in self.texts(name) {
            if handshake::list(value?).any(|m| m.eq_ignore_ascii_case(member)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The 101 answer.
#[must_use]
pub fn switching_protocols(accept_key: &str, subprotocol: Option<&str>, deflate: Option<Offer>) -> Vec<u8> {
    let mut out = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept_key}\r\n"
    );
    for (name, value) in [
        ("Sec-WebSocket-Protocol", subprotocol.map(str::to_owned)),
        ("Sec-WebSocket-Extensions", deflate.map(Offer::answer)),
    ] {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = write!(out, "{name}: {value}\r\n");
        }
    }
    out.push_str("\r\n");
    out.into_bytes()
}

/// A whole response after which the connection closes.
///
/// # Errors
/// A status outside 200..=599, a header that is not a field line of RFC 9110, or one this function sets itself.
pub fn response(status: u16, headers: &[(String, String)], body: &[u8]) -> Result<Vec<u8>, &'static str> {
    if !(200..=599).contains(&status) {
        return Err("status must be 200 to 599");
    }
    let mut out = format!("HTTP/1.1 {status} {}\r\n", phrase(status)).into_bytes();
    for (name, value) in headers {
        if !is_token(name)
            || ["connection", "content-length", "transfer-encoding"].iter().any(|n| n.eq_ignore_ascii_case(name))
        {
            return Err("header name not allowed");
        }
        if value.bytes().any(|b| b != b'\t' && !(0x20..0x7F).contains(&b)) {
            return Err("header value must be printable ASCII");
        }
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    out.extend_from_slice(format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(body);
    Ok(out)
}

impl Refusal {
    /// The answer that belongs to this refusal.
    #[must_use]
    pub fn response(&self) -> Vec<u8> {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![header("Content-Type", "text/plain")];
        match self.status {
            405 => headers.push(header("Allow", "GET")),
            426 => headers.extend([header("Upgrade", "websocket"), header("Sec-WebSocket-Version", "13")]),
            _ => {}
        }
        response(self.status, &headers, format!("{}\n", self.reason).as_bytes()).unwrap_or_default()
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "GET /ocpp/ST1?x=%20 HTTP/1.1\r\nHost: h:9000\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: ocpp1.6, ocpp2.0.1\r\nSec-WebSocket-Protocol: ocpp2.1\r\nX-Odd: \u{e9}\r\n\r\n";

    fn read(request: &[u8]) -> Result<Upgrade, Refusal> {
        let whole = read_in_steps(request, request.len().max(1));
        let bytewise = read_in_steps(request, 1);
        assert_eq!(format!("{whole:?}"), format!("{bytewise:?}"));
        whole
    }

    fn read_in_steps(request: &[u8], step: usize) -> Result<Upgrade, Refusal> {
        let mut reader = HeadReader::default();
        for part in request.chunks(step) {
            if let Some((head, _)) = reader.push(part, &Limits::default())? {
                return parse(&head);
            }
        }
        refuse(0, "incomplete")
    }

    fn status(request: &str) -> u16 {
        read(request.as_bytes()).map_or_else(|refusal| refusal.status, |_| 101)
    }

    #[test]
    fn a_right_upgrade() {
        let mut request = GOOD.as_bytes().to_vec();
        let at = request.windows(2).position(|w| w == "\u{e9}".as_bytes()).unwrap();
        request.splice(at..at + 2, [0xE9]);
        let upgrade = read(&request).unwrap();
        assert_eq!((upgrade.method.as_str(), upgrade.target.as_str()), ("GET", "/ocpp/ST1?x=%20"));
        assert_eq!(upgrade.subprotocols, ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]);
        assert_eq!(upgrade.headers[0], ("host".into(), "h:9000".into()));
        assert_eq!(upgrade.headers.last().unwrap(), &("x-odd".into(), "\u{e9}".into()));
        assert_eq!(upgrade.accept_key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(upgrade.deflate, None);
    }

    #[test]
    fn requests_that_are_refused() {
        let with = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            GOOD.replace(from, to)
        };
        for (request, wanted) in [
            (with("GET /", "POST /"), 405),
            (with("HTTP/1.1", "HTTP/1.0"), 505),
            (with("HTTP/1.1", "HTTP/2.0"), 505),
            (with("GET /", "get /"), 400),
            (with("Host: h:9000\r\n", ""), 400),
            (with("Host: h:9000\r\n", "Host: a\r\nHost: b\r\n"), 400),
            (with("Upgrade: WebSocket\r\n", ""), 426),
            (with("Upgrade: WebSocket", "Upgrade: h2c"), 426),
            (with("keep-alive, Upgrade", "keep-alive"), 426),
            (with("Version: 13", "Version: 8"), 426),
            (with("Sec-WebSocket-Version: 13\r\n", ""), 400),
            (with("Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n"), 400),
            (with("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400),
            (with("ocpp1.6, ocpp2.0.1", "ocpp1.6, \"x\""), 400),
            (with("X-Odd", "Content-Length: 5\r\nX-Odd"), 400),
            (with("X-Odd", "Transfer-Encoding: chunked\r\nX-Odd"), 400),
            (with("X-Odd:", "X-Odd :"), 400),
            (with("X-Odd:", " folded\r\nX-Odd:"), 400),
            (with("Host: h:9000\r\n", "Host: h:9000\n"), 400),
            ("GET /health HTTP/1.1\r\nHost: h\r\n\r\n".into(), 426),
            ("\u{16}\u{3}\u{1}".into(), 400),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 505),
            ("\r\n\r\n".into(), 400),
            ("GARBAGE\r\n\r\n".into(), 400),
        ] {
            assert_eq!(status(&request), wanted, "{request}");
        }
    }

    #[test]
    fn the_head_is_limited_in_bytes_and_lines() {
        let padded = |n: usize| GOOD.replace("X-Odd: \u{e9}", &format!("X-Pad: {}", "a".repeat(n)));
        let room = 8_192 - padded(0).len();
        assert_eq!(status(&padded(room)), 101);
        assert_eq!(status(&padded(room + 1)), 431);
        let lines = |n: usize| GOOD.replace("X-Odd: \u{e9}\r\n", &"A: b\r\n".repeat(n));
        let used = lines(0).matches("\r\n").count() - 2;
        assert_eq!(status(&lines(64 - used)), 101);
        assert_eq!(status(&lines(65 - used)), 431);
        assert_eq!(status(&"A".repeat(1_000_000)), 431);
        assert_eq!(status(&"a".repeat(1_000_000)), 400);
    }

    #[test]
    fn responses_cannot_be_split() {
        let header = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
        assert!(response(401, &header("WWW-Authenticate", "Basic realm=\"x\""), b"").is_ok());
        assert!(response(401, &header("X", "a\r\nY: b"), b"").is_err());
        assert!(response(401, &header("X: y", "a"), b"").is_err());
        assert!(response(401, &header("Content-length", "5"), b"").is_err());
        assert!(response(101, &[], b"").is_err());
        let text = String::from_utf8(Refusal { status: 426, reason: "r" }.response()).unwrap();
        assert!(text.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
        assert!(
            text.contains("\r\nSec-WebSocket-Version: 13\r\n") && text.ends_with("\r\nConnection: close\r\n\r\nr\n")
        );
    }
}
