"""Where, when and how much a token may charge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import pi
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.clock import SystemClock, SystemIds
from csms.domain.restrictions import (
    WEEKDAYS,
    Area,
    Restrictions,
    SessionLimits,
    Window,
    day_began,
    distance_km,
    first_id_of,
    is_wrong_time,
    month_began,
    session_limits,
)

BERLIN = ZoneInfo("Europe/Berlin")
zones = st.sampled_from(["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC", "America/Havana"])
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
minutes = st.integers(0, 24 * 60 - 1)


def text(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@given(moments, zones, minutes, minutes, st.sets(st.sampled_from(WEEKDAYS), min_size=1))
def test_hours_are_those_of_the_clock_on_the_wall(moment: datetime, zone: str, start: int, end: int, days: set[str]) -> None:
    """Against a walk over the minutes of the week, beginning on the day of the window."""
    window = Window(tuple(days), text(start), text(end))  # type: ignore[arg-type]  # drawn from WEEKDAYS
    local = moment.astimezone(ZoneInfo(zone))
    shown = local.weekday() * 1440 + local.hour * 60 + local.minute
    length = (end - start) % 1440 or 1440
    inside = any((shown - (WEEKDAYS.index(day) * 1440 + start)) % (7 * 1440) < length for day in days)
    allowed = is_wrong_time(Restrictions(hours=(window,)), moment, zone) is None
    assert allowed == inside
    assert allowed == (is_wrong_time(Restrictions(hours=(window,), time_zone=zone), moment, "UTC") is None)


@pytest.mark.parametrize(
    ("moment", "allowed"),
    [
        (datetime(2026, 3, 28, 22, 30, tzinfo=BERLIN), True),  # Saturday
        (datetime(2026, 3, 29, 1, 59, tzinfo=BERLIN), True),
        (datetime(2026, 3, 29, 3, 0, tzinfo=BERLIN), True),  # a minute later: the clocks were put forward
        (datetime(2026, 3, 29, 5, 59, tzinfo=BERLIN), True),
        (datetime(2026, 3, 29, 6, 0, tzinfo=BERLIN), False),
        (datetime(2026, 3, 29, 22, 30, tzinfo=BERLIN), False),  # Sunday
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0), True),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), True),
        (datetime(2026, 10, 24, 5, 0, tzinfo=BERLIN), False),  # the night from Friday
    ],
)
def test_a_saturday_night_in_which_the_clocks_change(moment: datetime, allowed: bool) -> None:
    restrictions = Restrictions(hours=(Window(("SATURDAY",), "22:00", "06:00"),), time_zone="Europe/Berlin")
    assert (is_wrong_time(restrictions, moment.astimezone(UTC), "UTC") is None) == allowed


@given(moments, zones)
def test_a_day_and_a_month_begin_before_now_and_not_long_ago(moment: datetime, zone: str) -> None:
    day, month = day_began(moment, zone), month_began(moment, zone)
    assert month <= day <= moment < day + timedelta(hours=25, minutes=1)
    assert day.astimezone(ZoneInfo(zone)).date() == moment.astimezone(ZoneInfo(zone)).date()
    first = month.astimezone(ZoneInfo(zone))
    assert (first.year, first.month, first.day) == (*moment.astimezone(ZoneInfo(zone)).timetuple()[:2], 1)
    before = (day - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()
    assert before < day.astimezone(ZoneInfo(zone)).date()


coordinates = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(coordinates, coordinates)
def test_distances_on_the_globe(one: tuple[float, float], other: tuple[float, float]) -> None:
    there = distance_km(Area(*one, 1), *other)
    assert there == pytest.approx(distance_km(Area(*other, 1), *one), abs=1e-6)
    assert 0 <= there <= 6371.0088 * pi + 1e-6
    assert distance_km(Area(*one, 1), *one) == 0


def test_known_distances() -> None:
    berlin, munich = (52.520008, 13.404954), (48.137154, 11.576124)
    assert distance_km(Area(*berlin, 1), *munich) == pytest.approx(504.4, abs=0.5)
    # across the date line
    assert distance_km(Area(0, 179.9, 1), 0, -179.9) == pytest.approx(22.24, abs=0.01)


def test_the_tightest_limit_holds() -> None:
    assert session_limits([]) == SessionLimits()
    assert session_limits(
        [
            Restrictions(max_amount_per_session=Decimal(20), max_duration_s_per_session=3600),
            Restrictions(max_amount_per_session=Decimal("9.99"), max_energy_wh_per_session=Decimal(50_000)),
            Restrictions(max_duration_s_per_session=7200),
        ]
    ) == SessionLimits(Decimal("9.99"), Decimal(50_000), 3600)


@given(moments)
def test_the_first_id_of_a_moment_is_below_all_that_are_made_then(moment: datetime) -> None:
    class Stopped(SystemClock):
        def now(self) -> datetime:
            return moment

    made = SystemIds(Stopped()).uuid7()
    assert first_id_of(moment) <= made < first_id_of(moment + timedelta(milliseconds=1))


@pytest.mark.parametrize(
    "text",
    [
        b'{"max_amount_per_month": -0.01}',
        b'{"max_amount_per_month": "NaN"}',
        b'{"max_amount_per_session": 1e99}',
        b'{"max_amount_per_session": 0.0000001}',
        b'{"max_duration_s_per_session": 59}',
        b'{"hours": [{"days": [], "start": "08:00"}]}',
        b'{"hours": [{"start": "24:00"}]}',
        b'{"areas": [{"latitude": 91, "longitude": 0, "radius_km": 1}]}',
        b'{"areas": [{"latitude": 0, "longitude": 0, "radius_km": 0}]}',
        b'{"countries": ["Germany"]}',
        b'{"surprise": true}',
    ],
)
def test_what_is_no_restriction(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Restrictions)


def test_a_restriction_is_read_as_it_was_written() -> None:
    held = Restrictions(
        hours=(Window(("MONDAY",), "22:00", "06:00"),), max_amount_per_month=Decimal("12.50"), areas=(Area(1.5, -2.25, 10),)
    )
    assert msgspec.json.decode(msgspec.json.encode(held), type=Restrictions) == held
