"""Partitions: made ahead without holding anybody up, strays brought home, and both told."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import trio
from prometheus_client import REGISTRY

from csms.clock import SystemClock, SystemIds
from csms.domain.metering import Channel, Reading
from csms.health import HealthRegistry
from csms.ledger.port import LedgerTransaction
from csms.ledger.rows import EventRow, SampleRow
from csms.store import Connection, Store, open_store
from csms.store.ledger_transaction import PostgresLedgerStore
from csms.store.maintenance import _owner_work
from csms.store.partitions import (
    LOCK_WAIT_MS,
    PARTITIONED,
    Strays,
    empty_defaults,
    ensure_partitions,
    find_strays,
    list_partitions,
    moment_of,
    month_start,
    uuid7_lower_bound,
)
from csms.store.retention import apply_retention
from tests.integration.store.past import Past, days_ago, month_of, uuid7_at

LONG_AGO = 100.0
SHAPE = (Channel(),)


@pytest.fixture
def past(database: str) -> Past:
    return Past(database)


async def owner_round(past: Past, health: HealthRegistry) -> bool:
    return await past.run(partial(_owner_work, health=health))


async def test_the_bounds_of_partitions_are_read_back(past: Past) -> None:
    found = await past.run(partial(list_partitions, table="samples"))
    assert len(found) == 4
    assert [p.name for p in found] == sorted(p.name for p in found)
    assert all(p.begins == month_start(p.begins.year, p.begins.month) for p in found)
    assert all(a.upper == b.lower for a, b in pairwise(found))


def test_any_uuid_has_a_moment() -> None:
    assert moment_of(uuid7_lower_bound(month_start(2026, 11))) == month_start(2026, 11)
    assert moment_of(UUID(int=(1 << 128) - 1)).year == 9999


async def test_strays_are_told_and_brought_home(past: Past) -> None:
    health = HealthRegistry()
    assert await owner_round(past, health)
    assert {name: c.state for name, c in health.snapshot().items()} == {"partitions": "ok", "retention": "ok"}
    assert REGISTRY.get_sample_value("csms_partition_months_ahead", {"table": "samples"}) == 3
    session = await past.session(1, LONG_AGO)
    strays = await past.run(partial(find_strays, table="samples"))
    assert strays == Strays("samples", 10, moment_of(session), moment_of(session))
    assert await owner_round(past, health)
    assert {c.state for c in health.snapshot().values()} == {"ok"}
    assert month_of(LONG_AGO) in await past.partitions("samples")
    assert await past.value(f"SELECT count(*) FROM samples_{month_of(LONG_AGO)} WHERE session_id = $1", session) == 10
    assert (await past.count("samples"), await past.count("transaction_events")) == (10, 2)
    assert await past.value("SELECT relforcerowsecurity FROM pg_class WHERE relname = $1", f"samples_{month_of(LONG_AGO)}")
    assert REGISTRY.get_sample_value("csms_default_partition_rows", {"table": "samples"}) == 0


async def test_strays_of_a_clock_far_off_stay_and_are_told(past: Past) -> None:
    await past.session(1, -4_000, rows=3)
    await past.session(1, 20_000, rows=4)
    health = HealthRegistry()
    assert await owner_round(past, health)
    told = health.snapshot()["partitions"]
    assert told.state == "degraded"
    assert "samples_default holds 7 rows" in told.detail
    assert REGISTRY.get_sample_value("csms_default_partition_rows", {"table": "samples"}) == 7


async def test_strays_past_their_time_are_deleted_not_moved(past: Past) -> None:
    north = await past.tenant("north", samples=60, events=60)
    await past.session(north, LONG_AGO)
    health = HealthRegistry()
    assert await owner_round(past, health)
    assert (await past.count("samples"), await past.count("transaction_events")) == (0, 0)
    assert month_of(LONG_AGO) not in await past.partitions("samples")


async def test_many_strays_wait_for_an_operator(past: Past, tmp_path: Path) -> None:
    await past.session(1, LONG_AGO)
    few = [f"{table}_{month_of(LONG_AGO)}" for table in ("transaction_events", "session_states")]
    assert await past.run(partial(empty_defaults, limit=5)) == few
    assert await past.count("samples_default") == 10
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(32)))
    secret.chmod(0o600)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CSMS_")}
    environment |= {"CSMS_DATABASE_URL": past.dsn, "CSMS_SECRET_FILE": str(secret)}

    async def command(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        start = "import sys; from csms.cli import main; sys.exit(main())"
        return await trio.run_process(
            [sys.executable, "-c", start, "partitions", *arguments], env=environment, capture_stdout=True, check=False
        )

    shown = await command()
    assert shown.returncode == 1
    assert b"samples_default holds 10 rows" in shown.stdout
    moved = await command("--move")
    assert moved.returncode == 0, moved.stdout
    assert f"made samples_{month_of(LONG_AGO)}".encode() in moved.stdout
    assert await past.count("samples_default") == 0


async def test_a_busy_table_gets_its_partitions_later(past: Past) -> None:
    """A reader of all partitions (a dump) is no reason for stations to wait."""
    last = (await past.run(partial(list_partitions, table="samples")))[-1]
    await past.execute(f"DROP TABLE {last.name}")
    reading = trio.Event()
    token = trio.lowlevel.current_trio_token()

    async def dump(conn: Connection) -> None:
        async with conn.transaction():
            await conn.execute("LOCK TABLE samples IN ACCESS SHARE MODE")
            token.run_sync_soon(reading.set)
            await conn.execute("SELECT pg_sleep(4)")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(past.run, dump)
        await reading.wait()
        assert await past.run(ensure_partitions) == []
    assert await past.run(ensure_partitions) == [last.name]


async def test_only_one_process_does_the_upkeep_and_all_tell(past: Past) -> None:
    health = HealthRegistry()

    async def beside(conn: Connection) -> None:
        await conn.execute("SELECT pg_advisory_lock($1)", 0x6373_6D75)
        north = await conn.fetchval("INSERT INTO tenants (slug, name, samples_kept_days) VALUES ('n', 'n', 60) RETURNING tenant_id")
        await conn.execute(
            'INSERT INTO samples (tenant_id, session_id, context, shape_id, "values", recorded_at) '
            "VALUES ($1, $2, 0, 1, ARRAY[1], now() - interval '100 days')",
            north,
            uuid7_at(days_ago(LONG_AGO)),
        )
        other = await asyncpg.connect(past.dsn)
        try:
            assert await _owner_work(other, health)
        finally:
            await other.close()

    await past.run(beside)
    assert await past.count("samples") == 1
    assert health.snapshot()["retention"].detail == "another process looks after it"
    assert health.snapshot()["partitions"].state == "degraded"


async def test_writers_go_on_while_partitions_come_and_go(past: Past) -> None:
    """The ledger's own statements, prepared and cached, against drops, moves and attachments; nothing fails, all is stored."""
    north = await past.tenant("north", samples=60, events=60)
    ids = SystemIds(SystemClock())
    done = trio.Event()
    written: list[UUID] = []
    waits: list[float] = []

    async with open_store(past.dsn) as store, trio.open_nursery() as nursery:

        async def keep_writing(late: bool) -> None:
            while not done.is_set():
                session = uuid7_at(days_ago(LONG_AGO)) if late else ids.uuid7()
                began = trio.current_time()
                await _write_session(store, session)
                waits.append(trio.current_time() - began)
                written.append(session)

        nursery.start_soon(keep_writing, False)
        nursery.start_soon(keep_writing, True)
        last = (await past.run(partial(list_partitions, table="samples")))[-1]
        for _ in range(6):
            # a month to come goes and comes, one that is past is dropped
            await past.execute(f"DROP TABLE {last.name}")
            assert await past.run(ensure_partitions) == [last.name]
            await past.make_months([2 * LONG_AGO])
            await past.session(north, 2 * LONG_AGO, rows=0)
            assert len((await past.run(partial(apply_retention, budget_s=5))).dropped) == 3
            # the rows of the late writer stray and are moved
            await past.run(empty_defaults)
            for table in PARTITIONED:
                assert month_of(LONG_AGO) in await past.partitions(table)
                await past.execute(
                    f"ALTER TABLE {table} DETACH PARTITION {table}_{month_of(LONG_AGO)}",
                    f"INSERT INTO {table} SELECT * FROM {table}_{month_of(LONG_AGO)}",
                    f"DROP TABLE {table}_{month_of(LONG_AGO)}",
                )
        done.set()
    assert len(written) > 20
    assert await past.value("SELECT count(DISTINCT session_id) FROM samples") == len(written)
    assert await past.value("SELECT count(*) FROM samples") == len(written)
    assert await past.value("SELECT count(*) FROM transaction_events") == len(written)
    assert max(waits) < 5 * LOCK_WAIT_MS / 1000 + 2


async def _write_session(store: Store, session: UUID) -> None:
    async def work(transaction: LedgerTransaction) -> None:
        reading = Reading(SystemClock().now(), None, 0, SHAPE, ["1.5"])
        await transaction.insert_samples([SampleRow(1, session, reading)])
        await transaction.insert_events([EventRow(1, session, 0, b"d", "Updated", None, None, None, False, False, b"{}", b"{}")])
        await transaction.connection.execute(  # type: ignore[attr-defined]  # of a session that has no row
            "INSERT INTO session_states (tenant_id, session_id, time, status) VALUES (1, $1, now(), 'Charging')", session
        )

    await PostgresLedgerStore(store.gateway).transact(work, timeout=10)
