"""Arrivals follow the hours of the day."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from csms.simulate.chance import seeded
from csms.simulate.visits import drawn_visit, next_arrival


def test_mean_number_of_visits_a_day() -> None:
    chance = seeded(1, "mean")
    now = datetime(2026, 3, 1, tzinfo=UTC)
    end = now + timedelta(days=200)
    hours: dict[int, int] = {}
    while now < end:
        now += timedelta(seconds=next_arrival(chance, now, 6.0))
        hours[now.hour] = hours.get(now.hour, 0) + 1
    assert 5.5 * 200 < sum(hours.values()) < 6.5 * 200
    assert hours[18] > 5 * hours[3]


def test_nobody_comes() -> None:
    assert next_arrival(seeded(1), datetime(2026, 3, 1, tzinfo=UTC), 0) == math.inf


def test_even_drivers_come_at_night_too() -> None:
    night = datetime(2026, 3, 1, 2, tzinfo=UTC)
    arrivals = [next_arrival(seeded(seed), night, 24.0, even=True) for seed in range(400)]
    assert 3_000 < sum(arrivals) / len(arrivals) < 4_200


def test_visits_are_bounded() -> None:
    chance = seeded(2)
    for _ in range(500):
        visit = drawn_visit(chance, ("A", "B"), direct_current=chance.random() < 0.5)
        assert 120 <= visit.parked <= 43_200
        assert visit.id_token in ("A", "B")
        assert 0 < visit.vehicle.soc < 1
