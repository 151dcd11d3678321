"""The stations' side of the WebSocket protocol, sans I/O: just enough for honest stations, and nothing of the server's code."""

from __future__ import annotations

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
_MASK = b"\x11\x22\x33\x44"


def upgrade_request(path: str, subprotocol: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: csms.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2ltdWxhdGVkc3RhdGlvbg==\r\n"
        f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    ).encode()


def frame(opcode: int, payload: bytes) -> bytes:
    """A masked frame of up to 64 KiB."""
    length = len(payload)
    head = bytes((0x80 | opcode, 0x80 | length)) if length < 126 else bytes((0x80 | opcode, 0x80 | 126)) + length.to_bytes(2)
    key = int.from_bytes((_MASK * (length // 4 + 1))[:length])
    return head + _MASK + (int.from_bytes(payload) ^ key).to_bytes(length)


class Receiver:
    """Bytes of the server in, messages out: first the status of the handshake, then (opcode, payload)."""

    def __init__(self) -> None:
        self._buffer = b""
        self.status: int | None = None
        """The HTTP status of the handshake, once it is here."""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        self._buffer += data
        if self.status is None:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return []
            self.status = int(head.split(b" ", 2)[1])
            self._buffer = rest
        if self.status != 101:
            return []
        messages = []
        while len(self._buffer) >= 2:
            length, start = self._buffer[1], 2
            if length == 126:
                length, start = int.from_bytes(self._buffer[2:4]), 4
            elif length == 127:
                length, start = int.from_bytes(self._buffer[2:10]), 10
            if len(self._buffer) < start + length:
                break
            messages.append((self._buffer[0] & 0x0F, self._buffer[start : start + length]))
            self._buffer = self._buffer[start + length :]
        return messages
