"""Stations without a library: bytes as a peer may put them on the wire."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

import trio


def request(
    path: str, *, versions: Sequence[str] = ("ocpp1.6",), headers: Sequence[tuple[str, str]] = (), compressed: bool = False
) -> bytes:
    """An upgrade request."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    if versions:
        lines.append(f"Sec-WebSocket-Protocol: {', '.join(versions)}")
    if compressed:
        lines.append("Sec-WebSocket-Extensions: permessage-deflate")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def basic(user: str, password: bytes) -> tuple[str, str]:
    return ("Authorization", f"Basic {b64encode(user.encode() + b':' + password).decode()}")


def frame(text: bytes, opcode: int = 1, *, fin: bool = True, compressed: bool = False) -> bytes:
    """A client's frame; the mask is all zeros, which RFC 6455 allows."""
    head = bytes([(0x80 if fin else 0) | (0x40 if compressed else 0) | opcode])
    if len(text) < 126:
        size = bytes([0x80 | len(text)])
    elif len(text) < 65536:
        size = bytes([0x80 | 126]) + len(text).to_bytes(2)
    else:
        size = bytes([0x80 | 127]) + len(text).to_bytes(8)
    return head + size + bytes(4) + text


async def read_until(stream: trio.abc.ReceiveStream, wanted: bytes, timeout: float = 5.0) -> bytes:
    received = b""
    with trio.fail_after(timeout):
        while wanted not in received:
            chunk = await stream.receive_some(65536)
            assert chunk, f"closed after {received!r}"
            received += chunk
    return received


async def read_all(stream: trio.abc.ReceiveStream, timeout: float = 5.0) -> bytes:
    received = b""
    with trio.fail_after(timeout):
        try:
            async for chunk in stream:
                received += chunk
        except trio.BrokenResourceError:
            pass  # a reset is an end, too
    return received


async def become_station(stream: trio.SocketStream, identity: str, *, compressed: bool = False) -> None:
    """Upgrade and boot."""
    await stream.send_all(request(f"/ocpp/{identity}", compressed=compressed))
    await read_until(stream, b"\r\n\r\n")
    await stream.send_all(frame(b'[2,"boot","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'))
    await read_until(stream, b'"Accepted"')
