"""kill -9 of the server at any moment under charging stations (security.md R1; ocpp-j-rules vector 32)."""

from __future__ import annotations

import faulthandler
import os
from random import Random

import pytest
import trio

from csms.postgres import EmbeddedPostgres
from tests.crash.accounts import api_differences, differences
from tests.crash.charging import Station, fleet
from tests.crash.surroundings import in_asyncio
from tests.e2e.running import RunningServer

ROUNDS = int(os.environ.get("CSMS_CRASH_ROUNDS", "3"))
STATIONS = 200
FINISH_TIMEOUT = 90.0  # seconds in which all must have finished their transactions


@pytest.mark.slow
@pytest.mark.serial
async def test_killed_at_any_moment(crash_server: tuple[RunningServer, EmbeddedPostgres, str]) -> None:
    faulthandler.cancel_dump_traceback_later()  # many rounds take longer than a test usually may
    server, _, database_url = crash_server
    seed = int(os.environ.get("CSMS_CRASH_SEED", "1"))
    chance = Random(seed)
    stations = fleet(STATIONS, seed, pause=0.3)
    async with trio.open_nursery() as nursery:
        for station in stations:
            nursery.start_soon(station.run, server.ws_url)
        await _all_charging(stations)
        for _ in range(ROUNDS):
            await trio.sleep(chance.uniform(0.3, 3.0))
            await trio.to_thread.run_sync(server.kill)
            await trio.to_thread.run_sync(server.start)
            await _all_back(stations)
        for station in stations:
            station.stopping = True
        nursery.cancel_scope.deadline = trio.current_time() + FINISH_TIMEOUT
    unfinished = [s.identity for s in stations if not s.transactions or not s.transactions[-1].complete]
    assert unfinished == []
    assert await in_asyncio(differences, database_url, stations) == []
    with server.api() as api:
        assert await trio.to_thread.run_sync(api_differences, api, stations) == []
    assert [refusal for station in stations for refusal in station.refused] == []
    assert sum(len(station.transactions) for station in stations) > STATIONS
    assert sum(station.repeated for station in stations) > ROUNDS, "no message was under way when the server was killed"


async def _all_charging(stations: list[Station]) -> None:
    with trio.fail_after(60):
        while not all(station.transactions for station in stations):
            await trio.sleep(0.1)


async def _all_back(stations: list[Station]) -> None:
    """Every station has been answered since the restart (R1: within 10 s; with 200 stations on a busy machine 30)."""
    began = trio.current_time()
    with trio.fail_after(30):
        while not all(station.acknowledged_at and station.acknowledged_at[-1] > began for station in stations):
            await trio.sleep(0.1)
