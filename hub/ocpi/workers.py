"""What OCPI does by itself, beside answering: deliveries, results of commands, looking whether partners are still there.

A worker that fails is started again; what must be done by one process only takes a lease first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio

from hub.ocpi.command_results import post_results
from hub.ocpi.delivery import deliver
from hub.ocpi.pulls import pull
from hub.ocpi.registration.departures import see_off
from hub.ocpi.registration.renewing import keep_renewing
from hub.ocpi.routing.client_info import announce
from hub.ocpi.routing.router import HubRouter
from hub.ocpi.routing.watching import watch
from hub.ocpi.services import Ocpi

log = structlog.get_logger()

Worker = Callable[[Ocpi, HubRouter], Awaitable[None]]

WORKERS: Final[tuple[Worker, ...]] = (deliver, post_results, watch, announce, keep_renewing, pull, see_off)
"""Each runs until cancelled."""

_PAUSES_S: Final = (1.0, 5.0, 30.0)
_SOUND_AFTER_S: Final = 60.0


async def keep_working(worker: Worker, ocpi: Ocpi, router: HubRouter) -> None:
    """Run a worker, and start it again when it fails. Runs until cancelled."""
    failures = 0
    while True:
        since = trio.current_time()
        try:
            await worker(ocpi, router)
            log.error("ocpi.worker_ended", worker=worker.__name__)
        except Exception:
            log.exception("ocpi.worker_failed", worker=worker.__name__)
        failures = 1 if trio.current_time() - since > _SOUND_AFTER_S else failures + 1
        await trio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S)) - 1])
