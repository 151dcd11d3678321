"""Limits on strangers: counted right, and in bounded memory."""

from __future__ import annotations

import pytest

from gateway.limits import FailedLogins, Pacer, WindowCounter, source_of


def test_ten_failures_per_identity_and_source_then_blocked_for_a_minute() -> None:
    failures = FailedLogins()
    for _ in range(10):
        assert not failures.blocked(("default", "CP1"), "10.0.0.1", 100.0)
        failures.failed(("default", "CP1"), "10.0.0.1", 100.0)
    assert failures.blocked(("default", "CP1"), "10.0.0.1", 101.0)
    assert not failures.blocked(("default", "CP1"), "10.0.0.2", 101.0), "a stranger must not lock the station out"
    assert not failures.blocked(("default", "CP2"), "10.0.0.1", 101.0)
    assert not failures.blocked(("other", "CP1"), "10.0.0.1", 101.0)
    assert not failures.blocked(("default", "CP1"), "10.0.0.1", 160.0)


def test_a_hundred_failures_per_source_over_many_identities() -> None:
    failures = FailedLogins()
    for number in range(100):
        assert not failures.suspicious("10.0.0.1", 5.0)
        failures.failed(("default", f"CP{number}"), "10.0.0.1", 5.0)
    assert failures.suspicious("10.0.0.1", 6.0)
    assert not failures.suspicious("10.0.0.2", 6.0)
    assert not failures.blocked(("default", "new"), "10.0.0.1", 6.0)


def test_counters_forget_the_oldest_beyond_their_capacity() -> None:
    counter = WindowCounter(limit=1, period=60, capacity=10)
    for number in range(1000):
        counter.count(number, 1.0)
    assert len(counter) == 10
    assert counter.exhausted(999, 1.0)
    assert not counter.exhausted(0, 1.0)


def test_a_window_starts_again_after_its_period() -> None:
    counter = WindowCounter(limit=2, period=10)
    counter.count("k", 0.0)
    counter.count("k", 9.0)
    assert counter.exhausted("k", 9.9)
    assert not counter.exhausted("k", 10.0)
    counter.count("k", 10.0)
    assert not counter.exhausted("k", 10.0)


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
