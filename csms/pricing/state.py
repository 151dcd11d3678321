"""The folded pricing state of a session: all that its price needs of the past.

Plain numbers (µs, µWh, 1/PRICE_SCALE of the currency), so that it can be stored as JSON and taken up again.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

import msgspec

from csms.pricing.usage import Change

TimeType: TypeAlias = Literal["TIME", "PARKING_TIME", "RESERVATION_TIME"]
TIME_TYPES: Final[tuple[TimeType, ...]] = get_args(TimeType)

VERSION = 1
"""Of the state's form; a state of another version is to be folded anew from the stored usage."""


class OutOfOrder(ValueError):
    """Something that belongs before what is folded already, or contradicts it: price the whole stored usage instead."""


class Entry(msgspec.Struct):
    """What one component prices without interruption: µWh (ENERGY, from the first of it) or µs (times). FLAT: a volume of 1."""

    element: int
    index: int
    price: int
    from_series: bool
    start: int
    end: int
    volume: int


class Period(msgspec.Struct):
    """An OCPI charging period: begins where another price component becomes active (OCPI mod_cdrs, ChargingPeriod; rule D6)."""

    start: int
    time_type: TimeType
    active: tuple[tuple[int, int, int], ...]
    """(element, index, price) of the components active, (-1, -1, 0) for none, in the order flat, energy, time of any kind."""
    time: int = 0
    energy: int = 0


class Part(msgspec.Struct):
    """What is billed by itself: the session, or the reservation before it (pricing rule P12)."""

    flats: list[Entry] = []
    energy: list[Entry] = []
    time: list[Entry] = []
    parking: list[Entry] = []
    periods: list[Period] = []


class Peak(msgspec.Struct):
    """Energy in the window of the peak power that runs, and in the fullest window so far; windows by their number since 1970."""

    window: int = 0
    energy: int = 0
    fullest: int = 0
    fullest_energy: int = 0


class PricingState(msgspec.Struct):
    """A session folded up to its last reading; what is known of later (`pending`) waits for the next."""

    time_zone: str
    start: int
    time: int
    energy: int = 0
    register: int | None = None
    parking: bool = False
    power: int | None = None
    current: int | None = None
    pending: list[Change] = []
    expired: bool = False
    reserved: tuple[int, int] | None = None
    session: Part = msgspec.field(default_factory=Part)
    reservation: Part = msgspec.field(default_factory=Part)
    peak: Peak = msgspec.field(default_factory=Peak)
    issues: list[str] = []
    version: int = VERSION
