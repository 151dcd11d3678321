"""One EVSE with its connector: drivers come, charge and leave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

import trio

from csms.simulate.chance import Random
from csms.simulate.dialect import Dialect, MeterContext
from csms.simulate.options import SimulateOptions
from csms.simulate.report import Ledger, SessionRecord
from csms.simulate.reservations import Reserved
from csms.simulate.timeline import Timeline, wire_time
from csms.simulate.transaction import ConnectorState, Report, StopReason, Transaction
from csms.simulate.vehicle import Meter, Sample, Vehicle, sample
from csms.simulate.visits import Visit, drawn_visit, next_arrival
from schemas.ocpp201.enums import IdTokenEnumType

_UNPLUGGING: Final = 30.0  # simulated seconds between the end of a transaction and the free connector
_LONGEST_TOKEN: Final = 20  # OCPP 1.6
_SHORTEST_STEP: Final = 0.1  # simulated seconds: times that a timer just misses are not waited for again and again
_AC_LIMIT_W: Final = 22_000
_DC_LIMIT_W: Final = 150_000


class Host(Protocol):
    """What a connector needs of its station."""

    identity: str
    dialect: Dialect
    options: SimulateOptions
    timeline: Timeline
    ledger: Ledger

    @property
    def offline(self) -> bool: ...

    @property
    def meter_interval(self) -> float: ...

    def limit_w(self, evse_id: int, transaction: Transaction | None, now: datetime, phases: int) -> float | None:
        """What charging profiles allow the EVSE; None: nothing limits it but its own power."""
        ...

    def next_cut(self, transaction: Transaction, now: datetime) -> datetime | None:
        """When they may allow something else, if that is soon."""
        ...

    def transaction_ended(self, transaction: Transaction) -> None: ...

    def reservation_removed(self, reserved: Reserved) -> None:
        """The EVSE cannot be kept for whom it was reserved for."""
        ...

    def new_reference(self) -> str: ...

    @property
    def asks_for_remote_starts(self) -> bool:
        """Whether the token of a remote start is authorized as well."""
        ...

    async def may_charge(self, id_token: str) -> bool: ...

    def queue(self, transaction: Transaction, report: Report) -> None: ...

    def state_changed(self) -> None: ...


class Connector:
    """The life of one connector. `state` is what the CSMS should know; the station reports it."""

    def __init__(self, host: Host, evse_id: int, chance: Random, *, direct_current: bool) -> None:
        self._host = host
        self._chance = chance
        self._direct_current = direct_current
        self._own_limit_w = _DC_LIMIT_W if direct_current else _AC_LIMIT_W
        self.phases = 1 if direct_current else 3
        self._meter = Meter(chance.randrange(100_000_000, 9_000_000_000))
        self._vehicle: Vehicle | None = None
        self._available = True
        self._ordered: Visit | None = None
        self._order = trio.Event()
        self._ended = trio.Event()
        self._limit_changed = trio.Event()
        self.reserved: Reserved | None = None
        self.evse_id = evse_id
        self.state: ConnectorState = "available"
        self.reported: ConnectorState | None = None
        self.transaction: Transaction | None = None

    async def live(self, end: trio.Event) -> None:
        """Serve one driver after the other until `end`."""
        while not end.is_set():
            visit = await self._next_visit(end)
            if visit is not None:
                await self._serve(visit, end)

    # --- orders of the CSMS

    @property
    def free(self) -> bool:
        return self.state == "available" and self._ordered is None

    def takes(self, id_token: str) -> bool:
        """Whether a driver with this token could begin: an EVSE that is reserved is for its holder alone."""
        holder = self.reserved is not None and self.reserved.id_token.lower() == id_token.lower()
        return self.free or (holder and self._ordered is None)

    def remote_start(self, id_token: str, remote_start_id: int | None, token_type: IdTokenEnumType | None) -> Callable[[], None]:
        """Keep the connector for a remote start; the given function lets the driver plug in."""
        visit = self._visit_of((id_token,))
        visit.remote, visit.remote_start_id, visit.token_type = True, remote_start_id, token_type
        self._ordered = visit
        return self._order.set

    def reserve(self, reserved: Reserved) -> None:
        """Keep it for somebody; only when it is free."""
        self.reserved = reserved
        self._become("reserved")

    def give_free(self) -> None:
        """It is reserved no more."""
        self.reserved = None
        if self.state == "reserved":
            self._become("available" if self._available else "unavailable")

    def limits_changed(self) -> None:
        """Charge with what the profiles allow now."""
        self._limit_changed.set()

    def allowed_w(self, now: datetime) -> float:
        """What the EVSE offers now."""
        limit = self._host.limit_w(self.evse_id, self.transaction, now, self.phases)
        return self._own_limit_w if limit is None else min(self._own_limit_w, limit)

    def set_available(self, available: bool) -> bool:
        """In or out of service; False when a transaction must end first."""
        self._available = available
        if self.reserved is not None and not available:
            removed = self.reserved
            self.give_free()
            self._host.reservation_removed(removed)
        if self.state in ("available", "unavailable"):
            self._become("available" if available else "unavailable")
            return True
        return available

    def sample(self) -> Sample:
        """What the meter shows now; without a vehicle no power flows."""
        if self._vehicle is None:
            return Sample(self._meter.register_wh, 0, "0.0", 230, 0)
        return sample(self._vehicle, self._meter, self.allowed_w(self._host.timeline.now()), phases=self.phases)

    def report_meter(self, context: MeterContext) -> None:
        """Queue the readings of the running transaction."""
        if self.transaction is not None:
            self._queue_readings(self.transaction, self._host.timeline.now(), context)

    async def idle(self) -> None:
        """Wait until no transaction runs."""
        if self.transaction is not None:
            await self._ended.wait()

    # --- the driver's visit

    async def _next_visit(self, end: trio.Event) -> Visit | None:
        timeline = self._host.timeline
        options = self._host.options
        arrival = next_arrival(self._chance, timeline.now(), options.sessions_per_day, even=options.even)
        self._order = trio.Event() if self._ordered is None else self._order
        async with trio.open_nursery() as nursery:

            async def stop_waiting(event: trio.Event) -> None:
                await event.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(stop_waiting, end)
            nursery.start_soon(stop_waiting, self._order)
            await timeline.sleep(arrival)
            nursery.cancel_scope.cancel()
        if end.is_set():
            return None
        ordered, self._ordered = self._ordered, None
        if ordered is not None:
            return ordered
        if self.reserved is not None:
            return self._visit_of((self.reserved.id_token,))  # nobody else is let charge
        if self.state != "available":
            return None
        # a token in use on another connector would be refused (ConcurrentTx)
        tokens = self._host.options.id_tokens or (f"{self._host.identity}-{self.evse_id}"[-_LONGEST_TOKEN:],)
        return self._visit_of(tokens)

    def _visit_of(self, tokens: tuple[str, ...]) -> Visit:
        visit = drawn_visit(self._chance, tokens, direct_current=self._direct_current)
        if self.reserved is not None:
            visit.reservation_id = self.reserved.reservation_id
        return visit

    async def _serve(self, visit: Visit, end: trio.Event) -> None:
        self._become("preparing")
        asks = not visit.remote or self._host.asks_for_remote_starts
        if asks and not await self._host.may_charge(visit.id_token):
            self._host.ledger.counters.tokens_refused += 1
        else:
            if visit.reservation_id is not None:
                self.reserved = None  # used up
            await self._charge(visit, end)
            self._become("finishing")
            with trio.move_on_after(self._host.timeline.real(_UNPLUGGING)):
                await end.wait()
        free: ConnectorState = "available" if self.reserved is None else "reserved"
        self._become(free if self._available else "unavailable")

    async def _charge(self, visit: Visit, end: trio.Event) -> None:
        transaction = self._begin(visit)
        self._become("charging")
        self._host.ledger.charging += 1
        try:
            stopped_at, reason = await self._draw_power(transaction, visit, end)
        finally:
            self._host.ledger.charging -= 1
            self.transaction = None
            self._host.transaction_ended(transaction)
        self._end(transaction, stopped_at, reason)
        self._vehicle = None
        self._ended.set()

    def _begin(self, visit: Visit) -> Transaction:
        host = self._host
        now = host.timeline.now()
        self._vehicle = visit.vehicle
        record = SessionRecord(
            charge_point_id=host.identity,
            ocpp_version=host.dialect.subprotocol,
            connector_id=self.evse_id,
            id_token=visit.id_token,
            start_time=wire_time(now),
            start_meter_wh=self._meter.register_wh,
        )
        host.ledger.sessions.append(record)
        transaction = Transaction(
            reference=host.new_reference(),
            evse_id=self.evse_id,
            id_token=visit.id_token,
            started_at=now,
            meter_start_wh=self._meter.register_wh,
            record=record,
            remote_start_id=visit.remote_start_id,
            token_type=visit.token_type,
            reservation_id=visit.reservation_id,
        )
        record.transaction_id = host.dialect.transaction_id(transaction)
        self.transaction = transaction
        self._ended = trio.Event()
        host.queue(transaction, host.dialect.started(transaction, self.sample(), offline=host.offline))
        return transaction

    async def _draw_power(self, transaction: Transaction, visit: Visit, end: trio.Event) -> tuple[datetime, StopReason]:
        """Charge until the driver leaves or the transaction is stopped; gives when and why it ended."""
        timeline = self._host.timeline
        last = reported = transaction.started_at
        while True:
            self._limit_changed = trio.Event()
            limit = self.allowed_w(last)
            if self.state in ("charging", "suspended_evse"):
                self._become("suspended_evse" if limit == 0 else "charging")
            left = visit.parked - (last - transaction.started_at).total_seconds()
            due = self._host.meter_interval - (last - reported).total_seconds()
            cut = self._host.next_cut(transaction, last)
            until_cut = left if cut is None else (cut - last).total_seconds()
            await self._wait(transaction, min(left, due, until_cut))
            now = timeline.now()
            visit.vehicle.charge(self._meter, limit, (now - last).total_seconds())
            last = now
            if transaction.stop_reason is not None:
                return now, transaction.stop_reason
            if end.is_set() or visit.parked <= (now - transaction.started_at).total_seconds():
                return now, "local" if visit.stops_at_reader or end.is_set() else "ev_disconnected"
            if (now - reported).total_seconds() >= self._host.meter_interval:
                self._queue_readings(transaction, now, "Sample.Periodic")
                reported = now
            if visit.vehicle.full and self.state == "charging":
                self._become("suspended_ev")

    async def _wait(self, transaction: Transaction, seconds: float) -> None:
        """So long, or until the transaction is stopped or its limits are others."""
        async with trio.open_nursery() as nursery:

            async def wake(event: trio.Event) -> None:
                await event.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(wake, transaction.stop_ordered)
            nursery.start_soon(wake, self._limit_changed)
            await self._host.timeline.sleep(max(seconds, _SHORTEST_STEP))
            nursery.cancel_scope.cancel()

    def _queue_readings(self, transaction: Transaction, now: datetime, context: MeterContext) -> None:
        report = self._host.dialect.metered(transaction, self.sample(), now, context, offline=self._host.offline)
        self._host.queue(transaction, report)

    def _end(self, transaction: Transaction, stopped_at: datetime, reason: StopReason) -> None:
        host = self._host
        readings = self.sample()
        record = transaction.record
        record.stop_time = wire_time(stopped_at)
        record.stop_meter_wh = readings.register_wh
        record.energy_wh = readings.register_wh - record.start_meter_wh
        record.stop_reason = host.dialect.stop_reason(reason)
        host.queue(transaction, host.dialect.ended(transaction, readings, stopped_at, reason, offline=host.offline))

    def _become(self, state: ConnectorState) -> None:
        if state != self.state:
            self.state = state
            self._host.state_changed()
