"""Stations that charge while the processes that serve them come and go, and the account of what must be in the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio

from csms.clock import SystemClock, SystemIds
from csms.simulate import SimulateOptions, SimulateReport, simulate
from tests.e2e.running import Api
from tests.processes.installation import rows


class Charging:
    """Stations that run until `finish`."""

    def __init__(self, url: str, stations: int, prefix: str, more: dict[str, Any]) -> None:
        options: dict[str, Any] = {
            "url": url,
            "stations": stations,
            "prefix": prefix,
            "connectors": 1,
            "sessions_per_day": 10_000,
            "even": True,
            "offline_spells_per_day": 0,
            "speed": 20,
            "duration": 60,
            "meter_interval": 20,
            "answer_timeout": 10,
            "retry_interval": 0.2,
            "attempts": 20,
            "backoff_minimum": 0.1,
            "backoff_random": 0.3,
            "backoff_doublings": 2,
            "drain": 20,
            **more,
        }
        self.options = SimulateOptions(**options)
        self._stop = trio.Event()
        self._ended = trio.Event()
        self._report: SimulateReport | None = None

    @property
    def identities(self) -> list[str]:
        return [self.options.identity(number + 1) for number in range(self.options.stations)]

    async def run(self) -> None:
        clock = SystemClock()
        self._report = await simulate(self.options, clock=clock, ids=SystemIds(clock), stop=self._stop)
        self._ended.set()

    async def finish(self) -> SimulateReport:
        """Let them end what they charge and deliver what they queued."""
        self._stop.set()
        with trio.fail_after(30):
            await self._ended.wait()
        assert self._report is not None
        return self._report


@asynccontextmanager
async def charging(url: str, stations: int, prefix: str = "SIM", **more: Any) -> AsyncIterator[Charging]:
    fleet = Charging(url, stations, prefix, more)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fleet.run)
        yield fleet
        nursery.cancel_scope.cancel()


async def holders(database_url: str, identities: list[str], *, without: object = None, within: float = 20.0) -> Counter[object]:
    """Wait until all are connected, none of them to `without`, and charge; gives how many each process holds."""
    with trio.fail_after(within):
        while True:
            found = await rows(
                database_url,
                "SELECT connected_process FROM stations s WHERE identity = ANY($1) AND registration = 'accepted' "
                "AND connected_process IS NOT NULL AND connected_process IS DISTINCT FROM $2 "
                "AND EXISTS (SELECT FROM sessions e WHERE e.tenant_id = s.tenant_id AND e.station_id = s.station_id)",
                identities,
                without,
            )
            if len(found) == len(identities):
                return Counter(row[0] for row in found)
            await trio.sleep(0.1)


async def command(api: Api, identity: str) -> tuple[float, str]:
    """Order something of a station: the seconds that it took, and how it ended."""
    began = trio.current_time()
    done = await trio.to_thread.run_sync(partial(api.command, identity, "clear_cache"))
    return trio.current_time() - began, done["status"]


async def stored(database_url: str, identities: list[str]) -> int:
    """How many readings of these stations the database has."""
    (row,) = await rows(
        database_url,
        "SELECT count(*) FROM samples x JOIN sessions e USING (tenant_id, session_id) "
        "JOIN stations s USING (tenant_id, station_id) WHERE s.identity = ANY($1)",
        identities,
    )
    return int(row[0])


def differences(api: Api, report: SimulateReport) -> list[str]:
    """What of the stations' account is not in the database, exactly once."""
    found = [f"{count} times {error}" for error, count in report.errors.items() if "station failed" in error]
    found += [f"{report.undelivered} messages were not delivered"] if report.undelivered else []
    for record in report.sessions:
        sessions = [s for s in api.sessions(record.charge_point_id) if s["transaction_id"] == record.transaction_id]
        if len(sessions) != 1:
            found.append(f"{record}: {len(sessions)} sessions")
            continue
        (session,) = sessions
        expected = {"status": "completed", "stop_meter_wh": record.stop_meter_wh, "energy_wh": record.energy_wh}
        found += [f"{name} of {record} is {session[name]}" for name, value in expected.items() if session[name] != value]
        registers = [
            s["timestamp"] for s in api.samples(session["session_id"]) if s["measurand"] == "Energy.Active.Import.Register"
        ]
        if len(registers) != record.samples:
            found.append(f"{record}: {len(registers)} readings, {len(registers) - len(set(registers))} times twice")
        if record.acknowledged != record.messages:
            found.append(f"{record}: not all was acknowledged")
    return found
