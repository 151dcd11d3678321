"""All stations of a simulation, supervised: what fails in one of them stays in it."""

from __future__ import annotations

from collections.abc import Callable

import trio

from csms.clock import Clock, Ids
from csms.simulate.dialect import Dialect
from csms.simulate.ocpp16 import Ocpp16
from csms.simulate.ocpp21 import Ocpp21
from csms.simulate.ocpp201 import Ocpp201
from csms.simulate.options import SimulateOptions, Version
from csms.simulate.report import Ledger, SimulateReport
from csms.simulate.station import Station
from csms.simulate.timeline import Timeline

_PROGRESS_EVERY = 5.0
DIALECTS: dict[Version, Callable[[], Dialect]] = {"1.6": Ocpp16, "2.0.1": Ocpp201, "2.1": Ocpp21}


async def simulate(
    options: SimulateOptions,
    *,
    clock: Clock,
    ids: Ids,
    stop: trio.Event | None = None,
    progress: Callable[[str], None] | None = None,
) -> SimulateReport:
    """Run virtual stations for `options.duration` seconds, or until `stop` is set, and report what they did.

    At the end running transactions are stopped and what is queued is delivered, for at most `options.drain` seconds.
    `progress` gets a line every five seconds.
    """
    ledger = Ledger()
    began = clock.monotonic()
    timeline = Timeline.meeting_now(clock, options.speed, options.duration)
    end = trio.Event()
    async with trio.open_nursery() as watchers:
        watchers.start_soon(_end_in_time, options.duration, stop, end)
        if progress is not None:
            watchers.start_soon(_show_progress, ledger, options.stations, progress)
        async with trio.open_nursery() as stations:
            for number in range(1, options.stations + 1):
                station = Station(number, DIALECTS[options.version_of(number)](), options, timeline, ids, ledger)
                delay = (number - 1) / options.connect_rate
                stations.start_soon(_supervise, station, delay, ledger, end, name=station.identity)
        watchers.cancel_scope.cancel()
    return ledger.report(options.stations, clock.monotonic() - began)


async def _supervise(station: Station, delay: float, ledger: Ledger, end: trio.Event) -> None:
    """The boundary around one station: nothing leaves it but cancellation."""
    with trio.move_on_after(delay):
        await end.wait()
        return
    try:
        await station.run(end)
    except BaseException as failed:  # noqa: BLE001 - the boundary of a station
        exits = (trio.Cancelled, KeyboardInterrupt, SystemExit)
        passing: BaseException | None
        ours: BaseException | None
        if isinstance(failed, BaseExceptionGroup):
            passing, ours = failed.split(exits)
        else:
            passing, ours = (failed, None) if isinstance(failed, exits) else (None, failed)
        if ours is not None:
            ledger.counters.station_failures += 1
            ledger.error(f"station failed: {_innermost(ours)!r}")
        if passing is not None:
            raise passing from None


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _end_in_time(duration: float | None, stop: trio.Event | None, end: trio.Event) -> None:
    with trio.move_on_after(float("inf") if duration is None else duration):
        if stop is None:
            await trio.sleep_forever()
        else:
            await stop.wait()
    end.set()


async def _show_progress(ledger: Ledger, stations: int, progress: Callable[[str], None]) -> None:
    while True:
        await trio.sleep(_PROGRESS_EVERY)
        progress(ledger.progress(stations))
