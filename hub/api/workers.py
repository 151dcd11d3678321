"""Threads for what computes for longer than other requests should wait: pricing, and the reading of big uploads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import trio

from hub.api.problems import unavailable

T = TypeVar("T")

_AT_ONCE: Final = 2
_MAX_WAITING: Final = 20


class Workers:
    """Two threads, and at most 20 that wait for one."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(_AT_ONCE)

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """`work(*arguments)` in a thread; raises what it raises, and Problem 503 when too many wait."""
        if self._limiter.statistics().tasks_waiting >= _MAX_WAITING:
            raise unavailable("too much is being computed at this moment")
        return await trio.to_thread.run_sync(partial(work, *arguments), limiter=self._limiter)
