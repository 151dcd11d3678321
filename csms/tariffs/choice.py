"""Which tariff a session has, and why: pure. The order of precedence stands in docs/decisions/0028-which-tariff-applies.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from csms.pricing.usage import zone
from csms.store.queries.tariff_assignments import Assignment
from csms.store.queries.tariffs import TariffState

MOST_LISTED: Final = 100
"""Assignments that a choice lists; those beyond are counted."""

_DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_MIDNIGHT: Final = "00:00"
_FAR: Final = 1_000_000
"""Farther than any group."""


class NearGroup(msgspec.Struct, frozen=True):
    """A group and its distance: 0 is the own one, 1 the group above it …"""

    group_id: UUID
    distance: int


class Facts(msgspec.Struct, frozen=True):
    """What of a session decides."""

    at: datetime
    time_zone: str
    charge_point_id: str
    evse_id: int | None = None
    connector_id: int | None = None
    location_id: UUID | None = None
    station_groups: list[NearGroup] = []
    token_groups: list[NearGroup] = []
    user_type: str | None = None


class Candidate(msgspec.Struct, frozen=True):
    """An assignment, and its tariff at the session's start."""

    assignment: Assignment
    tariff: TariffState


class Considered(msgspec.Struct, frozen=True):
    """What was thought of an assignment. `rank` 1 was chosen; null: it does not fit. `reason` says why in words."""

    assignment_id: UUID
    tariff_id: str
    version: int | None
    priority: int
    rank: int | None
    reason: str


class Choice(msgspec.Struct, frozen=True):
    """The tariff of a session and how it was chosen; null where no assignment fits.

    `considered` has those that fit by their rank, then others; `left_out` were looked at and are not listed.
    """

    tariff_id: str | None
    version: int | None
    assignment_id: UUID | None
    facts: Facts
    considered: list[Considered]
    left_out: int = 0


_Key: TypeAlias = tuple[int, tuple[int, ...], tuple[int, ...], int, float, int]

_LOST_BY: Final = (
    "a lower priority",
    "a less specific place",
    "a less specific person",
    "no restriction of time",
    "it is older",
    "its id is lower",
)


def choose(candidates: Iterable[Candidate], facts: Facts) -> Choice:
    """The tariff for a session. The order of the candidates never matters; raises BadUsage for an unknown time zone."""
    distances = {near.group_id: near.distance for near in (*facts.station_groups, *facts.token_groups)}
    local = facts.at.astimezone(zone(facts.time_zone))
    fitting: list[tuple[_Key, Candidate]] = []
    others: list[tuple[_Key, Candidate, str]] = []
    for candidate in candidates:
        key = _key(candidate.assignment, distances)
        misfits = [*_misfits(candidate.assignment, facts, distances, local), *_without_price(candidate.tariff, facts.at)]
        if misfits:
            others.append((key, candidate, "does not fit: " + "; ".join(misfits)))
        else:
            fitting.append((key, candidate))
    fitting.sort(key=lambda found: found[0])
    others.sort(key=lambda found: found[0])
    considered = [_considered(candidate, rank, _why(fitting[0][0], key, rank)) for rank, (key, candidate) in enumerate(fitting, 1)]
    considered += [_considered(candidate, None, reason) for _, candidate, reason in others]
    chosen = fitting[0][1] if fitting else None
    return Choice(
        tariff_id=chosen.assignment.tariff_id if chosen else None,
        version=chosen.tariff.version if chosen else None,
        assignment_id=chosen.assignment.assignment_id if chosen else None,
        facts=facts,
        considered=considered[:MOST_LISTED],
        left_out=max(0, len(considered) - MOST_LISTED),
    )


def _considered(candidate: Candidate, rank: int | None, reason: str) -> Considered:
    assignment = candidate.assignment
    return Considered(assignment.assignment_id, assignment.tariff_id, candidate.tariff.version, assignment.priority, rank, reason)


def _key(assignment: Assignment, distances: dict[UUID, int]) -> _Key:
    """The lowest wins. A total order: no two assignments have one id."""
    group, token_group = assignment.station_group_id, assignment.token_group_id
    place = (
        -(assignment.connector_id is not None),
        -(assignment.evse_id is not None),
        -(assignment.charge_point_id is not None),
        _FAR if group is None else distances.get(group, _FAR - 1),
        -(assignment.location_id is not None),
    )
    person = (
        _FAR if token_group is None else distances.get(token_group, _FAR - 1),
        -(assignment.user_type is not None),
    )
    timed = any(
        limit is not None
        for limit in (
            assignment.days_of_week,
            assignment.start_time,
            assignment.end_time,
            assignment.valid_from,
            assignment.valid_until,
        )
    )
    return (-assignment.priority, place, person, -timed, -assignment.created_at.timestamp(), -assignment.assignment_id.int)


def _why(best: _Key, key: _Key, rank: int) -> str:
    if rank == 1:
        return "chosen"
    lost_by = next(name for name, mine, theirs in zip(_LOST_BY, key, best, strict=True) if mine != theirs)
    return f"fits, but the chosen one comes before it: {lost_by}"


def _misfits(assignment: Assignment, facts: Facts, distances: dict[UUID, int], local: datetime) -> Iterator[str]:
    """The conditions that do not hold."""
    if assignment.charge_point_id not in (None, facts.charge_point_id):
        yield f"is for the charge point {assignment.charge_point_id}"
    elif assignment.evse_id not in (None, facts.evse_id):
        yield f"is for EVSE {assignment.evse_id}"
    elif assignment.connector_id not in (None, facts.connector_id):
        yield f"is for connector {assignment.connector_id}"
    if assignment.station_group_id is not None and assignment.station_group_id not in distances:
        yield "the charge point is not in its station group"
    if assignment.location_id not in (None, facts.location_id):
        yield "the charge point is not at its location"
    if assignment.token_group_id is not None and assignment.token_group_id not in distances:
        yield "the token is not in its token group"
    if assignment.user_type not in (None, facts.user_type):
        yield f"is for the user type {assignment.user_type}"
    if assignment.valid_from is not None and facts.at < assignment.valid_from:
        yield "is not valid yet"
    if assignment.valid_until is not None and facts.at >= assignment.valid_until:
        yield "is not valid any more"
    day = _DAYS[local.weekday()]
    if assignment.days_of_week is not None and day not in assignment.days_of_week:
        yield f"is not for {day}"
    if not _within(assignment.start_time or _MIDNIGHT, assignment.end_time or _MIDNIGHT, local.strftime("%H:%M")):
        yield f"is not for {local.strftime('%H:%M')} local time"


def _within(start: str, end: str, time: str) -> bool:
    """As in OCPI's restrictions (pricing rule P4): the end is exclusive, before the start it is on the next day."""
    if end == _MIDNIGHT:
        return time >= start
    if end < start:
        return time >= start or time < end
    return start <= time < end


def _without_price(tariff: TariffState, at: datetime) -> Iterator[str]:
    """Why there is no price at this moment."""
    if tariff.retired_at is not None and tariff.retired_at <= at:
        yield "its tariff is retired"
    if tariff.version is None:
        yield "its tariff has no version in force at that time"
    if tariff.start_date_time is not None and at < tariff.start_date_time:
        yield "its tariff begins later"
    if tariff.end_date_time is not None and at >= tariff.end_date_time:
        yield "its tariff has ended"
