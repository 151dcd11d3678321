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
TELL_S: Final = 1.0
"""How often it is measured how far the sink is behind."""
_RENEWED_AFTER: Final = 0.2
"""The part of the lease after which it is renewed: what is left is longer than a publication."""
_LONG_AGO: Final = float("-inf")
ALARM_AFTER_S: Final = 30.0
"""Age of an event that is not published, beyond which the health is degraded."""
_BACK_OFF_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)


class _Overtaken(Exception):
    """Another process holds the lease now, or somebody has set the position elsewhere."""


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
        poked: bool = True,
    ) -> None:
        """`component`: what the health of this reader is reported as. `tenants`: a query of those whose events the sink takes (one
        of csms.store.outbox); None: all. `poked`: a poke may mean something to the sink; else it looks by itself alone."""
        self._sink = sink
        self._store = store
        self._bus = bus
        self._health = health
        self._owner = owner
        self._component = component
        self._tenants = tenants
        self._poked = poked
        self._rested_at = trio.current_time()
        self._leased_at = self._told_at = _LONG_AGO
        self._stored = self._passed = START
        """What is stored as the position, and up to where this reader has looked: what others take need not be passed again."""

    async def run(self) -> None:
        """Runs until cancelled; the lease is given back then."""
        async with trio.open_nursery() as nursery:
            pokes, news = trio.open_memory_channel[None](1)
            if self._poked:
                nursery.start_soon(self._listen, pokes)
            try:
                await self._read_for_ever(news)
            finally:
                with trio.CancelScope(shield=True), trio.move_on_after(2):
                    await self._give_back()

    async def _read_for_ever(self, news: trio.MemoryReceiveChannel[None]) -> None:
        failures = 0
        while True:
            try:
                if not await self._hold_lease():
                    self._health.report(self._component, "ok", "another process reads")
                    await trio.sleep(LEASE_S / 3)
                    continue
                whole = await self._publish_chunk()
                failures = 0
                if whole:
                    continue  # there may be more
                await self._tell()
                with trio.move_on_after(POLL_S):
                    await news.receive()
            except _Overtaken:
                log.warning("outbox.lease_lost", sink=self._sink.name)
                self._forget_lease()
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
                # the ledger tells of the database; what was asked of it may have been done all the same
                self._forget_lease()
                await trio.sleep(POLL_S)

    async def _hold_lease(self) -> bool:
        """Take the lease, and renew it before it runs short; False when another process holds it."""
        now = trio.current_time()
        if now - self._leased_at < _RENEWED_AFTER * LEASE_S:
            return True
        stored = await self._store.take_lease(self._sink.name, self._owner, LEASE_S)
        if stored is None:
            self._forget_lease()
            return False
        self._leased_at = now
        if _key(stored) < _key(self._stored):
            self._passed = stored  # somebody has set it back
        self._stored = stored
        self._passed = max(stored, self._passed, key=_key)
        return True

    def _forget_lease(self) -> None:
        """It is taken anew before anything is read, and the health is told anew."""
        self._leased_at = self._told_at = _LONG_AGO

    async def _publish_chunk(self) -> bool:
        """Publish what may be read, a chunk at most; True when it was a whole one. Raises _Overtaken, SinkUnavailable,
        StoreUnavailable."""
        found, end = await self._store.read(self._passed, self._sink.chunk, self._sink.takes, self._tenants)
        if not found:
            await self._rest(end)
            return False
        with trio.move_on_after(PUBLISH_TIMEOUT_S) as limit:
            await self._sink.publish([event for _, event in found])
        if limit.cancelled_caught:
            raise SinkUnavailable(f"took no events within {PUBLISH_TIMEOUT_S:.0f} s")
        await self._move(found[-1][0])
        metrics.PUBLISHED.labels(self._sink.name).inc(len(found))
        return len(found) == self._sink.chunk

    async def _rest(self, end: EventPosition) -> None:
        """Nothing came: move on past what others take now and then, so that it can be deleted."""
        self._passed = end
        now = trio.current_time()
        if now - self._rested_at >= REST_S and end != self._stored:
            self._rested_at = now
            await self._move(end)

    async def _move(self, position: EventPosition) -> None:
        now = trio.current_time()
        if not await self._store.move(self._sink.name, self._owner, self._stored, position, LEASE_S):
            raise _Overtaken
        self._leased_at = now
        self._stored = self._passed = position

    async def _tell(self) -> None:
        """Measure how far the sink is behind, once a second however often it is looked for events."""
        now = trio.current_time()
        if now - self._told_at < TELL_S:
            return
        backlog = await self._store.backlog(self._passed, self._sink.takes, self._tenants)
        self._told_at = now
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
        self._forget_lease()
        try:
            await self._store.give_back(self._sink.name, self._owner)
        except StoreUnavailable:
            log.debug("outbox.lease_not_given_back", sink=self._sink.name)


def _key(position: EventPosition) -> tuple[int, int]:
    return position.xid, position.id
