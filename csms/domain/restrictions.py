"""Where, when and how much a token may charge (pure).

A token, the groups above it and the token that it stands for may each have restrictions; all of them hold together. What is not
given does not restrict.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from math import asin, cos, radians, sin, sqrt
from typing import Annotated, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

Weekday = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z", description="HH:MM")]
EndOfDay = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)\Z", description="HH:MM, exclusive; up to 24:00")]
Count = Annotated[int, Meta(ge=1, le=1000)]
Text = Annotated[str, Meta(min_length=1, max_length=64)]

_LARGEST: Final = {"max_amount_per_month": 1_000_000, "max_amount_per_session": 1_000_000, "max_energy_wh_per_session": 10**9}
_EARTH_KM: Final = 6371.0088
"""Mean radius."""


class Area(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A circle on the globe: WGS 84 degrees and kilometres."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    radius_km: Annotated[float, Meta(gt=0, le=20_100)]


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Hours of some weekdays, by the clocks of the place. `end` is not inside; at or before `start` it is on the next day."""

    days: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)] = WEEKDAYS
    start: TimeOfDay = "00:00"
    end: EndOfDay = "24:00"


class Restrictions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What restricts a token. A list that is empty restricts nothing.

    A place is allowed when it is one of `charge_points`, in one of `station_groups` (or a group below), or at one of `locations`,
    if any of these are given; and one of `evse_ids` (wire numbers), in one of `countries`, and inside one of `areas`. `hours` are
    those of `time_zone`, else of the location, else of the tenant; days and months are those of `time_zone`, else of the
    tenant. Amounts include VAT, in the tenant's currency.
    """

    charge_points: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=48)], ...], Meta(max_length=100)] = ()
    evse_ids: Annotated[tuple[Annotated[int, Meta(ge=1, le=2_147_483_647)], ...], Meta(max_length=100)] = ()
    station_groups: Annotated[tuple[UUID, ...], Meta(max_length=100)] = ()
    locations: Annotated[tuple[UUID, ...], Meta(max_length=100)] = ()
    countries: Annotated[tuple[Annotated[str, Meta(pattern=r"^[A-Z]{2,3}\Z")], ...], Meta(max_length=250)] = ()
    areas: Annotated[tuple[Area, ...], Meta(max_length=20)] = ()
    hours: Annotated[tuple[Window, ...], Meta(max_length=50)] = ()
    time_zone: Text | None = None
    connector_types: Annotated[tuple[Text, ...], Meta(max_length=50)] = ()
    max_concurrent_sessions: Annotated[int, Meta(ge=1, le=100)] | None = None
    sessions_per_day: Count | None = None
    sessions_per_month: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    max_amount_per_month: Decimal | None = None
    max_amount_per_session: Decimal | None = None
    max_energy_wh_per_session: Decimal | None = None
    max_duration_s_per_session: Annotated[int, Meta(ge=60, le=31_622_400)] | None = None

    def __post_init__(self) -> None:
        for name, largest in _LARGEST.items():
            value: Decimal | None = getattr(self, name)
            if value is not None and not (value.is_finite() and 0 <= value <= largest and value == round(value, 6)):
                raise ValueError(f"{name} is not a number from 0 to {largest} with at most 6 decimals")

    @property
    def ask_for_place(self) -> bool:
        """Is anything asked that needs the place?"""
        return bool(
            self.charge_points
            or self.evse_ids
            or self.station_groups
            or self.locations
            or self.countries
            or self.areas
            or self.hours
            or self.connector_types
        )


class SessionLimits(msgspec.Struct, frozen=True):
    """When to end a running session: the tightest of all restrictions that hold for its token. None: no limit."""

    max_amount: Decimal | None = None
    max_energy_wh: Decimal | None = None
    max_duration_s: int | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a station stands. `station_groups`: those it is in, and all groups above them. `connector_types` by EVSE."""

    identity: str
    location_id: UUID | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    time_zone: str | None = None
    station_groups: frozenset[UUID] = frozenset()
    connector_types: dict[int, tuple[str, ...]] = {}


NO_LIMITS: Final = SessionLimits()


