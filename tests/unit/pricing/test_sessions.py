"""Sessions as they come: over midnight and clock changes, without energy or length, with readings that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from csms.pricing import BadUsage, Usage
from csms.pricing.usage import EnergyReading, Momentary, ParkingChange, Reservation
from tests.unit.pricing.support import MONDAY, at, component, element, expired, price, tariff, totals, usage

BERLIN = ZoneInfo("Europe/Berlin")
PER_HOUR = component("TIME", 6)
ENERGY = component("ENERGY", 0.50)
FLAT = component("FLAT", 1)


def local(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def minutes(priced_from: str, priced_until: str, start: str, length: int, **others: object) -> Decimal:
    """For how many minutes of a session an element is active."""
    window = element(component("TIME", 60), start_time=priced_from, end_time=priced_until, **others)
    return price(tariff(window), usage([(length, 1)], local(start), zone="Europe/Berlin")).total_cost.excl_vat


@pytest.mark.parametrize(
    ("priced_from", "priced_until", "start", "length", "active"),
    [
        ("22:00", "06:00", "2026-01-05T21:00", 600, 480),  # over midnight
        ("22:00", "00:00", "2026-01-05T21:00", 600, 120),  # to the end of the day
        ("00:00", "00:00", "2026-01-05T21:00", 600, 600),
        ("09:00", "09:01", "2026-01-05T08:59", 3, 1),
        ("02:00", "03:00", "2026-03-29T01:00", 180, 0),  # an hour that is left out
        ("02:30", "04:00", "2026-03-29T01:00", 180, 60),  # begins in it: from the change on
        ("01:00", "02:30", "2026-03-29T01:00", 180, 60),  # ends in it: at the change
        ("02:00", "03:00", "2026-10-25T01:00", 240, 120),  # an hour that comes twice
        ("02:30", "03:00", "2026-10-25T01:00", 240, 60),  # twice half an hour
        ("02:30", "05:00", "2026-10-25T01:00", 240, 120),  # active, not active after the change, active again
    ],
)
def test_local_time(priced_from: str, priced_until: str, start: str, length: int, active: int) -> None:
    assert minutes(priced_from, priced_until, start, length) == active


def test_the_weekday_is_that_of_the_instant() -> None:
    assert minutes("22:00", "06:00", "2026-01-05T21:00", 600, day_of_week=["MONDAY"]) == 120
    assert minutes("22:00", "06:00", "2026-01-05T21:00", 600, day_of_week=["TUESDAY"]) == 360


def test_dates_are_local_and_the_last_is_excluded() -> None:
    assert minutes("00:00", "00:00", "2026-01-05T23:30", 60, end_date="2026-01-06") == 30
    assert minutes("00:00", "00:00", "2026-01-05T23:30", 60, start_date="2026-01-06") == 30


def test_a_zone_that_changes_its_clock_at_midnight_and_one_that_leaves_out_a_day() -> None:
    day = element(component("TIME", 60), day_of_week=["SUNDAY"])
    start = local("2018-11-03T23:30", ZoneInfo("America/Sao_Paulo"))
    assert totals(price(tariff(day), usage([(60, 1)], start, zone="America/Sao_Paulo")))[0] == 30
    start = local("2011-12-29T23:30", ZoneInfo("Pacific/Apia"))
    day = element(component("TIME", 60), day_of_week=["SATURDAY"])
    assert totals(price(tariff(day), usage([(60, 1)], start, zone="Pacific/Apia")))[0] == 30


def test_a_session_of_no_length_owes_the_start_fee() -> None:
    late = element(component("FLAT", 9), min_duration=1)
    cost = price(tariff(late, element(FLAT, ENERGY, PER_HOUR)), usage([]))
    assert (cost.total_cost.excl_vat, cost.total_fixed_cost.excl_vat, len(cost.charging_periods)) == (1, 1, 1)


def test_no_energy_and_no_readings() -> None:
    priced = tariff(element(FLAT, component("ENERGY", 0.50, step=500), PER_HOUR))
    session = usage([(30, 0)])
    assert totals(price(priced, session)) == (4, None)
    assert totals(price(priced, msgspec.structs.replace(session, readings=[]))) == (4, None)


def test_energy_is_counted_from_the_first_reading_to_the_last() -> None:
    session = msgspec.structs.replace(
        usage([(60, 1)]), readings=[EnergyReading(at(MONDAY, 10), Decimal(500)), EnergyReading(at(MONDAY, 40), Decimal("1500.5"))]
    )
    cost = price(tariff(element(ENERGY)), session)
    assert (cost.total_energy, cost.lines[0].billed_volume) == (Decimal("1.0005"), 1001)
    assert (cost.lines[0].start, cost.lines[0].volume) == (at(MONDAY, 10), Decimal("1000.5"))


def test_energy_flows_while_the_ev_takes_it() -> None:
    """Ten kWh in an hour, of which half was parking: with the price of the first half hour for all of it."""
    by_time = tariff(element(ENERGY, max_duration=1800), element(component("ENERGY", 5)))
    session = usage([(60, 10)])
    assert totals(price(by_time, session))[0] == Decimal("27.5")
    parked = msgspec.structs.replace(session, parking=[ParkingChange(at(MONDAY, 30), True)])
    assert totals(price(by_time, parked))[0] == 5
    all_parked = msgspec.structs.replace(session, parking=[ParkingChange(MONDAY, True)])
    assert totals(price(by_time, all_parked))[0] == Decimal("27.5")


def test_parking_between_charging_is_still_rounded_as_parking() -> None:
    priced = tariff(element(component("TIME", 6, step=600), component("PARKING_TIME", 12, step=900)))
    session = msgspec.structs.replace(
        usage([(30, 5)]), parking=[ParkingChange(at(MONDAY, 10), True), ParkingChange(at(MONDAY, 15), False)]
    )
    cost = price(priced, session)
    # 25 min charging as they are, 5 min parking in steps of the last component, TIME's 10 min
    assert (cost.total_time_cost.excl_vat, cost.total_parking_cost.excl_vat) == (Decimal("2.5"), 2)
    assert [(line.type, line.start, line.end) for line in cost.lines] == [
        ("TIME", MONDAY, at(MONDAY, 10)),
        ("TIME", at(MONDAY, 15), at(MONDAY, 30)),
        ("PARKING_TIME", at(MONDAY, 10), at(MONDAY, 15)),
    ]
    assert [line.step_size for line in cost.lines] == [None, None, 600]


def test_a_parking_ev_draws_no_power_and_no_current() -> None:
    priced = tariff(element(component("PARKING_TIME", 60), max_power=1, max_current=1))
    session = usage([(10, 5)], parked=5, current=32)
    assert totals(price(priced, session))[0] == 5


def test_measured_power_is_believed_before_the_average() -> None:
    priced = tariff(element(ENERGY, min_power=11), element(component("ENERGY", 0.10)))
    session = usage([(60, 10)])
    assert totals(price(priced, session))[0] == 1
    measured = [Momentary(MONDAY, Decimal(11000)), Momentary(at(MONDAY, 30), Decimal("10999.999"))]
    assert totals(price(priced, msgspec.structs.replace(session, momentary=measured)))[0] == 3


def test_an_unknown_current_is_within_no_limits() -> None:
    cost = price(tariff(element(component("ENERGY", 9), max_current=32), element(ENERGY)), usage([(60, 10)]))
    assert (cost.total_cost.excl_vat, cost.issues) == (5, ["current_unknown"])


def test_thresholds_are_reached_between_readings() -> None:
    priced = tariff(element(component("TIME", 60), max_kwh=3), element(component("ENERGY", 1), min_kwh=3))
    cost = price(priced, usage([(90, 9)]))
    assert (cost.total_time_cost.excl_vat, cost.total_energy_cost.excl_vat) == (30, 6)
    assert [period.start_date_time for period in cost.charging_periods] == [MONDAY, at(MONDAY, 30)]


def test_a_threshold_is_exact_to_parts_of_a_wh() -> None:
    priced = tariff(element(component("ENERGY", 1), max_kwh=1), element(component("ENERGY", 2)))
    cost = price(priced, usage([(60, 1.0005)]))
    assert [(line.volume, line.billed_volume) for line in cost.lines] == [(1000, 1000), (Decimal("0.5"), 1)]


def test_a_threshold_between_two_microseconds_is_reached_at_the_later() -> None:
    priced = tariff(element(component("ENERGY", 1), max_kwh=1), element(component("ENERGY", 2)))
    session = Usage(
        MONDAY,
        MONDAY + timedelta(seconds=1),
        "UTC",
        [EnergyReading(MONDAY, Decimal(0)), EnergyReading(MONDAY + timedelta(seconds=1), Decimal(3000))],
    )
    cost = price(priced, session)
    assert [(line.volume, line.start.microsecond) for line in cost.lines] == [(1000, 0), (2000, 333_334)]


def test_a_flat_of_each_element_is_due_once() -> None:
    priced = tariff(
        element(component("FLAT", 5), min_duration=3600), element(FLAT, start_time="00:00", end_time="00:10"), element(ENERGY)
    )
    assert totals(price(priced, usage([(60, 0)])))[0] == 1
    assert totals(price(priced, usage([(61, 0)])))[0] == 6
    assert totals(price(priced, usage([(26 * 60, 0)])))[0] == 6


def test_a_flat_beside_nothing_but_parking_time_is_a_cost_of_parking() -> None:
    priced = tariff(element(component("FLAT", 3), component("PARKING_TIME", 6), min_duration=600), element(FLAT, ENERGY))
    cost = price(priced, usage([(20, 0)], parked=10))
    assert (cost.total_fixed_cost.excl_vat, cost.total_parking_cost.excl_vat) == (1, 4)


@pytest.mark.parametrize(
    ("wh", "kwh", "issues"),
    [
        ((0, 500, 1000), 1, []),
        ((0, 9_999_999, 1000), 1, ["register_decreased"]),  # a spike
        ((500, 400, 1000), Decimal("0.5"), ["register_decreased"]),
        ((1000, 1500, 200), 0, ["register_decreased"]),  # begins anew
        ((0, "NaN", 1000), 1, ["reading_out_of_range"]),
        ((0, "Infinity", 1000), 1, ["reading_out_of_range"]),
        ((0, "1E+999999", 1000), 1, ["reading_out_of_range"]),
        ((0, "-5", 1000), 1, ["reading_out_of_range"]),
        ((0, "1E-999999", 1000), 1, []),
    ],
)
def test_readings_that_cannot_be(wh: tuple[int | str, ...], kwh: Decimal, issues: list[str]) -> None:
    readings = [EnergyReading(at(MONDAY, 30 * place), Decimal(value)) for place, value in enumerate(wh)]
    cost = price(tariff(element(ENERGY)), Usage(MONDAY, at(MONDAY, 60), "UTC", readings))
    assert (cost.total_energy, cost.total_cost.excl_vat, cost.issues) == (kwh, kwh / 2, issues)


def test_readings_of_a_station_without_a_clock_are_left_out() -> None:
    stray = [EnergyReading(datetime(1970, 1, 1, 0, 5, tzinfo=UTC), Decimal(5)), EnergyReading(at(MONDAY, 61), Decimal(99_999))]
    session = usage([(60, 10)])
    cost = price(tariff(element(ENERGY)), msgspec.structs.replace(session, readings=[*stray, *session.readings]))
    assert (cost.total_cost.excl_vat, cost.issues) == (5, ["reading_outside_session"])


def test_of_two_readings_at_one_instant_the_higher_counts() -> None:
    session = usage([(60, 10)])
    more = [EnergyReading(session.end, Decimal(9_000)), EnergyReading(session.end, Decimal(11_000))]
    cost = price(tariff(element(ENERGY)), msgspec.structs.replace(session, readings=[*session.readings, *more]))
    assert (cost.total_energy, cost.issues) == (11, [])


def test_changes_outside_of_the_session_are_left_out() -> None:
    stray = [ParkingChange(at(MONDAY, -1), True), ParkingChange(at(MONDAY, 61), True)]
    bad = [Momentary(MONDAY, Decimal("NaN"), Decimal("1E+99"))]
    cost = price(tariff(element(PER_HOUR)), msgspec.structs.replace(usage([(60, 1)]), parking=stray, momentary=bad))
    assert (cost.total_cost.excl_vat, cost.issues) == (6, ["change_outside_session", "momentary_out_of_range"])


def test_a_session_of_more_than_a_year() -> None:
    by_day = tariff(
        element(component("TIME", 1), start_time="08:00", end_time="20:00", day_of_week=["MONDAY"]),
        element(component("ENERGY", 0.10)),
        extensions={"peak_power": {"price": 1, "window": 60}},
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    cost = price(by_day, usage([(399 * 1440, 399 * 24)], start, zone="Europe/Berlin"))
    assert cost.total_time_cost.excl_vat == 57 * 12
    assert cost.total_peak_power_cost.excl_vat == 1
    assert len(cost.charging_periods) == 2 * 57 + 1


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"end": at(MONDAY, -1)}, "end"),
        ({"end": MONDAY + timedelta(days=401)}, "end"),
        ({"end": datetime(2026, 1, 6)}, "end"),
        ({"start": datetime(1, 1, 1, tzinfo=UTC)}, "end"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "Europe"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"time_zone": "A" * 5000}, "time_zone"),
        ({"time_zone": "\0"}, "time_zone"),
        ({"readings": [EnergyReading(datetime(2026, 1, 5), Decimal(1))]}, "time"),
        ({"readings": [EnergyReading(MONDAY, Decimal(1))] * 200_001}, "readings"),
        ({"reservation": Reservation(MONDAY, at(MONDAY, 1))}, "reservation.end"),
        ({"reservation": Reservation(at(MONDAY, -1), at(MONDAY, -2))}, "reservation.end"),
        ({"reservation": Reservation(at(MONDAY, -1), MONDAY, expired=True)}, "reservation.expired"),
    ],
)
def test_usage_that_no_price_can_be_given_for(bad: dict[str, object], field: str) -> None:
    with pytest.raises(BadUsage) as refusal:
        price(tariff(element(ENERGY)), msgspec.structs.replace(usage([(60, 10)]), **bad))
    assert refusal.value.field == field


def test_an_expired_reservation_bills_nothing_of_a_session() -> None:
    priced = tariff(
        element(component("FLAT", 2, 20), reservation="RESERVATION"),
        element(component("FLAT", 3, 20), reservation="RESERVATION_EXPIRES"),
        element(FLAT, ENERGY),
    )
    cost = price(priced, expired(30))
    assert totals(cost) == (5, 6)
    assert (cost.start_date_time, cost.end_date_time) == (at(MONDAY, -30), MONDAY)
    assert (cost.total_time, cost.total_reservation_time) == (0, Decimal("0.5"))


def test_limits_are_lines_too() -> None:
    priced = tariff(element(component("ENERGY", 1, 10)), max_price={"excl_vat": 5, "incl_vat": 5.4})
    cost = price(priced, usage([(60, 10)]))
    assert (cost.subtotal.excl_vat, cost.subtotal.incl_vat, totals(cost)) == (10, 11, (5, Decimal("5.4")))
    assert [(line.type, line.amount.excl_vat, line.amount.incl_vat) for line in cost.lines] == [
        ("ENERGY", 10, 11),
        ("MAX_PRICE", -5, Decimal("-5.6")),
    ]


def test_a_limit_that_concerns_only_the_total_with_vat() -> None:
    priced = tariff(element(component("ENERGY", 1, 20)), max_price={"excl_vat": 10, "incl_vat": 11})
    assert totals(price(priced, usage([(60, 10)]))) == (10, 11)
    priced = tariff(element(component("ENERGY", 1, 0)), min_price={"excl_vat": 10, "incl_vat": 11})
    assert totals(price(priced, usage([(60, 10)]))) == (10, 11)
