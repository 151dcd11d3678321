"""The gateway's way into the ledger: never blocks, never loses an operation while the ledger is full."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import structlog
import trio

from csms.domain.operations import Operation
from csms.ledger import Ledger, LedgerClosed, LedgerFull

log = structlog.get_logger()

Done = Callable[[Any], None]

_RETRY_S: Final = 0.01


class Submission:
    """Hands operations to the ledger; keeps them, in order, while it is full.

    What waits here is bounded by the stations: each has at most one CALL, one command and one disconnect under way, and its
    socket is not read while anything waits (`full`).
    """

    __slots__ = ("_closed", "_ledger", "_more", "_waiting")

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[tuple[Operation, Done]] = deque()
        self._more = trio.Event()
        self._closed = False

    @property
    def full(self) -> bool:
        """True while operations wait: callers stop reading from their sockets."""
        return bool(self._waiting)

    def submit(self, operation: Operation, done: Done) -> None:
        """`done(outcome)` is called after the commit, on the Trio thread. After the ledger has closed it never is: nothing
        is acknowledged then, and the station repeats the message elsewhere."""
        if self._waiting:
            self._waiting.append((operation, done))
            return
        try:
            self._ledger.submit(operation, done)
        except LedgerFull:
            self._waiting.append((operation, done))
            self._more.set()
        except LedgerClosed:
            self._note_closed()

    def hurry(self) -> None:
        """What was submitted waits no longer for company."""
        self._ledger.hurry()

    async def run(self) -> None:
        """Hand over what waits as the ledger gets room. Runs until cancelled."""
        while True:
            await self._more.wait()
            self._more = trio.Event()
            while self._waiting:
                try:
                    while self._waiting:
                        self._ledger.submit(*self._waiting[0])
                        self._waiting.popleft()
                except LedgerFull:
                    await trio.sleep(_RETRY_S)
                except LedgerClosed:
                    self._waiting.clear()
                    self._note_closed()

    def _note_closed(self) -> None:
        if not self._closed:
            self._closed = True
            log.warning("gateway.ledger_closed")
