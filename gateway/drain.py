"""Saying goodbye to all stations: in batches, so that neither the run loop nor their reconnects come all at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog
import trio

from csms.clock import Ids
from gateway.calls import OutgoingCalls
from gateway.closing import CloseReason
from gateway.connection import contained
from gateway.registry import Registry

log = structlog.get_logger()

BATCH: Final = 100
BATCH_EVERY_S: Final = 0.1
FINISH_S: Final = 10.0
"""Seconds that CALLs under way get to be answered."""
HANDSHAKES_S: Final = 2.0
"""Seconds that handshakes under way get to be answered: the last ones that were accepted are told to come back."""
HANDSHAKES_POLL_S: Final = 0.05
COMMIT_S: Final = 5.0
"""Seconds that the disconnects get to be committed."""


async def drain(
    registry: Registry, calls: OutgoingCalls, ids: Ids, budget_s: float, handshaking: Callable[[], bool] = lambda: False
) -> None:
    """Close all connections with 1012 once their CALLs are answered; whoever is left after `budget_s` is for the caller."""
    calls.stopped = True
    log.info("gateway.draining", connections=len(registry.connections))
    with trio.move_on_after(budget_s) as scope:
        waiting = list(registry.connections)
        for start in range(0, len(waiting), BATCH):
            for connection in waiting[start : start + BATCH]:
                contained(connection, partial(connection.retire, CloseReason.RESTART))
            await trio.sleep(BATCH_EVERY_S * (0.5 + ids.token(1)[0] / 256))
        with trio.move_on_after(HANDSHAKES_S):
            while True:
                await trio.sleep(HANDSHAKES_POLL_S)  # also at first: those accepted last have not begun yet
                if not handshaking():
                    break
        with trio.move_on_after(FINISH_S):
            await registry.wait_until(lambda: not registry.finishing)
        for connection in list(registry.connections):
            contained(connection, partial(connection.close, CloseReason.RESTART))
        await registry.wait_until(lambda: not registry.connections)
    if scope.cancelled_caught:
        log.warning("gateway.drain_deadline", connections=len(registry.connections))
    calls.abandon()


async def leave(registry: Registry) -> None:
    """Wait until the ends of the connections are committed."""
    with trio.move_on_after(COMMIT_S) as scope:
        await registry.wait_until(lambda: registry.leaving == 0)
    if scope.cancelled_caught:
        log.warning("gateway.disconnects_not_committed", count=registry.leaving)
