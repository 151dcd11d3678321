"""What OCPI does not know: peak power and prices of a series."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from csms.pricing import PriceSeries
from csms.pricing.tariff import SeriesStep
from tests.unit.pricing.support import MONDAY, at, component, element, price, tariff, totals, usage

FREE = element(component("FLAT", 0))


@pytest.mark.parametrize(
    ("charged", "begins", "window", "kilowatts"),
    [
        ([(60, 11)], 0, 900, 11),
        ([(60, 11), (15, 5.5), (60, 11)], 0, 900, 22),
        ([(60, 11), (15, 5.5), (60, 11)], 5, 900, "18.3333"),  # a third of it in the window after
        ([(5, 11)], 0, 900, 44),  # over the whole window
        ([(10, 11)], 10, 900, 22),  # half in either
        ([(30, 11)], 5, 900, 22),  # a whole window between two others
        ([(45, 16.5)], 5, 900, 22),  # two of them
        ([(10, 11)], 10, 3600, 11),
        ([(1, 1), (1, 2), (1, 1)], 0, 60, 120),
        ([(60, 0)], 0, 900, 0),
        ([], 0, 900, 0),
    ],
)
def test_peak_power(charged: list[tuple[float, float]], begins: float, window: int, kilowatts: str) -> None:
    priced = tariff(FREE, extensions={"peak_power": {"price": 1, "vat": 20, "window": window}})
    cost = price(priced, usage(charged, at(MONDAY, begins)))
    expected = Decimal(kilowatts)
    assert cost.total_peak_power_cost.excl_vat == expected
    assert cost.total_cost.incl_vat == pytest.approx(expected * Decimal("1.2"), abs=Decimal("0.0001"))


def test_the_line_of_the_peak_says_when_it_was() -> None:
    priced = tariff(FREE, extensions={"peak_power": {"price": "2.50"}})
    line = price(priced, usage([(60, 11), (15, 5.5), (60, 11)])).lines[-1]
    assert (line.type, line.start, line.end) == ("PEAK_POWER", at(MONDAY, 60), at(MONDAY, 75))
    assert (line.volume, line.unit, line.price, line.amount.excl_vat) == (22_000, "W", Decimal("2.50"), 55)


def steps(*prices: tuple[float, float, str]) -> PriceSeries:
    return PriceSeries(tuple(SeriesStep(at(MONDAY, start), at(MONDAY, end), Decimal(text)) for start, end, text in prices))


DYNAMIC = tariff(
    element(component("ENERGY", 0.40, 20)),
    extensions={"dynamic_energy": {"series": "spot", "elements": [0], "factor": 1.5, "markup": 0.05}},
)


def test_series_prices_with_factor_and_markup() -> None:
    cost = price(DYNAMIC, usage([(60, 8)]), steps((-30, 15, "0.10"), (15, 30, "0.20"), (30, 90, "-0.30")))
    assert [(line.volume, line.price, line.amount.excl_vat) for line in cost.lines] == [
        (2000, Decimal("0.2"), Decimal("0.4")),
        (2000, Decimal("0.35"), Decimal("0.7")),
        (4000, Decimal("-0.4"), Decimal("-1.6")),
    ]
    assert totals(cost) == (Decimal("-0.5"), Decimal("-0.6"))
    assert all(line.from_series for line in cost.lines)
    assert len(cost.charging_periods) == 3
    assert cost.issues == []


def test_in_a_gap_of_the_series_the_price_of_the_component_holds() -> None:
    cost = price(DYNAMIC, usage([(60, 6)]), steps((0, 10, "0.10"), (20, 30, "0.10")))
    assert [(line.volume, line.price, line.from_series) for line in cost.lines] == [
        (1000, Decimal("0.2"), True),
        (1000, Decimal("0.4"), False),
        (1000, Decimal("0.2"), True),
        (3000, Decimal("0.4"), False),
    ]
    assert cost.issues == ["series_gap"]
    assert totals(price(DYNAMIC, usage([(60, 6)]))) == (Decimal("2.4"), Decimal("2.88"))


def test_other_elements_keep_their_price() -> None:
    priced = tariff(
        element(component("ENERGY", 9), max_kwh=1),
        element(component("ENERGY", 0.40)),
        extensions={"dynamic_energy": {"series": "spot", "elements": [1]}},
    )
    assert totals(price(priced, usage([(60, 6)]), steps((0, 60, "0.10"))))[0] == Decimal("9.5")


def test_series_prices_follow_utc_through_a_clock_change() -> None:
    start = datetime.fromisoformat("2026-10-25T00:00Z")
    series = PriceSeries(
        tuple(SeriesStep(start + timedelta(hours=hour), start + timedelta(hours=hour + 1), Decimal(hour)) for hour in range(3))
    )
    priced = tariff(element(component("ENERGY", 9)), extensions={"dynamic_energy": {"series": "spot", "elements": [0]}})
    assert totals(price(priced, usage([(180, 3)], start, zone="Europe/Berlin"), series))[0] == 3
