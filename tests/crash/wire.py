"""A station's WebSocket, made by hand on a Trio socket: cheap enough for hundreds of stations beside the server under test."""

from __future__ import annotations

import os
import socket
import struct
from base64 import b64encode

import trio

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_ABNORMAL = 1006
_RECEIVE = 16_384


class Refused(Exception):
    """No connection. `status`: the server's HTTP answer, 0 when there was none."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}" if status else "no answer to the upgrade")
        self.status = status


class Closed(Exception):
    """The connection is gone; 1006: without a close frame."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class Wire:
    """One open connection. A wait that is cancelled loses nothing of what arrives."""

    def __init__(self, connection: trio.socket.SocketType, received: bytes) -> None:
        self._socket = connection
        self._received = bytearray(received)

    @classmethod
    async def connect(cls, port: int, path: str, subprotocol: str, *, timeout: float) -> Wire:
        """Raises Refused."""
        connection = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with trio.fail_after(timeout):
                await connection.connect(("127.0.0.1", port))
                rest = await _upgrade(connection, path, subprotocol)
        except (OSError, trio.TooSlowError):
            connection.close()
            raise Refused(0) from None
        except BaseException:
            connection.close()
            raise
        return cls(connection, rest)

    async def send(self, text: bytes) -> None:
        """Raises Closed."""
        await self._send(_TEXT, text)

    async def receive(self) -> bytes:
        """The next text message; pings are answered meanwhile. Raises Closed."""
        while True:
            while (frame := self._frame()) is not None:
                opcode, payload = frame
                if opcode == _TEXT:
                    return payload
                if opcode == _PING:
                    await self._send(_PONG, payload)
                elif opcode == _CLOSE:
                    code = int.from_bytes(payload[:2]) if payload else 1005
                    try:
                        await self._send(_CLOSE, payload[:2])
                    except Closed:
                        pass  # the server did not wait for it
                    raise Closed(code)
            try:
                data = await self._socket.recv(_RECEIVE)
            except OSError:
                raise Closed(_ABNORMAL) from None
            if not data:
                raise Closed(_ABNORMAL)
            self._received += data

    def abort(self) -> None:
        """Gone without a word."""
        self._socket.close()

    def _frame(self) -> tuple[int, bytes] | None:
        """A whole frame of the server, which neither masks nor, unasked, compresses; it sends messages in one frame each."""
        received = self._received
        if len(received) < 2:
            return None
        length, start = received[1], 2
        if length == 126:
            length, start = int.from_bytes(received[2:4]), 4
        elif length == 127:
            length, start = int.from_bytes(received[2:10]), 10
        if len(received) < start + length:
            return None
        opcode, payload = received[0] & 0x0F, bytes(received[start : start + length])
        del received[: start + length]
        return opcode, payload

    async def _send(self, opcode: int, payload: bytes) -> None:
        data = _masked(opcode, payload)
        try:
            while data:
                data = data[await self._socket.send(data) :]
        except OSError:
            raise Closed(_ABNORMAL) from None


async def _upgrade(connection: trio.socket.SocketType, path: str, subprotocol: str) -> bytes:
    """Gives what came after the server's answer. Raises Refused, OSError."""
    await connection.send(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\n"
        f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        data = await connection.recv(_RECEIVE)
        if not data:
            raise Refused(0)
        head += data
    head, _, rest = head.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status != 101:
        raise Refused(status)
    return rest


def _masked(opcode: int, payload: bytes) -> bytes:
    length = len(payload)
    size = struct.pack(">B", 0x80 | length) if length < 126 else struct.pack(">BH", 0x80 | 126, length)
    mask = os.urandom(4)
    key = (mask * (length // 4 + 1))[:length]
    return bytes((0x80 | opcode,)) + size + mask + (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(length)
