"""Frames, fragments and control frames: RFC 6455 sections 5.1 to 5.6 and 10.4."""

from __future__ import annotations

import struct

from tests.unit.native.client import MASK, frame
from tests.websocket.cases import OPEN, RFC6455, FrameCase
from tests.websocket.peer import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, RSV1, RSV2, RSV3, TEXT

CALL = b'[2,"a","Heartbeat",{}]'
LIMIT = 64 * 1024
"""Bytes of a message of OCPP 1.6."""


def _case(section: str, name: str, *data: bytes, then: tuple[str, ...] = ("result a", OPEN)) -> FrameCase:
    return FrameCase(RFC6455, section, name, data, then)


def _wrong(section: str, name: str, *data: bytes, code: int = 1002) -> FrameCase:
    return _case(section, name, *data, then=(f"close {code}",))


def _part(opcode: int, payload: bytes) -> bytes:
    """A frame without FIN."""
    return frame(payload, opcode)


def _last(payload: bytes) -> bytes:
    return frame(payload, FIN | CONTINUATION)


def padded(length: int, message_id: str = "a") -> bytes:
    """A CALL of this many bytes."""
    empty = f'[2,"{message_id}","DataTransfer",{{"vendorId":"v","data":""}}]'
    return empty.replace('""', f'"{"x" * (length - len(empty))}"').encode()


def _long_form(first: int, payload: bytes, width: int) -> bytes:
    """A frame whose length stands in `width` bytes, though fewer would do."""
    mark, form = {2: (126, ">H"), 8: (127, ">Q")}[width]
    return bytes([first, 0x80 | mark]) + struct.pack(form, len(payload)) + bytes(4) + payload


_RESERVED = (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)

FRAMING = (
    _case("5.2", "text-frame", frame(CALL)),
    _case("5.2", "frame-byte-by-byte", *(bytes([byte]) for byte in frame(CALL))),
    _case("5.2", "many-frames-in-one-segment", frame(CALL) * 3, then=("result a", "result a", "result a", OPEN)),
    _wrong("5.2", "rsv1-without-extension", frame(CALL, FIN | RSV1 | TEXT)),
    _wrong("5.2", "rsv2", frame(CALL, FIN | RSV2 | TEXT)),
    _wrong("5.2", "rsv3", frame(CALL, FIN | RSV3 | TEXT)),
    _wrong("5.2", "all-reserved-bits", frame(CALL, FIN | RSV1 | RSV2 | RSV3 | TEXT)),
    _wrong("5.2", "rsv2-on-ping", frame(b"x", FIN | RSV2 | PING)),
    _wrong("5.2", "rsv1-on-close", frame(struct.pack(">H", 1000), FIN | RSV1 | CLOSE)),
    *(_wrong("5.2", f"reserved-opcode-{opcode}", frame(b"", FIN | opcode)) for opcode in _RESERVED),
    _case("5.2", "reserved-opcode-after-a-message", frame(CALL), frame(b"", FIN | 3), then=("result a", "close 1002")),
    _case("5.2", "length-125", frame(padded(125))),
    _case("5.2", "length-126", frame(padded(126))),
    _case("5.2", "length-127", frame(padded(127))),
    _case("5.2", "length-128", frame(padded(128))),
    _case("5.2", "length-65535", frame(padded(65_535))),
    _case("5.2", "length-65536", frame(padded(65_536))),
    _wrong("5.2", "length-16-bit-for-0", _long_form(FIN | TEXT, b"", 2)),
    _wrong("5.2", "length-16-bit-for-125", _long_form(FIN | TEXT, b"x" * 125, 2)),
    _wrong("5.2", "length-64-bit-for-125", _long_form(FIN | TEXT, b"x" * 125, 8)),
    _wrong("5.2", "length-64-bit-for-65535", _long_form(FIN | TEXT, b"x" * 65_535, 8)),
    _wrong("5.2", "length-with-highest-bit", bytes([FIN | TEXT, 0xFF]) + (1 << 63).to_bytes(8) + MASK),
    _wrong("5.2", "length-of-63-bits", bytes([FIN | TEXT, 0xFF]) + ((1 << 63) - 1).to_bytes(8) + MASK, code=1009),
    _wrong("5.1", "frame-not-masked", bytes([FIN | TEXT, len(CALL)]) + CALL),
    _wrong("5.1", "ping-not-masked", bytes([FIN | PING, 0])),
    _wrong("5.1", "close-not-masked", bytes([FIN | CLOSE, 2]) + struct.pack(">H", 1000)),
    _case("5.3", "mask-of-zeros", bytes([FIN | TEXT, 0x80 | len(CALL)]) + bytes(4) + CALL),
    _case("5.3", "mask-of-ones", bytes([FIN | TEXT, 0x80 | len(CALL)]) + b"\xff" * 4 + bytes(b ^ 0xFF for b in CALL)),
    _case("5.3", "another-mask-in-each-fragment", _part(TEXT, CALL[:7]),
          bytes([FIN | CONTINUATION, 0x80 | len(CALL[7:])]) + bytes(4) + CALL[7:]),
    _wrong("5.6", "binary-message", frame(CALL, FIN | BINARY), code=1003),
    _wrong("5.6", "binary-message-empty", frame(b"", FIN | BINARY), code=1003),
    _wrong("5.6", "binary-message-in-fragments", _part(BINARY, b"x"), code=1003),
    _case("10.4", "message-of-the-limit", frame(padded(LIMIT))),
    _wrong("10.4", "message-over-the-limit", frame(padded(LIMIT + 1)), code=1009),
    _wrong("10.4", "message-over-the-limit-in-fragments", _part(TEXT, padded(LIMIT + 1)[:40_000]),
           _last(padded(LIMIT + 1)[40_000:]), code=1009),
    _case("10.4", "message-of-the-limit-in-fragments", _part(TEXT, padded(LIMIT)[:40_000]), _last(padded(LIMIT)[40_000:])),
    _wrong("10.4", "too-many-fragments", _part(TEXT, b"") + _part(CONTINUATION, b"") * 5_000, code=1008),
)  # fmt: skip

