"""What the garbage collector does while stations are connected: often a little, never everything."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock

from gateway.memory import (
    CHANGE_WORTH_FREEZING,
    FREEZE_EVERY_S,
    SURVIVORS_EVERY,
    YOUNG_EVERY_S,
    collect_young,
    collector_settings,
    freeze_after_changes,
)


class Cycle:
    """What only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Nothing is frozen before; afterwards all is, as in every other test."""
    gc.unfreeze()
    gc.collect()
    yield
    gc.collect()
    gc.freeze()


class Connections:
    """How many were ever made, and how many there are."""

    def __init__(self) -> None:
        self.opened = self.count = 0

    def come(self, number: int) -> None:
        self.opened += number
        self.count += number

    def go(self, number: int) -> None:
        self.count -= number


@pytest.fixture
async def connections(nursery: trio.Nursery) -> Connections:
    changing = Connections()
    nursery.start_soon(freeze_after_changes, lambda: changing.opened, lambda: changing.count)
    await trio.testing.wait_all_tasks_blocked()
    return changing


async def test_young_cycles_are_freed_within_moments(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    with collector_settings(trio.current_time):
        nursery.start_soon(collect_young)
        dead = weakref.ref(Cycle())
        assert dead() is not None
        await trio.sleep(1)
        assert dead() is None
        nursery.cancel_scope.cancel()


async def test_cycles_that_die_after_their_first_look_are_freed_too(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    with collector_settings(trio.current_time):
        nursery.start_soon(collect_young)
        cycle = Cycle()
        dead = weakref.ref(cycle)
        await trio.sleep(1.5 * YOUNG_EVERY_S)
        del cycle
        await trio.sleep(YOUNG_EVERY_S)
        assert dead() is not None
        await trio.sleep(SURVIVORS_EVERY * YOUNG_EVERY_S)
        assert dead() is None
        nursery.cancel_scope.cancel()


async def test_the_settings_are_those_of_before_afterwards() -> None:
    before, watchers = gc.get_threshold(), list(gc.callbacks)
    with collector_settings(trio.current_time):
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count()
    assert (gc.get_threshold(), gc.callbacks, gc.get_freeze_count()) == (before, watchers, 0)


async def test_what_others_froze_stays_frozen() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    with collector_settings(trio.current_time):
        pass
    assert gc.get_freeze_count() >= frozen


async def test_frozen_once_a_crowd_has_come_and_it_is_quiet(connections: Connections, autojump_clock: MockClock) -> None:
    connections.come(CHANGE_WORTH_FREEZING)
    await trio.sleep(FREEZE_EVERY_S + 1)
    assert not gc.get_freeze_count()  # they were still coming
    await trio.sleep(FREEZE_EVERY_S)
    assert gc.get_freeze_count()


async def test_who_comes_and_goes_counts_twice(connections: Connections, autojump_clock: MockClock) -> None:
    connections.come(CHANGE_WORTH_FREEZING // 2)
    connections.go(CHANGE_WORTH_FREEZING // 2)
    await trio.sleep(2 * FREEZE_EVERY_S + 1)
    assert gc.get_freeze_count()


async def test_a_few_are_not_worth_it(connections: Connections, autojump_clock: MockClock) -> None:
    connections.come(CHANGE_WORTH_FREEZING - 1)
    await trio.sleep(10 * FREEZE_EVERY_S)
    assert not gc.get_freeze_count()


async def test_what_is_young_and_dead_is_freed_before_it_could_be_frozen(
    connections: Connections, autojump_clock: MockClock
) -> None:
    connections.come(CHANGE_WORTH_FREEZING)
    await trio.sleep(FREEZE_EVERY_S + 1)
    gc.disable()
    try:
        dead = weakref.ref(Cycle())
        await trio.sleep(FREEZE_EVERY_S)
        assert gc.get_freeze_count()
        assert dead() is None
    finally:
        gc.enable()
