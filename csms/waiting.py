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


async def wait_for(
    bus: Bus,
    topic: str,
    look: Callable[[float], Awaitable[T]],
    ended: Callable[[T], bool],
    wait_s: float,
    *,
    begin: Callable[[], Awaitable[T]] | None = None,
) -> T:
    """What `look` gives when it has `ended`, or as it is after `wait_s` seconds.

    `look(deadline)` reads the row; it is asked whenever something is published on `topic`, and every second, without the bus four
    times a second. `begin` sets off what is waited for, when nothing that is published can be missed any more, and gives the row
    as it is then; without it the row is looked at first.
    """
    deadline = trio.current_time() + wait_s
    found: list[T] = []
    try:
        async with bus.subscribe(topic) as pokes:
            found.append(await look(deadline) if begin is None else await begin())
            while not ended(found[-1]) and (rest := deadline - trio.current_time()) > 0:
                with trio.move_on_after(min(POLL_S if bus.connected else AWAY_POLL_S, rest)):
                    await pokes.receive()
                found[-1] = await look(deadline)
            return found[-1]
    except (BusUnavailable, trio.EndOfChannel):
        if not found and begin is not None:
            found.append(await begin())
        return await _poll(look, ended, deadline)


async def _poll(look: Callable[[float], Awaitable[T]], ended: Callable[[T], bool], deadline: float) -> T:
    while True:
        found = await look(deadline)
        rest = deadline - trio.current_time()
        if ended(found) or rest <= 0:
            return found
        await trio.sleep(min(AWAY_POLL_S, rest))
