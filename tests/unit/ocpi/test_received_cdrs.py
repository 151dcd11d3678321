"""Pricing the CDRs of others again (csms.roaming.received_cdrs): the published sums, and when nothing can be told."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from csms.pricing.tariff import Price
from csms.roaming.received_cdrs import price_again
from schemas.ocpi221.cdrs import CDR
from schemas.ocpi221.reading import parse, read
from tests.ocpi import documents

START = "2026-03-02T10:00:00Z"


def component(type_: str, price: float, vat: float | None = None, step_size: int = 1) -> dict[str, Any]:
    return {"type": type_, "price": price, "step_size": step_size} | ({} if vat is None else {"vat": vat})


def element(*components: dict[str, Any], **restrictions: Any) -> dict[str, Any]:
    return {"price_components": list(components)} | ({"restrictions": restrictions} if restrictions else {})


def period(minute: int, **volumes: float) -> dict[str, Any]:
    at = f"2026-03-02T{10 + minute // 60:02d}:{minute % 60:02d}:00Z"
    return {"start_date_time": at, "dimensions": [{"type": name, "volume": volume} for name, volume in volumes.items()]}


def priced(
    elements: list[dict[str, Any]], periods: list[dict[str, Any]], minutes: int, zone: str | None = None, **members: Any
) -> Any:
    end = f"2026-03-02T{10 + minutes // 60:02d}:{minutes % 60:02d}:00Z"
    tariffs = members.pop("tariffs", None) or [documents.tariff("T", elements=elements)]
    body = documents.cdr() | {"start_date_time": START, "end_date_time": end, "charging_periods": periods, "tariffs": tariffs}
    return price_again(read(CDR, parse(json.dumps(body | members).encode())).value, zone)


@pytest.mark.parametrize(
    ("elements", "periods", "minutes", "expected"),
    [
        (  # X1
            [element(component("FLAT", 0.5, 20), component("ENERGY", 0.25, 10), component("PARKING_TIME", 2, 20, 900))],
            [period(0, ENERGY=20, TIME=1), period(60, PARKING_TIME=0.6667)],
            100,
            ("7.00", "7.90"),
        ),
        (  # X2, in one period: what was parked is its end
            [element(component("TIME", 3, 10, 60), component("PARKING_TIME", 5, 20, 300))],
            [period(0, TIME=2.5, PARKING_TIME=0.7)],
            192,
            ("11.25", "12.75"),
        ),
        (  # X9: a reservation of 22 minutes, then 20 kWh
            [
                element(component("TIME", 2, 20, 600), reservation="RESERVATION"),
                element(component("FLAT", 4, 20), reservation="RESERVATION_EXPIRES"),
                element(component("FLAT", 0.5, 20), component("ENERGY", 0.25, 10)),
            ],
            [period(0, RESERVATION_TIME=0.3667), period(22, ENERGY=20, TIME=0.5)],
            52,
            ("6.50", "7.30"),
        ),
        (  # X10: the same expired after an hour
            [
                element(component("TIME", 2, 20, 600), reservation="RESERVATION"),
                element(component("FLAT", 4, 20), reservation="RESERVATION_EXPIRES"),
                element(component("FLAT", 0.5, 20), component("ENERGY", 0.25, 10)),
            ],
            [period(0, RESERVATION_TIME=1)],
            60,
            ("6.00", "7.20"),
        ),
        (  # X13: by power
            [
                element(component("ENERGY", 0.2), max_power=16),
                element(component("ENERGY", 0.35), max_power=32),
                element(component("ENERGY", 0.5)),
            ],
            [
                period(0, ENERGY=1, TIME=0.17, MAX_POWER=6),
                period(10, ENERGY=40, TIME=0.83, MAX_POWER=48),
                period(60, ENERGY=0.5, TIME=0.12, MAX_POWER=4),
            ],
            67,
            ("20.30", None),
        ),
    ],
)
def test_the_published_sums(elements: Any, periods: Any, minutes: int, expected: tuple[str, str | None]) -> None:
    excl, incl = (None if amount is None else Decimal(amount) for amount in expected)
    assert excl is not None
    assert priced(elements, periods, minutes) == Price(excl.quantize(Decimal("0.0001")), incl and incl.quantize(Decimal("0.0001")))


def test_when_nothing_can_be_told() -> None:
    energy, periods = element(component("ENERGY", 1)), [period(0, ENERGY=1, TIME=1)]
    by_night = [element(component("ENERGY", 1), start_time="22:00"), element(component("ENERGY", 2))]
    assert priced([energy], periods, 60).excl_vat == 1
    assert priced(by_night, periods, 60) is None  # in which zone?
    assert priced(by_night, periods, 60, "Europe/Amsterdam").excl_vat == 2
    assert priced(by_night, periods, 60, "Pacific/Auckland").excl_vat == 1
    assert priced(by_night, periods, 60, "Nowhere/Never") is None
    assert priced([element(component("ENERGY", 1), min_power=5)], periods, 60) is None  # which power?
    two = [documents.tariff("A"), documents.tariff("B")]
    assert priced([], periods, 60, tariffs=two) is None
    assert priced([], [period(0, ENERGY=1) | {"tariff_id": "a"}], 60, tariffs=two).excl_vat == Decimal("0.4")
    assert priced([element(component("MAGIC", 1))], periods, 60) is None
