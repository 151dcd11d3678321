"""What happens to a system in the midst of a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import trio

from bench.fleets import Fleet
from bench.processes import BenchError
from bench.scenario import Event
from bench.system import Csms, Measured

Tell = Callable[[str], None]

_ON_CSMS: Final = {
    "kill-gateway": Csms.kill_gateway,
    "start-gateways": Csms.start_gateways,
    "restart-gateways": Csms.restart_gateways,
    "kill-hub": Csms.kill_hub,
    "start-hub": Csms.start_hub,
    "stop-redis": Csms.stop_redis,
    "start-redis": Csms.start_redis,
}


async def happen(events: list[Event], system: Measured, fleet: Fleet, tell: Tell) -> None:
    """Let each happen at its time after now. Raises BenchError when the system is not one that it could happen to."""
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for event in events:
            nursery.start_soon(_at, began + event.at_s, event, system, fleet, tell)


async def _at(time: float, event: Event, system: Measured, fleet: Fleet, tell: Tell) -> None:
    await trio.sleep_until(time)
    tell(f"now: {event.do}" + (f" {event.what}" if event.do == "stall" else ""))
    if event.do == "cut":
        await fleet.order(order="cut", fraction=event.fraction, how="reset")
        return
    if not isinstance(system, Csms):
        raise BenchError(f"{event.do} needs a system that this bench has started")
    if event.do == "stall":
        await _stall(event, system)
    else:
        await trio.to_thread.run_sync(partial(_ON_CSMS[event.do], system))


async def _stall(event: Event, system: Csms) -> None:
    for _ in range(event.times):
        began = trio.current_time()
        try:
            system.pause(event.what, stopped=True)
            await trio.sleep(event.for_s)
        finally:
            system.pause(event.what, stopped=False)
        await trio.sleep_until(began + event.every_s)
