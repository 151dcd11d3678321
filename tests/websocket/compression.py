"""permessage-deflate on an open connection: RFC 7692 sections 6 and 7.2."""

from __future__ import annotations

import zlib

from tests.unit.native.client import deflated, frame
from tests.websocket.cases import OPEN, RFC7692, FrameCase
from tests.websocket.framing import CALL, LIMIT, padded
from tests.websocket.peer import BINARY, CONTINUATION, FIN, PING, PONG, RSV1, RSV2, TEXT

_OFFER = "permessage-deflate; client_max_window_bits"
_PACKED = deflated(CALL)
_WHOLE = FIN | RSV1 | TEXT
_AGAIN = FIN | RSV1 | CONTINUATION


def _case(
    section: str, name: str, *data: bytes, then: tuple[str, ...] = ("result a", OPEN), offer: str | None = _OFFER
) -> FrameCase:
    return FrameCase(RFC7692, section, name, data, then, offer)


def _wrong(section: str, name: str, *data: bytes, code: int = 1007, offer: str | None = _OFFER) -> FrameCase:
    return _case(section, name, *data, then=(f"close {code}",), offer=offer)


def _stream(*parts: tuple[bytes, int], level: int = 9, bits: int = 15) -> bytes:
    """A deflate stream of these parts, each ended by this kind of flush; the last tail is cut off."""
    machine = zlib.compressobj(level, zlib.DEFLATED, -bits)
    made = b"".join(machine.compress(text) + machine.flush(kind) for text, kind in parts)
    return made.removesuffix(b"\x00\x00\xff\xff")


def _final(text: bytes) -> bytes:
    """A stream that ends with a final block (section 7.2.3.4: a byte of zeros follows it)."""
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return machine.compress(text) + machine.flush(zlib.Z_FINISH) + b"\x00"


