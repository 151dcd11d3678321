"""The station's queue of transaction messages, delivered in order and repeated by the rules of the standards.

ocpp-j-rules section 8: an attempt fails by a CALLERROR or by no answer in time; before repeat n the station waits n
times the interval; after the last attempt the message is thrown away and the next one goes. A lost connection costs no
attempt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from csms.simulate.link import CallRefused, CallTimedOut, LinkLost
from csms.simulate.message import Message
from csms.simulate.report import Ledger, SessionRecord

_MOST: Final = 5_000


@dataclass(slots=True)
class Entry:
    """A queued message. It is built when it is sent, because a 1.6 transaction id may only be known by then (X5)."""

    message_id: str
    build: Callable[[], Message]
    delivered: Callable[[bytes], None]
    record: SessionRecord
    samples: int  # meter values in it
    droppable: bool  # a full memory may lose it (2.0.1 rule Y9: intermediate messages only)
    attempts: int = 0


class Send(Protocol):
    def __call__(self, message_id: str, message: Message) -> Awaitable[bytes]: ...


class Outbox:
    """Bounded; when full, intermediate messages are dropped, never a start or an end."""

    def __init__(self, ledger: Ledger, *, attempts: int, retry_interval: float, fresh_id: Callable[[], str] | None) -> None:
        self._ledger = ledger
        self._attempts = attempts
        self._retry_interval = retry_interval
        self._fresh_id = fresh_id  # stations that make a new id for each repeat; None: the id stays (section 4)
        self._entries: deque[Entry] = deque()
        self._filled = trio.Event()
        self._emptied = trio.Event()

    def __len__(self) -> int:
        return len(self._entries)

    def holds(self, transaction_id: str | None) -> bool:
        """Whether a message of this transaction waits; None: of any."""
        if transaction_id is None:
            return bool(self._entries)
        return any(entry.record.transaction_id == transaction_id for entry in self._entries)

    async def drained(self) -> None:
        """Wait until nothing is queued."""
        while self._entries:
            self._emptied = trio.Event()
            await self._emptied.wait()

    def put(self, entry: Entry) -> None:
        if entry.droppable and len(self._entries) >= _MOST:
            self._ledger.error("a station's memory was full: an intermediate message was dropped")
            return
        entry.record.messages += 1
        self._entries.append(entry)
        self._ledger.queued += 1
        self._filled.set()

    async def deliver(self, ready: Callable[[], Awaitable[None]], send: Send) -> None:
        """Deliver for ever: `ready` returns when the station is online and accepted."""
        while True:
            while not self._entries:
                self._filled = trio.Event()
                await self._filled.wait()
            await ready()
            await self._attempt(self._entries[0], send)

    async def _attempt(self, entry: Entry, send: Send) -> None:
        try:
            answer = await send(entry.message_id, entry.build())
        except LinkLost:
            return
        except (CallRefused, CallTimedOut) as failed:
            self._ledger.error(str(failed))
            entry.attempts += 1
            if entry.attempts >= self._attempts:
                entry.record.discarded += 1
                self._remove()
                return
            await trio.sleep(self._retry_interval * entry.attempts)
            if self._fresh_id is not None:
                entry.message_id = self._fresh_id()
            return
        entry.record.acknowledged += 1
        entry.record.samples += entry.samples
        self._remove()
        entry.delivered(answer)

    def _remove(self) -> None:
        self._entries.popleft()
        self._ledger.queued -= 1
        if not self._entries:
            self._emptied.set()
