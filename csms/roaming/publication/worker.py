"""The follower of the outbox that publishes, and what is done by the clock. Nothing is read while nobody roams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import structlog
import trio

from csms.bus import Bus, BusUnavailable
from csms.clock import Clock
from csms.health import HealthRegistry
from csms.outbox import OutboxReader, SinkUnavailable
from csms.roaming.publication.changes import TYPES, by_tenant
from csms.roaming.publication.publisher import Publisher
from csms.roaming.topics import CHANGED_TOPIC
from csms.store import Store, StoreUnavailable
from csms.store.outbox import OutboxStore
from csms.store.queries import ocpi_publication as queries
from csms.store.queries import tenants as tenant_queries
from csms.store.queries.events import Event

log = structlog.get_logger()

NAME: Final = "roaming"

LOOK_FOR_PARTIES_S: Final = 15.0
LOOK_FOR_WHOLES_S: Final = 1.0
LOOK_AROUND_S: Final = 60.0
TELL_READINGS_S: Final = 0.5
"""How soon partners are told of readings at the latest, and how often of one session at the most."""
_PASS_BY_S: Final = 60.0
_PAUSE_S: Final = 0.02
"""Between two parts of what is gone through, so that others get their turn."""

MakeReader = Callable[["Publication"], OutboxReader]


class Publication:
    """The sink of the outbox named `roaming`, and the rounds beside it."""

    name = NAME
    takes = TYPES
    chunk = 200

    def __init__(self, store: Store, bus: Bus, clock: Clock, health: HealthRegistry) -> None:
        self._store = store
        self._bus = bus
        self._health = health
        self._outbox = OutboxStore(store.gateway)
        self._publisher = Publisher(store, bus, clock)
        self._tenant_ids: dict[str, int] = {}
        self._changed = trio.Event()

    async def publish(self, events: Sequence[Event]) -> None:
        """Take events. Raises SinkUnavailable while the database is away; what was published of them is not published again."""
        try:
            for slug, changes in by_tenant(events).items():
                await self._publisher.apply(await self._tenant_id(slug), changes)
        except StoreUnavailable as error:
            raise SinkUnavailable(f"the database is away: {error}") from error

    async def run(self, make_reader: MakeReader) -> None:
        """Runs until cancelled. `make_reader`: the reader of the outbox for this sink, made whenever somebody begins to roam."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            while True:
                await self._rest_until_needed()
                async with trio.open_nursery() as needed:
                    needed.start_soon(make_reader(self).run)
                    needed.start_soon(self._work_through)
                    needed.start_soon(self._look_around)
                    needed.start_soon(self._tell_readings)
                    await self._until_nobody_roams()
                    needed.cancel_scope.cancel()

    async def _rest_until_needed(self) -> None:
        passed_by = trio.current_time()
        while True:
            self._changed = trio.Event()
            try:
                if await self._store.gateway.look(queries.any_party):
                    await self._outbox.begin(NAME)
                    return
                self._health.report(NAME, "ok", "nobody roams")
                if trio.current_time() - passed_by >= _PASS_BY_S:
                    passed_by = trio.current_time()
                    await self._outbox.pass_by(NAME)
            except StoreUnavailable:
                log.debug("roaming.no_store")
            with trio.move_on_after(LOOK_FOR_PARTIES_S):
                await self._changed.wait()

    async def _until_nobody_roams(self) -> None:
        while True:
            self._changed = trio.Event()
            try:
                if not await self._store.gateway.look(queries.any_party):
                    return
            except StoreUnavailable:
                log.debug("roaming.no_store")
            with trio.move_on_after(LOOK_FOR_PARTIES_S):
                await self._changed.wait()
            self._publisher.forget()

    async def _work_through(self) -> None:
        """Go through what was asked for, part by part. Several processes may: whoever comes second finds nothing changed."""
        while True:
            try:
                whole = await self._store.gateway.look(queries.next_whole)
                if whole is not None:
                    await self._publisher.go_on(whole)
            except StoreUnavailable:
                whole = None
            await trio.sleep(LOOK_FOR_WHOLES_S if whole is None else _PAUSE_S)

    async def _look_around(self) -> None:
        while True:
            await trio.sleep(LOOK_AROUND_S)
            try:
                for tenant_id in await self._store.gateway.look(queries.roaming_tenants):
                    await self._publisher.look_around(tenant_id)
            except StoreUnavailable:
                log.debug("roaming.no_store")

    async def _tell_readings(self) -> None:
        while True:
            await trio.sleep(TELL_READINGS_S)
            try:
                await self._publisher.tell_readings()
            except StoreUnavailable:
                log.debug("roaming.no_store")

    async def _listen(self) -> None:
        while True:
            try:
                async with self._bus.subscribe(CHANGED_TOPIC) as changes:
                    async for _ in changes:
                        self._publisher.forget()
                        self._changed.set()
            except (BusUnavailable, trio.EndOfChannel):
                pass
            await trio.sleep(1)

    async def _tenant_id(self, slug: str) -> int:
        tenant_id = self._tenant_ids.get(slug)
        if tenant_id is None:
            tenant_id = self._tenant_ids[slug] = await self._store.gateway.look(lambda conn: tenant_queries.id_of(conn, slug))
        return tenant_id
