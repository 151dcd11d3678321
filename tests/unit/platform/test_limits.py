"""Limits of attempts: windows in bounded memory, and counting together with other processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import trio

from csms.bus import BusUnavailable, Counted
from csms.bus.local import LocalBus
from csms.limits import MOST_PER_EXCHANGE, MOST_UNSHARED, SharedLimits


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


class CountingBus(LocalBus):
    """Counters as all processes see them."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.away = False
        self.exchanges: list[int] = []
        self._clock = clock
        self._counters: dict[str, tuple[int, float]] = {}

    async def add(self, amounts: Mapping[str, int], period_s: float) -> dict[str, Counted]:
        self.exchanges.append(len(amounts))
        if self.away:
            raise BusUnavailable
        counted = {}
        for name, amount in amounts.items():
            total, ends = self._counters.get(name, (0, 0.0))
            if self._clock.seconds >= ends:
                total, ends = 0, self._clock.seconds + period_s
            self._counters[name] = (total + amount, ends)
            counted[name] = Counted(total + amount, ends - self._clock.seconds)
        return counted


@asynccontextmanager
async def processes(bus: LocalBus, clock: Clock, count: int = 2) -> AsyncIterator[list[SharedLimits]]:
    async with trio.open_nursery() as nursery:
        found = [SharedLimits(bus, clock) for _ in range(count)]
        for limits in found:
            nursery.start_soon(limits.run)
        yield found
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(5):
        while not condition():
            await trio.sleep(0.01)


def alone(clock: Clock) -> SharedLimits:
    return SharedLimits(LocalBus(), clock)


def test_the_window_opens_again() -> None:
    clock = Clock()
    limit = alone(clock).limit("l", 3, 60)
    assert [limit.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 60.0]
    assert limit.take("b") == 0.0
    clock.seconds = 59
    assert limit.take("a") == 1.0
    clock.seconds = 60
    assert limit.take("a") == 0.0


def test_what_is_given_back_does_not_count() -> None:
    limit = alone(Clock()).limit("l", 1, 60)
    for _ in range(5):
        assert limit.take("a") == 0.0
        limit.give_back("a")
    limit.give_back("a")
    limit.give_back("unknown")
    assert limit.take("a") == 0.0
    assert limit.take("a") > 0


def test_made_up_keys_do_not_fill_the_memory() -> None:
    shared = alone(Clock())
    limit = shared.limit("l", 1, 60)
    for number in range(60_000):
        limit.take(number)
    assert len(limit) == 50_000
    assert len(shared._unshared) == MOST_UNSHARED
    assert limit.wait(59_999) > 0
    assert limit.wait(0) == 0


async def test_attempts_at_two_processes_count_together(autojump_clock: trio.testing.MockClock) -> None:
    clock = Clock()
    bus = CountingBus(clock)
    async with processes(bus, clock) as (one, other):
        here, there = one.limit("l", 10, 60), other.limit("l", 10, 60)
        for _ in range(10):
            here.count("a")
        assert here.wait("a") > 0, "at once"
        await trio.sleep(1)
        assert there.take("a") == 0.0, "nothing was counted here yet"
        await trio.sleep(1)
        assert there.take("a") == 60.0
        assert there.take("b") == 0.0
        clock.seconds = 60
        assert there.take("a") == 0.0
        assert here.take("a") == 0.0


async def test_the_window_ends_for_all_when_it_ends_for_the_first(autojump_clock: trio.testing.MockClock) -> None:
    clock = Clock()
    async with processes(CountingBus(clock), clock) as (one, other):
        one.limit("l", 1, 60).count("a")
        await trio.sleep(1)
        clock.seconds = 40
        late = other.limit("l", 1, 60)
        late.count("a")
        await trio.sleep(1)
        assert late.wait("a") == 20.0


async def test_good_attempts_are_taken_back_everywhere(autojump_clock: trio.testing.MockClock) -> None:
    clock = Clock()
    async with processes(CountingBus(clock), clock) as (one, other):
        here, there = one.limit("l", 3, 60), other.limit("l", 3, 60)
        for _ in range(20):
            assert here.take("a") == 0.0
            await trio.sleep(1)
            here.give_back("a")
            await trio.sleep(1)
            assert there.take("a") == 0.0
            there.give_back("a")
        await trio.sleep(1)
        assert there.wait("a") == 0.0


async def test_without_the_bus_each_counts_for_itself(autojump_clock: trio.testing.MockClock) -> None:
    clock = Clock()
    bus = CountingBus(clock)
    async with processes(bus, clock) as (one, other):
        here, there = one.limit("l", 3, 60), other.limit("l", 3, 60)
        bus.away = True
        for _ in range(3):
            here.count("a")
            await trio.sleep(1)
        assert here.wait("a") > 0
        bus.away = False
        there.count("a")
        await trio.sleep(1)
        assert there.wait("a") == 0.0
        here.count("a")
        await trio.sleep(1)
        there.count("a")
        await trio.sleep(1)
        assert there.wait("a") > 0, "counted together again"


async def test_a_flood_is_shared_in_portions(autojump_clock: trio.testing.MockClock) -> None:
    clock = Clock()
    bus = CountingBus(clock)
    async with processes(bus, clock, 1) as (only,):
        limit = only.limit("l", 1, 60)
        for number in range(1000):
            limit.count(number)
        await until(lambda: sum(bus.exchanges) == 1000)
        assert max(bus.exchanges) == MOST_PER_EXCHANGE


@pytest.mark.parametrize("away", [False, True])
async def test_nothing_is_asked_of_the_bus_while_nothing_happens(autojump_clock: trio.testing.MockClock, away: bool) -> None:
    clock = Clock()
    bus = CountingBus(clock)
    bus.away = away
    async with processes(bus, clock, 1) as (only,):
        only.limit("l", 1, 60).count("a")
        await trio.sleep(100)
        assert bus.exchanges == [1]
