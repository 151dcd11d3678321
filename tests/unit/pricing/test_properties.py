"""What holds for every tariff and session: sums, order, splitting, monotony, the same bytes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.pricing import Cost, Pricer, PriceSeries, PricingState, Usage, read_tariff
from csms.pricing.tariff import SeriesStep
from csms.pricing.usage import EnergyReading
from tests.unit.pricing.compare import to_usage
from tests.unit.pricing.generation import make_pair
from tests.unit.pricing.reference import as_time

SEEDS = st.integers(0, 10**9)
WITHOUT_POWER = ("min_power", "max_power", "min_current", "max_current")


def pair(seed: int) -> tuple[Pricer, Usage]:
    tariff, session, series = make_pair(seed)
    steps = tuple(SeriesStep(as_time(start), as_time(end), Decimal(text)) for start, end, text in series)
    return Pricer(read_tariff(json.dumps(tariff)), PriceSeries(steps)), to_usage(session)


def unrounded(usage: Usage, seed: int) -> Usage:
    """The same session with times and registers that are not whole: nothing of what follows rests on whole numbers."""
    random = Random(seed)
    wh = Decimal(0)
    readings = []
    for reading in usage.readings:
        wh += Decimal(random.randrange(10**7)) / 1000
        within = reading.time + timedelta(microseconds=random.randrange(10**6))
        readings.append(EnergyReading(min(within, usage.end), wh))
    return msgspec.structs.replace(usage, readings=sorted(readings, key=lambda reading: (reading.time, reading.wh)))


@given(SEEDS)
def test_lines_and_parts_add_up(seed: int) -> None:
    pricer, usage = pair(seed)
    cost = pricer.price(unrounded(usage, seed))
    for field in ("excl_vat", "incl_vat"):
        total, subtotal = getattr(cost.total_cost, field), getattr(cost.subtotal, field)
        if total is None:
            assert all(line.amount.incl_vat is None for line in cost.lines)
            continue
        assert sum(getattr(line.amount, field) for line in cost.lines) == total
        assert sum(getattr(line.amount, field) for line in cost.lines if line.part != "LIMIT") == subtotal
        parts = ("fixed", "energy", "time", "parking", "reservation", "peak_power")
        assert sum(getattr(getattr(cost, f"total_{part}_cost"), field) for part in parts) == subtotal


@given(SEEDS)
def test_periods_add_up_and_follow_each_other(seed: int) -> None:
    pricer, usage = pair(seed)
    cost = pricer.price(unrounded(usage, seed))
    volumes: dict[str, Decimal] = {}
    for period in cost.charging_periods:
        for dimension in period.dimensions:
            volumes[dimension.type] = volumes.get(dimension.type, Decimal(0)) + dimension.volume
    assert volumes.get("ENERGY", 0) == cost.total_energy
    assert volumes.get("TIME", 0) + volumes.get("PARKING_TIME", 0) == cost.total_time
    assert volumes.get("PARKING_TIME", 0) == cost.total_parking_time
    starts = [period.start_date_time for period in cost.charging_periods]
    assert starts == sorted(starts)
    assert starts[0] == cost.start_date_time or usage.reservation is not None
    hours = (usage.end - usage.start) / timedelta(hours=1)
    assert abs(float(cost.total_time) - hours) < 0.0002


@given(SEEDS)
def test_the_order_of_what_is_known_does_not_matter(seed: int) -> None:
    pricer, usage = pair(seed)
    random = Random(seed)
    shuffled = msgspec.structs.replace(
        usage,
        readings=random.sample(usage.readings, len(usage.readings)),
        parking=random.sample(usage.parking, len(usage.parking)),
        momentary=random.sample(usage.momentary, len(usage.momentary)),
    )
    assert pricer.price(shuffled) == pricer.price(usage)


@given(SEEDS, st.booleans())
def test_the_same_bytes_every_time(seed: int, rounded: bool) -> None:
    pricer, usage = pair(seed)
    usage = usage if rounded else unrounded(usage, seed)
    first = msgspec.json.encode(pricer.price(usage))
    again = pair(seed)[0]
    with localcontext() as context:  # the decimal context is the caller's affair
        context.prec = 5
        assert msgspec.json.encode(again.price(usage)) == first
    assert msgspec.json.decode(first, type=Cost) == pricer.price(usage)


@given(SEEDS, st.integers(0, 4), st.booleans())
def test_a_folded_session_costs_the_same(seed: int, cuts: int, rounded: bool) -> None:
    """Split at any points in time, stored as JSON between them, joined again."""
    pricer, usage = pair(seed)
    usage = usage if rounded else unrounded(usage, seed)
    if usage.reservation and usage.reservation.expired:
        return
    random = Random(seed)
    length = (usage.end - usage.start) // timedelta(microseconds=1)
    points = sorted(usage.start + timedelta(microseconds=random.randint(0, length)) for _ in range(cuts))
    state = pricer.begin(usage.start, usage.time_zone, usage.reservation)
    after = datetime.min.replace(tzinfo=usage.start.tzinfo)
    for until in [*points, usage.end]:
        chunk = [
            [entry for entry in entries if after < entry.time <= until]
            for entries in (usage.readings, usage.parking, usage.momentary)
        ]
        pricer.fold(state, *chunk)
        state = msgspec.json.decode(msgspec.json.encode(state), type=PricingState)
        running = msgspec.json.encode(pricer.cost(state, until))
        assert running == msgspec.json.encode(pricer.cost(state, until))
        after = until
    assert msgspec.json.encode(pricer.cost(state, usage.end)) == msgspec.json.encode(pricer.price(usage))


def plain_tariff(seed: int) -> tuple[dict[str, Any], Any]:
    """A made-up tariff with step size 1 and without limits of power, current and kWh.

    With limits of kWh more energy may well cost less: what is charged faster reaches a cheaper price per hour sooner.
    """
    tariff, session, _ = make_pair(seed)
    tariff.pop("extensions", None)
    for element in tariff["elements"]:
        for component in element["price_components"]:
            component["step_size"] = 1
        for name in (*WITHOUT_POWER, "min_kwh", "max_kwh"):
            element.get("restrictions", {}).pop(name, None)
    return tariff, session


def assert_not_cheaper(more: Cost, less: Cost) -> None:
    assert more.total_cost.excl_vat >= less.total_cost.excl_vat
    assert (more.total_cost.incl_vat or 0) >= (less.total_cost.incl_vat or 0)


@given(SEEDS, st.integers(1, 100_000))
def test_more_energy_never_costs_less(seed: int, more: int) -> None:
    tariff, session = plain_tariff(seed)
    usage = to_usage(session)
    if len(usage.readings) < 2:
        return
    pricer = Pricer(read_tariff(json.dumps(tariff)))
    grown = [*usage.readings[:-1], EnergyReading(usage.readings[-1].time, usage.readings[-1].wh + more)]
    dearer = pricer.price(msgspec.structs.replace(usage, readings=grown))
    assert_not_cheaper(dearer, pricer.price(usage))


@given(SEEDS, st.integers(1, 7200))
def test_more_time_never_costs_less(seed: int, more: int) -> None:
    tariff, session = plain_tariff(seed)
    usage = to_usage(session)
    if usage.reservation and usage.reservation.expired:
        return
    pricer = Pricer(read_tariff(json.dumps(tariff)))
    longer = pricer.price(msgspec.structs.replace(usage, end=usage.end + timedelta(seconds=more)))
    assert_not_cheaper(longer, pricer.price(usage))


@given(SEEDS)
@settings(max_examples=50)
def test_a_running_session_never_becomes_cheaper(seed: int) -> None:
    tariff, session = plain_tariff(seed)
    usage = to_usage(session)
    if usage.reservation and usage.reservation.expired:
        return
    pricer = Pricer(read_tariff(json.dumps(tariff)))
    state = pricer.begin(usage.start, usage.time_zone, usage.reservation)
    pricer.fold(state, [], usage.parking, usage.momentary)
    costs = []
    for reading in usage.readings:
        pricer.fold(state, [reading])
        costs.append(pricer.cost(state, reading.time).total_cost.excl_vat)
    assert costs == sorted(costs)
