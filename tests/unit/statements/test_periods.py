"""Months in the time zones of tenants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.statements.period import BadPeriod, month

ZONES = sorted(available_timezones())


@given(st.sampled_from(ZONES), st.integers(2000, 2098), st.integers(1, 12))
def test_months_follow_each_other_without_gap_or_overlap(zone: str, year: int, number: int) -> None:
    this = month(f"{year}-{number:02}", zone)
    following = month(f"{year + number // 12}-{number % 12 + 1:02}", zone)
    assert this.end == following.start
    assert timedelta(days=27) < this.end - this.start < timedelta(days=32)
    middle = this.start + (this.end - this.start) / 2
    assert middle.astimezone(ZoneInfo(zone)).strftime("%Y-%m") == this.name
    assert (this.end - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).strftime("%Y-%m") == this.name


def test_summer_time_and_the_turn_of_the_year() -> None:
    march = month("2026-03", "Europe/Berlin")
    assert (march.start, march.end) == (datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))
    assert month("2026-12", "America/New_York").end == datetime(2027, 1, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "name", ["", "2026", "2026-00", "2026-13", "1999-12", "2100-01", "2026-1", "2026-01 ", "\uff12026-01", "2026-01-01"]
)
def test_what_is_no_month(name: str) -> None:
    with pytest.raises(BadPeriod):
        month(name, "UTC")
