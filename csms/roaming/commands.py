"""What partners order at our stations, in terms of OCPI and of our own commands (mod_commands, mod_charging_profiles). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal
from uuid import UUID

import msgspec

from csms.domain.commands import LimitPeriod, SetChargingProfile, Unit
from csms.qr_tokens import LENGTH as LONGEST_ID_TAG
from csms.reservations.service import Why
from csms.roaming.details import EvseDetails
from schemas.ocpi221.chargingprofiles import (
    ActiveChargingProfile,
    ChargingProfile,
    ChargingProfilePeriod,
    ChargingProfileResultType,
)
from schemas.ocpi221.commands import CommandResultType
from schemas.ocpi221.locations import Capability

Kind = Literal[
    "CANCEL_RESERVATION",
    "RESERVE_NOW",
    "START_SESSION",
    "STOP_SESSION",
    "UNLOCK_CONNECTOR",
    "GET_PROFILE",
    "SET_PROFILE",
    "CLEAR_PROFILE",
    "REPORT_PROFILE",
]
"""OCPI's commands, and those of the module chargingprofiles. REPORT_PROFILE: nobody asked, the profile has changed (Q3)."""

DEFAULT_CAPABILITIES: Final[tuple[Capability, ...]] = ("REMOTE_START_STOP_CAPABLE",)
"""Of an EVSE of which nobody has entered any."""

_NEEDED: Final[dict[Kind, Capability]] = {
    "START_SESSION": "REMOTE_START_STOP_CAPABLE",
    "STOP_SESSION": "REMOTE_START_STOP_CAPABLE",
    "UNLOCK_CONNECTOR": "UNLOCK_CAPABLE",
    "RESERVE_NOW": "RESERVABLE",
    "GET_PROFILE": "CHARGING_PROFILE_CAPABLE",
    "SET_PROFILE": "CHARGING_PROFILE_CAPABLE",
    "CLEAR_PROFILE": "CHARGING_PROFILE_CAPABLE",
}

_LONGEST_TOKEN: Final = {"ocpp1.6": LONGEST_ID_TAG, "ocpp2.0.1": 36, "ocpp2.1": 255}
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9*\-_=:+|@.]+\Z")
"""The characters of an identifierString, which idToken is in OCPP 2.x."""

_FREE: Final = frozenset({"Available"})
_WILLING: Final = frozenset({"Preparing", "Occupied"})
"""A cable is plugged in, perhaps the one of the driver who asks."""


class StationEvse(msgspec.Struct, frozen=True, kw_only=True):
    """An EVSE at a place that partners know. `connectors`: their wire numbers; `busy`: somebody charges, or has reserved it."""

    station_id: int
    charge_point_id: str
    ocpp_version: str | None
    online: bool
    evse_id: int
    evse_uid: UUID
    location_id: UUID
    country: str | None
    details: EvseDetails
    connectors: tuple[int, ...]
    statuses: tuple[str, ...]
    busy: bool


def can(details: EvseDetails, kind: Kind) -> bool:
    """Whether partners are told that the EVSE can do this."""
    needed = _NEEDED.get(kind)
    return needed is None or offers(details, needed)


def offers(details: EvseDetails, capability: Capability) -> bool:
    """Whether partners are told this of the EVSE."""
    return capability in (DEFAULT_CAPABILITIES if details.capabilities is None else details.capabilities)


class StationEnd(msgspec.Struct, frozen=True):
    """How a command to a station ended: a row of `commands`. `result`: the station's answer, JSON."""

    status: str
    result: bytes | None
    error: str | None


class _Answer(msgspec.Struct, gc=False):
    status: str | None = None


_read_answer: Final = msgspec.json.Decoder(_Answer).decode

_UNABLE: Final = ("NotSupported", "NotImplemented")
_SILENT: Final = frozenset({"timed_out", "unknown", "expired"})
_UNLOCKING: Final[dict[str | None, CommandResultType]] = {
    "NotSupported": "NOT_SUPPORTED",
    "OngoingAuthorizedTransaction": "REJECTED",
}
_RESERVING: Final[dict[Why, CommandResultType]] = {
    "occupied": "EVSE_OCCUPIED",
    "reserved": "EVSE_OCCUPIED",
    "faulted": "EVSE_INOPERATIVE",
    "unavailable": "EVSE_INOPERATIVE",
    "not_connected": "EVSE_INOPERATIVE",
    "rejected": "REJECTED",
    "expires_too_soon": "REJECTED",
    "expires_too_late": "REJECTED",
    "busy": "REJECTED",
    "not_supported": "NOT_SUPPORTED",
    "no_answer": "TIMEOUT",
    "unknown_reservation": "UNKNOWN_RESERVATION",
    "over": "UNKNOWN_RESERVATION",
}


def fits(uid: str, ocpp_version: str | None) -> bool:
    """Whether a station can be told this token as it is."""
    longest = _LONGEST_TOKEN.get(ocpp_version or "", LONGEST_ID_TAG)
    return len(uid) <= longest and (ocpp_version == "ocpp1.6" or _IDENTIFIER.match(uid) is not None)


