"""What follows the outbox may fail: it is started again, and nothing else notices."""

from __future__ import annotations

import pytest
import structlog
import trio
from trio.testing import MockClock

from csms.cli.followers import keep_running
from csms.health import HealthRegistry


async def test_what_fails_or_ends_is_started_again_with_growing_pauses(autojump_clock: MockClock) -> None:
    health = HealthRegistry()
    started: list[float] = []
    began = trio.current_time()

    async def fail() -> None:
        started.append(trio.current_time() - began)
        if len(started) == 4:
            await trio.sleep(100)
        if len(started) % 2:
            raise RuntimeError("a fault")

    with structlog.testing.capture_logs() as logs, trio.move_on_after(150):
        await keep_running("billing", fail, health)
    # after a time in which it was sound the first pause is the shortest again
    assert [round(at) for at in started[:5]] == [0, 1, 6, 36, 137]
    assert health.snapshot()["billing"].state == "degraded"
    assert {entry["event"] for entry in logs} == {"follower.failed", "follower.ended"}


async def test_cancelling_ends_it(autojump_clock: MockClock) -> None:
    with trio.move_on_after(1) as scope:
        await keep_running("billing", trio.sleep_forever, HealthRegistry())
    assert scope.cancelled_caught


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
async def test_exits_go_on(error: type[BaseException]) -> None:
    async def leave() -> None:
        raise error

    with pytest.raises(error):
        await keep_running("billing", leave, HealthRegistry())
