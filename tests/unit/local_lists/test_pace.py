"""Commands go out at a bounded rate, whoever wants to send them."""

from __future__ import annotations

import trio
import trio.testing

from csms.local_lists.pace import Pace


async def test_many_tasks_share_the_turns(autojump_clock: trio.testing.MockClock) -> None:
    pace = Pace(20)
    began = trio.current_time()
    turns: list[float] = []

    async def take(count: int) -> None:
        for _ in range(count):
            await pace.turn()
            turns.append(trio.current_time() - began)

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(take, 20)
    assert len(turns) == 200
    for second in range(10):
        assert sum(second <= turn < second + 1 for turn in turns) <= 21


async def test_rest_is_not_saved_up(autojump_clock: trio.testing.MockClock) -> None:
    pace = Pace(10)
    await pace.turn()
    await trio.sleep(60)
    began = trio.current_time()
    for _ in range(11):
        await pace.turn()
    assert trio.current_time() - began > 0.99
