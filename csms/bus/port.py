"""What a bus can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

import trio

Handler = Callable[[bytes], Awaitable[bytes]]
"""Answers a request; runs in a task of the bus and must not raise."""


class BusUnavailable(Exception):
    """The bus is away; the caller takes its fallback."""


class NoAnswer(Exception):
    """Nobody answered the request in time, or nobody serves the topic."""


class Counted(NamedTuple):
    """A counter that all processes share: its value now, and the seconds until it begins again at 0."""

    total: int
    ends_in_s: float


class Bus(Protocol):
    """Messages may be lost and are unordered between publishers."""

    @property
    def connected(self) -> bool:
        """False while messages from other processes may not arrive, known within about a second."""
        ...

    async def until_changed(self) -> None:
        """Return when `connected` has become another."""
        ...

    async def publish(self, topic: str, body: bytes) -> None:
        """Hand `body` to every present subscriber. A slow subscriber loses its oldest messages. Raises BusUnavailable.

        A bus that does not answer is waited for at most half a second. What raised may still arrive, late or even twice.
        """
        ...

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[trio.MemoryReceiveChannel[bytes]]:
        """Receive what is published on `topic` while the context is open (at most 1,000 unread)."""
        ...

    async def request(self, topic: str, body: bytes, timeout: float) -> bytes:
        """Ask whoever serves `topic`; `timeout` in seconds. Raises NoAnswer or BusUnavailable."""
        ...

    def serve(self, topic: str, handler: Handler) -> AbstractAsyncContextManager[None]:
        """Answer requests on `topic` while the context is open; handlers run concurrently, at most 100 at once.

        One of those who serve the topic answers; several may while the bus cannot tell who is first.
        """
        ...

    async def add(self, amounts: Mapping[str, int], period_s: float) -> dict[str, Counted]:
        """Add to counters that all processes share; each ends `period_s` seconds after it began.

        Those that cannot be reached are left out. Raises BusUnavailable, also when there is no other process to share with.
        """
        ...
