"""Running gateway and hub beside each other: a fault of the hub never touches stations, and the way down has deadlines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol

import structlog
import trio

from csms.cli.shutdown import Shutdown

log = structlog.get_logger()

Part = Literal["gateway", "hub"]

_BEYOND_DRAIN_S = 10.0  # the drain paces goodbyes; then what is in flight is finished
_AFTER_CANCEL_S = 3.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


class Run(Protocol):
    """Runs a part: calls `task_status.started` with its URLs, returns some time after `stop` is set."""

    def __call__(self, stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> Awaitable[None]: ...


class PartsFailed(Exception):
    """A part ended without being asked to; what it was is in the log."""


class Parts:
    """The parts of one process, from their start to their end."""

    def __init__(self, runs: Mapping[Part, Run], shutdown: Shutdown, drain_s: float) -> None:
        self._runs = runs
        self._shutdown = shutdown
        self._drain_s = drain_s
        self._stop = trio.Event()
        self._ended = {part: trio.Event() for part in runs}
        self._scopes = {part: trio.CancelScope() for part in runs}
        self._failed = False

    async def run(self, started: Callable[[dict[Part, list[str]]], None], abandon: Callable[[list[Part]], Awaitable[None]]) -> None:
        """Start the parts, tell their URLs, and return when they have ended after a request to stop.

        `abandon` is called with the parts that do not end even when cancelled (a server library that shields a write to
        a client that reads no more): it ends the process and does not return. Raises what a part's start raised, and
        PartsFailed.
        """
        async with trio.open_nursery() as nursery:
            urls: dict[Part, list[str]] = {}
            for part, run in self._runs.items():
                guard = self._hub if part == "hub" else self._gateway
                urls[part] = await nursery.start(guard, part, run)
            self._shutdown.running()
            started(urls)
            await self._shutdown.requested.wait()
            self._stop.set()
            if not await self._all_ended(self._drain_s + _BEYOND_DRAIN_S):
                for scope in self._scopes.values():
                    scope.cancel(reason="the drain's time is over")
                with trio.move_on_after(_AFTER_CANCEL_S):
                    await self._wait_for_all()
                if stuck := [part for part, ended in self._ended.items() if not ended.is_set()]:
                    await abandon(stuck)
        if self._failed:
            raise PartsFailed("the gateway failed; the log says why")

    async def _gateway(self, part: Part, run: Run, *, task_status: trio.TaskStatus[list[str]]) -> None:
        """A gateway that fails ends the process, in order: whoever supervises the process starts a sound one."""
        with self._scopes[part]:
            status = _Status(task_status)
            try:
                await run(self._stop, task_status=status)
                if not self._stop.is_set():
                    log.error("gateway.ended_unasked")
                    self._failed = True
            except Exception:
                if not status.told:
                    raise
                log.exception("gateway.failed")
                self._failed = True
        self._ended[part].set()
        self._shutdown.requested.set()

    async def _hub(self, part: Part, run: Run, *, task_status: trio.TaskStatus[list[str]]) -> None:
        """A hub that fails is started again, with growing pauses; stations do not notice."""
        status = _Status(task_status)
        pause = _FIRST_PAUSE_S
        with self._scopes[part]:
            while not self._stop.is_set():
                try:
                    await run(self._stop, task_status=status)
                    if self._stop.is_set():
                        break
                    log.error("hub.ended_unasked", next_start_s=pause)
                except Exception:
                    if not status.told:
                        raise
                    log.exception("hub.failed", next_start_s=pause)
                with trio.move_on_after(pause):
                    await self._stop.wait()
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        self._ended[part].set()

    async def _all_ended(self, timeout: float) -> bool:
        """Wait for all parts; False when the time is over or the stop is forced."""
        with trio.move_on_after(timeout):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._cancel_when_forced, nursery.cancel_scope)
                await self._wait_for_all()
                nursery.cancel_scope.cancel()
        return all(ended.is_set() for ended in self._ended.values())

    async def _cancel_when_forced(self, scope: trio.CancelScope) -> None:
        await self._shutdown.forced.wait()
        scope.cancel(reason="the stop is forced")

    async def _wait_for_all(self) -> None:
        for ended in self._ended.values():
            await ended.wait()


class _Status:
    """A task status that may be told more than once: a part that is started again tells its URLs again."""

    def __init__(self, first: trio.TaskStatus[list[str]]) -> None:
        self._first = first
        self.told = False

    def started(self, value: list[str] | None = None) -> None:
        if not self.told:
            self.told = True
            self._first.started(value or [])
