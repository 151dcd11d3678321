"""Waiting for what happens to a row: the row is the truth, the bus wakes early."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

from csms.bus import Bus, BusUnavailable

T = TypeVar("T")

POLL_S: Final = 1.0
AWAY_POLL_S: Final = 0.25
"""The same while the bus is away."""


async def wait_for(bus: Bus, topic: str, look: Callable[[float], Awaitable[T]], ended: Callable[[T], bool], wait_s: float) -> T:
    """What `look` gives when it has `ended`, or as it is after `wait_s` seconds.

    `look(deadline)` reads the row; it is asked at once, then whenever something is published on `topic`, and every second,
    without the bus four times a second.
    """
    deadline = trio.current_time() + wait_s
    try:
        async with bus.subscribe(topic) as pokes:
            while True:
                found = await look(deadline)
                rest = deadline - trio.current_time()
                if ended(found) or rest <= 0:
                    return found
                with trio.move_on_after(min(POLL_S if bus.connected else AWAY_POLL_S, rest)):
                    await pokes.receive()
    except (BusUnavailable, trio.EndOfChannel):
        return await _poll(look, ended, deadline)


async def _poll(look: Callable[[float], Awaitable[T]], ended: Callable[[T], bool], deadline: float) -> T:
    while True:
        found = await look(deadline)
        rest = deadline - trio.current_time()
        if ended(found) or rest <= 0:
            return found
        await trio.sleep(min(AWAY_POLL_S, rest))
