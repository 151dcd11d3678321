"""Retention on real partitions: months dropped, rows of shorter retention deleted, nothing of what must stay."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from csms.store import Connection, open_store
from csms.store.partitions import LOCK_WAIT_MS, PARTITIONED, Partition
from csms.store.pool import run_with_owner
from csms.store.retention import Outcome, apply_retention
from tests.integration.store.past import Past, days_ago, month_of, uuid7_at

OLD, RECENT = 200.0, 5.0


@pytest.fixture
def past(database: str) -> Past:
    return Past(database)


async def retain(past: Past, budget_s: float = 30) -> Outcome:
    return await past.run(partial(apply_retention, budget_s=budget_s))


async def test_nothing_goes_without_a_retention(past: Past) -> None:
    await past.make_months([OLD, RECENT])
    north = await past.tenant("north")
    await past.session(north, OLD)
    outcome = await retain(past)
    assert (outcome.dropped, outcome.deleted, outcome.postponed) == ([], {}, [])
    assert await past.count("samples") == 10


async def test_a_month_is_dropped_when_it_is_past_for_all_that_have_rows_in_it(past: Past) -> None:
    await past.make_months([OLD, RECENT])
    north, south = await past.tenant("north", samples=60, events=90), await past.tenant("south", samples=90, events=90)
    for tenant in (north, south):
        await past.session(tenant, OLD)
        await past.session(tenant, RECENT)
    month = month_of(OLD)
    outcome = await retain(past)
    # the default tenant keeps its rows for ever, and has none there
    assert sorted(outcome.dropped) == [f"samples_{month}", f"session_states_{month}", f"transaction_events_{month}"]
    assert month not in await past.partitions("samples")
    assert (await past.count("samples"), await past.count("transaction_events")) == (20, 4)
    assert await past.count("sessions") == 4
    # by the drop alone
    assert outcome.deleted == {}


async def test_a_tenant_that_keeps_its_rows_holds_a_month_and_the_others_rows_are_deleted(past: Past) -> None:
    await past.make_months([OLD, RECENT])
    short, long, ever = (
        await past.tenant("short", samples=60, events=60),
        await past.tenant("long", samples=365, events=365),
        await past.tenant("ever"),
    )
    for tenant in (short, long, ever):
        await past.session(tenant, OLD, rows=3_000)
        await past.session(tenant, RECENT)
    outcome = await retain(past)
    assert outcome.dropped == []
    assert outcome.deleted == {"samples": 3_000, "transaction_events": 2, "session_states": 1}
    assert [await past.count("samples", tenant) for tenant in (short, long, ever)] == [10, 3_010, 3_010]
    # one tenant less is one reason less
    await past.execute(*(f"DELETE FROM {table} WHERE tenant_id = {ever}" for table in PARTITIONED))
    await past.tenant("long", samples=61, events=61)
    assert len((await retain(past)).dropped) == 3
    assert await past.count("samples", long) == 10


async def test_a_session_that_still_runs_keeps_its_rows(past: Past) -> None:
    await past.make_months([OLD, RECENT])
    north = await past.tenant("north", samples=60, events=60)
    running = await past.session(north, OLD, status="active")
    await past.session(north, OLD)
    outcome = await retain(past)
    assert outcome.dropped == []
    assert {p.reason for p in outcome.postponed} == {"1 of its sessions still run"}
    assert all(p.due < days_ago(100) for p in outcome.postponed)
    # also where rows are deleted: another tenant holds the month
    ever = await past.tenant("ever")
    await past.session(ever, OLD)
    assert (await retain(past)).deleted == {"samples": 10, "transaction_events": 2, "session_states": 1}
    assert await past.value("SELECT count(*) FROM samples WHERE session_id = $1", running) == 10


async def test_a_clock_that_was_wrong_costs_no_rows(past: Past) -> None:
    """Session ids are made by the clock of a gateway's host: one that ran behind makes new sessions look old."""
    await past.make_months([OLD, RECENT])
    north = await past.tenant("north", samples=60, events=60)
    await past.session(north, OLD, recorded_days_ago=1)
    outcome = await retain(past)
    assert outcome.dropped == []
    assert {p.reason for p in outcome.postponed} == {"1 of its sessions are younger than their ids: a gateway's clock was wrong"}
    ever = await past.tenant("ever")
    await past.session(ever, OLD)
    assert (await retain(past)).deleted == {}
    # and in the default partition, where a clock of 1970 puts them
    await past.session(north, 20_000, recorded_days_ago=1)
    await past.session(north, 20_000)
    assert (await retain(past)).deleted == {"samples": 10, "transaction_events": 2, "session_states": 1}


async def test_an_empty_month_goes_after_a_while(past: Past) -> None:
    await past.make_months([OLD])
    assert len((await retain(past)).dropped) == 3
    # the month that was just over stays for what its last sessions bring
    await past.make_months([31])
    if month_of(31) != month_of(0):
        assert month_of(31) in await past.partitions("samples")
        assert (await retain(past)).dropped == []


