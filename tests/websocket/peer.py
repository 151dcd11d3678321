"""A client of one WebSocket connection, made by hand: blocking, raw bytes out, whole frames in."""

from __future__ import annotations

import socket
import struct
import time
import zlib
from dataclasses import dataclass, field
from typing import Self

from tests.unit.native.client import frame

PATIENCE = 10.0

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10

BOOT = b'[2,"boot","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'
PROBE = b'[2,"probe","Heartbeat",{}]'


@dataclass(slots=True)
class Response:
    """The head of an HTTP response."""

    status: int
    headers: dict[str, str]


@dataclass(slots=True)
class Peer:
    """One connection to the gateway."""

    socket: socket.socket
    _received: bytearray = field(default_factory=bytearray)

    @classmethod
    def connect(cls, port: int) -> Self:
        made = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(made)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def response(self) -> Response:
        """The head of the answer to an upgrade request."""
        while b"\r\n\r\n" not in self._received:
            assert self._fill(), f"closed after {bytes(self._received)!r}"
        head, _, rest = bytes(self._received).partition(b"\r\n\r\n")
        self._received[:] = rest
        status, *lines = head.decode("latin-1").split("\r\n")
        assert status.startswith("HTTP/1.1 ")
        fields = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in fields}
        assert len(headers) == len(fields), f"a header stands twice: {head!r}"
        return Response(int(status.split(" ")[1]), headers)

    def told(self) -> str:
        """What comes next, in short: "result ID", "error ID CODE", "pong HEX", "close CODE" or "end"."""
        first, payload = self._frame()
        if first is None:
            return "end"
        assert first & (FIN | RSV2 | RSV3) == FIN, f"first byte {first:#x}"
        opcode = first & 0x0F
        if first & RSV1:
            assert opcode == TEXT, f"a compressed frame of type {opcode}"
            payload = zlib.decompressobj(wbits=-15).decompress(payload + b"\x00\x00\xff\xff")
        if opcode == PONG:
            return f"pong {payload.hex()}".strip()
        if opcode == CLOSE:
            code, reason = (struct.unpack(">H", payload[:2])[0], payload[2:]) if payload else (1005, b"")
            reason.decode()
            return f"close {code}"
        assert opcode == TEXT, f"a frame of type {opcode}"
        return _message(payload)

    def ended(self) -> bool:
        """Whether the server ends the TCP connection without another frame (RFC 6455 section 7.1.1)."""
        return not self._received and not self._fill()

    def _frame(self) -> tuple[int | None, bytes]:
        while len(self._received) < 2:
            if not self._fill():
                assert not self._received, "half a frame"
                return None, b""
        first, second = self._received[:2]
        assert second < 128, "a masked frame of the server"
        start = {126: 4, 127: 10}.get(second, 2)
        while len(self._received) < start:
            assert self._fill(), "half a frame"
        length = int.from_bytes(self._received[2:start]) if start > 2 else second
        while len(self._received) < start + length:
            assert self._fill(), "half a frame"
        payload = bytes(self._received[start : start + length])
        del self._received[: start + length]
        return first, payload

    def _fill(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            return False
        self._received += data
        return bool(data)

    def close(self) -> None:
        self.socket.close()


def _message(payload: bytes) -> str:
    # without a JSON parser: what the server says is checked elsewhere
    kind, message_id, rest = payload.decode()[1:].split(",", 2)
    name = message_id.strip('"')
    if kind == "4":
        return f"error {name} {rest.split(',')[0].strip(chr(34))}"
    return f"{'result' if kind == '3' else 'call'} {name}"


def request(*changed: str, without: str = "", path: str = "/ocpp/ST1", line: str = "") -> bytes:
    """An upgrade request that asks for OCPP 1.6; `changed` replaces headers of the same name or adds new ones."""
    names = {header.split(":")[0].strip().lower() for header in changed} | {without.lower()}
    standard = (
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: ocpp1.6",
    )
    kept = [header for header in standard if header.split(":")[0].lower() not in names]
    return "\r\n".join([line or f"GET {path} HTTP/1.1", *kept, *changed, "", ""]).encode("latin-1")


def opened(port: int, identity: str, *, offer: str | None = None) -> Peer:
    """A WebSocket whose station has booted; `offer` is a Sec-WebSocket-Extensions value that must be accepted."""
    peer = Peer.connect(port)
    extensions = () if offer is None else (f"Sec-WebSocket-Extensions: {offer}",)
    peer.send(request(*extensions, path=f"/ocpp/{identity}") + frame(BOOT))
    response = peer.response()
    assert response.status == 101
    assert ("sec-websocket-extensions" in response.headers) == (offer is not None)
    assert peer.told() == "result boot"
    return peer


def pause() -> None:
    """Let the server read what was sent so far as something of its own."""
    time.sleep(0.01)
