"""What a case is: bytes of a client and what the gateway must answer, named by the section of the standard it tests."""

from __future__ import annotations

from dataclasses import dataclass, field

RFC6455 = "RFC6455"
RFC7692 = "RFC7692"

OPEN = "open"
"""Last of what is expected: the connection goes on, a CALL is answered."""


@dataclass(frozen=True, slots=True)
class HandshakeCase:
    """An upgrade request and its answer."""

    standard: str
    section: str
    name: str
    """What it shows, as part of the case's id."""
    data: bytes
    status: int
    headers: dict[str, str | None] = field(default_factory=dict)
    """Headers of the answer; None: it must not be there."""
    then: tuple[str, ...] = ()
    """What comes on the WebSocket afterwards."""
    pieces: int = 0
    """Bytes that are sent at a time; 0: all at once."""

    @property
    def id(self) -> str:
        return f"{self.standard}-{self.section}-{self.name}"

    @property
    def outcome(self) -> str:
        told = [f"{name}: {value}" if value is not None else f"no {name}" for name, value in self.headers.items()]
        return ", then ".join([", ".join([f"HTTP {self.status}", *told]), *self.then])


@dataclass(frozen=True, slots=True)
class FrameCase:
    """Bytes on an open WebSocket and what comes back. The last of `expected` is OPEN or a close."""

    standard: str
    section: str
    name: str
    data: tuple[bytes, ...]
    """Sent one after the other, each as a segment of its own."""
    expected: tuple[str, ...]
    offer: str | None = None
    """Extensions offered in the handshake."""

    @property
    def id(self) -> str:
        return f"{self.standard}-{self.section}-{self.name}"

    @property
    def outcome(self) -> str:
        return ", then ".join("goes on" if step == OPEN else step for step in self.expected)


Case = HandshakeCase | FrameCase
