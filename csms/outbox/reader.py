"""The one reader of a sink: whoever holds its lease reads, publishes, and only then moves the position."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import structlog
import trio

from csms.bus import Bus, BusUnavailable
from csms.health import HealthRegistry
from csms.outbox import metrics
from csms.outbox.poke import WRITTEN_TOPIC
from csms.outbox.sink import Sink, SinkUnavailable
from csms.store import StoreUnavailable
from csms.store.outbox import START, OutboxStore
from csms.store.queries.events import EventPosition

log = structlog.get_logger()

LEASE_S: Final = 15.0
"""How long after a process has died another one reads in its place."""
PUBLISH_TIMEOUT_S: Final = 10.0
"""Below the lease: a sink that hangs is given up before somebody else may read."""
REST_S: Final = 60.0
"""How often the position of a sink moves on that nothing came for."""
POLL_S: Final = 1.0
ALARM_AFTER_S: Final = 30.0
"""Age of an event that is not published, beyond which the health is degraded."""
_BACK_OFF_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)


class _Overtaken(Exception):
    """Another process holds the lease now."""


class OutboxReader:
    """Reads for one sink in one process. Any number of processes may run one for the same sink."""

    def __init__(
        self,
        sink: Sink,
        store: OutboxStore,
        bus: Bus,
        health: HealthRegistry,
        owner: UUID,
        *,
        component: str = "outbox",
        tenants: str | None = None,
    ) -> None:
        """`component`: what the health of this reader is reported as. `tenants`: a query of those whose events the sink takes (one
        of csms.store.outbox); None: all."""
        self._sink = sink
        self._store = store
        self._bus = bus
        self._health = health
        self._owner = owner
        self._component = component
        self._tenants = tenants
        self._rested_at = trio.current_time()
        self._stored = self._passed = START
        """What is stored as the position, and up to where this reader has looked: what others take need not be passed again."""

    async def run(self) -> None:
        """Runs until cancelled; the lease is given back then."""
        async with trio.open_nursery() as nursery:
            pokes, news = trio.open_memory_channel[None](1)
            nursery.start_soon(self._listen, pokes)
            try:
                await self._read_for_ever(news)
            finally:
                with trio.CancelScope(shield=True), trio.move_on_after(2):
                    await self._give_back()

    async def _read_for_ever(self, news: trio.MemoryReceiveChannel[None]) -> None:
        failures = 0
        position: EventPosition | None = None
        while True:
            try:
                # taken or renewed at every turn: who reads knows how far the sink has come
                position = await self._store.take_lease(self._sink.name, self._owner, LEASE_S)
                if position is None:
                    self._health.report(self._component, "ok", "another process reads")
                    await trio.sleep(LEASE_S / 3)
                    continue
                position = self._passed = await self._publish_all(self._go_on_from(position))
                failures = 0
                await self._tell(position)
                with trio.move_on_after(POLL_S):
                    await news.receive()
            except _Overtaken:
                log.warning("outbox.lease_lost", sink=self._sink.name)
            except SinkUnavailable as error:
                if failures == 0:
                    log.warning("outbox.not_published", sink=self._sink.name, error=str(error))
                metrics.FAILURES.labels(self._sink.name).inc()
                self._health.report(self._component, "degraded", f"{self._sink.name}: {error}; the events wait in the database")
                # perhaps another process can reach it
                await self._give_back()
                await trio.sleep(_BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)])
                failures += 1
            except StoreUnavailable:
                # the ledger tells of the database
                await trio.sleep(POLL_S)

    def _go_on_from(self, stored: EventPosition) -> EventPosition:
        if _key(stored) < _key(self._stored):
            self._passed = stored  # somebody has set it back
        self._stored = stored
        return max(stored, self._passed, key=_key)

    async def _publish_all(self, position: EventPosition) -> EventPosition:
        """Publish what may be read; gives the new position. Raises _Overtaken, SinkUnavailable, StoreUnavailable."""
        while True:
            found, end = await self._store.read(position, self._sink.chunk, self._sink.takes, self._tenants)
            if not found:
                return await self._rest(position, end)
            with trio.move_on_after(PUBLISH_TIMEOUT_S) as limit:
                await self._sink.publish([event for _, event in found])
            if limit.cancelled_caught:
                raise SinkUnavailable(f"took no events within {PUBLISH_TIMEOUT_S:.0f} s")
            position = found[-1][0]
            await self._move(position)
            metrics.PUBLISHED.labels(self._sink.name).inc(len(found))
            if len(found) < self._sink.chunk:
                return position

    async def _rest(self, position: EventPosition, end: EventPosition) -> EventPosition:
        """Nothing came: move on past what others take now and then, so that it can be deleted."""
        now = trio.current_time()
        if now - self._rested_at >= REST_S and end != position:
            self._rested_at = now
            await self._move(end)
        return end

    async def _move(self, position: EventPosition) -> None:
        if not await self._store.move(self._sink.name, self._owner, position, LEASE_S):
            raise _Overtaken
        self._stored = position

    async def _tell(self, position: EventPosition) -> None:
        backlog = await self._store.backlog(position, self._sink.takes, self._tenants)
        metrics.AGE.labels(self._sink.name).set(backlog.unread)
        metrics.HELD_BACK.set(backlog.held_back)
        if backlog.unread <= ALARM_AFTER_S:
            self._health.report(self._component, "ok")
        elif backlog.held_back >= backlog.unread:
            held = f"an open transaction in the database cluster has held events back for {backlog.held_back:.0f} s"
            self._health.report(self._component, "degraded", f"{held} (see pg_stat_activity, backend_xid)")
        else:
            self._health.report(self._component, "degraded", f"{self._sink.name} is {backlog.unread:.0f} s behind")

    async def _listen(self, pokes: trio.MemorySendChannel[None]) -> None:
        while True:
            try:
                async with self._bus.subscribe(WRITTEN_TOPIC) as bodies:
                    async for _ in bodies:
                        try:
                            pokes.send_nowait(None)
                        except trio.WouldBlock:
                            pass  # it will look anyway
            except (BusUnavailable, trio.EndOfChannel):
                pass
            await trio.sleep(POLL_S)

    async def _give_back(self) -> None:
        try:
            await self._store.give_back(self._sink.name, self._owner)
        except StoreUnavailable:
            log.debug("outbox.lease_not_given_back", sink=self._sink.name)


def _key(position: EventPosition) -> tuple[int, int]:
    return position.xid, position.id