FRAGMENTATION = (
    _case("5.4", "two-fragments", _part(TEXT, CALL[:7]), _last(CALL[7:])),
    _case("5.4", "two-fragments-in-one-segment", _part(TEXT, CALL[:7]) + _last(CALL[7:])),
    _case("5.4", "one-byte-fragments",
          b"".join([_part(TEXT, CALL[:1]), *(_part(CONTINUATION, CALL[n : n + 1]) for n in range(1, len(CALL)))]) + _last(b"")),
    _case("5.4", "first-fragment-empty", _part(TEXT, b""), _last(CALL)),
    _case("5.4", "last-fragment-empty", _part(TEXT, CALL), _last(b"")),
    _case("5.4", "middle-fragments-empty", _part(TEXT, CALL[:7]), _part(CONTINUATION, b"") * 3, _last(CALL[7:])),
    _case("5.4", "only-empty-fragments", _part(TEXT, b""), _part(CONTINUATION, b""), _last(b""), then=(OPEN,)),
    _case("5.4", "fragmented-ping-in-between", _part(TEXT, CALL[:7]), frame(b"hi", FIN | PING), _last(CALL[7:]),
          then=("pong 6869", "result a", OPEN)),
    _case("5.4", "fragmented-ping-in-between-in-one-segment", _part(TEXT, CALL[:7]) + frame(b"hi", FIN | PING) + _last(CALL[7:]),
          then=("pong 6869", "result a", OPEN)),
    _case("5.4", "fragmented-pong-in-between", _part(TEXT, CALL[:7]), frame(b"hi", FIN | PONG), _last(CALL[7:])),
    _case("5.4", "fragmented-pings-between-all", _part(TEXT, CALL[:3]), frame(b"1", FIN | PING), _part(CONTINUATION, CALL[3:9]),
          frame(b"2", FIN | PING), _last(CALL[9:]), then=("pong 31", "pong 32", "result a", OPEN)),
    _case("5.4", "fragmented-close-in-between", _part(TEXT, CALL[:7]), frame(struct.pack(">H", 1000), FIN | CLOSE),
          then=("close 1000",)),
    _case("5.4", "fragmented-twice", _part(TEXT, CALL[:7]) + _last(CALL[7:]), _part(TEXT, CALL[:9]) + _last(CALL[9:]),
          then=("result a", "result a", OPEN)),
    _case("5.4", "whole-message-after-a-fragmented-one", _part(TEXT, CALL[:7]) + _last(CALL[7:]) + frame(CALL),
          then=("result a", "result a", OPEN)),
    _wrong("5.4", "continuation-of-nothing", _last(CALL)),
    _wrong("5.4", "continuation-of-nothing-without-fin", _part(CONTINUATION, CALL)),
    _case("5.4", "continuation-after-a-whole-message", frame(CALL), _last(b"x"), then=("result a", "close 1002")),
    _case("5.4", "continuation-after-the-last-fragment", _part(TEXT, CALL[:7]) + _last(CALL[7:]), _last(b"x"),
          then=("result a", "close 1002")),
    _wrong("5.4", "text-inside-a-message", _part(TEXT, CALL[:7]), frame(CALL)),
    _wrong("5.4", "text-fragment-inside-a-message", _part(TEXT, CALL[:7]), _part(TEXT, CALL[7:])),
    _wrong("5.4", "binary-inside-a-message", _part(TEXT, CALL[:7]), frame(b"x", FIN | BINARY)),
)  # fmt: skip

