//! RFC 6455 frames: headers in, masks off, frames out. Server side only.

/// Longest frame header: 2 bytes, 8 of length, 4 of mask.
pub const MAX_HEADER: usize = 14;
/// Longest payload of a control frame.
pub const MAX_CONTROL: usize = 125;

/// Frame type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    /// Close, ping or pong.
    #[must_use]
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Header of a frame from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub opcode: Opcode,
    pub fin: bool,
    /// RSV1: first frame of a compressed message.
    pub compressed: bool,
    pub mask: [u8; 4],
    pub length: u64,
}

impl Header {
    /// Read a header from the start of `bytes`: it and its size, or `None` if more bytes are needed.
    ///
    /// # Errors
    /// The header breaks RFC 6455; the text goes into the close frame (1002).
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, &'static str> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let Some(opcode) = Opcode::from_bits(first & 0x0F) else { return Err("reserved opcode") };
        if first & 0x30 != 0 {
            return Err("reserved bit set");
        }
        if second & 0x80 == 0 {
            return Err("client frame not masked");
        }
        let fin = first & 0x80 != 0;
        let short = second & 0x7F;
        if opcode.is_control() && (!fin || usize::from(short) > MAX_CONTROL) {
            return Err("control frame fragmented or too long");
        }
        let (length, rest, size) = match short {
            126 => match rest.split_first_chunk::<2>() {
                None => return Ok(None),
                Some((bytes, rest)) => (u64::from(u16::from_be_bytes(*bytes)), rest, 8),
            },
            127 => match rest.split_first_chunk::<8>() {
                None => return Ok(None),
                Some((bytes, rest)) => (u64::from_be_bytes(*bytes), rest, 14),
            },
            _ => (u64::from(short), rest, 6),
        };
        let shortest = match short {
            126 => length > 125,
            127 => length > 0xFFFF && length >> 63 == 0,
            _ => true,
        };
        if !shortest {
            return Err("length not in its shortest form");
        }
        let Some(&mask) = rest.first_chunk::<4>() else { return Ok(None) };
        Ok(Some((Self { opcode, fin, compressed: first & 0x40 != 0, mask, length }, size)))
    }
}

/// Append `masked` to `out` with its mask taken off; `offset` is the position of `masked` in its frame.
pub fn unmask_into(out: &mut Vec<u8>, masked: &[u8], mask: [u8; 4], offset: u64) {
    let start = out.len();
    out.extend_from_slice(masked);
    let mut mask = mask;
    mask.rotate_left((offset % 4) as usize);
    let word = u32::from_ne_bytes(mask);
    let wide = u64::from(word) << 32 | u64::from(word);
    let Some(added) = out.get_mut(start..) else { return };
    let mut chunks = added.chunks_exact_mut(8);
    for chunk in &mut chunks {
        if let Ok(bytes) = <[u8; 8]>::try_from(&*chunk) {
            chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
        }
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// A whole, unmasked frame.
#[must_use]
pub fn encode(opcode: Opcode, compressed: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 10);
    out.push(0x80 | u8::from(compressed) << 6 | opcode.bits());
    match payload.len() {
        length @ 0..=125 => out.push(length as u8),
        length @ 126..=0xFFFF => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out
}

/// A close frame; the reason is cut to what a control frame carries.
#[must_use]
pub fn encode_close(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    let end = (0..=reason.len().min(MAX_CONTROL - 2)).rev().find(|&i| reason.is_char_boundary(i)).unwrap_or(0);
    payload.extend_from_slice(reason.as_bytes().get(..end).unwrap_or_default());
    encode(Opcode::Close, false, &payload)
}

/// Whether `code` may stand in a close frame (RFC 6455 section 7.4 and the IANA registry).
#[must_use]
pub fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, length: &[u8]) -> Vec<u8> {
        [&[first], length, &[1, 2, 3, 4]].concat()
    }

    #[test]
    fn headers_of_every_length_form() {
        for (form, length, size) in [
            (vec![0x80], 0, 6),
            (vec![0x80 | 125], 125, 6),
            (vec![0x80 | 126, 0, 126], 126, 8),
            (vec![0x80 | 126, 0xFF, 0xFF], 0xFFFF, 8),
            (vec![0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0], 0x1_0000, 14),
            (vec![0x80 | 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], i64::MAX as u64, 14),
        ] {
            let bytes = masked(0x81, &form);
            for end in 0..bytes.len() {
                assert_eq!(Header::parse(&bytes[..end]), Ok(None));
            }
            let (header, used) = Header::parse(&bytes).unwrap().unwrap();
            assert_eq!((header.length, used), (length, size));
            assert_eq!((header.opcode, header.fin, header.compressed), (Opcode::Text, true, false));
            assert_eq!(header.mask, [1, 2, 3, 4]);
        }
    }

    #[test]
    fn broken_headers() {
        for (bytes, why) in [
            (vec![0x83, 0x80], "reserved opcode"),
            (vec![0x8B, 0x80], "reserved opcode"),
            (vec![0xA1, 0x80], "reserved bit set"),
            (vec![0x91, 0x80], "reserved bit set"),
            (vec![0x81, 0x00], "client frame not masked"),
            (vec![0x09, 0x80], "control frame fragmented or too long"),
            (vec![0x89, 0x80 | 126], "control frame fragmented or too long"),
            (vec![0x88, 0x80 | 127], "control frame fragmented or too long"),
            (vec![0x81, 0x80 | 126, 0, 125], "length not in its shortest form"),
            (vec![0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], "length not in its shortest form"),
            (vec![0x81, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0], "length not in its shortest form"),
        ] {
            assert_eq!(Header::parse(&bytes), Err(why), "{bytes:02x?}");
        }
    }

    #[test]
    fn unmasking_in_pieces_equals_unmasking_at_once() {
        let plain: Vec<u8> = (0..=255).cycle().take(1_000).collect();
        let mask = [0xA5, 0x5A, 0x01, 0xFF];
        let masked: Vec<u8> = plain.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
        for step in [1, 2, 3, 7, 8, 9, 64, 1_000] {
            let mut out = Vec::new();
            for (index, piece) in masked.chunks(step).enumerate() {
                unmask_into(&mut out, piece, mask, (index * step) as u64);
            }
            assert_eq!(out, plain, "step {step}");
        }
    }

    #[test]
    fn encoded_lengths() {
        for (length, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            assert_eq!(encode(Opcode::Text, false, &vec![b'x'; length]).len(), header + length);
        }
        assert_eq!(encode(Opcode::Text, true, b"a"), [0xC1, 1, b'a']);
    }

    #[test]
    fn a_close_reason_is_cut_between_characters() {
        let frame = encode_close(1000, &"ü".repeat(100));
        assert_eq!(frame[1], 2 + 122);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }
}
