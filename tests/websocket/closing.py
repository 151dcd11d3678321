"""The closing handshake and text: RFC 6455 sections 5.5.1, 7 and 8.1."""

from __future__ import annotations

import struct

from tests.unit.native.client import frame
from tests.websocket.cases import OPEN, RFC6455, FrameCase
from tests.websocket.framing import CALL
from tests.websocket.peer import CLOSE, CONTINUATION, FIN, PING, TEXT


def _case(section: str, name: str, *data: bytes, then: tuple[str, ...]) -> FrameCase:
    return FrameCase(RFC6455, section, name, data, then)


def _close(code: int, reason: bytes = b"") -> bytes:
    return frame(struct.pack(">H", code) + reason, FIN | CLOSE)


def _text(name: str, text: bytes, *, valid: bool) -> FrameCase:
    data = frame(CALL.replace(b'"a"', b'"a' + text + b'"'))
    # what the gateway answers holds the text; its beginning is enough to know it by
    return _case("8.1", name, data, then=("result a" + text.decode(), OPEN) if valid else ("close 1007",))


def _split(name: str, *pieces: bytes, valid: bool) -> FrameCase:
    """Text cut inside a character, a fragment a piece."""
    first, *middle = (b'[2,"a' + pieces[0], *pieces[1:])
    data = [frame(first, TEXT), *(frame(piece, CONTINUATION) for piece in middle), frame(CALL[5:], FIN | CONTINUATION)]
    then = ("result a" + b"".join(pieces).decode(), OPEN) if valid else ("close 1007",)
    return _case("8.1", name, *data, then=then)


_ALLOWED = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
_FORBIDDEN = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)

CLOSING = (
    _case("5.5.1", "close-empty", frame(b"", FIN | CLOSE), then=("close 1005",)),
    _case("5.5.1", "close-of-one-byte", frame(b"\x03", FIN | CLOSE), then=("close 1002",)),
    _case("5.5.1", "close-with-reason", _close(1000, b"bye"), then=("close 1000",)),
    _case("5.5.1", "close-with-longest-reason", _close(1000, b"r" * 123), then=("close 1000",)),
    _case("5.5.1", "close-with-reason-in-utf-8", _close(1001, "zu spät 🔌".encode()), then=("close 1001",)),
    _case("5.5.1", "close-reason-not-utf-8", _close(1000, b"\xc3\x28"), then=("close 1007",)),
    _case("5.5.1", "close-reason-cut-inside-a-character", _close(1000, b"\xe2\x82"), then=("close 1007",)),
    _case("5.5.1", "close-byte-by-byte", *(bytes([byte]) for byte in _close(1000)), then=("close 1000",)),
    _case("5.5.1", "message-after-close", _close(1000) + frame(CALL), then=("close 1000",)),
    _case("5.5.1", "ping-after-close", _close(1000) + frame(b"x", FIN | PING), then=("close 1000",)),
    _case("5.5.1", "close-after-close", _close(1000) + _close(1001), then=("close 1000",)),
    _case("5.5.1", "garbage-after-close", _close(1000) + b"\xff" * 100, then=("close 1000",)),
    _case("5.5.1", "close-after-a-message", frame(CALL), _close(1000), then=("result a", "close 1000")),
    _case("7.1.7", "nothing-read-after-a-failure", frame(b"", FIN | 3) + frame(CALL) * 10, then=("close 1002",)),
    *(_case("7.4.1" if code < 3000 else "7.4.2", f"close-code-{code}", _close(code), then=(f"close {code}",)) for code in _ALLOWED),
    *(_case("7.4.1", f"close-code-{code}-refused", _close(code), then=("close 1002",)) for code in _FORBIDDEN if code < 1000),
    *(_case("7.4.2", f"close-code-{code}-refused", _close(code), then=("close 1002",)) for code in _FORBIDDEN if code >= 1000),
)

UTF8 = (
    _text("two-bytes", "ü".encode(), valid=True),
    _text("three-bytes", "€".encode(), valid=True),
    _text("four-bytes", "🔌".encode(), valid=True),
    _text("highest-of-two-bytes", "\u07ff".encode(), valid=True),
    _text("highest-of-three-bytes", "\uffff".encode(), valid=True),
    _text("last-before-the-surrogates", "\ud7ff".encode(), valid=True),
    _text("first-after-the-surrogates", "\ue000".encode(), valid=True),
    _text("highest-of-all", "\U0010ffff".encode(), valid=True),
    _text("beyond-the-highest", b"\xf4\x90\x80\x80", valid=False),
    _text("continuation-byte-alone", b"\x80", valid=False),
    _text("two-continuation-bytes-alone", b"\x80\xbf", valid=False),
    _text("byte-fe", b"\xfe", valid=False),
    _text("byte-ff", b"\xff", valid=False),
    _text("overlong-slash-of-two", b"\xc0\xaf", valid=False),
    _text("overlong-slash-of-three", b"\xe0\x80\xaf", valid=False),
    _text("overlong-slash-of-four", b"\xf0\x80\x80\xaf", valid=False),
    _text("overlong-nul", b"\xc0\x80", valid=False),
    _text("form-of-five-bytes", b"\xf8\x88\x80\x80\x80", valid=False),
    _text("form-of-six-bytes", b"\xfc\x84\x80\x80\x80\x80", valid=False),
    _text("high-surrogate", b"\xed\xa0\x80", valid=False),
    _text("low-surrogate", b"\xed\xbf\xbf", valid=False),
    _text("pair-of-surrogates", b"\xed\xa0\xbd\xed\xb4\x8c", valid=False),
    _text("cut-off-two", b"\xc3", valid=False),
    _text("cut-off-three", b"\xe2\x82", valid=False),
    _text("cut-off-four", b"\xf0\x9f\x94", valid=False),
    _text("wrong-continuation", b"\xe2\x28\xa1", valid=False),
    _split("split-after-the-first-byte", b"\xe2", b"\x82\xac", valid=True),
    _split("split-after-the-second-byte", b"\xe2\x82", b"\xac", valid=True),
    _split("split-at-every-byte", b"\xf0", b"\x9f", b"\x94", b"\x8c", valid=True),
    _split("split-by-an-empty-fragment", b"\xe2", b"", b"\x82\xac", valid=True),
    _split("split-and-wrong", b"\xe2", b"\x28", valid=False),
    _split("split-surrogate", b"\xed", b"\xa0\x80", valid=False),
    _case("8.1", "end-inside-a-character", frame(b'["\xe2\x82'), then=("close 1007",)),
    _case("8.1", "empty-message", frame(b""), then=(OPEN,)),
    _case("8.1", "end-inside-a-character-in-the-last-fragment", frame(b'["', TEXT), frame(b"\xe2\x82", FIN | CONTINUATION),
          then=("close 1007",)),
)  # fmt: skip
