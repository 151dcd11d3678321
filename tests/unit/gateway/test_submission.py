"""The way into a ledger that is full or closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import trio

from csms.domain.operations import DisconnectStation, Operation
from csms.ledger import Ledger, LedgerClosed, LedgerFull
from gateway.submission import Submission


class NarrowLedger:
    """Has room for a number of operations; commits when told to."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.closed = False
        self.taken: list[tuple[Operation, Callable[[Any], None]]] = []

    def submit(self, operation: Operation, done: Callable[[Any], None]) -> None:
        if self.closed:
            raise LedgerClosed
        if len(self.taken) >= self.room:
            raise LedgerFull
        self.taken.append((operation, done))


def operation(number: int) -> Operation:
    return DisconnectStation(tenant_id=1, station_id=number, epoch=1, reason="lost")


async def test_what_finds_no_room_waits_in_order() -> None:
    ledger = NarrowLedger(2)
    submission = Submission(cast(Ledger, ledger))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(submission.run)
        for number in range(5):
            submission.submit(operation(number), lambda outcome: None)
        assert submission.full
        assert len(ledger.taken) == 2
        ledger.room = 3
        await trio.sleep(0.05)
        assert len(ledger.taken) == 3
        assert submission.full
        submission.submit(operation(5), lambda outcome: None)
        assert len(ledger.taken) == 3, "nothing overtakes what waits"
        ledger.room = 100
        await trio.sleep(0.05)
        assert not submission.full
        assert [taken.station_id for taken, _ in ledger.taken] == [0, 1, 2, 3, 4, 5]
        submission.submit(operation(6), lambda outcome: None)
        assert len(ledger.taken) == 7, "and then the direct way again"
        nursery.cancel_scope.cancel()


async def test_after_the_ledger_has_closed_nothing_is_acknowledged() -> None:
    ledger = NarrowLedger(0)
    submission = Submission(cast(Ledger, ledger))
    outcomes: list[Any] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(submission.run)
        submission.submit(operation(1), outcomes.append)
        ledger.closed = True
        await trio.sleep(0.05)
        submission.submit(operation(2), outcomes.append)
        assert not submission.full
        assert outcomes == []
        nursery.cancel_scope.cancel()
