"""A station's side of the wire, made by hand so that it shares nothing with the codec under test."""

import json
import struct
import zlib
from functools import cache
from typing import Any

from gateway import _native as native
from schemas.tables import native_tables

MASK = b"\x37\xfa\x21\x3d"
ALL_VERSIONS = ("ocpp1.6", "ocpp2.0.1")

Event = tuple[Any, ...]


@cache
def catalogue() -> native.Catalogue:
    return native.Catalogue(native_tables())


def frame(payload: bytes, first: int = 0x81) -> bytes:
    """A masked frame; `first` holds FIN, RSV and opcode."""
    if len(payload) < 126:
        head = struct.pack(">BB", first, 0x80 | len(payload))
    elif len(payload) < 65_536:
        head = struct.pack(">BBH", first, 0x80 | 126, len(payload))
    else:
        head = struct.pack(">BBQ", first, 0x80 | 127, len(payload))
    key = (MASK * (len(payload) // 4 + 1))[: len(payload)]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return head + MASK + masked.to_bytes(len(payload), "big")


def text(message: object) -> bytes:
    """A text frame with this message: a string as it is, anything else as JSON."""
    return frame((message if isinstance(message, str) else json.dumps(message)).encode())


def unframe(data: bytes) -> tuple[int, bytes]:
    """First byte and payload of one frame of the server."""
    length, start = data[1], 2
    if length == 126:
        length, start = int.from_bytes(data[2:4], "big"), 4
    elif length == 127:
        length, start = int.from_bytes(data[2:10], "big"), 10
    assert len(data) == start + length
    return data[0], data[start:]


def answer(data: bytes) -> Any:
    """The JSON of one uncompressed text frame of the server."""
    first, payload = unframe(data)
    assert first == 0x81
    return json.loads(payload)


def request(*headers: str, target: str = "/ocpp/ST1") -> bytes:
    lines = [
        f"GET {target} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def connect(version: str, *, compression: bool = False, **limits: int) -> native.Connection:
    """An open connection of this version."""
    connection = native.Connection(catalogue(), native.Limits(**limits))
    headers = [f"Sec-WebSocket-Protocol: {version}"]
    if compression:
        headers.append("Sec-WebSocket-Extensions: permessage-deflate")
    (event,) = connection.receive(request(*headers))
    assert event[0] == native.UPGRADE
    connection.accept(version, compression=compression, max_message=limits.get("max_message", 65_536))
    return connection


def exchange(version: str, *data: bytes) -> list[Event]:
    """The events of `data` on a new connection: at once and byte by byte, which must be the same."""
    whole = connect(version).receive(b"".join(data))
    slow = connect(version)
    bytewise = [event for byte in b"".join(data) for event in slow.receive(bytes([byte]))]
    assert [plain(event) for event in whole] == [plain(event) for event in bytewise]
    return list(whole)


def plain(event: Event) -> Event:
    """The event with its fault as a tuple, so that events compare."""
    return tuple((m.row, m.code, m.path, m.rule, m.description) if isinstance(m, native.Fault) else m for m in event)


def deflated(message: bytes) -> bytes:
    """A message compressed as permessage-deflate wants it."""
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (machine.compress(message) + machine.flush(zlib.Z_SYNC_FLUSH))[:-4]
