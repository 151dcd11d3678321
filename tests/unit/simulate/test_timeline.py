"""Simulated time meets the real clock at the end, and never runs ahead of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from csms.simulate.timeline import Timeline, wire_time

BEGIN = datetime(2026, 5, 1, 12, tzinfo=UTC)


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return 500.0 + self.seconds


def test_accelerated_time_begins_in_the_past_and_meets_the_real_clock() -> None:
    clock = HandClock()
    timeline = Timeline.meeting_now(clock, speed=60, duration=10)
    assert timeline.now() == BEGIN - timedelta(seconds=590)
    clock.seconds = 5
    assert timeline.now() == BEGIN - timedelta(seconds=290)
    clock.seconds = 10
    assert timeline.now() == clock.now()
    clock.seconds = 20
    assert timeline.now() == clock.now()


def test_real_and_slower_time_begin_now() -> None:
    for speed in (0.5, 1.0):
        clock = HandClock()
        timeline = Timeline.meeting_now(clock, speed, None)
        clock.seconds = 10
        assert timeline.now() == BEGIN + timedelta(seconds=10 * speed)
        assert timeline.real(30) == 30 / speed


def test_times_on_the_wire_are_utc_with_milliseconds() -> None:
    berlin = timezone(timedelta(hours=2))
    assert wire_time(datetime(2026, 5, 1, 14, 0, 0, 123456, tzinfo=berlin)) == "2026-05-01T12:00:00.123Z"
