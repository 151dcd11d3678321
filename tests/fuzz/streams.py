"""Streams of WebSocket frames, and what our codec and `wsproto` make of them."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import LocalProtocolError

from gateway import _native as native
from tests.unit.native.client import connect, frame, plain, unframe

VERSION = "ocpp2.0.1"
LIMIT = 4_096
"""Bytes of a message, low enough to be met."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RSV1 = 0x80, 0x40

Told = tuple[Any, ...]
"""("text", events of the message) | ("ping", payload) | ("pong", payload) | ("closed", code) | ("failed", code)"""

_TEXTS = (
    '[2,"a","Heartbeat",{}]',
    '[2,"b","Heartbeat",{"x":1}]',
    '[2,"ü€🔌","DataTransfer",{"vendorId":"v","data":"ü€🔌"}]',
    '[3,"nope",{}]',
    "[2",
    "",
    "\x00",
    '[2,"c","DataTransfer",{"vendorId":"v","data":"%s"}]' % ("long " * 200),
)


@dataclass(frozen=True, slots=True)
class Header:
    """A frame's header as it stands on the wire, right or wrong; `complete`: all of it came."""

    first: int
    masked: bool
    length: int
    complete: bool
    payload: bytes

    @property
    def opcode(self) -> int:
        return self.first & 0x0F


def headers(data: bytes) -> Iterator[Header]:
    """Walk over the frames without judging them."""
    at = 0
    while len(data) - at >= 2:
        first, second = data[at], data[at + 1]
        length, start = second & 0x7F, at + 2
        if length >= 126:
            width = 2 if length == 126 else 8
            if len(data) < start + width:
                yield Header(first, bool(second & 0x80), 0, False, b"")
                return
            length, start = int.from_bytes(data[start : start + width]), start + width
        masked = bool(second & 0x80)
        key = data[start : start + 4] if masked else bytes(4)
        start += 4 if masked else 0
        payload = bytes(byte ^ key[index % 4] for index, byte in enumerate(data[start : start + length]) if len(key) == 4)
        yield Header(first, masked, length, len(data) >= start, payload)
        at = start + length


def compressed_messages(data: bytes) -> Iterator[bytes]:
    """The payloads of the messages that begin with RSV1, control frames left out, without any judgement."""
    payload: bytes | None = None
    for header in headers(data):
        if header.opcode in (TEXT, BINARY):
            payload = header.payload if header.first & RSV1 else None
        elif header.opcode == CONTINUATION and payload is not None:
            payload += header.payload
        else:
            continue
        if header.first & FIN and payload is not None:
            yield payload
            payload = None


def make(chance: random.Random) -> tuple[bytes, bool]:
    """A stream, mostly of right frames, and whether compression is agreed."""
    deflate = chance.random() < 0.5
    data = bytearray()
    for _ in range(chance.randint(1, 4)):
        data += _piece(chance, deflate)
    if chance.random() < 0.5:
        for _ in range(chance.randint(1, 3)):
            _damage(data, chance)
    if chance.random() < 0.05:
        del data[chance.randint(2, len(data)) :]
    return bytes(data), deflate


