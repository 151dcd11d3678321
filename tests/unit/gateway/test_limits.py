"""Limits on strangers: counted right, and in bounded memory."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from csms.bus.local import LocalBus
from csms.limits import SharedLimits
from gateway.limits import FailedLogins, Pacer, source_of


class Clock:
    seconds = 100.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


def test_ten_failures_per_identity_and_source_then_blocked_for_a_minute() -> None:
    clock = Clock()
    failures = FailedLogins(SharedLimits(LocalBus(), clock))
    for _ in range(10):
        assert not failures.blocked(("default", "CP1"), "10.0.0.1")
        failures.failed(("default", "CP1"), "10.0.0.1")
    clock.seconds = 101.0
    assert failures.blocked(("default", "CP1"), "10.0.0.1")
    assert not failures.blocked(("default", "CP1"), "10.0.0.2"), "a stranger must not lock the station out"
    assert not failures.blocked(("default", "CP2"), "10.0.0.1")
    assert not failures.blocked(("other", "CP1"), "10.0.0.1")
    clock.seconds = 160.0
    assert not failures.blocked(("default", "CP1"), "10.0.0.1")


def test_a_hundred_failures_per_source_over_many_identities() -> None:
    failures = FailedLogins(SharedLimits(LocalBus(), Clock()))
    for number in range(100):
        assert not failures.suspicious("10.0.0.1")
        failures.failed(("default", f"CP{number}"), "10.0.0.1")
    assert failures.suspicious("10.0.0.1")
    assert not failures.suspicious("10.0.0.2")
    assert not failures.blocked(("default", "new"), "10.0.0.1")


def test_the_pacer_lets_a_burst_pass_then_spreads() -> None:
    pacer = Pacer(per_second=100)
    waits = [pacer.delay(1000.0, longest=10) for _ in range(201)]
    assert waits[:100] == [0.0] * 100
    assert waits[200] == pytest.approx(1.0)
    assert pacer.delay(1000.0, longest=0.5) is None
    assert pacer.delay(1002.5, longest=0.5) == 0.0


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no address", "no address"),
    ],
)
def test_what_counts_as_one_source(address: str, source: str) -> None:
    assert source_of(address) == source
