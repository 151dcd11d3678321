"""Who listens to what in this process; shared by the kinds of bus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import trio

log = structlog.get_logger()

_UNREAD: Final = 1000


class Subscribers:
    """The open subscriptions by topic. A slow subscriber loses its oldest messages and delays nobody."""

    def __init__(self) -> None:
        self._by_topic: dict[str, list[tuple[trio.MemorySendChannel[bytes], trio.MemoryReceiveChannel[bytes]]]] = {}

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that somebody listens to."""
        return tuple(self._by_topic)

    def listening(self, topic: str) -> bool:
        return topic in self._by_topic

    @contextmanager
    def open(self, topic: str) -> Iterator[trio.MemoryReceiveChannel[bytes]]:
        """Receive what is handed out on `topic` while the context is open."""
        send, receive = trio.open_memory_channel[bytes](_UNREAD)
        entry = (send, receive)
        self._by_topic.setdefault(topic, []).append(entry)
        try:
            yield receive
        finally:
            entries = self._by_topic.get(topic, [])
            if entry in entries:
                entries.remove(entry)
            if not entries:
                self._by_topic.pop(topic, None)
            send.close()
            receive.close()

    def hand_out(self, topic: str, body: bytes) -> None:
        for send, receive in self._by_topic.get(topic, ()):
            try:
                send.send_nowait(body)
            except trio.WouldBlock:
                # the newest message is worth more than the oldest to somebody who fell behind
                receive.receive_nowait()
                send.send_nowait(body)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                log.debug("bus.subscriber_gone", topic=topic)

    def end_all(self) -> None:
        """Nothing comes any more: every subscriber is told so."""
        for entries in self._by_topic.values():
            for send, _ in entries:
                send.close()
        self._by_topic.clear()
