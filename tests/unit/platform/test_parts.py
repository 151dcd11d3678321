"""The launcher's way up and down, with parts that behave well and badly, on Trio's mock clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from csms.cli.parts import Part, Parts, PartsFailed, Run
from csms.cli.shutdown import Shutdown

DRAIN_S = 60.0


class Abandoned(Exception):
    """Stands in for the end of the process."""


async def abandon(stuck: list[Part]) -> None:
    raise Abandoned(stuck)


async def good(stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
    task_status.started(["url"])
    await stop.wait()


def slow(seconds: float) -> Run:
    """Needs this long to end."""

    async def run(stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
        task_status.started(["url"])
        await stop.wait()
        await trio.sleep(seconds)

    return run


async def stuck(stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
    """Cannot even be cancelled."""
    task_status.started(["url"])
    with trio.CancelScope(shield=True):
        await trio.sleep(10_000)


async def run_parts(runs: dict[Part, Run], *events: tuple[float, Callable[[Shutdown], Any]]) -> dict[Part, list[str]]:
    """Run parts; `events` happen so many seconds after the start."""
    shutdown = Shutdown()
    told: dict[Part, list[str]] = {}

    async def later(seconds: float, action: Callable[[Shutdown], Any]) -> None:
        await trio.sleep(seconds)
        action(shutdown)

    async with trio.open_nursery() as nursery:
        for seconds, action in events:
            nursery.start_soon(later, seconds, action)
        with shutdown.start_up:
            try:
                await Parts(runs, shutdown, DRAIN_S).run(told.update, abandon)
            finally:
                nursery.cancel_scope.cancel()
    return told


def only(group: BaseExceptionGroup[BaseException] | BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        assert len(group.exceptions) == 1
        group = group.exceptions[0]
    return group


async def failing(action: Awaitable[object]) -> BaseException:
    """What it raises, out of its groups."""
    try:
        await action
    except Exception as error:
        return only(error)
    raise AssertionError("nothing was raised")


async def test_both_run_until_asked_to_stop(autojump_clock: MockClock) -> None:
    assert await run_parts({"gateway": good, "hub": good}, (5, Shutdown.request)) == {
        "gateway": ["url"],
        "hub": ["url"],
    }
    assert trio.current_time() == pytest.approx(5)


async def test_a_part_has_the_drain_to_end(autojump_clock: MockClock) -> None:
    await run_parts({"gateway": slow(DRAIN_S), "hub": good}, (5, Shutdown.request))
    assert trio.current_time() == pytest.approx(5 + DRAIN_S)


async def test_then_it_is_cancelled(autojump_clock: MockClock) -> None:
    await run_parts({"gateway": slow(10_000), "hub": good}, (5, Shutdown.request))
    assert trio.current_time() == pytest.approx(5 + DRAIN_S + 10)


async def test_a_second_request_cuts_the_drain_short(autojump_clock: MockClock) -> None:
    await run_parts({"gateway": slow(10_000), "hub": good}, (5, Shutdown.request), (7, Shutdown.request))
    assert trio.current_time() == pytest.approx(7)


async def test_a_part_that_cannot_be_cancelled_is_abandoned(autojump_clock: MockClock) -> None:
    error = await failing(run_parts({"gateway": good, "hub": stuck}, (5, Shutdown.request)))
    assert isinstance(error, Abandoned)
    assert error.args == (["hub"],)


async def test_a_hub_that_fails_is_started_again_and_the_gateway_goes_on(autojump_clock: MockClock) -> None:
    starts: list[float] = []
    gateway_ended: list[float] = []

    async def frail(stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
        starts.append(trio.current_time())
        task_status.started(["url"])
        await trio.sleep(1)
        if len(starts) < 4:
            raise ExceptionGroup("hypercorn", [RuntimeError("one bad packet")])
        await stop.wait()

    async def watched(stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
        task_status.started(["url"])
        await stop.wait()
        gateway_ended.append(trio.current_time())

    await run_parts({"gateway": watched, "hub": frail}, (100, Shutdown.request))
    assert starts == [pytest.approx(t) for t in (0, 1.5, 3.5, 6.5)]
    assert gateway_ended == [pytest.approx(100)]


async def test_a_gateway_that_fails_ends_the_process_in_order(autojump_clock: MockClock) -> None:
    hub_ended: list[float] = []

    async def broken(stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
        task_status.started(["url"])
        await trio.sleep(3)
        raise RuntimeError("a fault of ours")

    async def watched(stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
        task_status.started(["url"])
        await stop.wait()
        await trio.sleep(2)
        hub_ended.append(trio.current_time())

    assert isinstance(await failing(run_parts({"gateway": broken, "hub": watched})), PartsFailed)
    assert hub_ended == [pytest.approx(5)]


@pytest.mark.parametrize("part", ["gateway", "hub"])
async def test_what_fails_at_its_start_is_raised(autojump_clock: MockClock, part: Part) -> None:
    async def occupied(stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
        raise OSError(98, "Address already in use")

    runs: dict[Part, Run] = {"gateway": good, "hub": good}
    error = await failing(run_parts({**runs, part: occupied}))
    assert isinstance(error, OSError)


async def test_a_request_during_the_start_ends_it(autojump_clock: MockClock) -> None:
    async def never_starts(stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
        await trio.sleep_forever()

    assert await run_parts({"gateway": never_starts}, (2, Shutdown.request)) == {}
    assert trio.current_time() == pytest.approx(2)
