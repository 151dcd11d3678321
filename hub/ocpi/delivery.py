"""Tells receivers what has changed: each in its order, none waiting for another, going on after failures and restarts.

Not messages wait but keys of objects (design 9): a receiver that was away gets what has changed meanwhile, once and in its present
state. What waits is read, and what was told is taken out, for all receivers of a tenant together: two transactions for many pushes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog
import trio

from csms.bus import BusUnavailable
from csms.roaming.parties import Folded
from csms.roaming.topics import PUSHES_TOPIC
from csms.store import Connection, StoreUnavailable
from csms.store.leases import Leases
from csms.store.queries import ocpi_deliveries as queries
from csms.store.queries.ocpi_deliveries import Due, ReceiverState
from csms.store.queries.ocpi_objects import ObjectKey, StoredObject
from hub.ocpi import metrics
from hub.ocpi.routing.router import HubRouter
from hub.ocpi.services import Ocpi
from hub.ocpi.telling import Telling

log = structlog.get_logger()

LEASE: Final = "ocpi-deliveries"
LEASE_S: Final = 15.0
MEASURED_EVERY_S: Final = 5.0
"""How often it is counted what waits."""
LOOK_S: Final = 2.0
"""How often it is looked what waits, without a poke."""
LAST_SETTLING_S: Final = 5.0
"""For what was told when deliveries end."""
LOOK_AT_MOST_EVERY_S: Final = 0.05
SETTLE_AFTER_S: Final = 0.02
"""How long what was told waits for company before it is taken out."""
BATCH: Final = 40
"""Pushes that one receiver is sent before it is looked again."""
MOST_RECEIVERS: Final = 500
"""That are begun with at one look."""
PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""After the first, second, … failure in a row."""
REFUSED_PAUSES_S: Final = (60.0, 600.0, 3600.0)
"""Between two tries of a CDR that is refused."""

Key = tuple[int, Folded]


@dataclass(frozen=True, slots=True)
class _Ended:
    """A receiver that was told what there was; `state` as it was before."""

    key: Key
    telling: Telling
    state: ReceiverState | None


