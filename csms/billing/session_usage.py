"""A stored session as the pricing engine sees it (csms.pricing.usage). Pure, but for `load_usage`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from csms.domain.metering import DEFAULT_LOCATION, Channel, Reading
from csms.pricing.usage import EnergyReading, Momentary, ParkingChange, Reservation, Usage
from csms.store.pool import Connection
from csms.store.queries import session_usage as queries
from csms.store.queries.session_usage import SessionSpan

_ASKS_FOR_NO_POWER: Final = frozenset({"SuspendedEV", "Idle", "Finishing"})
"""States in which the EV does not request power: SuspendedEV, Idle (2.x: no EV there) and Finishing (1.6: stopped, still there).
SuspendedEVSE is none of them: the station offers no power (OCPI mod_cdrs, PARKING_TIME)."""
_CONNECTED: Final = "EVConnected"
_CHARGES: Final = frozenset({"Charging", "SuspendedEVSE"})

_PHASES: Final = (("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N"))


async def load_usage(conn: Connection, tenant_id: int, session_id: UUID, *, until: datetime | None = None) -> Usage | None:
    """The usage of a session from all that is stored of it; None when there is no such session.

    `until`: up to when a session that runs is told; without it, up to its last meter value.
    """
    span = (await queries.load_spans(conn, tenant_id, [session_id])).get(session_id)
    if span is None:
        return None
    readings = (await queries.load_readings(conn, tenant_id, {session_id: None})).get(session_id, [])
    states = (await queries.load_states(conn, tenant_id, {session_id: None})).get(session_id, [])
    return to_usage(span, readings, states, until)


def to_usage(
    span: SessionSpan, readings: Sequence[Reading], states: Sequence[tuple[datetime, str]], until: datetime | None = None
) -> Usage:
    """The usage of a session. Its registers of start and end count, whatever else was measured in those moments: the energy is
    that of the session (design 2)."""
    start, end = bounds(span, until)
    registers = list(energy_readings(readings))
    if span.start_meter_wh is not None:
        registers = [EnergyReading(start, span.start_meter_wh), *(r for r in registers if r.time > start)]
    if span.status != "active" and span.stop_meter_wh is not None:
        registers = [*(r for r in registers if r.time < end), EnergyReading(end, span.stop_meter_wh)]
    return Usage(
        start, end, span.time_zone, registers, parking_changes(states), list(momentary_values(readings)), reservation(span, start)
    )


def reservation(span: SessionSpan, start: datetime) -> Reservation | None:
    """The reservation that a session used, until it started; a station whose clock is behind may have started before."""
    return None if span.reserved_at is None else Reservation(min(span.reserved_at, start), start)


def bounds(span: SessionSpan, until: datetime | None) -> tuple[datetime, datetime]:
    """Start and end of a session; where its station had no clock, our own first sight of it is its start."""
    start = span.start_time or span.first_seen
    end = span.last_meter_time if span.stop_time is None else span.stop_time
    if span.status == "active" and until is not None:
        end = until if end is None else max(until, end)
    return start, start if end is None else max(start, end)


def energy_readings(readings: Iterable[Reading]) -> Iterator[EnergyReading]:
    """The import registers of the outlet."""
    for reading in readings:
        register = reading.import_register_wh()
        if register is not None and reading.ts is not None:
            yield EnergyReading(reading.ts, register)


def parking_changes(states: Iterable[tuple[datetime, str]], *, charged: bool = False) -> list[ParkingChange]:
    """When the EV began and ceased to ask for no power; `states` in the order of time. `charged`: it has charged before them.

    Connected without charging is parking after it has charged, and the way to charging before.
    """
    changes = []
    for time, state in states:
        charged = charged or state in _CHARGES
        if state in _ASKS_FOR_NO_POWER or (state == _CONNECTED and charged):
            changes.append(ParkingChange(time, True))
        elif state in _CHARGES or state == _CONNECTED:
            changes.append(ParkingChange(time, False))
    return changes


def momentary_values(readings: Iterable[Reading]) -> Iterator[Momentary]:
    """Power in W and current in A of the whole outlet: the phases added up, or what is told without a phase."""
    for reading in readings:
        power = _of_outlet(reading, "Power.Active.Import", {"W": 0, "kW": 3})
        current = _of_outlet(reading, "Current.Import", {"A": 0})
        if reading.ts is not None and (power is not None or current is not None):
            yield Momentary(reading.ts, power, current)


def _of_outlet(reading: Reading, measurand: str, units: dict[str, int]) -> Decimal | None:
    found: dict[str, Decimal] = {}
    for channel, value in zip(reading.shape, reading.values, strict=True):
        if value and channel.measurand == measurand and channel.unit in units and _is_plain(channel):
            found[channel.phase] = Decimal(value).scaleb(channel.multiplier + units[channel.unit])
    for phases in _PHASES:
        values = [found[phase] for phase in phases if phase in found]
        if values:
            return sum(values, Decimal(0))
    return found.get("")


def _is_plain(channel: Channel) -> bool:
    return channel.location == DEFAULT_LOCATION and channel.format == "Raw"
