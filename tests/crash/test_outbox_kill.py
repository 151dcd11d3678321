"""kill -9 between the commit of events and their publication: every event gets out, in its order, with one id (design 4)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest
import trio

from csms.clock import SystemClock, SystemIds
from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret
from csms.simulate import SimulateOptions, SimulateReport, simulate
from csms.store.queries.events import EVENT_ID
from tests.crash.surroundings import in_asyncio
from tests.e2e.databases import external_database
from tests.e2e.running import RunningServer

KILLS = 5
SECONDS = 14.0


async def _events(database_url: str) -> list[tuple[str, int | None]]:
    """(event_id, station_id) of all events, in the order in which a reader has to give them."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(f"SELECT {EVENT_ID}, o.station_id FROM outbox o ORDER BY o.xid, o.id")
    finally:
        await connection.close()
    return [(str(row[0]), row[1]) for row in rows]


@pytest.mark.slow
def test_what_was_committed_is_published_after_any_kill(
    postgres: EmbeddedPostgres, migrated_template: str, root_secret: RootSecret, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    with external_database(postgres, migrated_template, root_secret, tmp_path) as (database_url, environment):
        server = RunningServer(tmp_path, {**environment, "CSMS_EVENT_FILE": str(file)})
        try:
            server.start()
            report = trio.run(_charge_and_kill, server)
            # the stop itself writes events, which the next start publishes
            server.stop()
            server.start()
            events = trio.run(in_asyncio, _events, database_url)
            end = time.monotonic() + 20
            while events[-1][0] not in file.read_text() and time.monotonic() < end:
                time.sleep(0.1)
        finally:
            server.ensure_gone()
    assert report.counters.answered > 100
    _compare(events, [json.loads(line) for line in file.read_text().splitlines()])


async def _charge_and_kill(server: RunningServer) -> SimulateReport:
    chance = Random(11)
    clock = SystemClock()
    options = SimulateOptions(
        url=server.ws_url,
        stations=25,
        prefix="KILL",
        speed=1500,
        duration=SECONDS,
        sessions_per_day=60,
        backoff_minimum=0.1,
        backoff_random=0.3,
    )

    async def kill_and_start() -> None:
        for _ in range(KILLS):
            await trio.sleep(chance.uniform(0.2, 1.5))
            await trio.to_thread.run_sync(server.kill)
            await trio.to_thread.run_sync(server.start)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(kill_and_start)
        return await simulate(options, clock=clock, ids=SystemIds(clock))


def _compare(events: list[tuple[str, int | None]], lines: list[dict[str, Any]]) -> None:
    first: dict[str, int] = {}
    contents: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(lines):
        first.setdefault(line["event_id"], number)
        assert contents.setdefault(line["event_id"], line) == line, "an event changed between two publications"
    missing = [event_id for event_id, _ in events if event_id not in first]
    assert missing == [], f"{len(missing)} of {len(events)} events were lost"
    by_station: dict[int | None, list[int]] = {}
    for event_id, station_id in events:
        by_station.setdefault(station_id, []).append(first[event_id])
    for order in by_station.values():
        assert order == sorted(order), "the events of a station came in another order"
