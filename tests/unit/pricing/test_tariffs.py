"""Tariffs as JSON, and which field is said to be wrong."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from csms.pricing import BadTariff, PriceSeries, check_tariff, read_tariff, write_tariff
from csms.pricing.tariff import SeriesStep
from csms.pricing.tariff_check import MOST_BYTES, MOST_PROBLEMS, check_series, read_series
from tests.unit.pricing.support import MONDAY, component, element

ENERGY = component("ENERGY", 0.25, 19)

FULL: dict[str, Any] = {
    "id": "DE-1 *",
    "currency": "EUR",
    "elements": [
        element(
            component("FLAT", 0.5, 19, 0),
            ENERGY,
            start_time="08:00",
            end_time="20:00",
            start_date="2026-01-01",
            end_date="2027-01-01",
            min_kwh=1,
            max_kwh=100.5,
            min_current=6,
            max_current=32,
            min_power=1.4,
            max_power=22,
            min_duration=0,
            max_duration=86400,
            day_of_week=["MONDAY", "SUNDAY"],
        ),
        element(component("TIME", 1), reservation="RESERVATION_EXPIRES"),
    ],
    "type": "AD_HOC_PAYMENT",
    "tariff_alt_text": [{"language": "de", "text": "Nachts günstiger"}],
    "tariff_alt_url": "https://example.org/tariff",
    "min_price": {"excl_vat": 0.5, "incl_vat": 0.6},
    "max_price": {"excl_vat": 50, "incl_vat": 59.5},
    "start_date_time": "2026-01-01T00:00:00Z",
    "end_date_time": "2027-01-01T00:00:00Z",
    "energy_mix": {
        "is_green_energy": True,
        "energy_sources": [{"source": "WIND", "percentage": 99.5}, {"source": "WATER", "percentage": 0.5}],
        "environ_impact": [{"category": "CARBON_DIOXIDE", "amount": 12}],
        "supplier_name": "Stadtwerke",
        "energy_product_name": "Wind pur",
    },
    "extensions": {
        "peak_power": {"price": 0.1, "window": 300, "vat": 19},
        "dynamic_energy": {"series": "day-ahead DE", "elements": [0], "factor": 1.02, "markup": 0.08},
    },
}


def test_everything_goes_in_and_out() -> None:
    tariff = read_tariff(json.dumps(FULL))
    written = write_tariff(tariff)
    assert json.loads(written) == FULL
    assert read_tariff(written) == tariff
    assert write_tariff(read_tariff(written)) == written


def test_numbers_are_exact() -> None:
    text = json.dumps(FULL).replace("0.25", "0.123456")
    assert read_tariff(text).elements[0].price_components[1].price == Decimal("0.123456")


def test_an_absent_vat_is_not_a_vat_of_zero() -> None:
    assert b'"vat"' not in write_tariff(read_tariff(json.dumps({**FULL, "elements": [element(component("TIME", 1))], **NO_VAT})))
    assert b'"vat":0' in write_tariff(read_tariff(json.dumps({**FULL, "elements": [element(component("TIME", 1, 0))], **NO_VAT})))


NO_VAT: dict[str, Any] = {"extensions": {}}


def changed(path: str, value: Any) -> str:
    """FULL with one field replaced (or left out: Ellipsis)."""
    document = json.loads(json.dumps(FULL))
    *way, last = path.replace("[", ".[").split(".")
    place = document
    for name in way:
        place = place[int(name[1:-1])] if name.startswith("[") else place[name]
    key: Any = int(last[1:-1]) if last.startswith("[") else last
    if value is ...:
        del place[key]
    else:
        place[key] = value
    return json.dumps(document)


RESTRICTIONS = "elements[0].restrictions"
COMPONENT = "elements[0].price_components[1]"


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("id", "", None),
        ("id", "x" * 37, None),
        ("id", "ä", None),
        ("currency", "eur", None),
        ("currency", "EUR\n", None),
        ("type", "CHEAP", None),
        ("elements", [], None),
        ("elements", [element(ENERGY)] * 101, None),
        ("elements[0].price_components", [], None),
        ("elements[0].price_components", [ENERGY] * 5, None),
        ("elements[0].price_components", [ENERGY, ENERGY], "elements[0].price_components[1].type"),
        (f"{COMPONENT}.price", -0.01, None),
        (f"{COMPONENT}.price", 1_000_001, None),
        (f"{COMPONENT}.price", 0.0000001, None),
        (f"{COMPONENT}.price", "NaN", None),
        (f"{COMPONENT}.price", "Infinity", None),
        (f"{COMPONENT}.price", "1E-999999", None),
        (f"{COMPONENT}.price", None, None),
        (f"{COMPONENT}.vat", 100.1, None),
        (f"{COMPONENT}.vat", 5.12345, None),
        (f"{COMPONENT}.vat", "sNaN", None),
        (f"{COMPONENT}.step_size", -1, None),
        (f"{COMPONENT}.step_size", 10**9, None),
        (f"{COMPONENT}.step_size", 1.5, None),
        (f"{COMPONENT}.step_size", ..., COMPONENT),
        (f"{RESTRICTIONS}.start_time", "8:00", None),
        (f"{RESTRICTIONS}.start_time", "24:00", None),
        (f"{RESTRICTIONS}.end_time", "08:00", None),
        (f"{RESTRICTIONS}.start_date", "2026-02-30", None),
        (f"{RESTRICTIONS}.end_date", "2026-01-01", None),
        (f"{RESTRICTIONS}.min_kwh", -1, None),
        (f"{RESTRICTIONS}.max_kwh", 1, None),
        (f"{RESTRICTIONS}.max_current", 6, None),
        (f"{RESTRICTIONS}.max_power", 1e7, None),
        (f"{RESTRICTIONS}.min_duration", -1, None),
        (f"{RESTRICTIONS}.max_duration", 0, None),
        (f"{RESTRICTIONS}.day_of_week", ["MONDAY", "MONDAY"], None),
        (f"{RESTRICTIONS}.day_of_week", ["MONDAY"] * 8, None),
        (f"{RESTRICTIONS}.reservation", "RESERVATION", None),
        (f"{RESTRICTIONS}.weather", "sunny", RESTRICTIONS),
        ("tariff_alt_text", [{"language": "de", "text": ""}] * 51, None),
        ("tariff_alt_text[0].text", "x" * 513, None),
        ("tariff_alt_text[0].language", "deutsch", None),
        ("tariff_alt_url", "javascript:alert(1)", None),
        ("min_price.incl_vat", 0.4, None),
        ("min_price.incl_vat", ..., "min_price.incl_vat"),
        ("max_price.excl_vat", 0.1, None),
        ("max_price.incl_vat", 1e9, None),
        ("min_price", {"excl_vat": 50, "incl_vat": 60}, "max_price.incl_vat"),
        ("start_date_time", "2026-01-01T00:00:00", None),
        ("end_date_time", "2026-01-01T00:00:00Z", None),
        ("energy_mix.energy_sources[0].percentage", 101, None),
        ("energy_mix.environ_impact[0].amount", -1, None),
        ("energy_mix.supplier_name", "x" * 65, None),
        ("extensions.peak_power.window", 7, None),
        ("extensions.peak_power.price", -1, None),
        ("extensions.peak_power.vat", -1, None),
        ("extensions.dynamic_energy.elements", [1], "extensions.dynamic_energy.elements[0]"),
        ("extensions.dynamic_energy.elements", [2], "extensions.dynamic_energy.elements[0]"),
        ("extensions.dynamic_energy.elements", [], None),
        ("extensions.dynamic_energy.factor", 101, None),
        ("extensions.dynamic_energy.markup", "NaN", None),
        ("extensions.dynamic_energy.series", "", None),
    ],
)
def test_the_field_that_is_wrong_is_named(path: str, value: Any, field: str | None) -> None:
    with pytest.raises(BadTariff) as refusal:
        read_tariff(changed(path, value))
    assert [problem.field for problem in refusal.value.problems] == [field or path]


def test_what_is_no_tariff_at_all() -> None:
    for text in (b"", b"[]", b"{", b"\xff", b'{"id": 1}', b"[" * 100_000, b" " * (MOST_BYTES + 1)):
        with pytest.raises(BadTariff):
            read_tariff(text)


def test_a_tariff_that_is_wrong_all_over_is_not_listed_for_ever() -> None:
    bad = [element(*[component(kind, -1) for kind in ("ENERGY", "TIME", "FLAT")])] * 100
    with pytest.raises(BadTariff) as refusal:
        read_tariff(json.dumps({"id": "x", "currency": "EUR", "elements": bad}))
    assert len(refusal.value.problems) == MOST_PROBLEMS


def test_a_whole_day_may_be_said() -> None:
    assert (
        check_tariff(read_tariff(json.dumps({**FULL, "elements": [element(ENERGY, start_time="00:00", end_time="00:00")]}))) == []
    )


def step(start: int, end: int, price: str = "0.1") -> SeriesStep:
    return SeriesStep(MONDAY + timedelta(hours=start), MONDAY + timedelta(hours=end), Decimal(price))


@pytest.mark.parametrize(
    ("steps", "fields"),
    [
        ([step(0, 1), step(1, 2, "-0.05"), step(5, 6)], []),
        ([step(0, 2), step(1, 2)], ["steps[1].start"]),
        ([step(1, 2), step(0, 1)], ["steps[1].start"]),
        ([step(1, 1)], ["steps[0].end"]),
        ([step(0, 1, "10001")], ["steps[0].price"]),
        ([step(0, 1, "NaN")], ["steps[0].price"]),
    ],
)
def test_price_series(steps: list[SeriesStep], fields: list[str]) -> None:
    assert [problem.field for problem in check_series(PriceSeries(tuple(steps)))] == fields


def test_price_series_as_json() -> None:
    text = '{"steps": [{"start": "2026-01-05T00:00:00Z", "end": "2026-01-05T01:00:00+00:00", "price": 0.1}]}'
    assert read_series(text) == PriceSeries((step(0, 1),))
    with pytest.raises(BadTariff) as refusal:
        read_series(text.replace("01:00:00+", "00:00:00+"))
    assert refusal.value.problems[0].field == "steps[0].end"
