"""The worked examples of OCPI 2.2.1 (mod_tariffs, mod_cdrs), with four decimals."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from csms.pricing import Tariff, Usage
from tests.unit.pricing.support import MONDAY, SATURDAY, component, element, expired, price, tariff, totals, usage

START_FEE = component("FLAT", 0.50, 20)
ENERGY = component("ENERGY", 0.25, 10)

X1 = tariff(element(START_FEE, ENERGY, component("PARKING_TIME", 2, 20, 900)))
X2 = tariff(element(component("TIME", 3, 10, 60), component("PARKING_TIME", 5, 20, 300)))
X3 = tariff(element(START_FEE, ENERGY), max_price={"excl_vat": 10, "incl_vat": 11})
X4 = tariff(
    element(component("FLAT", 2.50, 15)),
    element(component("TIME", 1, 20, 900), max_current=32),
    element(component("TIME", 2, 20, 600), min_current=32, day_of_week=["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]),
    element(component("TIME", 1.25, 20, 600), min_current=32, day_of_week=["SATURDAY", "SUNDAY"]),
    element(
        component("PARKING_TIME", 5, 10, 300),
        start_time="09:00",
        end_time="18:00",
        day_of_week=["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"],
    ),
    element(component("PARKING_TIME", 6, 10, 300), start_time="10:00", end_time="17:00", day_of_week=["SATURDAY"]),
)
X6 = tariff(
    element(component("TIME", 1.20, step=1800), end_time="17:00"),
    element(component("TIME", 2.40, step=900), start_time="17:00"),
    element(component("PARKING_TIME", 1, step=900), end_time="20:00"),
)
X9 = tariff(
    element(component("TIME", 2, 20, 600), reservation="RESERVATION"),
    element(component("FLAT", 4, 20), reservation="RESERVATION_EXPIRES"),
    element(START_FEE, ENERGY),
)
X11 = tariff(
    element(component("TIME", 6, 20, 600), reservation="RESERVATION_EXPIRES"),
    element(component("TIME", 3, 20, 600), reservation="RESERVATION"),
    element(START_FEE, ENERGY),
)
X12 = tariff(element(component("TIME", 5, 20, 60), reservation="RESERVATION"), element(START_FEE, ENERGY))
X12B = tariff(
    element(component("FLAT", 2, 20), component("TIME", 5, 20, 300), reservation="RESERVATION"), element(START_FEE, ENERGY)
)
X13 = tariff(
    element(component("ENERGY", 0.20), max_power=16),
    element(component("ENERGY", 0.35), max_power=32),
    element(component("ENERGY", 0.50)),
)
X14 = tariff(
    element(component("ENERGY", 0.25), min_duration=1800, max_duration=3600), element(component("ENERGY", 0.40), min_duration=3600)
)
X15 = tariff(element(component("ENERGY", 0.20, step=500), end_time="18:00"), element(component("ENERGY", 0.27, step=500)))
X16 = tariff(element(component("TIME", 5, step=600), max_duration=360), element(component("TIME", 7, step=600)))
X17 = tariff(element(component("TIME", 1, step=600), component("PARKING_TIME", 2, step=600)))
X17B = tariff(element(START_FEE, component("ENERGY", 0.25, 10, 100)))
X17C = tariff(element(ENERGY), min_price={"excl_vat": 0.50, "incl_vat": 0.55})
X17D = tariff(element(component("TIME", 1.90, 5.2, 300)))
CDR_EXAMPLE = tariff(element(component("TIME", 2, 10, 300)))
FREE = tariff(element(component("FLAT", 0, step=0)))


def clock(text: str) -> datetime:
    hours, minutes = text.split(":")
    return MONDAY + timedelta(hours=int(hours), minutes=int(minutes))


@pytest.mark.parametrize(
    ("priced", "session", "excl", "incl"),
    [
        pytest.param(X1, usage([(60, 20)], parked=40), "7.00", "7.90", id="X1 start, energy, parking"),
        pytest.param(X2, usage([(150, 10)], parked=42), "11.25", "12.75", id="X2 time and parking"),
        pytest.param(X3, usage([(60, 50)]), "10.00", "11.00", id="X3 maximum reached"),
        pytest.param(X3, usage([(60, 30)]), "8.00", "8.85", id="X3 below the maximum"),
        pytest.param(X4, usage([(165, 9)], clock("09:30"), parked=42, current=16), "9.00", "10.30", id="X4 complex, Monday"),
        pytest.param(
            X4,
            usage([(114, 50)], SATURDAY + timedelta(hours=13, minutes=30), parked=71, current=43),
            "12.375",
            "13.975",
            id="X5 complex, Saturday",
        ),
        pytest.param(X6, usage([(10, 1)], clock("16:55"), parked=2), "0.55", None, id="X6 time changes, then parking"),
        pytest.param(X6, usage([(35, 1)], clock("16:35")), "1.30", None, id="X7 time changes, no parking"),
        pytest.param(X6, usage([(12, 1)], clock("19:40"), parked=20), "0.73", None, id="X8 parking becomes free"),
        pytest.param(X9, usage([(60, 20)], reserved=22), "6.50", "7.30", id="X9 reserved and used"),
        pytest.param(X9, expired(60), "6.00", "7.20", id="X10 expired, fee and time"),
        pytest.param(X11, usage([(60, 20)], reserved=22), "7.00", "7.90", id="X11 reserved and used"),
        pytest.param(X11, expired(90), "9.00", "10.80", id="X11 expired, other price"),
        pytest.param(X12, usage([(60, 20)], reserved=15), "6.75", "7.60", id="X12 reservation by time"),
        pytest.param(X12B, usage([(60, 20)], reserved=13), "8.75", "10.00", id="X12b reservation fee too"),
        pytest.param(X13, usage([(10, 1), (50, 40), (7.5, 0.5)]), "20.30", None, id="X13 by power"),
        pytest.param(X14, usage([(30, 5), (10, 1.2)]), "0.30", None, id="X14 free at first"),
        pytest.param(X15, usage([(60, 4.3), (30, 1.1)], clock("17:00")), "1.184", None, id="X15 energy step at the end"),
        pytest.param(X16, usage([(28, 1)]), "3.30", None, id="X16 time step at the end"),
        pytest.param(X17, usage([(21, 1)], parked=16), "1.0167", None, id="X17 parking alone is rounded"),
        pytest.param(X17B, usage([(60, 20.45)]), "5.625", "6.2375", id="X17b step of 100 Wh"),
        pytest.param(X17C, usage([(60, 20)]), "5.00", "5.50", id="X17c above the minimum"),
        pytest.param(X17C, usage([(60, 1.9)]), "0.50", "0.55", id="X17c minimum"),
        pytest.param(X17D, usage([(150, 20)]), "4.75", "4.997", id="X17d odd VAT"),
        pytest.param(CDR_EXAMPLE, usage([(118.38, 15.342)]), "4.00", "4.40", id="CDR example"),
        pytest.param(FREE, usage([(60, 20)]), "0.00", None, id="free of charge, step size 0"),
    ],
)
def test_totals(priced: Tariff, session: Usage, excl: str, incl: str | None) -> None:
    assert totals(price(priced, session)) == (Decimal(excl), None if incl is None else Decimal(incl))


@pytest.mark.parametrize(
    ("step", "kwh", "billed", "excl"),
    [
        (1, 0.1152, 116, "0.029"),
        (25, 0.101, 125, "0.0313"),
        (25, 0.125, 125, "0.0313"),
        (500, 0.001, 500, "0.125"),
        (500, 0.5, 500, "0.125"),
    ],
)
def test_x18_energy_steps(step: int, kwh: float, billed: int, excl: str) -> None:
    cost = price(tariff(element(component("ENERGY", 0.25, step=step))), usage([(10, kwh)]))
    assert (cost.lines[0].billed_volume, cost.total_cost.excl_vat) == (billed, Decimal(excl))


def test_the_parts_of_x1() -> None:
    cost = price(X1, usage([(60, 20)], parked=40))
    parts = [cost.total_fixed_cost, cost.total_energy_cost, cost.total_time_cost, cost.total_parking_cost]
    assert [(part.excl_vat, part.incl_vat) for part in parts] == [
        (Decimal("0.50"), Decimal("0.60")),
        (Decimal("5.00"), Decimal("5.50")),
        (0, 0),
        (Decimal("1.50"), Decimal("1.80")),
    ]
    assert (cost.total_energy, cost.total_time, cost.total_parking_time) == (20, Decimal("1.6667"), Decimal("0.6667"))


@pytest.mark.parametrize(("session", "reservation"), [(usage([(60, 20)], reserved=13), "3.25"), (expired(13), "3.25")])
def test_a_reservation_is_billed_apart(session: Usage, reservation: str) -> None:
    cost = price(X12B, session)
    assert cost.total_reservation_cost.excl_vat == Decimal(reservation)
    assert cost.total_fixed_cost.excl_vat == (0 if session.start == session.end else Decimal("0.50"))
    assert cost.charging_periods[0].dimensions[0].type == "RESERVATION_TIME"


@pytest.mark.parametrize(
    ("priced", "session", "lines"),
    [
        (X6, usage([(10, 1)], clock("16:55"), parked=2), [("TIME", 300, 300), ("TIME", 300, 300), ("PARKING", 120, 900)]),
        (X6, usage([(35, 1)], clock("16:35")), [("TIME", 1500, 1500), ("TIME", 600, 1200)]),
        (X15, usage([(60, 4.3), (30, 1.1)], clock("17:00")), [("ENERGY", 4300, 4300), ("ENERGY", 1100, 1200)]),
        (X16, usage([(28, 1)]), [("TIME", 360, 360), ("TIME", 1320, 1440)]),
        (X17, usage([(21, 1)], parked=16), [("TIME", 1260, 1260), ("PARKING", 960, 1200)]),
    ],
)
def test_steps_are_added_to_the_last_line(priced: Tariff, session: Usage, lines: list[tuple[str, int, int]]) -> None:
    assert [(line.part, line.volume, line.billed_volume) for line in price(priced, session).lines] == lines
