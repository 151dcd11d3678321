"""The gateway processes of `csms serve --gateways N`: started, started again when they die, replaced one by one, stopped."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog
import trio
from prometheus_client import Counter, Gauge

from csms.cli.gateway_process import GatewayProcess, NotStarted, child_environment
from csms.health import HealthRegistry, State

log = structlog.get_logger()

BEYOND_DRAIN_S: Final = 30.0
"""What a process may take after its drain: to commit what it was told, and to close what it has open."""
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_SOUND_AFTER_S: Final = 60.0
"""A process that has lived this long did not die of how it was started: the pauses begin anew."""

_RUNNING = Gauge("csms_launcher_gateways", "Gateway processes of this launcher that are ready for stations")
_DEATHS = Counter("csms_launcher_gateway_deaths_total", "Gateway processes of this launcher that ended unasked, or did not start")


class _Slot:
    """The place of one process, whichever fills it."""

    def __init__(self, number: int, environment: Mapping[str, str]) -> None:
        self.number = number
        self.environment = environment
        self.process: GatewayProcess | None = None
        self.status = 0
        """The exit status of the last process; negative: the signal that killed it."""
        self.replace = trio.Event()
        self.filled = trio.Event()


class GatewayFleet:
    """Supervises gateway processes that share the OCPP ports."""

    def __init__(
        self,
        environments: Sequence[Mapping[str, str]],
        ports: Sequence[socket.socket],
        replacements: AsyncIterator[object],
        health: HealthRegistry,
        *,
        drain_s: float,
    ) -> None:
        """One process per entry of `environments`, which is added to ours. `ports`: bound, not listening; they keep the ports
        ours while no process runs. Each item of `replacements` asks for all processes to be replaced."""
        self._slots = [_Slot(number, child_environment(changes)) for number, changes in enumerate(environments)]
        self._ports = ports
        self._replacements = replacements
        self._health = health
        self._end_s = drain_s + BEYOND_DRAIN_S
        self._stop = trio.Event()
        self.ended = trio.Event()
        """Set when no process is left."""

    async def run(self, stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
        """Keep all processes running until `stop`, then let them drain. `started` gets the URLs of the first.

        Raises NotStarted when one of them does not get ready at the start.
        """
        self._stop = stop
        try:
            async with trio.open_nursery() as slots:
                async with trio.open_nursery() as starting:
                    for slot in self._slots:
                        starting.start_soon(slots.start, self._keep, slot)
                process = self._slots[0].process
                task_status.started([] if process is None else process.urls)
                replacing = await slots.start(self._replace_when_asked)
                await stop.wait()
                replacing.cancel(reason="stopping")
        except BaseExceptionGroup as errors:
            failed, others = errors.split(NotStarted)
            if failed is not None and others is None:
                raise _first(failed) from None
            raise
        finally:
            self.ended.set()
            for port in self._ports:
                port.close()
        self._health.report("gateway", "down", "stopped")

    async def _keep(self, slot: _Slot, *, task_status: trio.TaskStatus[None]) -> None:
        """Keep one place filled until the stop."""
        pause = _FIRST_PAUSE_S
        first = True
        while not self._stop.is_set():
            begun = trio.current_time()
            try:
                await self._until_stop(lambda: self._fill(slot))
            except NotStarted as error:
                if first:
                    raise
                log.error("gateway.process_not_started", process=slot.number, error=str(error), next_start_s=pause)
            if slot.process is not None:
                if first:
                    task_status.started()
                first = False
                if await self._watch(slot, slot.process):
                    continue
                if trio.current_time() - begun > _SOUND_AFTER_S:
                    pause = _FIRST_PAUSE_S
                log.error("gateway.process_died", process=slot.number, status=slot.status, next_start_s=pause)
            if self._stop.is_set():
                break
            _DEATHS.inc()
            with trio.move_on_after(pause):
                await self._stop.wait()
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        if first:
            task_status.started()

    async def _fill(self, slot: _Slot) -> None:
        slot.process = process = await GatewayProcess.start(slot.number, slot.environment)
        slot.replace = trio.Event()
        log.info("gateway.process_ready", process=slot.number, pid=process.pid)
        slot.filled.set()
        self._tell()

    async def _watch(self, slot: _Slot, process: GatewayProcess) -> bool:
        """Until the process has ended; True when it was asked to."""
        try:
            async with trio.open_nursery() as nursery:
                for wait in (process.wait, self._stop.wait, slot.replace.wait):
                    nursery.start_soon(_then_cancel, wait, nursery.cancel_scope)
            asked = self._stop.is_set() or slot.replace.is_set()
            # from here on nobody counts on it, though it still says goodbye
            slot.process = None
            self._tell()
            if asked:
                log.info("gateway.process_stopping", process=slot.number, pid=process.pid)
                await process.end(self._end_s)
        finally:
            slot.process = None
            with trio.CancelScope(shield=True):
                slot.status = await process.end_now()
        return asked

    async def _replace_when_asked(self, *, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope() as scope:
            task_status.started(scope)
            async for _ in self._replacements:
                log.info("gateway.replacing_all", processes=len(self._slots))
                for slot in self._slots:
                    slot.filled = trio.Event()
                    slot.replace.set()
                    await slot.filled.wait()
                log.info("gateway.replaced_all")

    async def _until_stop(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work, given up at the stop."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_then_cancel, self._stop.wait, nursery.cancel_scope)
                await work()
                nursery.cancel_scope.cancel(reason="done")
        except BaseExceptionGroup as errors:
            failed, others = errors.split(NotStarted)
            if failed is not None and others is None:
                raise _first(failed) from None
            raise

    def _tell(self) -> None:
        running = sum(slot.process is not None for slot in self._slots)
        _RUNNING.set(running)
        state: State = "ok" if running == len(self._slots) else "degraded"
        self._health.report("gateway", state, f"{running} of {len(self._slots)} processes are ready")


async def _then_cancel(wait: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
    await wait()
    scope.cancel(reason="one of several has happened")


def _first(errors: BaseException) -> BaseException:
    while isinstance(errors, BaseExceptionGroup):
        errors = errors.exceptions[0]
    return errors
