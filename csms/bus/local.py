"""The bus inside one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final

import trio

from csms.bus.port import BusUnavailable, Counted, Handler, NoAnswer
from csms.bus.subscribers import Subscribers

_CONCURRENT: Final = 100


class LocalBus:
    """Publishes to the subscribers of this process. Use as an async context: it owns the tasks that answer requests."""

    def __init__(self) -> None:
        self._subscribers = Subscribers()
        self._handlers: dict[str, tuple[Handler, trio.CapacityLimiter]] = {}

    async def __aenter__(self) -> LocalBus:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._subscribers.end_all()
        self._handlers.clear()

    @property
    def connected(self) -> bool:
        return True

    async def until_changed(self) -> None:
        await trio.sleep_forever()

    async def publish(self, topic: str, body: bytes) -> None:
        self._subscribers.hand_out(topic, body)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[trio.MemoryReceiveChannel[bytes]]:
        with self._subscribers.open(topic) as receive:
            yield receive

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

    async def add(self, amounts: Mapping[str, int], period_s: float) -> dict[str, Counted]:
        raise BusUnavailable("this process is the only one")