def _piece(chance: random.Random, deflate: bool) -> bytes:
    payload = chance.randbytes(chance.choice((0, 1, 20, 125, 126)))
    match chance.randrange(12):
        case 0:
            return frame(payload, FIN | PING)
        case 1:
            return frame(payload, FIN | PONG)
        case 2:
            code = chance.choice(
                (0, 999, 1000, 1001, 1004, 1005, 1006, 1011, 1012, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65535)
            )
            reason = chance.choice((b"", b"bye", "ü".encode(), b"\xff", b"r" * 123))
            return frame(chance.choice((struct.pack(">H", code) + reason, b"", b"\x03")), FIN | CLOSE)
        case 3:
            return frame(payload, chance.randrange(256))
        case 4:
            return bytes([FIN | TEXT, 0x80 | chance.choice((126, 127))]) + chance.randbytes(12)
        case 5:
            return _message(chance, chance.randbytes(chance.randint(0, 40)), RSV1 if deflate else 0)
        case _:
            text = chance.choice(_TEXTS).encode()
            if chance.random() < 0.2:
                text = bytes(text[: chance.randint(0, len(text))]) + chance.choice(
                    (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82")
                )
            if chance.random() < 0.05:
                text = text + b" " * chance.choice((LIMIT - 30, LIMIT + 1, 3 * LIMIT))
            if deflate and chance.random() < 0.6:
                return _message(chance, _deflated(text, chance), RSV1)
            return _message(chance, text, 0)


def _message(chance: random.Random, payload: bytes, bits: int) -> bytes:
    """In one frame or in several, at times with control frames in between."""
    cuts = sorted(chance.randint(0, len(payload)) for _ in range(chance.choice((0, 0, 0, 1, 2, 4))))
    pieces = [payload[start:end] for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    out = b""
    for index, piece in enumerate(pieces):
        opcode = CONTINUATION if index else TEXT | bits
        out += frame(piece, opcode | (FIN if index + 1 == len(pieces) else 0))
        if index + 1 < len(pieces) and chance.random() < 0.2:
            out += frame(b"between", FIN | chance.choice((PING, PONG)))
    return out


def _deflated(text: bytes, chance: random.Random) -> bytes:
    machine = zlib.compressobj(chance.choice((0, 1, 9)), zlib.DEFLATED, -chance.choice((9, 15)))
    if chance.random() < 0.1:
        return machine.compress(text) + machine.flush(zlib.Z_FINISH) + b"\x00"
    half = chance.randint(0, len(text))
    made = machine.compress(text[:half]) + (machine.flush(zlib.Z_FULL_FLUSH) if chance.random() < 0.2 else b"")
    return (made + machine.compress(text[half:]) + machine.flush(zlib.Z_SYNC_FLUSH))[:-4]


def _damage(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    match chance.randrange(5):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at] = chance.randrange(256)
        case 2:
            del data[at : at + chance.randint(1, 4)]
            data += b"\x89\x80\x00\x00\x00\x00"
        case 3:
            data[at:at] = chance.randbytes(chance.randint(1, 4))
        case _:
            copy = data[at : at + chance.randint(1, 60)]
            data[at:at] = copy


def ours(data: bytes, *, deflate: bool) -> list[Told]:
    """What the codec tells."""
    connection = connect(VERSION, compression=deflate, max_message=LIMIT)
    return [told for event in connection.receive(data) if (told := _told(event)) is not None]


def _told(event: tuple[Any, ...]) -> Told | None:
    match event:
        case (native.REPLY, reply, "pong"):
            return ("ping", unframe(reply)[1])
        case (native.REPLY, _, "close"):
            return None
        case (native.PONG, payload):
            return ("pong", payload)
        case (native.CLOSED, code, _):
            return ("closed", code)
        case (native.VIOLATION, code, _, _):
            return ("failed", code)
    return ("text", plain(event))


def theirs(data: bytes, *, deflate: bool) -> list[Told]:
    """What `wsproto` tells; its messages are given to the codec, each in a frame of its own, so that they compare."""
    extension = PerMessageDeflate(client_no_context_takeover=True, server_no_context_takeover=True)
    extension.accept("permessage-deflate; client_no_context_takeover; server_no_context_takeover")
    connection = Connection(ConnectionType.SERVER, [extension] if deflate else [])
    judge = connect(VERSION, compression=deflate, max_message=1 << 24)
    told: list[Told] = []
    text = ""
    connection.receive_data(data)
    try:
        for event in connection.events():
            match event:
                case TextMessage(data=part, message_finished=finished):
                    text += part
                    if finished:
                        told += [("text", plain(outcome)) for outcome in judge.receive(frame(text.encode()))]
                        text = ""
                case BytesMessage():
                    told.append(("binary",))
                case Ping(payload=payload):
                    told.append(("ping", bytes(payload)))
                case Pong(payload=payload):
                    told.append(("pong", bytes(payload)))
                case CloseConnection(code=code):
                    by_peer = connection.state is ConnectionState.REMOTE_CLOSING
                    told.append(("closed" if by_peer else "failed", int(code)))
                    return told
    except LocalProtocolError as error:
        raise AssertionError("wsproto was used in a wrong way") from error
    return told
