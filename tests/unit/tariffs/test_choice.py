"""Which of several assignments wins (docs/decisions/0028-which-tariff-applies.md)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.store.queries.tariff_assignments import Assignment
from csms.store.queries.tariffs import TariffState
from csms.tariffs.choice import MOST_LISTED, Candidate, Choice, Facts, NearGroup, choose

T0 = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)  # a Monday
HERE = UUID(int=1)
GROUPS = [UUID(int=number) for number in range(10, 14)]  # 10 and 11 are nearest, 12 is above, 13 is another's
PEOPLE = [UUID(int=number) for number in range(20, 23)]  # 20 is the own, 21 above, 22 another's
FACTS = Facts(
    at=T0,
    time_zone="Europe/Berlin",
    charge_point_id="CP-1",
    evse_id=1,
    connector_id=2,
    location_id=HERE,
    station_groups=[NearGroup(GROUPS[0], 0), NearGroup(GROUPS[1], 0), NearGroup(GROUPS[2], 1)],
    token_groups=[NearGroup(PEOPLE[0], 0), NearGroup(PEOPLE[1], 1)],
    user_type="staff",
)
IN_FORCE = TariffState("T", 3, None, None, None)


def assignment(number: int = 1, **fields: Any) -> Assignment:
    blank = dict.fromkeys(Assignment.__struct_fields__)
    known = {
        "tariff_id": "T",
        "assignment_id": UUID(int=1000 + number),
        "priority": 0,
        "created_by": "user:x",
        "created_at": T0 - timedelta(days=9),
        "updated_at": T0,
    }
    return Assignment(**{**blank, **known, **fields})


def chosen(*assignments: Assignment, facts: Facts = FACTS) -> Choice:
    return choose([Candidate(one, IN_FORCE) for one in assignments], facts)


# from the most specific to the least: each one beats all that follow it
PLACES: list[dict[str, Any]] = [
    {"charge_point_id": "CP-1", "evse_id": 1, "connector_id": 2},
    {"charge_point_id": "CP-1", "evse_id": 1},
    {"charge_point_id": "CP-1"},
    {"station_group_id": GROUPS[0]},
    {"station_group_id": GROUPS[2]},
    {"location_id": HERE},
    {},
]
PERSONS: list[dict[str, Any]] = [{"token_group_id": PEOPLE[0]}, {"token_group_id": PEOPLE[1]}, {"user_type": "staff"}, {}]
TIMES: list[dict[str, Any]] = [{"days_of_week": ["MONDAY"]}, {}]


@pytest.mark.parametrize("ladder", [PLACES, PERSONS, TIMES], ids=["place", "person", "time"])
def test_the_more_specific_wins(ladder: list[dict[str, Any]]) -> None:
    for above in range(len(ladder)):
        for below in range(above + 1, len(ladder)):
            best = assignment(1, **ladder[above])
            choice = chosen(assignment(2, created_at=T0, **ladder[below]), best)
            assert choice.assignment_id == best.assignment_id, (ladder[above], ladder[below])
            assert [one.rank for one in choice.considered] == [1, 2]


def test_priority_beats_place_beats_person_beats_time_beats_age() -> None:
    order = [
        assignment(1, priority=1, created_at=T0 - timedelta(days=30)),
        assignment(2, location_id=HERE, created_at=T0 - timedelta(days=20)),
        assignment(3, user_type="staff", created_at=T0 - timedelta(days=10)),
        assignment(4, valid_until=T0 + timedelta(days=1), created_at=T0 - timedelta(days=9)),
        assignment(5, created_at=T0 - timedelta(days=7)),
        assignment(6, created_at=T0 - timedelta(days=8)),
    ]
    choice = chosen(*reversed(order))
    assert [one.assignment_id for one in choice.considered] == [one.assignment_id for one in order]
    assert [one.reason.rpartition(": ")[2] for one in choice.considered] == ["chosen", *["a lower priority"] * 5]
    rest = chosen(*order[1:])
    assert [one.reason.rpartition(": ")[2] for one in rest.considered[1:]] == ["a less specific place"] * 4
    assert chosen(*order[2:]).considered[1].reason.endswith("a less specific person")
    assert chosen(*order[3:]).considered[1].reason.endswith("no restriction of time")
    assert chosen(*order[4:]).considered[1].reason.endswith("it is older")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"charge_point_id": "CP-2"}, "is for the charge point CP-2"),
        ({"charge_point_id": "CP-1", "evse_id": 2}, "is for EVSE 2"),
        ({"charge_point_id": "CP-1", "evse_id": 1, "connector_id": 1}, "is for connector 1"),
        ({"station_group_id": GROUPS[3]}, "the charge point is not in its station group"),
        ({"location_id": UUID(int=2)}, "the charge point is not at its location"),
        ({"token_group_id": PEOPLE[2]}, "the token is not in its token group"),
        ({"user_type": "guest"}, "is for the user type guest"),
        ({"valid_from": T0 + timedelta(seconds=1)}, "is not valid yet"),
        ({"valid_until": T0}, "is not valid any more"),
        ({"days_of_week": ["SUNDAY"]}, "is not for MONDAY"),
        ({"start_time": "14:00"}, "is not for 13:30 local time"),
        ({"end_time": "13:30"}, "is not for 13:30 local time"),
    ],
)
def test_one_condition_that_does_not_hold_is_enough(fields: dict[str, Any], reason: str) -> None:
    choice = chosen(assignment(1, priority=1000, **fields), assignment(2))
    assert choice.assignment_id == UUID(int=1002)
    assert [(one.rank, one.reason) for one in choice.considered] == [(1, "chosen"), (None, f"does not fit: {reason}")]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (TariffState("T", None, None, None, None), "its tariff has no version in force at that time"),
        (TariffState("T", 1, T0, None, None), "its tariff is retired"),
        (TariffState("T", 1, None, T0 + timedelta(seconds=1), None), "its tariff begins later"),
        (TariffState("T", 1, None, None, T0), "its tariff has ended"),
    ],
)
def test_a_tariff_without_a_price_does_not_count(state: TariffState, reason: str) -> None:
    choice = choose([Candidate(assignment(1, priority=5), state), Candidate(assignment(2), IN_FORCE)], FACTS)
    assert (choice.tariff_id, choice.version, choice.assignment_id) == ("T", 3, UUID(int=1002))
    assert choice.considered[1].reason == f"does not fit: {reason}"
    nothing = choose([Candidate(assignment(1), state)], FACTS)
    assert (nothing.tariff_id, nothing.version, nothing.assignment_id) == (None, None, None)


def test_retired_in_the_midst_of_the_session_changes_nothing() -> None:
    state = TariffState("T", 1, T0 + timedelta(seconds=1), None, T0 + timedelta(seconds=1))
    assert choose([Candidate(assignment(), state)], FACTS).version == 1


def test_unknown_evse_fits_no_assignment_of_an_evse() -> None:
    facts = msgspec.structs.replace(FACTS, evse_id=None, connector_id=None)
    assert chosen(assignment(charge_point_id="CP-1", evse_id=1), facts=facts).tariff_id is None
    assert chosen(assignment(charge_point_id="CP-1"), facts=facts).tariff_id == "T"


_MINUTES = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 29, 30, 31, 59)]


@given(st.sampled_from(_MINUTES), st.sampled_from(_MINUTES), st.integers(0, 7 * 24 * 60 - 1))
def test_windows_of_the_day(start: str, end: str, minute: int) -> None:
    """Against the minutes of the day, counted one by one from the start until the end comes."""
    open_minutes, at = set(), start
    while start != end or start == "00:00":
        open_minutes.add(at)
        hour, past = divmod((int(at[:2]) * 60 + int(at[3:]) + 1) % 1440, 60)
        at = f"{hour:02}:{past:02}"
        if at == end:
            break
    when = T0 + timedelta(minutes=minute)
    facts = msgspec.structs.replace(FACTS, at=when, time_zone="UTC")
    fits = chosen(assignment(start_time=start, end_time=end), facts=facts).tariff_id == "T"
    # equal times other than midnight are refused where assignments are made
    assert start == end != "00:00" or fits == (when.strftime("%H:%M") in open_minutes)


def test_days_and_times_are_those_of_the_location_also_when_clocks_change() -> None:
    night = assignment(days_of_week=["SUNDAY"], start_time="02:00", end_time="03:00")
    berlin = [
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True),  # 02:30 the first time
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), True),  # 02:30 again
        (datetime(2026, 10, 25, 2, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), False),  # 01:59, and then 03:00
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), False),
        (datetime(2026, 10, 24, 23, 59, tzinfo=UTC), False),  # Sunday 01:59
    ]
    for at, fits in berlin:
        facts = msgspec.structs.replace(FACTS, at=at)
        assert (chosen(night, facts=facts).tariff_id == "T") == fits, at
    auckland = msgspec.structs.replace(FACTS, at=datetime(2026, 10, 24, 13, 30, tzinfo=UTC), time_zone="Pacific/Auckland")
    assert chosen(night, facts=auckland).tariff_id == "T"


_ASSIGNMENTS = st.lists(
    st.builds(
        lambda place, person, timing, other: {**place, **person, **timing, **other},
        st.sampled_from([*PLACES, {"station_group_id": GROUPS[1], "location_id": HERE}, {"charge_point_id": "CP-2"}]),
        st.sampled_from([*PERSONS, {"token_group_id": PEOPLE[1], "user_type": "staff"}, {"token_group_id": PEOPLE[2]}]),
        st.sampled_from([*TIMES, {"valid_from": T0}, {"start_time": "14:00"}]),
        st.fixed_dictionaries(
            {"priority": st.integers(-1, 1), "created_at": st.integers(0, 2).map(lambda days: T0 - timedelta(days=days))}
        ),
    ),
    max_size=7,
)


def _beats(one: Assignment, other: Assignment) -> bool:
    """The order of precedence once more, in the words of the decision."""
    if one.priority != other.priority:
        return one.priority > other.priority
    for condition in ("connector_id", "evse_id", "charge_point_id"):
        mine, theirs = getattr(one, condition), getattr(other, condition)
        if (mine is None) != (theirs is None):
            return mine is not None
    for condition, near in (
        ("station_group_id", {GROUPS[0]: 0, GROUPS[1]: 0, GROUPS[2]: 1}),
        ("location_id", {}),
        ("token_group_id", {PEOPLE[0]: 0, PEOPLE[1]: 1}),
    ):
        mine, theirs = getattr(one, condition), getattr(other, condition)
        if (mine is None) != (theirs is None):
            return mine is not None
        if near and mine is not None and near[mine] != near[theirs]:
            return near[mine] < near[theirs]
    if (one.user_type is None) != (other.user_type is None):
        return one.user_type is not None
    timed = [any((a.days_of_week, a.start_time, a.end_time, a.valid_from, a.valid_until)) for a in (one, other)]
    if timed[0] != timed[1]:
        return timed[0]
    if one.created_at != other.created_at:
        return one.created_at > other.created_at
    return one.assignment_id > other.assignment_id


@settings(max_examples=400)
@given(_ASSIGNMENTS, st.integers(0, 2**32))
def test_the_order_is_total_and_that_of_the_candidates_never_matters(given_fields: Sequence[dict[str, Any]], seed: int) -> None:
    assignments = [assignment(number, **fields) for number, fields in enumerate(given_fields)]
    choice = chosen(*assignments)
    shuffled = list(assignments)
    Random(seed).shuffle(shuffled)
    assert msgspec.json.encode(chosen(*shuffled)) == msgspec.json.encode(choice)
    by_id = {one.assignment_id: one for one in assignments}
    ranked = [by_id[one.assignment_id] for one in choice.considered if one.rank is not None]
    for place, one in enumerate(ranked):
        assert all(_beats(one, other) and not _beats(other, one) for other in ranked[place + 1 :])
    # whoever is alone is chosen exactly if he is ranked among others
    for one in assignments:
        assert (chosen(one).assignment_id == one.assignment_id) == (one in ranked)
    # leaving out one that lost changes nothing
    if len(ranked) > 1:
        assert chosen(*(one for one in assignments if one is not ranked[-1])).assignment_id == choice.assignment_id


def test_a_choice_is_kept_as_json_and_is_of_limited_length() -> None:
    choice = chosen(*(assignment(number, priority=number % 7) for number in range(MOST_LISTED + 50)))
    assert (len(choice.considered), choice.left_out) == (MOST_LISTED, 50)
    for order in (None, "deterministic", "sorted"):
        assert msgspec.json.decode(msgspec.json.encode(choice, order=order), type=Choice) == choice
    assert len(msgspec.json.encode(choice)) < 40_000
