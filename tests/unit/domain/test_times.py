"""Station times: harmless deviations are taken, absurd ones kept as text (OCPP-J rules section 3)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from csms.domain.times import parse_station_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00.123Z", datetime(2026, 3, 1, 10, 0, 0, 123000, tzinfo=UTC)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00.123456789Z", datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_that_are_taken(text: str, expected: datetime) -> None:
    time = parse_station_time(text)
    assert (time.ts, time.text, time.suspect) == (expected, text, False)


def test_a_time_without_zone_counts_as_utc_and_is_marked() -> None:
    time = parse_station_time("2026-03-01T10:00:00")
    assert (time.ts, time.suspect) == (datetime(2026, 3, 1, 10, tzinfo=UTC), True)


@pytest.mark.parametrize(
    "text",
    [
        "222222017-10-27T19:10:11Z",
        "1000000",
        "1969-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "",
        "\x00",
    ],
)
def test_times_that_are_kept_as_text(text: str) -> None:
    time = parse_station_time(text)
    assert (time.ts, time.text, time.suspect) == (None, text, True)
