"""Supervising gateway processes on Trio's mock clock; the processes are stood in for, real ones are in tests/processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from csms.cli import fleet
from csms.cli.fleet import BEYOND_DRAIN_S, GatewayFleet
from csms.cli.gateway_process import NotStarted
from csms.health import HealthRegistry

DRAIN_S = 60.0
START_S = 2.0


class World:
    """All processes that there ever were, and how the next ones behave."""

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self.starts: list[tuple[float, int]] = []
        self.refuses = False
        self.life_s = float("inf")
        self.goodbye_s = 5.0

    def living(self) -> list[Process]:
        return [process for process in self.processes if not process.ended.is_set()]


class Process:
    world: World

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid = 1000 + len(self.world.processes)
        self.urls = [f"ws://{number}"]
        self.ended = trio.Event()
        self.asked_at: float | None = None
        self.dies_at = trio.current_time() + self.world.life_s

    @classmethod
    async def start(cls, number: int, environment: Mapping[str, str]) -> Process:
        assert environment["CSMS_NUMBER"] == str(number)
        cls.world.starts.append((trio.current_time(), number))
        await trio.sleep(START_S)
        if cls.world.refuses:
            raise NotStarted("no")
        cls.world.processes.append(cls(number))
        return cls.world.processes[-1]

    async def wait(self) -> None:
        with trio.move_on_at(self.dies_at):
            await self.ended.wait()
        self.ended.set()

    async def end(self, within_s: float) -> None:
        self.asked_at = trio.current_time()
        with trio.move_on_after(within_s):
            await trio.sleep(self.world.goodbye_s)
            self.ended.set()

    async def end_now(self) -> int:
        self.ended.set()
        return 0


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    Process.world = World()
    monkeypatch.setattr(fleet, "GatewayProcess", Process)
    return Process.world


class Running:
    def __init__(self, gateways: GatewayFleet, replace: trio.MemorySendChannel[object], health: HealthRegistry) -> None:
        self.gateways = gateways
        self.replace = replace
        self.health = health
        self.stop = trio.Event()
        self.urls: list[str] = []

    @property
    def state(self) -> tuple[str, str]:
        told = self.health.snapshot()["gateway"]
        return told.state, told.detail


@asynccontextmanager
async def running(count: int = 2) -> AsyncIterator[Running]:
    replace, replacements = trio.open_memory_channel[object](10)
    health = HealthRegistry()
    environments = [{"CSMS_NUMBER": str(number)} for number in range(count)]
    found = Running(GatewayFleet(environments, [], replacements, health, drain_s=DRAIN_S), replace, health)
    async with trio.open_nursery() as nursery:
        found.urls = await nursery.start(found.gateways.run, found.stop)
        yield found
        found.stop.set()


async def test_all_start_at_once_and_stop_in_order(world: World, autojump_clock: MockClock) -> None:
    async with running(3) as up:
        assert trio.current_time() == START_S
        assert up.urls == ["ws://0"]
        assert up.state == ("ok", "3 of 3 processes are ready")
        up.stop.set()
        await up.gateways.ended.wait()
        assert trio.current_time() == START_S + world.goodbye_s
    assert world.living() == []
    assert up.state[0] == "down"


async def test_pauses_grow_and_are_forgotten(world: World, autojump_clock: MockClock) -> None:
    world.life_s = 1.0
    async with running(1) as up:
        await trio.sleep(250)
        assert up.state == ("degraded", "0 of 1 processes are ready")
        times = [time for time, _ in world.starts]
        pauses = [later - sooner - START_S - 1.0 for sooner, later in pairwise(times)]
        assert pauses[:8] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
        world.life_s = 100.0
        await trio.sleep(200)
        world.life_s = 1.0
        world.starts.clear()
        await trio.sleep(110)
        times = [time for time, _ in world.starts]
        assert times[1] - times[0] < 10, "after a sound one the pauses begin anew"


async def test_one_that_does_not_start_at_first_ends_all(world: World, autojump_clock: MockClock) -> None:
    world.refuses = True
    with pytest.raises(BaseExceptionGroup) as failed:
        async with running(2):
            pytest.fail("it runs")
    assert failed.value.subgroup(NotStarted) is not None
    assert world.living() == []


async def test_they_are_replaced_one_after_the_other(world: World, autojump_clock: MockClock) -> None:
    async with running(3) as up:
        first = list(world.processes)
        await up.replace.send(None)
        least = 3
        while any(not process.ended.is_set() for process in first) or len(world.living()) < 3:
            least = min(least, len(world.living()))
            await trio.sleep(0.1)
        assert least == 2
        asked = [process.asked_at for process in sorted(first, key=lambda process: process.number)]
        assert asked == pytest.approx([START_S, START_S + 7, START_S + 14])
        assert up.state == ("ok", "3 of 3 processes are ready")


async def test_a_successor_that_does_not_start_leaves_the_others(world: World, autojump_clock: MockClock) -> None:
    async with running(2) as up:
        world.refuses = True
        await up.replace.send(None)
        await trio.sleep(300)
        assert [process.number for process in world.living()] == [1]
        assert up.state == ("degraded", "1 of 2 processes are ready")
        world.refuses = False
        await trio.sleep(60)
        assert [process.number for process in world.living()] == [0, 1]
        assert len(world.processes) == 4, "each was replaced once"


async def test_one_that_does_not_say_goodbye_is_ended(world: World, autojump_clock: MockClock) -> None:
    world.goodbye_s = 10_000
    async with running(2) as up:
        up.stop.set()
        await up.gateways.ended.wait()
        assert trio.current_time() == START_S + DRAIN_S + BEYOND_DRAIN_S
    assert world.living() == []


async def test_a_stop_does_not_wait_for_a_start(world: World, autojump_clock: MockClock) -> None:
    async with running(1) as up:
        world.processes[0].ended.set()
        await trio.sleep(0.6)
        began = trio.current_time()
        up.stop.set()
        await up.gateways.ended.wait()
        assert trio.current_time() == began


async def test_cancelled_it_leaves_none(world: World, autojump_clock: MockClock) -> None:
    with trio.move_on_after(10):
        async with running(2) as up:
            up.stop.set()
            world.goodbye_s = 10_000
            await up.gateways.ended.wait()
    assert world.living() == []