async def test_a_drop_waits_for_readers_and_holds_up_no_writer(past: Past) -> None:
    await past.make_months([OLD, RECENT])
    north = await past.tenant("north", samples=60, events=60)
    await past.session(north, OLD)
    session = uuid7_at(days_ago(0))
    waits: list[float] = []
    reading, done = trio.Event(), trio.Event()
    token = trio.lowlevel.current_trio_token()

    async def read_for_long(conn: Connection) -> None:
        async with conn.transaction():
            await conn.fetchval("SELECT count(*) FROM samples")
            token.run_sync_soon(reading.set)
            await conn.execute("SELECT pg_sleep(5)")

    async def write(conn: Connection) -> None:
        await conn.execute(
            'INSERT INTO samples (tenant_id, session_id, ts, context, shape_id, "values") VALUES (1, $1, now(), 0, 1, ARRAY[1])',
            session,
        )

    async with open_store(past.dsn) as store, trio.open_nursery() as nursery:

        async def keep_writing() -> None:
            while not done.is_set():
                began = trio.current_time()
                await store.gateway.unit(write)
                waits.append(trio.current_time() - began)
                await trio.sleep(0.01)

        nursery.start_soon(run_with_owner, past.dsn, read_for_long)
        await reading.wait()
        nursery.start_soon(keep_writing)
        outcome = await retain(past)
        assert outcome.dropped == [f"{table}_{month_of(OLD)}" for table in ("transaction_events", "session_states")]
        assert [p.name for p in outcome.postponed] == [f"samples_{month_of(OLD)}"]
        done.set()
    assert len(waits) > 20
    # a writer waits for one attempt; the rest is this machine's
    assert max(waits) < LOCK_WAIT_MS / 1000 + 1
    assert (await retain(past)).dropped == [f"samples_{month_of(OLD)}"]


async def test_rows_that_come_at_the_last_moment_stop_a_drop(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    from csms.store import retention

    await past.make_months([OLD, RECENT])
    north, ever = await past.tenant("north", samples=60, events=60), await past.tenant("ever")
    await past.session(north, OLD)
    checked = retention._still_needed

    async def checked_and_overtaken(conn: Connection, partition: Partition, *rest: Any) -> str | None:
        found = await checked(conn, partition, *rest)
        if partition.table == "samples":
            await conn.execute(
                'INSERT INTO samples (tenant_id, session_id, context, shape_id, "values") VALUES ($1, $2, 0, 1, ARRAY[1])',
                ever,
                uuid7_at(days_ago(OLD)),
            )
        return found

    monkeypatch.setattr(retention, "_still_needed", checked_and_overtaken)
    outcome = await retain(past)
    assert outcome.dropped == [f"{table}_{month_of(OLD)}" for table in ("transaction_events", "session_states")]
    assert [p.reason for p in outcome.postponed] == ["rows of another tenant have just come"]
    assert await past.count("samples", ever) == 1


async def test_readings_and_events_of_stations_go_by_time(past: Past) -> None:
    north, ever = await past.tenant("north", samples=60, events=90), await past.tenant("ever")
    for tenant in (north, ever):
        for identity in ("S1", "S2"):
            station = await past.station(tenant, identity)
            await past.execute(
                f'INSERT INTO station_samples (tenant_id, station_id, evse_id, ts, context, shape_id, "values", recorded_at) '
                f"SELECT {tenant}, {station}, 1, at, 0, 1, '{{1}}', at "
                "FROM generate_series(0, 99) n, LATERAL (SELECT now() - n * interval '1 day' + interval '1 h') t (at)",
                # clocks that ran far ahead, stood in 1970, or sent no time
                'INSERT INTO station_samples (tenant_id, station_id, evse_id, ts, context, shape_id, "values", recorded_at) '
                f"SELECT {tenant}, {station}, 1, ts, 0, 1, '{{2}}', now() - days * interval '1 day' "
                "FROM (VALUES (61), (59)) a (days), (VALUES ('2090-01-01'::timestamptz), ('1970-01-01'), (NULL)) b (ts)",
            )
        for age in range(100):
            await past.run(partial(_station_event, tenant, age))
    outcome = await retain(past)
    assert outcome.deleted == {"station_samples": 2 * (39 + 3), "station_events": 10}
    assert await past.count("station_samples", north) == 2 * (61 + 3)
    assert (await past.count("station_samples", ever), await past.count("station_events", ever)) == (2 * 106, 100)
    assert (await retain(past)).deleted == {}


async def _station_event(tenant: int, age: int, conn: Connection) -> None:
    at = days_ago(age + 0.01)
    await conn.execute(
        "INSERT INTO station_events (tenant_id, event_id, station_id, type, data, digest, recorded_at) "
        "VALUES ($1, $2, 1, 'test', '{}', '', $3)",
        tenant,
        uuid7_at(at),
        at,
    )


async def test_a_round_ends_in_time_and_the_next_goes_on(past: Past) -> None:
    await past.make_months([OLD, RECENT])
    short, ever = await past.tenant("short", samples=60, events=60), await past.tenant("ever")
    await past.session(ever, OLD)
    for _ in range(5):
        await past.session(short, OLD, rows=4_000)
    first = await retain(past, budget_s=0.01)
    assert not first.finished
    assert await past.count("samples", short) > 0
    second = await retain(past)
    assert second.finished
    assert first.deleted.get("samples", 0) + second.deleted["samples"] == 20_000
    assert await past.count("samples", short) == 0
