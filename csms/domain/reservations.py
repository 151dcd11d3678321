"""Reservations: their states, and what answers of stations make of them.

    requested -> active       its station has taken it
                 -> used      a session began with it
                 -> expired   nobody came
                 -> cancelled by order, or by its station
    requested -> refused

A session that tells of its use counts whatever was thought before: clocks differ, and messages come late.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple
from uuid import UUID

import msgspec

Status = Literal["requested", "active", "used", "cancelled", "expired", "refused"]

OPEN: Final = frozenset({"requested", "active"})

Refusal = Literal["occupied", "faulted", "unavailable", "rejected", "not_supported", "not_connected", "no_answer", "failed"]
"""Why a station does not take a reservation: what it said, or that it could not be asked."""

_SAID: Final[dict[str, Refusal]] = {
    "Occupied": "occupied",
    "Faulted": "faulted",
    "Unavailable": "unavailable",
    "Rejected": "rejected",
}
_UNABLE: Final = ("NotSupported", "NotImplemented")
_UNHEARD: Final[dict[str, Refusal]] = {"timed_out": "no_answer", "unknown": "no_answer", "expired": "not_connected"}
_UPDATES: Final[dict[str, tuple[Status, str | None]]] = {
    "Expired": ("expired", None),
    "NoTransaction": ("expired", "no_transaction"),
    "Removed": ("cancelled", "removed"),
}

ORDERS: Final = frozenset({"reserve_now", "cancel_reservation"})
"""Commands whose ends change reservations."""

UPDATE: Final = "reservation_status"
"""The type of the event that a ReservationStatusUpdate of a station is kept as."""


class Use(NamedTuple):
    """A session began with a reservation."""

    tenant_id: int
    station_id: int
    reservation_id: int
    session_id: UUID


class End(NamedTuple):
    """A station has ended a reservation by itself."""

    tenant_id: int
    station_id: int
    reservation_id: int
    status: Status
    reason: str | None


class Answer(NamedTuple):
    """The end of a command about a reservation. `refusal` None: the station did as it was told."""

    tenant_id: int
    station_id: int
    command_id: UUID
    cancels: bool
    refusal: Refusal | None


class _Result(msgspec.Struct, gc=False):
    status: str | None = None


_read_result: Final = msgspec.json.Decoder(_Result).decode


class _Update(msgspec.Struct, rename="camel", gc=False):
    """ReservationStatusUpdate."""

    reservation_id: int
    reservation_update_status: str


_read_update: Final = msgspec.json.Decoder(_Update).decode


def answer_of(
    tenant_id: int, station_id: int, command_id: UUID, command: str, status: str, result: bytes | None, error: str | None
) -> Answer:
    """What the end of a reserve_now or cancel_reservation means."""
    return Answer(tenant_id, station_id, command_id, command == "cancel_reservation", _refusal(status, result, error))


def end_of(tenant_id: int, station_id: int, update: bytes) -> End | None:
    """What a ReservationStatusUpdate tells (H01, H04); None for a status that is not known."""
    told = _read_update(update)
    found = _UPDATES.get(told.reservation_update_status)
    return None if found is None else End(tenant_id, station_id, told.reservation_id, *found)


def _refusal(status: str, result: bytes | None, error: str | None) -> Refusal | None:
    if status == "accepted":
        return None
    if status == "rejected" and result is not None:
        return _SAID.get(_read_result(result).status or "", "rejected")
    if error is not None and error.startswith(_UNABLE):
        return "not_supported"
    return _UNHEARD.get(status, "failed")
