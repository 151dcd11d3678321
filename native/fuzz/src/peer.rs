//! A client's side of the wire, made by hand: it shares nothing with the codec.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::Value;

use crate::chance::Chance;

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
pub const FIN: u8 = 0x80;
pub const RSV1: u8 = 0x40;

/// Append a masked frame; `first` holds FIN, RSV and opcode.
pub fn frame(out: &mut Vec<u8>, first: u8, payload: &[u8], mask: [u8; 4]) {
    out.push(first);
    match payload.len() {
        n @ 0..=125 => out.push(0x80 | n as u8),
        n @ 126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// Append a message in random fragments, with pings between them; the payloads of the pings go to `pings`.
pub fn fragments(out: &mut Vec<u8>, first: u8, payload: &[u8], chance: &mut Chance, pings: &mut Vec<Vec<u8>>) {
    let pieces = if chance.once_in(3) { chance.between(1, 6) } else { 1 };
    let mut rest = payload;
    for piece in 0..pieces {
        let last = piece + 1 == pieces;
        let take = if last { rest.len() } else { chance.length(rest.len()).min(rest.len()) };
        let (part, after) = rest.split_at(take);
        rest = after;
        let opcode = if piece == 0 { first } else { CONTINUATION };
        frame(
            out,
            opcode | if last { FIN } else { 0 },
            part,
            chance.next().to_le_bytes()[..4].try_into().expect("four"),
        );
        if !last && chance.once_in(3) {
            let payload: Vec<u8> = (0..chance.below(126)).map(|n| n as u8).collect();
            frame(out, FIN | PING, &payload, [9, 8, 7, 6]);
            pings.push(payload);
        }
    }
}

thread_local! {
    static DEFLATE: RefCell<[Compress; 3]> = RefCell::new([0, 1, 6].map(|level| Compress::new(Compression::new(level), false)));
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// A message as permessage-deflate sends it, without context takeover.
pub fn deflated(message: &[u8], chance: &mut Chance) -> Vec<u8> {
    DEFLATE.with_borrow_mut(|machines| {
        let machine = &mut machines[chance.below(3)];
        machine.reset();
        let mut out = Vec::with_capacity(message.len() + 64 + message.len() / 8);
        let halves = if chance.once_in(4) { message.split_at(message.len() / 2) } else { (message, &[][..]) };
        for (part, flush) in [(halves.0, FlushCompress::Sync), (halves.1, FlushCompress::Sync)] {
            if !part.is_empty() || out.is_empty() {
                machine.compress_vec(part, &mut out, flush).expect("deflate");
            }
        }
        out.truncate(out.len() - 4);
        out
    })
}

fn inflated(message: &[u8]) -> Option<Vec<u8>> {
    INFLATE.with_borrow_mut(|machine| {
        machine.reset(false);
        let mut out = Vec::with_capacity(1 << 20);
        let whole = [message, &[0, 0, 0xFF, 0xFF]].concat();
        machine.decompress_vec(&whole, &mut out, FlushDecompress::Sync).ok()?;
        (machine.total_in() == whole.len() as u64).then_some(out)
    })
}

/// A frame of the server, which must be one whole, unmasked, minimal frame.
pub struct Received {
    pub opcode: u8,
    pub payload: Vec<u8>,
}

/// Read what the server sent; the text says what is wrong with it.
pub fn unframe(bytes: &[u8]) -> Result<Received, String> {
    let wrong = |what: &str| Err(format!("{what} in our frame {bytes:02x?}"));
    let [first, second, ..] = bytes else { return wrong("no header") };
    if first & FIN == 0 || first & 0x30 != 0 || second & 0x80 != 0 {
        return wrong("bad bits");
    }
    let (length, start) = match second & 0x7F {
        126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
        127 => (u64::from_be_bytes(bytes[2..10].try_into().expect("eight")) as usize, 10),
        short => (usize::from(short), 2),
    };
    if start != [2, 4, 10][usize::from(length > 125) + usize::from(length > 0xFFFF)] || bytes.len() != start + length {
        return wrong("bad length");
    }
    let opcode = first & 0x0F;
    let payload = &bytes[start..];
    if opcode >= CLOSE && (length > 125 || first & RSV1 != 0) {
        return wrong("bad control frame");
    }
    if first & RSV1 != 0 {
        return match inflated(payload) {
            Some(payload) => Ok(Received { opcode, payload }),
            None => wrong("bad compression"),
        };
    }
    Ok(Received { opcode, payload: payload.to_vec() })
}

/// The OCPP-J message in a frame of the server.
pub fn message(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let received = unframe(bytes)?;
    if received.opcode != TEXT {
        return Err(format!("not a text frame {bytes:02x?}"));
    }
    match serde_json::from_slice(&received.payload) {
        Ok(Value::Array(elements)) => Ok(elements),
        other => Err(format!("not a JSON array ({other:?}): {}", String::from_utf8_lossy(&received.payload))),
    }
}

/// The code of a close frame of the server; 1005 for none.
pub fn close_code(bytes: &[u8]) -> Result<u16, String> {
    let received = unframe(bytes)?;
    match (received.opcode, received.payload.as_slice()) {
        (CLOSE, []) => Ok(1005),
        (CLOSE, [high, low, reason @ ..]) if std::str::from_utf8(reason).is_ok() => {
            Ok(u16::from_be_bytes([*high, *low]))
        }
        _ => Err(format!("not a close frame {bytes:02x?}")),
    }
}
