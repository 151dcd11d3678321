"""A WebSocket client that can also do what a good one never does. Blocking, raw sockets, nothing of the server's code."""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import ssl
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_PATIENCE = 10.0
_HANDSHAKE_PATIENCE = 15.0  # longer than the server's own limit


class Refused(Exception):
    """The server did not upgrade the connection."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = headers


@dataclass(slots=True)
class Closed(Exception):
    """The server closed the connection; 1006 when it did so without a close frame."""

    code: int
    reason: str = ""


class _Early(Exception):
    """There is nothing to read yet."""


@dataclass(slots=True)
class Wire:
    """One WebSocket connection, raw."""

    socket: socket.socket
    subprotocol: str | None
    extensions: str
    _buffer: bytearray = field(default_factory=bytearray)

    @classmethod
    def connect(
        cls,
        port: int,
        path: str,
        subprotocols: str | None,
        *,
        basic: tuple[str, str] | None = None,
        deflate: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """Upgrade, or raise Refused; its status is 0 when there was no answer. Raises ssl.SSLError."""
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        ]
        if subprotocols is not None:
            lines.append(f"Sec-WebSocket-Protocol: {subprotocols}")
        if basic is not None:
            lines.append(f"Authorization: Basic {base64.b64encode(':'.join(basic).encode()).decode()}")
        if deflate:
            lines.append("Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover")
        connection = socket.create_connection(("127.0.0.1", port), timeout=_HANDSHAKE_PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            connection = tls.wrap_socket(connection, server_hostname="localhost")
        try:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        except OSError:
            connection.close()
            raise
        head = bytearray()
        while b"\r\n\r\n" not in head:
            try:
                chunk = connection.recv(4096)
            except (ConnectionError, ssl.SSLError):
                chunk = b""
            if not chunk:
                connection.close()
                raise Refused(0, {})
            head += chunk
        text, rest = bytes(head).split(b"\r\n\r\n", 1)
        status_line, *header_lines = text.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in header_lines)}
        status = int(status_line.split()[1])
        if status != 101:
            connection.close()
            raise Refused(status, headers)
        wire = cls(connection, headers.get("sec-websocket-protocol"), headers.get("sec-websocket-extensions", ""))
        wire._buffer += rest
        return wire

    # --- out

    def send_frame(self, opcode: int, payload: bytes, *, final: bool = True, compressed: bool = False) -> None:
        self.socket.sendall(frame(opcode, payload, final=final, compressed=compressed))

    def send_text(self, text: str) -> None:
        self.send_frame(TEXT, text.encode())

    def send_compressed(self, data: bytes) -> None:
        """Send bytes that are already a raw deflate stream."""
        self.send_frame(TEXT, data, compressed=True)

    def reset(self) -> None:
        """Cut the line: the peer gets a reset, not a goodbye."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Say goodbye and do not wait for the answer."""
        try:
            self.send_frame(CLOSE, struct.pack("!H", 1000))
        except OSError:
            pass
        self.socket.close()

    # --- in

    def receive(self, timeout: float = _PATIENCE) -> str:
        """The next text message. Raises Closed, or TimeoutError when none comes. Pings are answered."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                opcode, payload, compressed = self._take()
            except _Early:
                self._fill(deadline)
                continue
            if opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                raise Closed(code, payload[2:].decode())
            if opcode == PING:
                self.send_frame(PONG, payload)
            elif opcode == TEXT:
                return (_inflate(payload) if compressed else payload).decode()

    def silent(self, seconds: float) -> bool:
        """True when no message comes for so long."""
        try:
            self.receive(seconds)
        except TimeoutError:
            return True
        return False

    def closed_with(self, timeout: float = _PATIENCE) -> int:
        """The code that the server closes the connection with; messages before it are passed over."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.receive(deadline - time.monotonic())
            except Closed as closed:
                return closed.code

    def _fill(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        # not select(): it knows no descriptor above 1023
        readable = select.poll()
        readable.register(self.socket, select.POLLIN)
        if left <= 0 or not readable.poll(left * 1000):
            raise TimeoutError("nothing came")
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            raise Closed(1006)
        self._buffer += data

    def _take(self) -> tuple[int, bytes, bool]:
        buffer = self._buffer
        if len(buffer) < 2:
            raise _Early
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            start = 4
            if len(buffer) < start:
                raise _Early
            length = int.from_bytes(buffer[2:4])
        elif length == 127:
            start = 10
            if len(buffer) < start:
                raise _Early
            length = int.from_bytes(buffer[2:10])
        if len(buffer) < start + length:
            raise _Early
        opcode, compressed = buffer[0] & 0x0F, bool(buffer[0] & 0x40)
        payload = bytes(buffer[start : start + length])
        del buffer[: start + length]
        return opcode, payload, compressed


def frame(opcode: int, payload: bytes, *, final: bool = True, compressed: bool = False) -> bytes:
    """One masked frame."""
    head = bytearray([(0x80 if final else 0) | (0x40 if compressed else 0) | opcode])
    if len(payload) < 126:
        head.append(0x80 | len(payload))
    elif len(payload) < 65536:
        head += bytes([0x80 | 126]) + len(payload).to_bytes(2)
    else:
        head += bytes([0x80 | 127]) + len(payload).to_bytes(8)
    # a mask of zeros is a legal mask and leaves the payload readable in a packet dump
    return bytes(head) + bytes(4) + payload


def _inflate(data: bytes) -> bytes:
    return zlib.decompressobj(wbits=-15).decompress(data + b"\x00\x00\xff\xff")


@dataclass(slots=True)
class Station:
    """A station in the hand of a test."""

    wire: Wire
    identity: str
    owed: set[str] = field(default_factory=set)
    """Ids of CALLs of an earlier connection whose answers may still come on this one."""
    _next: int = 0

    def new_id(self) -> str:
        self._next += 1
        return f"m{self._next}"

    def send(self, message: object) -> None:
        self.wire.send_text(message if isinstance(message, str) else json.dumps(message, separators=(",", ":")))

    def receive(self, timeout: float = _PATIENCE) -> list[Any]:
        message: list[Any] = json.loads(self.wire.receive(timeout))
        return message

    def call(self, action: str, payload: object, message_id: str | None = None) -> Any:
        """Send a CALL and give the payload of its answer; a CALLERROR fails the test."""
        answer = self.exchange(action, payload, message_id)
        assert answer[0] == 3, f"{action} was refused: {answer}"
        return answer[2]

    def exchange(self, action: str, payload: object, message_id: str | None = None) -> list[Any]:
        """Send a CALL and give the frame that answers it."""
        wanted = message_id or self.new_id()
        self.send([2, wanted, action, payload])
        answer = self.receive()
        while answer[1] in self.owed - {wanted}:
            self.owed.discard(answer[1])
            answer = self.receive()
        assert answer[1] == wanted, f"not the answer to {wanted}: {answer}"
        return answer

    def probe(self, message: str, *, patience: Callable[[list[list[Any]]], bool]) -> list[list[Any]]:
        """Send a message and a Heartbeat behind it; give what came before the Heartbeat's answer.

        Stations are served in the order of arrival (rule T3), so this shows silence without waiting for it. When
        `patience` says that more must come, that is waited for.
        """
        heartbeat = self.new_id()
        self.send(message)
        self.send([2, heartbeat, "Heartbeat", {}])
        before: list[list[Any]] = []
        answered = False
        while not answered or patience(before):
            received = self.receive()
            if received[1] == heartbeat:
                answered = True
                assert "currentTime" in received[2], received
            else:
                before.append(received)
        return before
