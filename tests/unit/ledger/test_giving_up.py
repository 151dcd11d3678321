"""The end of a ledger whose store hangs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import trio
import trio.testing

from csms.clock import SystemClock, SystemIds
from csms.domain.operations import Authorize
from csms.ledger import Ledger
from csms.ledger.ledger import IN_FLIGHT
from csms.ledger.port import LedgerTransaction, StationKey
from csms.store import StoreUnavailable
from csms.tenants import TenantDirectory


class HangingStore:
    """Never answers those who ask first; is away for all others."""

    def __init__(self) -> None:
        self.asked = 0

    async def transact(
        self, work: Callable[[LedgerTransaction], Awaitable[Any]], *, timeout: float, lanes: Collection[StationKey] = ()
    ) -> Any:
        raise StoreUnavailable

    async def look(self, work: Callable[[LedgerTransaction], Awaitable[Any]], *, timeout: float) -> Any:
        self.asked += 1
        if self.asked > IN_FLIGHT:
            raise StoreUnavailable
        await trio.sleep_forever()

    async def probe(self, timeout: float) -> None:
        await trio.sleep_forever()


async def test_questions_that_are_let_go_make_no_room_for_the_next() -> None:
    store, clock = HangingStore(), SystemClock()
    ledger = Ledger(store, TenantDirectory(try_out=True), clock, SystemIds(clock), transaction_id_key=bytes(32))
    answered: list[Any] = []
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            await nursery.start(ledger.run)
            for station_id in range(10):
                ledger.submit(Authorize(tenant_id=1, station_id=station_id + 1, id_token="T1"), answered.append)
                await trio.testing.wait_all_tasks_blocked()
            asked = store.asked
            await ledger.close(timeout=0.1)
    assert asked == store.asked == IN_FLIGHT
    assert answered == []