class Deliveries:
    """One per hub process; only the one with the lease delivers."""

    def __init__(self, ocpi: Ocpi, router: HubRouter, owner: UUID) -> None:
        self._ocpi = ocpi
        self._router = router
        self._owner = owner
        self._lease = Leases(ocpi.store.gateway)
        self._busy: set[Key] = set()
        """Receivers that are being told things; they are looked at again when that is settled."""
        self._wanted: set[int] = set()
        """Tenants that are to be looked at."""
        self._news = trio.Event()

    async def run(self) -> None:
        """Runs until cancelled."""
        try:
            while True:
                try:
                    if await self._lease.take(LEASE, self._owner, LEASE_S):
                        await self._deliver_while_leased()
                except StoreUnavailable:
                    log.debug("ocpi.deliveries_wait_for_store")
                await trio.sleep(LEASE_S / 3)
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(2):
                await self._give_back()

    async def _deliver_while_leased(self) -> None:
        """Returns when the lease is lost or the store is away. What was told by then is settled in any case: else it would be told
        twice."""
        ended, to_settle = trio.open_memory_channel[_Ended](math.inf)  # one for each of those that are busy
        self._busy.clear()
        settling = trio.CancelScope(shield=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._settle_all, to_settle, settling)
            try:
                async with ended, trio.open_nursery() as telling:
                    telling.start_soon(self._listen)
                    telling.start_soon(self._hold, telling.cancel_scope)
                    telling.start_soon(self._measure)
                    try:
                        await self._look_and_tell(telling, ended)
                    except StoreUnavailable as error:
                        log.debug("ocpi.deliveries_wait_for_store", error=str(error))
                    telling.cancel_scope.cancel(reason="the store is away")
            finally:
                settling.deadline = trio.current_time() + LAST_SETTLING_S

    async def _hold(self, telling: trio.CancelScope) -> None:
        """Keep the lease, however long it takes to look at all tenants; without it nothing is told any more. Returns when it is
        lost, or cannot be kept."""
        try:
            while True:
                await trio.sleep(LEASE_S / 3)
                held = False
                with trio.move_on_after(LEASE_S / 3):
                    held = await self._lease.take(LEASE, self._owner, LEASE_S)
                if not held:
                    break
        except StoreUnavailable as error:
            log.debug("ocpi.deliveries_wait_for_store", error=str(error))
        telling.cancel(reason="no lease any more")

    async def _look_and_tell(self, nursery: trio.Nursery, ended: trio.MemorySendChannel[_Ended]) -> None:
        """Runs until cancelled. Raises StoreUnavailable."""
        self._wanted = set(await self._tenants())
        while True:
            wanted, self._wanted, self._news = self._wanted, set(), trio.Event()
            for tenant_id in wanted:
                await self._look(tenant_id, nursery, ended)
            await trio.sleep(LOOK_AT_MOST_EVERY_S)
            with trio.move_on_after(LOOK_S) as rest:
                await self._news.wait()
            if rest.cancelled_caught:
                self._wanted = set(await self._tenants())

    async def _listen(self) -> None:
        while True:
            try:
                async with self._ocpi.bus.subscribe(PUSHES_TOPIC) as pokes:
                    async for body in pokes:
                        if body.isdigit():
                            self._want(int(body))
            except (BusUnavailable, trio.EndOfChannel):
                pass
            await trio.sleep(LOOK_S)

    def _want(self, tenant_id: int) -> None:
        self._wanted.add(tenant_id)
        self._news.set()

    async def _tenants(self) -> list[int]:
        return list((await self._ocpi.directory.parties()).tenant_ids)

    async def _look(self, tenant_id: int, nursery: trio.Nursery, ended: trio.MemorySendChannel[_Ended]) -> None:
        """Have all receivers told for whom something waits. Raises StoreUnavailable."""
        now = self._ocpi.clock.now()
        busy = [party for tenant, party in self._busy if tenant == tenant_id]

        async def take(conn: Connection) -> tuple[list[Due], dict[ObjectKey, StoredObject]]:
            return await queries.take(conn, tenant_id, now, busy, each=BATCH, receivers=MOST_RECEIVERS)

        due, objects = await self._ocpi.store.hub.tenant_unit(tenant_id, take)
        for one in due:
            key = (tenant_id, one.party)
            self._busy.add(key)
            nursery.start_soon(self._tell, key, one, objects, ended)

    async def _tell(
        self, key: Key, due: Due, objects: dict[ObjectKey, StoredObject], ended: trio.MemorySendChannel[_Ended]
    ) -> None:
        """Never raises but for cancellation."""
        telling = Telling(self._ocpi, self._router, key[0], key[1], objects)
        # who was away is asked with one first
        probe, rest = (due.pushes[:1], due.pushes[1:]) if due.state is not None else ([], due.pushes)
        try:
            await telling.tell(probe)
            if telling.unreachable is None and not telling.store_away:
                await telling.tell(rest)
        except Exception as error:
            log.error("ocpi.delivery_failed", tenant_id=key[0], receiver="-".join(key[1]), exc_info=error)
            telling.unreachable = "an internal error"
        finally:
            ended.send_nowait(_Ended(key, telling, due.state))

    async def _settle_all(self, to_settle: trio.MemoryReceiveChannel[_Ended], scope: trio.CancelScope) -> None:
        """Note what was told, until nothing more comes."""
        with scope:
            async for first in to_settle:
                await trio.sleep(SETTLE_AFTER_S)
                by_tenant: dict[int, list[_Ended]] = {first.key[0]: [first]}
                while True:
                    try:
                        one = to_settle.receive_nowait()
                    except (trio.WouldBlock, trio.EndOfChannel):
                        break
                    by_tenant.setdefault(one.key[0], []).append(one)
                for tenant_id, some in by_tenant.items():
                    await self._settle(tenant_id, some)

    async def _settle(self, tenant_id: int, some: Sequence[_Ended]) -> None:
        now = self._ocpi.clock.now()
        for one in some:
            for push in one.telling.told:
                metrics.PUSH_AGE.observe(max(0.0, (now - push.changed_at).total_seconds()))

        async def settle(conn: Connection) -> None:
            await queries.done(
                conn, tenant_id, [(one.key[1], push) for one in some for push in (*one.telling.told, *one.telling.given_up)]
            )
            for one in some:
                party, telling, state = one.key[1], one.telling, one.state
                for push in telling.postponed:
                    pause = REFUSED_PAUSES_S[min(push.attempts, len(REFUSED_PAUSES_S) - 1)]
                    await queries.postpone(conn, tenant_id, party, push, now + timedelta(seconds=pause))
                if telling.unreachable is not None:
                    await queries.note_failed(conn, tenant_id, party, telling.failed)
                    failures = 1 if state is None else state.failures + 1
                    pause = PAUSES_S[min(failures, len(PAUSES_S)) - 1]
                    await queries.receiver_failed(
                        conn, tenant_id, party, now, failures, timedelta(seconds=pause), telling.unreachable
                    )
                elif state is not None and not telling.store_away:
                    await queries.receiver_answers(conn, tenant_id, party)

        try:
            await self._ocpi.store.hub.tenant_unit(tenant_id, settle)
        except StoreUnavailable as error:
            log.warning("ocpi.deliveries_not_noted", tenant_id=tenant_id, receivers=len(some), error=str(error))
        for one in some:
            self._busy.discard(one.key)
        self._want(tenant_id)

    async def _measure(self) -> None:
        while True:
            await trio.sleep(MEASURED_EVERY_S)
            try:
                metrics.PUSHES_WAITING.set(await self._count())
            except StoreUnavailable:
                log.debug("ocpi.pushes_not_counted")

    async def _count(self) -> int:
        waiting = 0
        for tenant_id in await self._tenants():
            waiting += await self._ocpi.store.hub.tenant_unit(tenant_id, partial(queries.count_waiting, tenant_id=tenant_id))
        return waiting

    async def _give_back(self) -> None:
        try:
            await self._lease.give_back(LEASE, self._owner)
        except StoreUnavailable:
            log.debug("ocpi.lease_not_given_back")


async def deliver(ocpi: Ocpi, router: HubRouter) -> None:
    """The worker. Runs until cancelled."""
    await Deliveries(ocpi, router, ocpi.ids.uuid4()).run()
