"""So many in a second, evenly: a change that concerns ten thousand stations must not get in the way of those who charge."""

from __future__ import annotations

import trio


class Pace:
    """`rate`: turns per second, for all tasks together."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for a turn; whoever came first goes first."""
        at = max(trio.current_time(), self._next)
        self._next = at + self._gap
        await trio.sleep_until(at)
