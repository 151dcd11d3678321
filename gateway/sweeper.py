"""One task that watches over time for all stations: silence, held answers, CALL time-outs, signs of life.

No station has a timer of its own. Passes over all stations are made in chunks with checkpoints between them.
"""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Final, NamedTuple
from uuid import UUID

import trio

from csms.clock import Clock
from csms.domain.operations import ReconcileSessions, SeenStation, SeeStations
from csms.ledger import Ledger
from gateway.calls import OutgoingCalls
from gateway.closing import CloseReason
from gateway.connection import Connection, contained
from gateway.inbound import InboundCalls
from gateway.registry import Registry
from gateway.submission import Submission

TICK_S: Final = 0.25
CHUNK: Final = 500
STORE_AWAY_CLOSES_PER_SECOND: Final = 200
"""Pace at which stations are closed while the database is away (design 3.1)."""
FIRST_CALL_AFTER_S: Final = 10.0
"""Seconds of silence on a new connection after which our own CALLs may leave (rules B7, B10)."""
SEEN_EVERY_S: Final = 10.0
SEEN_PARTS: Final = 3
"""Each time a part of the stations is told of, so all of them every 30 s: to write 10,000 rows is work for the database, too."""
SEEN_BATCH: Final = 250
"""Stations whose signs of life are stored in one group commit: messages that share it wait for them."""
RECONCILE_EVERY_S: Final = 15.0
"""How often sessions in doubt are looked for; each look takes up 100 at most."""
LIVENESS_EVERY_S: Final = 5.0


class Reconciliation(NamedTuple):
    """When a session is in doubt, in seconds (`csms.domain.operations.ReconcileSessions`)."""

    silence_s: float
    settle_s: float
    give_up_s: float


class Sweeper:
    """Looks after all connections of this process."""

    def __init__(
        self,
        registry: Registry,
        inbound: InboundCalls,
        calls: OutgoingCalls,
        submission: Submission,
        ledger: Ledger,
        clock: Clock,
        process_id: UUID,
        *,
        reconciliation: Reconciliation,
        ping_interval_s: float,
        pong_timeout_s: float,
    ) -> None:
        self._registry = registry
        self._inbound = inbound
        self._calls = calls
        self._submission = submission
        self._ledger = ledger
        self._clock = clock
        self._process_id = process_id
        self._reconciliation = reconciliation
        self._ping_interval_s = ping_interval_s
        self._pong_timeout_s = pong_timeout_s
        self._liveness_every_s = min(LIVENESS_EVERY_S, ping_interval_s / 4, pong_timeout_s / 4)
        self._next_liveness = 0.0
        self._next_seen = 0.0
        self._seen_part = 0
        self._seen_waiting: deque[list[SeenStation]] = deque()
        self._seen_under_way = False
        self._next_reconciliation = 0.0
        self._reconciling = False

    async def run(self) -> None:
        """Runs until cancelled."""
        self._report_seen([])
        while True:
            await trio.sleep(TICK_S)
            now = self._clock.monotonic()
            self._inbound.expire_authorizations(now)
            self._close_held(now)
            self._calls.expire(now)
            self._end_overdue(now)
            self._wake_silent(now)
            if now >= self._next_liveness:
                self._next_liveness = now + self._liveness_every_s
                await self._check_liveness(now)
            if now >= self._next_seen:
                self._next_seen = now + SEEN_EVERY_S
                self._registry.drop_forgotten(now)
                await self._see_stations()
            if now >= self._next_reconciliation and not self._reconciling:
                self._next_reconciliation = now + RECONCILE_EVERY_S
                self._reconcile()

    def _close_held(self, now: float) -> None:
        most = int(STORE_AWAY_CLOSES_PER_SECOND * TICK_S)
        for station in islice(self._inbound.stations_held_too_long(now), most):
            connection = station.connection
            if connection is not None:
                contained(connection, partial(connection.close, CloseReason.STORE_AWAY))

    def _end_overdue(self, now: float) -> None:
        for connection in self._registry.overdue(now):
            if connection.closing is not None:
                connection.abort(connection.closing)
            else:  # a displaced one that did not answer its probe
                contained(connection, partial(connection.close, CloseReason.REPLACED))

    def _wake_silent(self, now: float) -> None:
        for connection in self._registry.waiting_for_first_call(now - FIRST_CALL_AFTER_S):
            contained(connection, partial(self._calls.become_ready, connection))
            contained(connection, partial(self._calls.ask_for_boot, connection))

    async def _check_liveness(self, now: float) -> None:
        for number, connection in enumerate(list(self._registry.connections)):
            if number % CHUNK == CHUNK - 1:
                await trio.lowlevel.checkpoint()
            if connection.closing is None and connection.wire.end is None:
                contained(connection, partial(self._check_one, connection, now))

    def _check_one(self, connection: Connection, now: float) -> None:
        if connection.pinged > connection.heard:
            if now - connection.pinged >= self._pong_timeout_s and not connection.paused and self._ledger.available:
                connection.close(CloseReason.PONG_TIMEOUT)
        elif now - connection.heard >= self._ping_interval_s and not connection.paused:
            connection.ping(now)

    async def _see_stations(self) -> None:
        """Tell the ledger who of a part was heard since its last time. Sent also when nobody was: it renews the process itself."""
        if self._seen_under_way:
            return  # the store is away or slow: the next batch tells the same
        part = self._seen_part = (self._seen_part + 1) % SEEN_PARTS
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        seen: list[SeenStation] = []
        for number, connection in enumerate(list(self._registry.connections)):
            if number % CHUNK == CHUNK - 1:
                await trio.lowlevel.checkpoint()
            heard = connection.heard
            if heard > connection.reported and connection.station.key[1] % SEEN_PARTS == part and not connection.displaced:
                connection.reported = heard
                at = wall - timedelta(seconds=monotonic - heard)
                seen.append(SeenStation(*connection.station.key, connection.epoch, at))
        self._seen_waiting.extend(seen[start : start + SEEN_BATCH] for start in range(SEEN_BATCH, len(seen), SEEN_BATCH))
        self._report_seen(seen[:SEEN_BATCH])

    def _reconcile(self) -> None:
        self._reconciling = True
        when = self._reconciliation
        operation = ReconcileSessions(
            tenant_id=0,
            station_id=0,
            process_id=self._process_id,
            silence_s=when.silence_s,
            settle_s=when.settle_s,
            give_up_s=when.give_up_s,
        )
        self._submission.submit(operation, self._reconciled)

    def _reconciled(self, outcome: object) -> None:
        self._reconciling = False

    def _report_seen(self, seen: list[SeenStation], *, look_around: bool = True) -> None:
        self._seen_under_way = True
        operation = SeeStations(tenant_id=0, station_id=0, process_id=self._process_id, seen=seen, look_around=look_around)
        self._submission.submit(operation, self._seen_done)

    def _seen_done(self, outcome: object) -> None:
        self._seen_under_way = False
        if self._seen_waiting:
            self._report_seen(self._seen_waiting.popleft(), look_around=False)
        for sign in outcome if isinstance(outcome, list) else ():
            station = self._registry.find((sign.tenant_id, sign.station_id))
            connection = None if station is None else station.connection
            if connection is not None and connection.epoch == sign.epoch:
                # another process has taken the station since; perhaps on a connection that is over: then it comes again
                contained(connection, partial(connection.close, CloseReason.REPLACED))
