"""Plays a scenario: case by case, step by step, while samples are taken; an interrupt leaves what was measured so far."""

from __future__ import annotations

import math
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from bench import events, figures, machine
from bench.fleets import Fleet, open_fleet
from bench.plans import plans
from bench.processes import BenchError
from bench.sampling import Sampler
from bench.scenario import Case, Scenario, Step
from bench.system import Elsewhere, Measured, open_csms, open_peer

Tell = Callable[[str], None]

_READY_S: Final = 900.0
_SETTLE_S: Final = 2.0
_BEYOND_RUN_S: Final = 60.0
_END_S: Final = 45.0


class Runner:
    """Plays one scenario. `url`: against a system that runs elsewhere, instead of one of its own."""

    def __init__(self, scenario: Scenario, program: Path, cache: Path, tell: Tell, url: str | None = None) -> None:
        self._scenario = scenario
        self._program = program
        self._cache = cache
        self._tell = tell
        self._url = url
        self._interrupted = trio.Event()
        self.result: dict[str, Any] = {
            "scenario": scenario.name,
            "title": scenario.title,
            "about": scenario.about,
            "partial": True,
            "seed": scenario.seed,
            "machine": machine.facts(),
            "cases": [],
            "failed": [],
        }

    async def play(self) -> dict[str, Any]:
        """The result, with `partial` true when a signal ended it early. A case that cannot be played is told in `failed`."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._listen_for_signals)
            for case in self._scenario.cases:
                if self._interrupted.is_set():
                    break
                try:
                    await self._play_case(case)
                except* BenchError as failures:
                    reason = str(first_of(failures))
                    self._tell(f"{case.name}: {reason}")
                    self.result["failed"].append({"case": case.name, "reason": reason})
            nursery.cancel_scope.cancel()
        self.result["partial"] = self._interrupted.is_set()
        figures.finish(self._scenario, self.result)
        return self.result

    async def _listen_for_signals(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
            task_status.started()
            async for _ in received:
                self._tell("interrupted: keeping what was measured")
                self._interrupted.set()

    async def _play_case(self, case: Case) -> None:
        self._tell(f"{case.name}: starting {case.system.product}")
        async with _opened(self._system(case)) as system:
            await trio.sleep(_SETTLE_S)
            player = _Player(case, system, self._tell, self._interrupted)
            self.result["cases"].append(player.record)
            async with open_fleet(self._program, plans(case, self._scenario.seed, system.target)) as fleet:
                await player.play(fleet)

    def _system(self, case: Case) -> AbstractContextManager[Measured]:
        if self._url is not None:
            return _as_it_is(Elsewhere(self._url))
        if case.system.product == "csms":
            return open_csms(case)
        return open_peer(case.system.product, self._cache)


class _Player:
    """Plays one case on a system that runs."""

    def __init__(self, case: Case, system: Measured, tell: Tell, interrupted: trio.Event) -> None:
        self._case = case
        self._system = system
        self._tell = tell
        self._interrupted = interrupted
        self._sampler: Sampler
        self.record: dict[str, Any] = {
            "name": case.name,
            "system": msgspec.to_builtins(case.system),
            "note": case.note,
            "stations": case.fleet.stations,
            "steps": [],
            "samples": [],
        }

    async def play(self, fleet: Fleet) -> None:
        self._sampler = Sampler(lambda: {**self._system.pids(), "fleet": fleet.pids})
        self.record["samples"] = self._sampler.samples
        self.record["memory_empty"] = self._sampler.memory()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sampler.run, fleet.progress)
            nursery.start_soon(self._show, fleet)
            nursery.start_soon(self._end_when_interrupted, fleet)
            await self._connect(fleet)
            for step in self._case.steps:
                if self._interrupted.is_set():
                    break
                await self._hold(step) if step.do == "hold" else await self._run(fleet, step)
            nursery.cancel_scope.cancel()

    async def _connect(self, fleet: Fleet) -> None:
        before = self._sampler.cpu()
        with trio.move_on_after(_READY_S) as scope:
            try:
                ready = await fleet.until_ready()
            except BenchError:
                if not self._interrupted.is_set():
                    raise
                return
        if scope.cancelled_caught:
            seen = fleet.progress()
            raise BenchError(
                f"{self._case.name}: after {_READY_S:.0f} s {seen['connected']} of {self._case.fleet.stations} stations are"
                f" connected and {seen['accepted']} accepted"
            )
        self._tell(f"{self._case.name}: {ready['accepted']:,} stations accepted after {ready['seconds']:.1f} s")
        self.record["ready"] = {**ready, "cpu": _used(before, self._sampler.cpu())}

    async def _hold(self, step: Step) -> None:
        before, began = self._sampler.cpu(), trio.current_time()
        with trio.move_on_after(step.seconds):
            await self._interrupted.wait()
        self.record["steps"].append(
            {
                "name": step.name,
                "do": "hold",
                "seconds": trio.current_time() - began,
                "cpu": _used(before, self._sampler.cpu()),
                "memory": self._sampler.memory(),
            }
        )

    async def _run(self, fleet: Fleet, step: Step) -> None:
        if step.warm_up_s:
            await self._result(fleet, step, step.warm_up_s)
            if self._interrupted.is_set():
                return
        await trio.sleep(_SETTLE_S)
        stored = await trio.to_thread.run_sync(self._system.stored_readings)
        before = self._sampler.cpu()
        self._system.begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(events.happen, step.events, self._system, fleet, self._tell)
            result = await self._result(fleet, step, step.seconds)
            used = _used(before, self._sampler.cpu())
            nursery.cancel_scope.cancel()
        result["more"] = dict(await trio.to_thread.run_sync(self._system.end))
        if stored is not None:
            after = await trio.to_thread.run_sync(self._system.stored_readings)
            result["stored_readings"] = None if after is None else after - stored
        self.record["steps"].append(
            {"name": step.name, "do": "run", "speed": step.speed, **result, "cpu": used, "memory": self._sampler.memory()}
        )

    async def _result(self, fleet: Fleet, step: Step, seconds: float) -> dict[str, Any]:
        with trio.move_on_after(seconds + _BEYOND_RUN_S):
            return await fleet.run(step.name, seconds, step.speed)
        raise BenchError(f"{self._case.name}, {step.name}: no result {_BEYOND_RUN_S:.0f} s after its end")

    async def _end_when_interrupted(self, fleet: Fleet) -> None:
        await self._interrupted.wait()
        with trio.move_on_after(_END_S, shield=True):
            await fleet.end()

    async def _show(self, fleet: Fleet) -> None:
        """A line a second about where things stand."""
        while True:
            await trio.sleep(1)
            seen = fleet.progress()
            times = "" if seen["p99_ms"] is None else f"  p50 {seen['p50_ms']:.1f} ms, p99 {seen['p99_ms']:.1f} ms"
            share = math.floor(100 * seen["accepted"] / self._case.fleet.stations)
            self._tell(
                f"\r{self._case.name}: {seen['phase']}, {seen['connected']:,} connected, {share} % accepted,"
                f" {seen['answered']:,} answered, {seen['waiting']:,} waiting, {seen['errors']:,} errors{times}"
            )


def first_of(failures: BaseExceptionGroup[BenchError]) -> BenchError:
    """The first failure, out of the groups that nurseries put around it."""
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, BenchError)
    return first


def _used(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {role: seconds - before.get(role, 0.0) for role, seconds in after.items()}


@contextmanager
def _as_it_is(system: Measured) -> Any:
    yield system


@asynccontextmanager
async def _opened(context: AbstractContextManager[Measured]) -> AsyncIterator[Measured]:
    """A context whose beginning and end take their time, in a thread."""
    system = await trio.to_thread.run_sync(context.__enter__)
    try:
        yield system
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(context.__exit__, None, None, None)