CONTROL = (
    _case("5.5.2", "ping-empty", frame(b"", FIN | PING), then=("pong", OPEN)),
    *(
        _case("5.5.2", f"ping-of-{length}", frame(b"p" * length, FIN | PING), then=(f"pong {b'p'.hex() * length}", OPEN))
        for length in (1, 4, 124, 125)
    ),
    _case("5.5.2", "ping-payload-not-utf-8", frame(b"\x00\xff\xfe", FIN | PING), then=("pong 00fffe", OPEN)),
    _case("5.5.2", "ping-byte-by-byte", *(bytes([byte]) for byte in frame(b"abc", FIN | PING)), then=("pong 616263", OPEN)),
    _case("5.5.2", "pings-answered-in-order", b"".join(frame(bytes([n]), FIN | PING) for n in range(10)),
          then=(*(f"pong {n:02x}" for n in range(10)), OPEN)),
    _case("5.5.2", "ping-before-a-message", frame(b"x", FIN | PING) + frame(CALL), then=("pong 78", "result a", OPEN)),
    _case("5.5.2", "hundred-pings", frame(b"f", FIN | PING) * 100, then=("pong 66",) * 100 + (OPEN,)),
    _wrong("5.5", "ping-of-126", frame(b"p" * 126, FIN | PING)),
    _wrong("5.5", "ping-of-65536", frame(b"p" * 65_536, FIN | PING)),
    _wrong("5.5", "pong-of-126", frame(b"p" * 126, FIN | PONG)),
    _wrong("5.5", "close-of-126", frame(struct.pack(">H", 1000) + b"r" * 124, FIN | CLOSE)),
    _wrong("5.5", "ping-length-in-16-bits", _long_form(FIN | PING, b"x", 2)),
    _wrong("5.5", "ping-fragmented", _part(PING, b"x")),
    _wrong("5.5", "pong-fragmented", _part(PONG, b"x")),
    _wrong("5.5", "close-fragmented", _part(CLOSE, struct.pack(">H", 1000))),
    _case("5.5.3", "pong-unsolicited", frame(b"x", FIN | PONG), then=(OPEN,)),
    _case("5.5.3", "pong-unsolicited-empty", frame(b"", FIN | PONG), then=(OPEN,)),
    _case("5.5.3", "pong-of-125", frame(b"x" * 125, FIN | PONG), then=(OPEN,)),
    _case("5.5.3", "hundred-pongs-and-a-message", frame(b"x", FIN | PONG) * 100 + frame(CALL)),
)  # fmt: skip