def choose_evse(evses: Iterable[StationEvse]) -> StationEvse | None:
    """M5: where to begin when the eMSP leaves it to us: at a free EVSE, else at one where a cable waits. None: nothing is free."""
    online = [evse for evse in evses if evse.online and not evse.busy]
    for wanted in (_FREE, _WILLING):
        for evse in online:
            if not wanted.isdisjoint(evse.statuses):
                return evse
    return next((evse for evse in online if not evse.statuses), None)


def result_of(kind: Kind, end: StationEnd) -> CommandResultType:
    """M2: what the eMSP is told of a command that a station has answered, or has not."""
    if end.status == "accepted":
        return "ACCEPTED"
    if end.status in _SILENT:
        return "TIMEOUT"
    if end.error is not None and end.error.startswith(_UNABLE):
        return "NOT_SUPPORTED"
    if kind == "UNLOCK_CONNECTOR" and end.result is not None:
        return _UNLOCKING.get(_read_answer(end.result).status, "FAILED")
    return "FAILED"


def result_of_reservation(refused: Why | None) -> CommandResultType:
    """What the eMSP is told of RESERVE_NOW and CANCEL_RESERVATION."""
    return "ACCEPTED" if refused is None else _RESERVING.get(refused, "FAILED")


def profile_result_of(end: StationEnd) -> ChargingProfileResultType:
    """Q2. UNKNOWN: the station has no such profile."""
    if end.status == "accepted":
        return "ACCEPTED"
    known = end.result is None or _read_answer(end.result).status != "Unknown"
    return "REJECTED" if known else "UNKNOWN"


# -- charging profiles


class BadProfile(ValueError):
    """A profile that no station could follow; the text names the field."""


def limit_session(profile: ChargingProfile, transaction_id: str, evse_id: int) -> SetChargingProfile:
    """The order to a station that makes it follow a partner's profile (Q5, Q7). Raises BadProfile."""
    unit = _unit(profile.charging_rate_unit)
    try:
        return SetChargingProfile(
            transaction_id=transaction_id,
            evse_id=evse_id,
            unit=unit,
            periods=[LimitPeriod(start=period.start_period, limit=period.limit) for period in _periods(profile)],
            start=profile.start_date_time,
            duration_s=profile.duration or None,
            min_rate=profile.min_charging_rate,
        )
    except ValueError as error:
        raise BadProfile(f"charging_profile: {error}") from None


def _unit(text: str) -> Unit:
    match text:
        case "W" | "A":
            return text
    raise BadProfile("charging_profile.charging_rate_unit: is neither W nor A")


def _periods(profile: ChargingProfile) -> Sequence[ChargingProfilePeriod]:
    if not profile.charging_profile_period:
        raise BadProfile("charging_profile.charging_profile_period: is empty")
    if len(profile.charging_profile_period) > MOST_PERIODS:
        raise BadProfile(f"charging_profile.charging_profile_period: has more than {MOST_PERIODS} periods")
    return profile.charging_profile_period


MOST_PERIODS: Final = 1024


class _Period(msgspec.Struct, rename="camel", gc=False):
    start_period: int
    limit: Decimal


class _Schedule(msgspec.Struct, rename="camel"):
    charging_rate_unit: str
    charging_schedule_period: list[_Period]
    duration: int | None = None
    min_charging_rate: Decimal | None = None
    schedule_start: datetime | None = None


class _Composite(msgspec.Struct, rename="camel"):
    """GetCompositeSchedule's answer: OCPP 1.6 calls the schedule chargingSchedule, and has its start beside it."""

    schedule_start: datetime | None = None
    charging_schedule: _Schedule | None = None
    schedule: _Schedule | None = None


_read_composite: Final = msgspec.json.Decoder(_Composite).decode
_TENTH: Final = Decimal("0.1")


def active_profile(result: bytes, at: datetime) -> ActiveChargingProfile | None:
    """The answer to GetCompositeSchedule of any OCPP version; None: the station told no schedule, or none that makes sense.

    `at`: when it was computed, where the station does not say.
    """
    try:
        told = _read_composite(result)
    except (msgspec.DecodeError, UnicodeError):
        return None
    schedule = told.charging_schedule or told.schedule
    if schedule is None or not schedule.charging_schedule_period:
        return None
    least = schedule.min_charging_rate
    begun = told.schedule_start or schedule.schedule_start or at
    if begun.tzinfo is None:
        begun = begun.replace(tzinfo=UTC)
    return ActiveChargingProfile(
        start_date_time=begun,
        charging_profile=ChargingProfile(
            start_date_time=begun,
            duration=schedule.duration,
            charging_rate_unit=schedule.charging_rate_unit,
            min_charging_rate=None if least is None else _rate(least),
            charging_profile_period=tuple(
                ChargingProfilePeriod(start_period=max(0, period.start_period), limit=_rate(period.limit))
                for period in schedule.charging_schedule_period
            ),
        ),
    )


def _rate(value: Decimal) -> Decimal:
    """Q7: one decimal."""
    return value.quantize(_TENTH, ROUND_HALF_UP)
