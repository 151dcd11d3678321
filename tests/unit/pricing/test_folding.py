"""Pricing a session as it runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from csms.pricing import BadUsage, OutOfOrder, Pricer
from csms.pricing.usage import EnergyReading, Momentary, ParkingChange, Reservation
from tests.unit.pricing.support import MONDAY, at, component, element, tariff

PRICER = Pricer(
    tariff(
        element(component("TIME", 12), reservation="RESERVATION"),
        element(component("FLAT", 1), component("ENERGY", 0.50), component("TIME", 6), component("PARKING_TIME", 12)),
    )
)


def reading(minutes: float, wh: int | str) -> EnergyReading:
    return EnergyReading(at(MONDAY, minutes), Decimal(wh))


def test_the_running_cost_grows_without_readings_too() -> None:
    state = PRICER.begin(MONDAY, "UTC")
    PRICER.fold(state, [reading(0, 100)])
    PRICER.fold(state, [reading(10, 2100)])
    before = msgspec.json.encode(state)
    assert PRICER.cost(state, at(MONDAY, 10)).total_cost.excl_vat == 3
    assert PRICER.cost(state, at(MONDAY, 20)).total_cost.excl_vat == 4
    assert msgspec.json.encode(state) == before
    PRICER.fold(state, parking=[ParkingChange(at(MONDAY, 20), True)])
    assert PRICER.cost(state, at(MONDAY, 30)).total_cost.excl_vat == 6
    PRICER.fold(state, [reading(30, 2100)])
    assert PRICER.cost(state, at(MONDAY, 30)).total_cost.excl_vat == 6


def test_a_session_after_a_reservation() -> None:
    state = PRICER.begin(MONDAY, "UTC", Reservation(at(MONDAY, -10), MONDAY))
    cost = PRICER.cost(state, MONDAY)
    assert (cost.total_reservation_cost.excl_vat, cost.total_fixed_cost.excl_vat, cost.total_cost.excl_vat) == (2, 1, 3)


@pytest.mark.parametrize(
    "late",
    [
        {"readings": [reading(5, 500)]},
        {"readings": [reading(20, 999)]},
        {"readings": [reading(10, 1001)]},
        {"readings": [reading(30, 2000), reading(20, 2500)]},
        {"readings": [reading(20, "NaN")]},
        {"readings": [EnergyReading(datetime(2099, 1, 1, tzinfo=UTC), Decimal(5000))]},
        {"parking": [ParkingChange(at(MONDAY, 9), True)]},
        {"momentary": [Momentary(at(MONDAY, 9), Decimal(1))]},
    ],
)
def test_what_does_not_follow_is_not_folded(late: dict[str, list[EnergyReading]]) -> None:
    state = PRICER.begin(MONDAY, "UTC")
    PRICER.fold(state, [reading(0, 0), reading(10, 1000)])
    before = msgspec.json.encode(state)
    with pytest.raises(OutOfOrder):
        PRICER.fold(state, **late)
    assert msgspec.json.encode(state) == before


def test_the_last_reading_again_changes_nothing() -> None:
    state = PRICER.begin(MONDAY, "UTC")
    PRICER.fold(state, [reading(0, 0), reading(10, 1000)])
    before = msgspec.json.encode(state)
    PRICER.fold(state, [reading(10, 1000)])
    assert msgspec.json.encode(state) == before


def test_ends_that_cannot_be() -> None:
    state = PRICER.begin(MONDAY, "UTC")
    PRICER.fold(state, [reading(10, 1000)])
    with pytest.raises(OutOfOrder):
        PRICER.cost(state, at(MONDAY, 9))
    with pytest.raises(BadUsage):
        PRICER.cost(state, MONDAY + timedelta(days=401))
    with pytest.raises(BadUsage):
        PRICER.cost(state, datetime(2026, 1, 6))
    with pytest.raises(BadUsage):
        PRICER.begin(MONDAY, "Nowhere/Land")


def test_a_state_of_another_version_is_not_used() -> None:
    state = PRICER.begin(MONDAY, "UTC")
    state.version += 1
    with pytest.raises(OutOfOrder):
        PRICER.fold(state, [reading(0, 0)])
    with pytest.raises(OutOfOrder):
        PRICER.cost(state, MONDAY)


def test_the_state_of_a_plain_session_stays_small() -> None:
    state = PRICER.begin(MONDAY, "Europe/Berlin")
    PRICER.fold(state, [reading(minute, minute * 100) for minute in range(600)])
    assert len(msgspec.json.encode(state)) < 1000
