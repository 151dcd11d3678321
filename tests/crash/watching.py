"""What gateways say of themselves while a fault lasts and after it: health, metrics, memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import trio

from tests.e2e.running import RunningServer

_EVERY: Final = 0.4
"""Seconds between two looks at a gateway."""
_HEALTHY_WITHIN: Final = 20.0
_MEMORY_LIMIT: Final = 200 * 2**20
"""Bytes resident of one gateway with some hundred stations, whatever is queued; it begins with about 95 MB."""
_QUEUED, _RETRIES = "csms_ledger_queued", "csms_ledger_retries_total"


class Watch:
    """One observer of all gateways for one round."""

    def __init__(self, gateways: Sequence[RunningServer]) -> None:
        self._gateways = gateways
        self._degraded: dict[int, dict[str, Any]] = {}
        """By number of the gateway: what it said when it said first, since the mark, that something is wrong."""
        self._troubled: set[int] = set()
        """Gateways whose metrics told of messages that wait, or of commits that were tried again, since the mark."""
        self._retries: dict[int, float] = {}
        self.most_memory = 0

    def mark(self) -> None:
        """The fault is there."""
        self._degraded.clear()
        self._troubled.clear()
        self._retries.clear()

    def untold(self) -> list[str]:
        """Gateways that did not tell of the fault, by health or by metrics."""
        numbers = range(len(self._gateways))
        return [
            *(f"gateway {n} was healthy all the while by its /health" for n in numbers if n not in self._degraded),
            *(f"gateway {n} was well all the while by its metrics" for n in numbers if n not in self._troubled),
        ]

    async def recovered(self) -> list[str]:
        """Wait until all gateways are healthy again, by themselves, with empty queues; gives what is not so."""
        found: list[str] = []
        with trio.move_on_after(_HEALTHY_WITHIN):
            while found := [fault for gateway in self._gateways for fault in await _faults(gateway)]:
                await trio.sleep(0.2)
        if self.most_memory > _MEMORY_LIMIT:
            found.append(f"a gateway had {self.most_memory / 2**20:.0f} MB")
        return found

    async def look_at(self, number: int) -> None:
        """Until cancelled. A gateway that is down is left out; one that does not answer in time is noted by its silence."""
        gateway = self._gateways[number]
        while True:
            if gateway.exit_status is None:
                try:
                    self.most_memory = max(self.most_memory, gateway.memory())
                    health = await trio.to_thread.run_sync(gateway.health, abandon_on_cancel=True)
                    if health["status"] != "ok":
                        self._degraded.setdefault(number, health)
                    told = await metrics(gateway)
                    retries = self._retries.setdefault(number, told[_RETRIES])
                    if told[_QUEUED] > 0 or told[_RETRIES] > retries:
                        self._troubled.add(number)
                except (OSError, httpx.HTTPError, ValueError):
                    pass  # it is being killed or started
            await trio.sleep(_EVERY)


async def metrics(gateway: RunningServer) -> dict[str, float]:
    """The gauges and counters without labels."""
    answer = await trio.to_thread.run_sync(lambda: httpx.get(f"{gateway.http_url}/metrics", timeout=5.0), abandon_on_cancel=True)
    lines = (line.split() for line in answer.text.splitlines() if not line.startswith("#") and "{" not in line)
    return {name: float(value) for name, value in lines}


async def _faults(gateway: RunningServer) -> list[str]:
    try:
        health = await trio.to_thread.run_sync(gateway.health, abandon_on_cancel=True)
    except (httpx.HTTPError, ValueError) as error:
        return [f"no health: {error!r}"]
    return [] if health["status"] == "ok" else [f"not healthy again: {health}"]


@asynccontextmanager
async def watching(gateways: Sequence[RunningServer]) -> AsyncGenerator[Watch]:
    watch = Watch(gateways)
    async with trio.open_nursery() as nursery:
        for number in range(len(gateways)):
            nursery.start_soon(watch.look_at, number)
        yield watch
        nursery.cancel_scope.cancel()
