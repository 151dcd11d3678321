"""Which connection a station is reached by: the newest authenticated one (rules C10, C11, design 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
import trio

from csms.clock import Clock
from csms.domain.operations import DisconnectStation, RecordStationEvent, Registration
from gateway import metrics
from gateway.closing import CloseReason
from gateway.connection import Connection, contained
from gateway.replay import KEPT_SECONDS
from gateway.station import Station, StationKey
from gateway.submission import Submission

if TYPE_CHECKING:
    from gateway.calls import OutgoingCalls

log = structlog.get_logger()

CLOSE_TIMEOUT_S: Final = 5.0
"""Seconds that a peer gets to answer our close frame, and a displaced one to answer its probe."""
DORMANT_LIMIT: Final = 20_000
"""Stations without a connection whose answers are remembered."""

_IDENTITY_IN_USE: Final = msgspec.json.encode(
    {"type": "IdentityUsedTwice", "techInfo": "two live clients are connected with this identity"}
)


class Registry:
    """All stations that this process knows and all connections it has."""

    def __init__(self, submission: Submission, clock: Clock) -> None:
        self._submission = submission
        self._clock = clock
        self._stations: dict[StationKey, Station] = {}
        # stations without a connection, in the order in which they lost it
        self._dormant: dict[StationKey, None] = {}
        self.connections: dict[Connection, None] = {}
        self.opened = 0
        """Connections that were ever attached."""
        self.ending: dict[Connection, float] = {}
        """Connections that must be over soon, and when they are aborted (or, displaced ones, closed)."""
        self.unready: dict[Connection, None] = {}
        """Connections on which our own CALLs may not leave yet (rule B10), oldest first."""
        self.finishing: set[Connection] = set()
        """Connections that are closed as soon as their CALL under way is answered."""
        self.leaving = 0
        """Disconnects that are not committed yet."""
        self._changed: trio.Event | None = None

    def find(self, key: StationKey) -> Station | None:
        return self._stations.get(key)

    def station(self, key: StationKey, registration: Registration) -> Station:
        """The station of a new connection; the ledger has just told its registration."""
        station = self._stations.get(key)
        if station is None:
            station = self._stations[key] = Station(key, registration)
        elif registration != station.gate.registration:
            station.gate.decided(registration)
        return station

    def attach(self, connection: Connection, calls: OutgoingCalls) -> bool:
        """Route the station to this connection from now on. False when one of a later epoch has overtaken it."""
        station = connection.station
        previous = station.connection
        if previous is not None and previous.epoch >= connection.epoch:
            return False
        station.connection = connection
        self._dormant.pop(station.key, None)
        self.connections[connection] = None
        self.opened += 1
        self.unready[connection] = None
        metrics.CONNECTIONS.labels(connection.ocpp_version).inc()
        if previous is not None and previous.closing is None:
            contained(previous, previous.become_displaced)
            self.ending[previous] = self._clock.monotonic() + CLOSE_TIMEOUT_S
        contained(connection, partial(calls.moved, station))
        return True

    def displaced_answered(self, old: Connection) -> None:
        """A displaced connection is alive: two clients share the identity, which is worth an event."""
        if old.closing is not None:
            return
        station = old.station
        station.live_client_displaced(self._clock.monotonic())
        log.warning("gateway.identity_used_twice", tenant_id=station.key[0], station_id=station.key[1])
        event = RecordStationEvent(
            tenant_id=station.key[0], station_id=station.key[1], type="security_event", data=_IDENTITY_IN_USE
        )
        self._submission.submit(event, _ignore)
        old.close(CloseReason.REPLACED)

    def expect_end(self, connection: Connection) -> None:
        """Our close frame has left: abort the connection if the peer does not answer it."""
        self.ending[connection] = self._clock.monotonic() + CLOSE_TIMEOUT_S
        self.finishing.discard(connection)
        self._note_change()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that only closes, ends and committed disconnects bring about; the caller limits the time."""
        while not condition():
            if self._changed is None:
                self._changed = trio.Event()
            await self._changed.wait()

    def overdue(self, now: float) -> list[Connection]:
        """Connections whose time to end is over, taken out."""
        late = [connection for connection, deadline in self.ending.items() if deadline <= now]
        for connection in late:
            del self.ending[connection]
        return late

    def forget(self, connection: Connection, reason: CloseReason, calls: OutgoingCalls) -> None:
        """The connection is over; the routing changes only if it still points here (rule C11). Cannot be interrupted."""
        if self.connections.pop(connection, connection) is not None:
            return  # never attached
        self.ending.pop(connection, None)
        self.unready.pop(connection, None)
        self.finishing.discard(connection)
        self._note_change()
        metrics.CONNECTIONS.labels(connection.ocpp_version).dec()
        station = connection.station
        if station.connection is connection:
            station.connection = None
            station.idle_since = self._clock.monotonic()
            self._dormant[station.key] = None
            calls.lost(station)
            self._drop_dormant(DORMANT_LIMIT)
        self.leaving += 1
        operation = DisconnectStation(
            tenant_id=station.key[0], station_id=station.key[1], epoch=connection.epoch, reason=reason.label
        )
        self._submission.submit(operation, self._left)

    def drop_forgotten(self, now: float) -> None:
        """Let go of stations that have been away for longer than their answers are kept."""
        for key in list(self._dormant):
            station = self._stations[key]
            if now - station.idle_since < KEPT_SECONDS:
                return
            self._drop(station)

    def waiting_for_first_call(self, opened_before: float) -> Iterator[Connection]:
        """Connections that have been open since then without an answered CALL, oldest first."""
        for connection in list(self.unready):
            if connection.opened > opened_before:
                return
            yield connection

    def _left(self, outcome: object) -> None:
        self.leaving -= 1
        self._note_change()

    def _note_change(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _drop_dormant(self, limit: int) -> None:
        while len(self._dormant) > limit:
            self._drop(self._stations[next(iter(self._dormant))])

    def _drop(self, station: Station) -> None:
        del self._dormant[station.key]
        if station.busy:
            # something is still under way: look again when its turn comes round
            station.idle_since = self._clock.monotonic()
            self._dormant[station.key] = None
        else:
            del self._stations[station.key]


def _ignore(outcome: object) -> None:
    """For operations whose outcome changes nothing here; the ledger logs failures."""
