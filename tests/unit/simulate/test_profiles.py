"""Limits that follow from charging profiles (ocpp-csms-behaviour 6.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from csms.simulate.profiles import Period, Profile, Profiles, in_unit

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def profile(*periods: tuple[int, float], **more: Any) -> Profile:
    fields: dict[str, Any] = {
        "profile_id": 1,
        "evse_id": 1,
        "purpose": "default",
        "stack_level": 0,
        "unit": "W",
        "start": NOON,
        "periods": tuple(Period(start, limit, 3) for start, limit in periods),
    }
    return Profile(**{**fields, **more})


def installed(*profiles: Profile) -> Profiles:
    made = Profiles()
    for one in profiles:
        made.put(one)
    return made


def limit(profiles: Profiles, seconds: float, *, transaction: str | None = "tx", evse_id: int = 1) -> float | None:
    return profiles.limit_w(evse_id, transaction, NOON, at(seconds), 3)


def test_periods_follow_each_other_until_the_duration_is_over() -> None:
    steps = installed(profile((0, 9000), (60, 4000), duration=120))
    assert [limit(steps, second) for second in (-1, 0, 59, 60, 119, 120)] == [None, 9000, 9000, 4000, 4000, None]
    assert steps.cuts(NOON, at(1000), NOON) == [at(60), at(120)]


def test_current_is_per_phase() -> None:
    assert limit(installed(profile((0, 16), unit="A")), 0) == 16 * 230 * 3
    assert installed(profile((0, 16), unit="A")).limit_w(1, None, NOON, NOON, 1) == 16 * 230
    assert (in_unit(11_040, "A", 3), in_unit(11_040, "W", 3)) == (16.0, 11_040)


def test_the_transaction_goes_before_the_default_and_the_highest_level_before_others() -> None:
    everything = installed(
        profile((0, 1)),
        profile((0, 2), profile_id=2, stack_level=1, valid_from=at(10), valid_to=at(20)),
        profile((0, 3), profile_id=3, purpose="transaction", transaction="tx", start=None, duration=5),
        profile((0, 4), profile_id=4, evse_id=0, purpose="max"),
    )
    assert [limit(everything, second) for second in (0, 6, 15, 20)] == [3, 1, 2, 1]
    assert limit(everything, 0, transaction="other") == 1
    assert limit(everything, 0, evse_id=2) is None
    assert everything.station_w(NOON) == 4
    assert everything.cuts(NOON, at(100), NOON) == [at(5), at(10), at(20)]


def test_one_of_the_evse_goes_before_one_of_all() -> None:
    assert limit(installed(profile((0, 1), evse_id=0), profile((0, 2), profile_id=2)), 0) == 2


def test_a_day_comes_again() -> None:
    daily = installed(profile((0, 1), (43_200, 2), recurs=86_400))
    assert [limit(daily, 86_400 * day + hour * 3600) for day, hour in ((0, 0), (3, 1), (3, 13))] == [1, 1, 2]
    assert daily.cuts(at(86_400), at(86_400 * 2 + 1), NOON) == [at(86_400 + 43_200), at(86_400 * 2)]


@pytest.mark.parametrize("other", [{"profile_id": 1, "stack_level": 3}, {"profile_id": 9}])
def test_the_same_id_or_place_replaces(other: dict[str, Any]) -> None:
    profiles = installed(profile((0, 1)), profile((0, 5), **other))
    assert limit(profiles, 0) == 5
    assert profiles.clear(lambda one: True)
    assert not profiles.clear(lambda one: True)
    assert limit(profiles, 0) is None


def test_a_station_keeps_so_many() -> None:
    full = installed(*(profile((0, 1), profile_id=number, stack_level=number) for number in range(50)))
    assert not full.has_room(profile((0, 1), profile_id=50, stack_level=50))
    assert full.has_room(profile((0, 1), profile_id=7))
