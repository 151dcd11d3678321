//! RFC 6455 messages from frames: reassembly, inflation, UTF-8, and the limits on all of them.
//!
//! ```text
//!            header complete            payload complete, FIN
//! (no frame) ───────────────▶ (in frame) ───────────────▶ message, ping, pong or close
//!      ▲                          │ payload complete, no FIN
//!      └──────────────────────────┘ (message stays open for continuation frames; control frames may come between)
//! ```
//! A frame that is there as a whole is unmasked into the thread's buffer; only what arrives in pieces is kept here.

use crate::deflate::{InflateError, inflate};
use crate::frame::{Header, MAX_HEADER, Opcode, is_close_code, unmask_into};
use crate::scratch::Scratch;

/// Frames one message may come in. Bounds the work a peer can make with empty continuation frames.
const MAX_FRAGMENTS: u32 = 4_096;

/// The peer broke the protocol or a limit; the connection ends with this close code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    pub code: u16,
    pub reason: &'static str,
}

const fn violation<T>(code: u16, reason: &'static str) -> Result<T, Violation> {
    Err(Violation { code, reason })
}

/// What a peer sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'s> {
    Text(&'s str),
    /// A data message on a connection that ignores them.
    Ignored,
    Ping(&'s [u8]),
    Pong(&'s [u8]),
    /// 1005 stands for a close frame without code.
    Close {
        code: u16,
        reason: &'s str,
    },
}

/// What arrives on one connection, put together.
#[derive(Debug)]
pub(crate) struct Assembler {
    max_message: usize,
    deflate: bool,
    ignore_data: bool,
    header: [u8; MAX_HEADER],
    header_length: u8,
    frame: Option<Frame>,
    message: Option<Message>,
    /// Unmasked bytes of the message, as far as they came in pieces.
    data: Vec<u8>,
    /// The same of a control frame.
    control: Vec<u8>,
}

/// A frame whose payload is not complete.
#[derive(Debug)]
struct Frame {
    header: Header,
    done: u64,
}

/// A message whose last frame is not complete.
#[derive(Debug)]
struct Message {
    compressed: bool,
    frames: u32,
}

impl Assembler {
    pub fn new(max_message: usize, deflate: bool, ignore_data: bool) -> Self {
        Self {
            max_message,
            deflate,
            ignore_data,
            header: [0; MAX_HEADER],
            header_length: 0,
            frame: None,
            message: None,
            data: Vec::new(),
            control: Vec::new(),
        }
    }

    /// Bytes held.
    pub fn buffered(&self) -> usize {
        usize::from(self.header_length) + self.data.capacity() + self.control.capacity()
    }

    /// Read `data` up to the next complete message or control frame and leave in it what follows; `None` once all of it
    /// is taken in.
    ///
    /// # Errors
    /// The peer broke RFC 6455, RFC 7692 or a limit.
    pub fn step<'s>(&mut self, data: &mut &[u8], scratch: &'s mut Scratch) -> Result<Option<Incoming<'s>>, Violation> {
        loop {
            if self.frame.is_none() {
                let Some(header) = self.read_header(data)? else { return Ok(None) };
                self.begin(&header)?;
                self.frame = Some(Frame { header, done: 0 });
            }
            let Some(frame) = &mut self.frame else { return Ok(None) };
            let header = frame.header;
            let wanted = header.length - frame.done;
            let here = usize::try_from(wanted).map_or(data.len(), |wanted| wanted.min(data.len()));
            let (part, rest) = data.split_at(here);
            *data = rest;
            let whole = frame.done == 0 && here as u64 == wanted;
            let direct = whole && (header.opcode.is_control() || (header.fin && self.data.is_empty()));
            let target = if direct {
                scratch.message.clear();
                &mut scratch.message
            } else if header.opcode.is_control() {
                &mut self.control
            } else {
                &mut self.data
            };
            if header.opcode.is_control() || !self.ignore_data {
                unmask_into(target, part, header.mask, frame.done);
            }
            frame.done += here as u64;
            if frame.done < header.length {
                return Ok(None);
            }
            self.frame = None;
            if !header.opcode.is_control() && !header.fin {
                continue;
            }
            if !direct {
                let kept = if header.opcode.is_control() { &mut self.control } else { &mut self.data };
                scratch.message = std::mem::take(kept);
            }
            return self.finish(header.opcode, scratch).map(Some);
        }
    }

    fn read_header(&mut self, data: &mut &[u8]) -> Result<Option<Header>, Violation> {
        let kept = usize::from(self.header_length);
        let parsed = if kept == 0 {
            Header::parse(data)
        } else {
            for (place, byte) in self.header.iter_mut().skip(kept).zip(*data) {
                *place = *byte;
            }
            let filled = (kept + data.len()).min(MAX_HEADER);
            Header::parse(self.header.get(..filled).unwrap_or_default())
        };
        match parsed {
            Err(reason) => violation(1002, reason),
            Ok(Some((header, size))) => {
                *data = data.get(size - kept..).unwrap_or_default();
                self.header_length = 0;
                Ok(Some(header))
            }
            Ok(None) => {
                if kept == 0 {
                    for (place, byte) in self.header.iter_mut().zip(*data) {
                        *place = *byte;
                    }
                }
                // An incomplete header is shorter than the longest one.
                self.header_length += data.len() as u8;
                *data = &[];
                Ok(None)
            }
        }
    }

    /// Check a frame against what went before it.
    fn begin(&mut self, header: &Header) -> Result<(), Violation> {
        match (header.opcode, &mut self.message) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {
                return if header.compressed { violation(1002, "reserved bit set") } else { Ok(()) };
            }
            (Opcode::Continuation, None) => return violation(1002, "continuation of nothing"),
            (Opcode::Continuation, Some(_)) if header.compressed => return violation(1002, "reserved bit set"),
            (Opcode::Continuation, Some(message)) => {
                message.frames += 1;
                if message.frames > MAX_FRAGMENTS {
                    return violation(1008, "too many fragments");
                }
            }
            (Opcode::Text | Opcode::Binary, Some(_)) => return violation(1002, "message inside a message"),
            (Opcode::Text | Opcode::Binary, None) if header.compressed && !self.deflate => {
                return violation(1002, "reserved bit set");
            }
            (Opcode::Binary, None) => return violation(1003, "text frames only"),
            (Opcode::Text, None) => self.message = Some(Message { compressed: header.compressed, frames: 1 }),
        }
        let limit = if self.message.as_ref().is_some_and(|m| m.compressed) {
            // Incompressible text grows a little when it is deflated.
            self.max_message.saturating_add(self.max_message / 8 + 64)
        } else {
            self.max_message
        };
        if header.length > limit.saturating_sub(self.data.len()) as u64 {
            return violation(1009, "message too big");
        }
        Ok(())
    }

    /// The payload is in `scratch.message`: check and hand it out.
    fn finish<'s>(&mut self, opcode: Opcode, scratch: &'s mut Scratch) -> Result<Incoming<'s>, Violation> {
        let Scratch { message, inflated } = scratch;
        match opcode {
            Opcode::Ping => return Ok(Incoming::Ping(message)),
            Opcode::Pong => return Ok(Incoming::Pong(message)),
            Opcode::Close => return close(message),
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {}
        }
        let compressed = self.message.take().is_some_and(|m| m.compressed);
        if self.ignore_data {
            return Ok(Incoming::Ignored);
        }
        let bytes = if compressed {
            inflated.clear();
            match inflate(message, self.max_message, inflated) {
                Ok(()) => inflated,
                Err(InflateError::TooBig) => return violation(1009, "message too big"),
                Err(InflateError::Corrupt) => return violation(1007, "compressed data corrupt"),
            }
        } else {
            message
        };
        match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Ok(Incoming::Text(text)),
            Err(_) => violation(1007, "invalid UTF-8"),
        }
    }
}

fn close(payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    match payload {
        [] => Ok(Incoming::Close { code: 1005, reason: "" }),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !is_close_code(code) {
                return violation(1002, "invalid close code");
            }
            match std::str::from_utf8(reason) {
                Ok(reason) => Ok(Incoming::Close { code, reason }),
                Err(_) => violation(1007, "invalid UTF-8"),
            }
        }
        [_] => violation(1002, "close frame of one byte"),
    }
}
