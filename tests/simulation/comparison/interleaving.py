"""Two transactions that are led alternately, one step of the port at a time: what each does after every step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import trio
from trio.testing import wait_all_tasks_blocked

from tests.simulation.comparison.sides import DEADLOCK_MS, Batch, Gate, ModelSide, Outcome, PostgresSide

CRASH: Final = 2
"""A turn in which neither writer goes on: the server is killed."""
_LONGEST_S: Final = 30
_POLL_S: Final = 0.001


class _LedGate(Gate, Protocol):
    point: str | None
    """Where the transaction stands; None: it is on its way."""

    def open(self) -> None:
        """Let it go on to the next step."""
        ...


class _TrioGate:
    def __init__(self) -> None:
        self.point: str | None = None
        self._opened = trio.Event()

    async def at(self, point: str) -> None:
        self._opened = trio.Event()
        self.point = point
        await self._opened.wait()

    def open(self) -> None:
        self.point = None
        self._opened.set()


class _LoopGate:
    """In the thread of the store's loop, led from Trio."""

    def __init__(self) -> None:
        self.point: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened = asyncio.Event()

    async def at(self, point: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._opened = asyncio.Event()
        self.point = point
        await self._opened.wait()

    def open(self) -> None:
        assert self._loop is not None
        self.point = None
        self._loop.call_soon_threadsafe(self._opened.set)


@dataclass
class Played:
    """The states of both after every step, and what came of them."""

    steps: list[tuple[str, str]] = field(default_factory=list)
    outcomes: list[Outcome | None] = field(default_factory=lambda: [None, None])


class _Play:
    def __init__(
        self, gates: Sequence[_LedGate], settle: Callable[[_Play], Awaitable[None]], crash: Callable[[_Play], Awaitable[None]]
    ) -> None:
        self.played = Played()
        self.gates = gates
        self.blocked = [False, False]
        self._settle = settle
        self._crash = crash

    def is_over(self, writer: int) -> bool:
        return self.played.outcomes[writer] is not None

    def state(self, writer: int) -> str:
        if self.is_over(writer):
            return "over"
        return "waits" if self.blocked[writer] else f"before {self.gates[writer].point}"

    async def run(self, writers: Sequence[Callable[[], Awaitable[Outcome]]], turns: Sequence[int]) -> Played:
        """Start both; then in every turn the writer whose turn it is goes on, or else the other one."""

        async def write(number: int) -> None:
            self.played.outcomes[number] = await writers[number]()

        with trio.fail_after(_LONGEST_S):
            async with trio.open_nursery() as nursery:
                for number in range(2):
                    nursery.start_soon(write, number)
                    await self._settle(self)
                for turn in turns:
                    able = [number for number in range(2) if not self.is_over(number) and not self.blocked[number]]
                    if not able:
                        break
                    if turn == CRASH:
                        await self._crash(self)
                    else:
                        self.gates[turn if turn in able else able[0]].open()
                    await self._settle(self)
                    self.played.steps.append((self.state(0), self.state(1)))
        return self.played


async def play_model(side: ModelSide, batches: Sequence[Batch], turns: Sequence[int]) -> Played:
    gates = [_TrioGate() for _ in range(2)]

    async def settle(play: _Play) -> None:
        await wait_all_tasks_blocked()
        play.blocked = [not play.is_over(n) and gates[n].point is None for n in range(2)]

    async def crash(play: _Play) -> None:
        await side.database.crash()

    return await _Play(gates, settle, crash).run([_writer(side, batches[n], n, gates[n]) for n in range(2)], turns)


async def play_postgres(side: PostgresSide, batches: Sequence[Batch], turns: Sequence[int]) -> Played:
    gates = [_LoopGate() for _ in range(2)]
    side.backends = [None, None]
    started = 0

    async def settle(play: _Play) -> None:
        nonlocal started
        started = min(started + 1, 2)
        before, looks = play.blocked, 0
        while True:
            await trio.sleep(_POLL_S)
            moving = [n for n in range(started) if not play.is_over(n) and gates[n].point is None]
            if not moving:
                break
            # both wait: that is a circle, which the server breaks soon
            if len(moving) == 1 and await side.waiting(moving[0]):
                looks += 1
                if looks == 2:  # no short wait for something else than a row
                    break
        play.blocked = [n in moving for n in range(2)]
        if play.blocked != before and moving:
            await trio.sleep(3 * DEADLOCK_MS / 1000)  # it has looked for a circle, so that only who closes one will find it

    async def crash(play: _Play) -> None:
        # first who waits: or else he would go on for a moment when the other one is gone
        for writer in sorted(range(2), key=lambda n: not play.blocked[n]):
            if not play.is_over(writer):
                await side.kill(writer)

    return await _Play(gates, settle, crash).run([_writer(side, batches[n], n, gates[n]) for n in range(2)], turns)


def _writer(side: ModelSide | PostgresSide, batch: Batch, number: int, gate: Gate) -> Callable[[], Awaitable[Outcome]]:
    return lambda: side.apply(batch, number, gate)
