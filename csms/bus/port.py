"""What a bus can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import trio

Handler = Callable[[bytes], Awaitable[bytes]]
"""Answers a request; runs in a task of the bus and must not raise."""


class BusUnavailable(Exception):
    """The bus is away; the caller takes its fallback."""


class NoAnswer(Exception):
    """Nobody answered the request in time, or nobody serves the topic."""


class Bus(Protocol):
    """At most once, unordered between publishers."""

    async def publish(self, topic: str, body: bytes) -> None:
        """Hand `body` to every present subscriber. A slow subscriber loses its oldest messages. Raises BusUnavailable."""
        ...

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[trio.MemoryReceiveChannel[bytes]]:
        """Receive what is published on `topic` while the context is open (at most 1,000 unread)."""
        ...

    async def request(self, topic: str, body: bytes, timeout: float) -> bytes:
        """Ask whoever serves `topic`; `timeout` in seconds. Raises NoAnswer or BusUnavailable."""
        ...

    def serve(self, topic: str, handler: Handler) -> AbstractAsyncContextManager[None]:
        """Answer requests on `topic` while the context is open; handlers run concurrently, at most 100 at once."""
        ...
