"""Billing: follows the events of sessions in the outbox, and looks after the costs of those that run.

One process does the first, whoever holds the lease of the sink (design 9); the second may be done by several, which take turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import msgspec
import structlog
import trio

from csms.billing.displays import BY, CostDisplays
from csms.billing.final import FinalBilling
from csms.billing.metrics import FAILED, LOOKED_AT, MADE
from csms.billing.reservations import ReservationBilling
from csms.billing.running import AT_ONCE, Priced, RunningCosts
from csms.billing.start import begin
from csms.bus import Bus
from csms.clock import Clock, Ids
from csms.commands import CommandService, DomainOrder, StationAway, StationRefused, TooManyCommands, UnknownStation
from csms.domain.commands import RemoteStop
from csms.outbox import SinkUnavailable
from csms.store import Connection, Database, Store, StoreUnavailable
from csms.store.queries import session_costs as queries
from csms.store.queries import tenants as tenant_queries
from csms.store.queries.events import Event

log = structlog.get_logger()

STARTED: Final = "session.started"
EXPIRED: Final = "reservation.expired"
TYPES: Final = frozenset({STARTED, EXPIRED, "session.ended", "session.corrected", "session.settled"})
"""The condition of the index outbox_billing (migration 0026)."""

FIRST: Final = timedelta(seconds=10)
"""How soon after its start a session is looked at for the first time."""
LOOK_EVERY_S: Final = 1.0
_DUE: Final = 500
_QUESTIONS: Final = 20
"""Stations that are asked at the same time whether they show costs."""


class Billing:
    """The sink of the outbox that makes costs and CDRs, and the round that looks after running sessions."""

    name = "billing"
    takes = TYPES
    chunk = 50

    def __init__(self, store: Store, bus: Bus, clock: Clock, ids: Ids, *, interval_s: float) -> None:
        """`interval_s`: between two looks at a running session."""
        self._gateway: Database = store.gateway
        self._hub: Database = store.hub
        self._tenant_ids: dict[str, int] = {}
        self._done: set[UUID] = set()
        self._clock = clock
        self._commands = CommandService(store.hub, bus, clock, ids)
        self._displays = CostDisplays(store.hub, self._commands, clock)
        every = timedelta(seconds=interval_s)
        self._first = min(every, FIRST)
        self._running = RunningCosts(store.hub, clock, every)
        self._final = FinalBilling(store.hub, clock, ids)
        self._reservations = ReservationBilling(store.hub, clock, ids)
        self._questions, self._asked = trio.open_memory_channel[tuple[int, UUID]](1000)

    async def run(self) -> None:
        """Look after running sessions and ask stations what they show. Runs until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._commands.run)
            nursery.start_soon(self._look_for_ever)
            for _ in range(_QUESTIONS):
                nursery.start_soon(self._ask_for_ever)

    async def publish(self, events: Sequence[Event]) -> None:
        """Take events of sessions and reservations. Raises SinkUnavailable while the database is away.

        What was done of a chunk that was given up, for want of time or of the database, is not done again.
        """
        for event in events:
            if event.event_id in self._done:
                continue
            try:
                tenant_id = await self._tenant_id(event.tenant)
                if event.type == EXPIRED:
                    await self._expire(tenant_id, int(msgspec.json.decode(event.data)["reservation_id"]))
                elif event.session_id is not None:
                    await self._take(tenant_id, event.type, event.session_id)
            except StoreUnavailable as error:
                raise SinkUnavailable(f"the database is away: {error}") from error
            self._done.add(event.event_id)
        self._done.clear()

    async def _take(self, tenant_id: int, kind: str, session_id: UUID) -> None:
        try:
            if kind == STARTED:
                await self._start(tenant_id, session_id)
            else:
                await self._end(tenant_id, session_id)
        except StoreUnavailable:
            raise
        except Exception:
            # one session that cannot be billed must not keep all others from it
            FAILED.inc()
            log.exception("billing.failed", tenant_id=tenant_id, session_id=str(session_id), type=kind)
            if kind != STARTED:
                await self._final.give_up(tenant_id, session_id)

    async def _expire(self, tenant_id: int, reservation_id: int) -> None:
        try:
            if await self._reservations.bill(tenant_id, reservation_id) is not None:
                MADE.labels("debit").inc()
        except StoreUnavailable:
            raise
        except Exception:
            FAILED.inc()
            log.exception("billing.reservation_failed", tenant_id=tenant_id, reservation_id=reservation_id)

    async def _tenant_id(self, slug: str) -> int:
        tenant_id = self._tenant_ids.get(slug)
        if tenant_id is None:
            tenant_id = self._tenant_ids[slug] = await self._gateway.look(lambda conn: tenant_queries.id_of(conn, slug))
        return tenant_id

    async def _start(self, tenant_id: int, session_id: UUID) -> None:
        due_at = self._clock.now() + self._first
        priced = await self._hub.tenant_unit(tenant_id, lambda conn: begin(conn, tenant_id, session_id, due_at))
        if priced:
            try:
                self._questions.send_nowait((tenant_id, session_id))
            except trio.WouldBlock:
                pass  # another session of the station asks

    async def _end(self, tenant_id: int, session_id: UUID) -> None:
        for cdr in await self._final.bill(tenant_id, session_id):
            MADE.labels("credit" if cdr.credit else "debit").inc()
            await self._displays.tell_final(tenant_id, session_id, cdr)

    async def _look_for_ever(self) -> None:
        while True:
            try:
                due = await self._gateway.look(partial(_due, self._clock))
            except StoreUnavailable:
                due = []
            by_tenant: dict[int, list[UUID]] = {}
            for tenant_id, session_id in due:
                by_tenant.setdefault(tenant_id, []).append(session_id)
            for tenant_id, session_ids in by_tenant.items():
                for first in range(0, len(session_ids), AT_ONCE):
                    await self._look(tenant_id, session_ids[first : first + AT_ONCE])
            if len(due) < _DUE:
                await trio.sleep(LOOK_EVERY_S)

    async def _look(self, tenant_id: int, session_ids: Sequence[UUID]) -> None:
        try:
            priced = await self._running.look(tenant_id, session_ids)
        except StoreUnavailable:
            await trio.sleep(LOOK_EVERY_S)
            return
        except Exception:
            FAILED.inc()
            log.exception("billing.look_failed", tenant_id=tenant_id, sessions=len(session_ids))
            await self._one_by_one(tenant_id, session_ids)
            return
        await self._tell(tenant_id, priced)

    async def _one_by_one(self, tenant_id: int, session_ids: Sequence[UUID]) -> None:
        """One of them cannot be priced: the others are, and it is not looked at again while it runs."""
        for session_id in session_ids:
            try:
                priced = await self._running.look(tenant_id, [session_id])
            except StoreUnavailable:
                return
            except Exception:
                log.exception("billing.session_not_priced", tenant_id=tenant_id, session_id=str(session_id))
                await self._give_up(tenant_id, session_id)
            else:
                await self._tell(tenant_id, priced)

    async def _give_up(self, tenant_id: int, session_id: UUID) -> None:
        try:
            await self._hub.tenant_unit(tenant_id, lambda conn: queries.end_running(conn, tenant_id, [session_id]))
        except StoreUnavailable:
            log.debug("billing.not_given_up", session_id=str(session_id))

    async def _tell(self, tenant_id: int, priced: Sequence[Priced]) -> None:
        LOOKED_AT.inc(len(priced))
        for one in priced:
            await self._displays.tell_running(tenant_id, one)
            if one.limit is not None:
                await self._stop(tenant_id, one.session_id, one, one.limit)

    async def _stop(self, tenant_id: int, session_id: UUID, priced: Priced, limit: str) -> None:
        """End a session whose token may charge no more. Noted only once it is ordered: else the next look orders it."""
        log.info("billing.limit_reached", tenant_id=tenant_id, session_id=str(session_id), limit=limit)
        order = DomainOrder(RemoteStop(transaction_id=priced.transaction_id))
        try:
            await self._commands.submit(tenant_id, priced.charge_point_id, order, requested_by=BY, session_id=session_id)
            await self._hub.tenant_unit(tenant_id, lambda conn: queries.note_limit(conn, tenant_id, session_id, limit))
        except (StationAway, StationRefused, TooManyCommands, UnknownStation, StoreUnavailable) as error:
            log.info("billing.not_stopped", session_id=str(session_id), why=type(error).__name__)

    async def _ask_for_ever(self) -> None:
        async for tenant_id, session_id in self._asked.clone():
            try:
                await self._displays.ask(tenant_id, session_id)
            except StoreUnavailable:
                log.debug("billing.display_not_asked", session_id=str(session_id))


async def _due(clock: Clock, conn: Connection) -> list[tuple[int, UUID]]:
    return await queries.due_sessions(conn, clock.now(), _DUE)
