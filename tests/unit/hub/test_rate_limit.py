"""Limits of attempts."""

from __future__ import annotations

from datetime import UTC, datetime

from hub.auth import rate_limit
from hub.auth.rate_limit import RateLimit


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


def test_the_window_opens_again() -> None:
    clock = Clock()
    limit = RateLimit(3, 60, clock)
    assert [limit.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 60.0]
    assert limit.take("b") == 0.0
    clock.seconds = 59
    assert limit.take("a") == 1.0
    clock.seconds = 60
    assert limit.take("a") == 0.0


def test_what_is_given_back_does_not_count() -> None:
    limit = RateLimit(1, 60, Clock())
    for _ in range(5):
        assert limit.take("a") == 0.0
        limit.give_back("a")
    limit.give_back("unknown")
    assert limit.take("a") == 0.0
    assert limit.take("a") > 0


def test_made_up_keys_do_not_fill_the_memory() -> None:
    limit = RateLimit(1, 60, Clock())
    for number in range(rate_limit._MAX_KEYS + 1000):
        limit.take(number)
    assert len(limit._windows) == rate_limit._MAX_KEYS
