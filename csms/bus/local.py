"""The bus inside one process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final

import structlog
import trio

from csms.bus.port import Handler, NoAnswer

log = structlog.get_logger()

_UNREAD: Final = 1000
_CONCURRENT: Final = 100


class LocalBus:
    """Publishes to the subscribers of this process. Use as an async context: it owns the tasks that answer requests."""

    def __init__(self) -> None:
        self._subscribers: dict[str, list[tuple[trio.MemorySendChannel[bytes], trio.MemoryReceiveChannel[bytes]]]] = {}
        self._handlers: dict[str, tuple[Handler, trio.CapacityLimiter]] = {}

    async def __aenter__(self) -> LocalBus:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for subscribers in self._subscribers.values():
            for send, _ in subscribers:
                send.close()
        self._subscribers.clear()
        self._handlers.clear()

    async def publish(self, topic: str, body: bytes) -> None:
        for send, receive in self._subscribers.get(topic, ()):
            try:
                send.send_nowait(body)
            except trio.WouldBlock:
                # the newest message is worth more than the oldest to somebody who fell behind
                receive.receive_nowait()
                send.send_nowait(body)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                log.debug("bus.subscriber_gone", topic=topic)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[trio.MemoryReceiveChannel[bytes]]:
        send, receive = trio.open_memory_channel[bytes](_UNREAD)
        entry = (send, receive)
        self._subscribers.setdefault(topic, []).append(entry)
        try:
            yield receive
        finally:
            entries = self._subscribers.get(topic, [])
            if entry in entries:
                entries.remove(entry)
            if not entries:
                self._subscribers.pop(topic, None)
            send.close()
            receive.close()

    async def request(self, topic: str, body: bytes, timeout: float) -> bytes:
        served = self._handlers.get(topic)
        if served is None:
            raise NoAnswer(f"nobody serves {topic}")
        handler, limiter = served
        with trio.move_on_after(timeout):
            async with limiter:
                return await handler(body)
        raise NoAnswer(f"no answer on {topic} within {timeout:g} s")

    @asynccontextmanager
    async def serve(self, topic: str, handler: Handler) -> AsyncIterator[None]:
        if topic in self._handlers:
            raise ValueError(f"{topic} is served already")
        self._handlers[topic] = (handler, trio.CapacityLimiter(_CONCURRENT))
        try:
            yield
        finally:
            self._handlers.pop(topic, None)
