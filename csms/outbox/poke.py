"""Tells readers that there is something to read. A poke may be lost: they look every second by themselves."""

from __future__ import annotations

from typing import Final

import trio

from csms.bus import Bus, BusUnavailable

WRITTEN_TOPIC: Final = "outbox.written"
EVERY_S: Final = 0.1
"""Least time between two pokes of one process, however often it commits."""


class Poker:
    """Pokes on behalf of whoever commits events in this process."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._written = trio.Event()

    def written(self) -> None:
        """Events are committed. For the Trio thread; neither blocks nor raises."""
        self._written.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self._written.wait()
            self._written = trio.Event()
            try:
                await self._bus.publish(WRITTEN_TOPIC, b"")
            except BusUnavailable:
                pass  # the readers look by themselves
            await trio.sleep(EVERY_S)
