"""How a charging station was used in one session: the engine's input.

TIME is the time in which the EV requests power, PARKING_TIME that in which it does not (OCPI CdrDimensionType). Only what is
stated in `parking` counts as parking: that no energy flows says nothing about the EV's wish, since the station may offer none.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from csms.pricing.exact import scaled, to_microseconds
from csms.pricing.tariff import Instant

LONGEST: Final = timedelta(days=400)
"""A session or reservation that is longer is an error of its data."""
MOST_ENTRIES: Final = 200_000
"""Readings, momentary values and parking changes each: a reading every minute for more than four months."""

_HIGHEST_WH: Final = Decimal(10) ** 12
_HIGHEST_MOMENTARY: Final = Decimal(10) ** 9


class BadUsage(ValueError):
    """A usage that no price can be given for; `field` says where."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        super().__init__(f"{field}: {reason}")


class EnergyReading(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The meter's import register, in Wh. Between two readings energy flows evenly over the time that is not parking."""

    time: Instant
    wh: Decimal


class ParkingChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """From `time` on the EV requests no power (`parking`) or does again. A session begins with it requesting power."""

    time: Instant
    parking: bool


class Momentary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Power in W and the sum of the phases' currents in A, from `time` until the next such value; None: not measured."""

    time: Instant
    power: Decimal | None = None
    current: Decimal | None = None


class Reservation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A reservation from when it was made until charging started, or until it expired unused (`expired`)."""

    start: Instant
    end: Instant
    expired: bool = False


class Usage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One session. `end` is its end or, while it runs, the moment up to which it is to be priced.

    `time_zone` is the IANA name of the location's. The lists may be in any order. An expired reservation has no session: start
    and end are then the reservation's end, and the lists are empty.
    """

    start: Instant
    end: Instant
    time_zone: str
    readings: Annotated[list[EnergyReading], msgspec.Meta(max_length=MOST_ENTRIES)] = []
    parking: Annotated[list[ParkingChange], msgspec.Meta(max_length=MOST_ENTRIES)] = []
    momentary: Annotated[list[Momentary], msgspec.Meta(max_length=MOST_ENTRIES)] = []
    reservation: Reservation | None = None


class Point(msgspec.Struct, frozen=True, gc=False):
    """A reading in µs and µWh."""

    time: int
    energy: int


class Change(msgspec.Struct, frozen=True, gc=False):
    """What is known anew from `time` (µs) on; None: as before. Power in µW, current in µA."""

    time: int
    parking: bool | None = None
    power: int | None = None
    current: int | None = None


@lru_cache(maxsize=1000)
def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name; raises BadUsage."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a name that is a folder of the time zone database
        raise BadUsage("time_zone", "is no IANA time zone") from None


def check_span(start: datetime, end: datetime, field: str) -> None:
    """Refuse a span of time that cannot be one of a session or reservation; raises BadUsage."""
    for time in (start, end):
        if time.tzinfo is None:
            raise BadUsage(field, "has no time zone")
        if not 1970 <= time.year < 2100:
            raise BadUsage(field, "is not in 1970..2099")
    if end < start:
        raise BadUsage(field, "is before the start")
    if end - start > LONGEST:
        raise BadUsage(field, f"is more than {LONGEST.days} days after the start")


def check_usage(usage: Usage) -> None:
    """Refuse a usage that no price can be given for; raises BadUsage."""
    zone(usage.time_zone)
    check_span(usage.start, usage.end, "end")
    for name in ("readings", "parking", "momentary"):
        if len(getattr(usage, name)) > MOST_ENTRIES:
            raise BadUsage(name, f"has more than {MOST_ENTRIES} entries")
    if usage.reservation is None:
        return
    check_span(usage.reservation.start, usage.reservation.end, "reservation.end")
    if usage.reservation.end > usage.start:
        raise BadUsage("reservation.end", "is after the start of the session")
    if usage.reservation.expired and (usage.start != usage.end or usage.readings or usage.parking or usage.momentary):
        raise BadUsage("reservation.expired", "a reservation that expired has no session")


def to_points(readings: list[EnergyReading], start: int, end: int, issues: set[str]) -> list[Point]:
    """The usable readings in the order of time, one per instant, with energies that never fall.

    The last reading is believed (the session's energy is last minus first); of those between, ones that are above it or below
    an earlier one are left out. `issues` gets the names of what was wrong.
    """
    highest_at: dict[int, int] = {}
    for reading in readings:
        time = _microseconds(reading.time)
        energy = _scaled_within(reading.wh, Decimal(0), _HIGHEST_WH)
        if energy is None:
            issues.add("reading_out_of_range")
        elif not start <= time <= end:
            issues.add("reading_outside_session")
        elif energy > highest_at.get(time, -1):
            highest_at[time] = energy
    points = [Point(time, highest_at[time]) for time in sorted(highest_at)]
    usable: list[Point] = []
    for point in points:
        if point.energy > points[-1].energy or (usable and point.energy < usable[-1].energy):
            issues.add("register_decreased")
        else:
            usable.append(point)
    return usable


def to_changes(parking: list[ParkingChange], momentary: list[Momentary], start: int, end: int, issues: set[str]) -> list[Change]:
    """The parking changes and momentary values of a session in the order of time; others are left out and an issue."""
    changes = [Change(_microseconds(change.time), parking=change.parking) for change in parking]
    for value in momentary:
        power = None if value.power is None else _scaled_within(value.power, -_HIGHEST_MOMENTARY, _HIGHEST_MOMENTARY)
        current = None if value.current is None else _scaled_within(value.current, -_HIGHEST_MOMENTARY, _HIGHEST_MOMENTARY)
        if (power is None) != (value.power is None) or (current is None) != (value.current is None):
            issues.add("momentary_out_of_range")
        changes.append(Change(_microseconds(value.time), power=power, current=current))
    changes.sort(key=change_order)
    usable = [change for change in changes if start <= change.time <= end]
    if len(usable) < len(changes):
        issues.add("change_outside_session")
    return usable


def change_order(change: Change) -> tuple[int, bool, bool, int, bool, int]:
    """Total, so that the order of the input never matters: of contradictions at one instant the last in this order holds."""
    return (
        change.time,
        bool(change.parking),
        change.power is not None,
        change.power or 0,
        change.current is not None,
        change.current or 0,
    )


def _microseconds(time: datetime) -> int:
    if time.tzinfo is None:
        raise BadUsage("time", "has no time zone")
    return to_microseconds(time)


def _scaled_within(value: Decimal, lowest: Decimal, highest: Decimal) -> int | None:
    return scaled(value, 6) if value.is_finite() and lowest <= value <= highest else None
