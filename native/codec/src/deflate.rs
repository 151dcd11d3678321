//! permessage-deflate (RFC 7692) without context takeover: the compressors belong to the thread, not to the connection, so a
//! connection that compresses costs no memory between messages.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Ends each compressed message on the deflate level; not sent (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];
/// Room made per step while inflating or deflating.
const STEP: usize = 4 * 1024;
/// Window sizes the compressor can make; 8 is legal on the wire but not made by zlib.
const WINDOW_BITS: std::ops::RangeInclusive<u8> = 9..=15;

/// What was agreed for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// Largest window our messages may use, as a power of two.
    pub server_window_bits: u8,
}

/// Why a message could not be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InflateError {
    /// It grows beyond the limit.
    TooBig,
    /// It is not a deflate stream.
    Corrupt,
}

thread_local! {
    static INFLATE: RefCell<Option<Decompress>> = const { RefCell::new(None) };
    static DEFLATE: RefCell<[Option<Compress>; 7]> = const { RefCell::new([const { None }; 7]) };
}

/// Append the inflated form of `message` to `out`, at most `limit` bytes; the limit holds while inflating.
///
/// # Errors
/// See [`InflateError`].
pub fn inflate(message: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), InflateError> {
    INFLATE.with_borrow_mut(|slot| {
        let machine = slot.get_or_insert_with(|| Decompress::new(false));
        machine.reset(false);
        let end = out.len().saturating_add(limit);
        inflate_part(machine, message, end, out)?;
        inflate_part(machine, &TAIL, end, out)
    })
}

fn inflate_part(machine: &mut Decompress, part: &[u8], end: usize, out: &mut Vec<u8>) -> Result<(), InflateError> {
    let mut rest = part;
    loop {
        // One byte of room beyond the limit shows that the limit is passed.
        let room = end.saturating_add(1).saturating_sub(out.len()).min(STEP);
        out.reserve(room);
        let (read_before, written_before) = (machine.total_in(), out.len());
        let status = machine.decompress_vec(rest, out, FlushDecompress::Sync).map_err(|_| InflateError::Corrupt)?;
        if out.len() > end {
            return Err(InflateError::TooBig);
        }
        let read = (machine.total_in() - read_before) as usize;
        rest = rest.get(read..).unwrap_or_default();
        match status {
            // A final block may end a message early; what follows is a stream of its own (RFC 7692 section 7.2.3.5).
            Status::StreamEnd => machine.reset(false),
            Status::Ok | Status::BufError if read == 0 && out.len() == written_before => {
                return if rest.is_empty() { Ok(()) } else { Err(InflateError::Corrupt) };
            }
            Status::Ok | Status::BufError => {}
        }
        if rest.is_empty() && out.len() < out.capacity() {
            return Ok(());
        }
    }
}

/// The compressed form of `message`, or `None` if it is not smaller.
#[must_use]
pub fn deflate(message: &[u8], agreement: Agreement) -> Option<Vec<u8>> {
    if !WINDOW_BITS.contains(&agreement.server_window_bits) {
        return None;
    }
    let bits = agreement.server_window_bits;
    DEFLATE.with_borrow_mut(|machines| {
        let slot = machines.get_mut(usize::from(bits - WINDOW_BITS.start()))?;
        let machine = slot.get_or_insert_with(|| Compress::new_with_window_bits(Compression::fast(), false, bits));
        machine.reset();
        // A result that does not fit is not worth sending.
        let mut out = Vec::with_capacity(message.len() + TAIL.len());
        machine.compress_vec(message, &mut out, FlushCompress::Sync).ok()?;
        let complete = machine.total_in() == message.len() as u64 && out.ends_with(&TAIL) && out.len() < out.capacity();
        out.truncate(out.len().saturating_sub(TAIL.len()));
        (complete && out.len() < message.len()).then_some(out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Agreement = Agreement { server_window_bits: 15 };

    fn inflated(message: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
        let mut out = Vec::new();
        inflate(message, limit, &mut out).map(|()| out)
    }

    #[test]
    fn what_is_deflated_inflates_at_every_window() {
        let text: Vec<u8> = (0..20_000_u32).flat_map(|i| (i * i % 97).to_string().into_bytes()).collect();
        for bits in 9..=15 {
            for length in [300, 5_000, text.len()] {
                let small = deflate(&text[..length], Agreement { server_window_bits: bits }).unwrap();
                assert!(small.len() < length);
                assert_eq!(inflated(&small, length).unwrap(), &text[..length]);
            }
        }
    }

    #[test]
    fn a_message_that_does_not_shrink_is_not_compressed() {
        let mut state = 1_u64;
        let noise: Vec<u8> = (0..2_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        assert_eq!(deflate(&noise, FULL), None);
        assert_eq!(deflate(b"", FULL), None);
        assert_eq!(deflate(&[b'a'; 1_000], Agreement { server_window_bits: 8 }), None);
    }

    #[test]
    fn the_limit_holds_while_inflating() {
        let bomb = deflate(&vec![0; 1 << 20], FULL).unwrap();
        assert_eq!(inflated(&bomb, 1 << 20).unwrap().len(), 1 << 20);
        let mut out = Vec::new();
        assert_eq!(inflate(&bomb, 65_536, &mut out), Err(InflateError::TooBig));
        assert!(out.capacity() <= 4 * 65_536, "{}", out.capacity());
        assert_eq!(inflated(&bomb, (1 << 20) - 1), Err(InflateError::TooBig));
        assert_eq!(inflated(&bomb, 0), Err(InflateError::TooBig));
    }

    #[test]
    fn the_examples_of_rfc_7692() {
        // Section 7.2.3: "Hello" in one fixed block, in a stored block, with BFINAL, and in two blocks.
        for message in [
            vec![0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            vec![0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            vec![0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            vec![0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] {
            assert_eq!(inflated(&message, 5).unwrap(), b"Hello", "{message:02x?}");
        }
        assert_eq!(inflated(&[0x00], 5).unwrap(), b"");
    }

    #[test]
    fn corrupt_streams() {
        for message in [vec![0x07], vec![0xff; 10], vec![0x00, 0x05, 0x00, 0x00, 0x00]] {
            assert_eq!(inflated(&message, 100), Err(InflateError::Corrupt), "{message:02x?}");
        }
        // The next message is not affected.
        assert_eq!(inflated(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 5).unwrap(), b"Hello");
    }

    #[test]
    fn many_empty_final_blocks_are_linear() {
        let message = [0x03, 0x00].repeat(30_000);
        assert_eq!(inflated(&message, 10).unwrap(), b"");
    }
}