def _fixed(text: bytes) -> bytes:
    machine = zlib.compressobj(9, zlib.DEFLATED, -15, 8, zlib.Z_FIXED)
    return (machine.compress(text) + machine.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")


def _with_takeover() -> tuple[bytes, bytes]:
    """Two messages; the second one refers back into the first."""
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    first, second = ((machine.compress(CALL) + machine.flush(zlib.Z_SYNC_FLUSH))[:-4] for _ in range(2))
    assert len(second) < len(first)
    return frame(first, _WHOLE), frame(second, _WHOLE)


def _bomb(size: int) -> bytes:
    return frame(deflated(b" " * size), _WHOLE)


_LONG = padded(2_000)

COMPRESSION = (
    _case("6", "compressed-message", frame(_PACKED, _WHOLE)),
    _case("6", "message-not-compressed", frame(CALL)),
    _case("6", "both-kinds-in-turn", (frame(_PACKED, _WHOLE) + frame(CALL)) * 2, then=("result a",) * 4 + (OPEN,)),
    _case("6", "compressed-byte-by-byte", *(bytes([byte]) for byte in frame(_PACKED, _WHOLE))),
    _case("6", "compressed-answer", frame(deflated(_LONG), _WHOLE)),
    _case("6.1", "compressed-in-fragments", frame(_PACKED[:5], RSV1 | TEXT), frame(_PACKED[5:], FIN | CONTINUATION)),
    _case("6.1", "compressed-in-one-byte-fragments",
          frame(_PACKED[:1], RSV1 | TEXT) + b"".join(frame(_PACKED[n : n + 1], CONTINUATION) for n in range(1, len(_PACKED)))
          + frame(b"", FIN | CONTINUATION)),
    _case("6.1", "ping-between-compressed-fragments", frame(_PACKED[:5], RSV1 | TEXT), frame(b"x", FIN | PING),
          frame(_PACKED[5:], FIN | CONTINUATION), then=("pong 78", "result a", OPEN)),
    _wrong("6.1", "rsv1-on-continuation", frame(_PACKED[:5], RSV1 | TEXT), frame(_PACKED[5:], _AGAIN), code=1002),
    _wrong("6.1", "rsv1-on-continuation-of-plain-text", frame(CALL[:5], TEXT), frame(CALL[5:], _AGAIN), code=1002),
    _wrong("6.1", "rsv1-on-ping", frame(b"x", FIN | RSV1 | PING), code=1002),
    _wrong("6.1", "rsv1-on-pong", frame(b"x", FIN | RSV1 | PONG), code=1002),
    _wrong("6.1", "rsv1-on-close", frame(b"\x03\xe8", FIN | RSV1 | 8), code=1002),
    _wrong("6.1", "rsv2-beside-rsv1", frame(_PACKED, FIN | RSV1 | RSV2 | TEXT), code=1002),
    _wrong("6.1", "binary-compressed", frame(_PACKED, FIN | RSV1 | BINARY), code=1003),
    _wrong("6", "not-negotiated", frame(_PACKED, _WHOLE), code=1002, offer=None),
    _case("7.2.1", "empty-message-of-one-byte", frame(b"\x00", _WHOLE), then=(OPEN,)),
    _case("7.2.1", "empty-payload", frame(b"", _WHOLE), then=(OPEN,)),
    _case("7.2.1", "tail-left-on", frame(_PACKED + b"\x00\x00\xff\xff", _WHOLE)),
    _case("7.2.3.1", "fixed-block", frame(_fixed(CALL), _WHOLE)),
    _case("7.2.3.1", "dynamic-block", frame(deflated(padded(4_000)), _WHOLE)),
    _case("7.2.3.3", "stored-block", frame(_stream((CALL, zlib.Z_SYNC_FLUSH), level=0), _WHOLE)),
    _case("7.2.3.3", "stored-block-of-many-bytes", frame(_stream((padded(40_000), zlib.Z_SYNC_FLUSH), level=0), _WHOLE)),
    _case("7.2.3.4", "final-block", frame(_final(CALL), _WHOLE)),
    _case("7.2.3.4", "message-after-a-final-block", frame(_final(CALL), _WHOLE) + frame(_PACKED, _WHOLE),
          then=("result a", "result a", OPEN)),
    _case("7.2.3.5", "two-blocks", frame(_stream((CALL[:9], zlib.Z_SYNC_FLUSH), (CALL[9:], zlib.Z_SYNC_FLUSH)), _WHOLE)),
    _case("7.2.3.5", "blocks-by-full-flush", frame(_stream((CALL[:9], zlib.Z_FULL_FLUSH), (CALL[9:], zlib.Z_FULL_FLUSH)), _WHOLE)),
    _case("7.2.3.5", "block-for-each-byte",
          frame(_stream(*((CALL[n : n + 1], zlib.Z_SYNC_FLUSH) for n in range(len(CALL)))), _WHOLE)),
    _case("7.2.1", "small-window", frame(_stream((_LONG, zlib.Z_SYNC_FLUSH), bits=9), _WHOLE)),
    _case("7.1.1.2", "messages-without-takeover", frame(_PACKED, _WHOLE), frame(_PACKED, _WHOLE),
          then=("result a", "result a", OPEN)),
    _case("7.1.1.2", "takeover-that-was-refused", *_with_takeover(), then=("result a", "close 1007")),
    _wrong("7.2.2", "no-deflate-stream", frame(b"\xff" * 10, _WHOLE)),
    _wrong("7.2.2", "reserved-block-type", frame(b"\x07", _WHOLE)),
    _wrong("7.2.2", "stored-block-with-wrong-length", frame(b"\x00\x05\x00\x00\x00hello", _WHOLE)),
    _wrong("7.2.2", "reference-before-the-beginning", frame(bytes.fromhex("4b04a200"), _WHOLE)),
    _wrong("7.2.2", "cut-off", frame(deflated(_LONG)[:-6], _WHOLE)),
    _wrong("7.2.2", "inflates-to-no-utf-8", frame(deflated(b'["\xff"]'), _WHOLE)),
    _wrong("7.2.2", "plain-text-marked-compressed", frame(CALL, _WHOLE)),
    _case("8", "inflates-to-the-limit", frame(deflated(padded(LIMIT)), _WHOLE)),
    _wrong("8", "inflates-beyond-the-limit", frame(deflated(padded(LIMIT + 1)), _WHOLE), code=1009),
    _wrong("8", "bomb-of-a-thousand-times", _bomb(30_000_000), code=1009),
    _wrong("8", "longer-compressed-than-the-limit-allows", frame(_stream((padded(100_000), zlib.Z_SYNC_FLUSH), level=0), _WHOLE),
           code=1009),
)  # fmt: skip