def session_limits(restrictions: Iterable[Restrictions]) -> SessionLimits:
    """The tightest of each."""
    held = list(restrictions)
    amounts = [r.max_amount_per_session for r in held if r.max_amount_per_session is not None]
    energies = [r.max_energy_wh_per_session for r in held if r.max_energy_wh_per_session is not None]
    durations = [r.max_duration_s_per_session for r in held if r.max_duration_s_per_session is not None]
    return SessionLimits(min(amounts, default=None), min(energies, default=None), min(durations, default=None))


def is_elsewhere(restrictions: Restrictions, place: Place) -> str | None:
    """Why the place is not allowed; None: it is."""
    named = restrictions.charge_points or restrictions.station_groups or restrictions.locations
    if named and not (
        place.identity.lower() in {identity.lower() for identity in restrictions.charge_points}
        or not place.station_groups.isdisjoint(restrictions.station_groups)
        or place.location_id in restrictions.locations
    ):
        return "not allowed at this charge point"
    if restrictions.countries and place.country not in restrictions.countries:
        return f"not allowed in {place.country or 'a place of unknown country'}"
    if restrictions.areas:
        if place.latitude is None or place.longitude is None:
            return "allowed in some areas only, and the location has no coordinates"
        if not any(distance_km(area, place.latitude, place.longitude) <= area.radius_km for area in restrictions.areas):
            return "not allowed in this area"
    return None


def is_wrong_evse(restrictions: Restrictions, evse_id: int | None) -> str | None:
    """Why the EVSE is not allowed; None: it is, or it is not known yet."""
    if not restrictions.evse_ids or evse_id is None or evse_id == 0 or evse_id in restrictions.evse_ids:
        return None
    return f"not allowed at EVSE {evse_id}"


def is_wrong_connector(restrictions: Restrictions, place: Place, evse_id: int | None) -> str | None:
    """Why no connector of the EVSE is of an allowed type; None: one is, or the EVSE is not known yet."""
    if not restrictions.connector_types or evse_id is None or evse_id == 0:
        return None
    there = place.connector_types.get(evse_id, ())
    allowed = {kind.lower() for kind in restrictions.connector_types}
    if any(kind.lower() in allowed for kind in there):
        return None
    return f"not allowed with {', '.join(there) or 'a connector of unknown type'}"


def is_wrong_time(restrictions: Restrictions, now: datetime, zone: str) -> str | None:
    """Why it is not allowed now; None: it is. `zone`: of the place, where the restrictions name none."""
    if not restrictions.hours:
        return None
    local = now.astimezone(ZoneInfo(restrictions.time_zone or zone))
    if any(_is_inside(window, local) for window in restrictions.hours):
        return None
    return f"not allowed at {local:%H:%M} on {local:%A}"


def _is_inside(window: Window, local: datetime) -> bool:
    """By what the clock on the wall shows: an hour that comes twice counts twice, and one that is left out does not come."""
    shown = f"{local:%H:%M}"
    today, yesterday = WEEKDAYS[local.weekday()], WEEKDAYS[local.weekday() - 1]
    if window.start < window.end:
        return today in window.days and window.start <= shown < window.end
    return (today in window.days and shown >= window.start) or (yesterday in window.days and shown < window.end)


def day_began(now: datetime, zone: str) -> datetime:
    """The first moment of the day that it is in this zone."""
    local = now.astimezone(ZoneInfo(zone))
    return _first_moment(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))


def month_began(now: datetime, zone: str) -> datetime:
    """The first moment of the month that it is in this zone."""
    local = now.astimezone(ZoneInfo(zone))
    return _first_moment(local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0))


def _first_moment(midnight: datetime) -> datetime:
    """As a time in UTC: sums and comparisons of times of one zone pay no heed to its changes of offset."""
    return midnight.astimezone(_UTC)


_UTC: Final = ZoneInfo("UTC")


def distance_km(area: Area, latitude: float, longitude: float) -> float:
    """From the centre of the area, along the globe (haversine)."""
    from_lat, to_lat = radians(area.latitude), radians(latitude)
    across = sin(radians(longitude - area.longitude) / 2) ** 2
    half = sin((to_lat - from_lat) / 2) ** 2 + cos(from_lat) * cos(to_lat) * across
    return 2 * _EARTH_KM * asin(min(1.0, sqrt(half)))


def first_id_of(moment: datetime) -> UUID:
    """The least UUIDv7 of this moment: the ids of what was made from then on are not below it."""
    milliseconds = int((moment - _EPOCH) / timedelta(milliseconds=1))
    return UUID(int=max(0, milliseconds) << 80)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=_UTC)
