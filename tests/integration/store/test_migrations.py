"""Migrations: once, in order, by one of several processes, and never over another version or another secret."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import trio

from csms.postgres import EmbeddedPostgres
from csms.store import Connection, SchemaError, SecretMismatch, check_schema, migrate, migrations, open_store
from csms.store.maintenance import prune_outbox, prune_quarantine
from csms.store.migrations import load_migrations
from csms.store.outbox import START, OutboxStore
from csms.store.partitions import ensure_partitions, month_start, uuid7_lower_bound
from csms.store.pool import run_with_owner


async def test_a_new_database_is_migrated_by_one_of_several_at_once(empty_database: str) -> None:
    applied: list[list[str]] = []

    async def one() -> None:
        applied.append(await migrate(empty_database, fingerprint="f"))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(one)
    assert sorted(applied) == [[], [], [m.version for m in load_migrations()]]
    await check_schema(empty_database, fingerprint="f")


async def test_events_of_an_older_schema_stay_as_they_were(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    older = [migration for migration in load_migrations() if migration.version < "0029"]
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "load_migrations", lambda: older)
        await migrate(empty_database, fingerprint="f")

    async def write(conn: Connection) -> UUID:
        written: UUID = await conn.fetchval(
            "INSERT INTO outbox (tenant_id, type, data) VALUES (1, 'old', '{\"a\": \"\\u00e9\"}') RETURNING event_id"
        )
        return written

    known = await run_with_owner(empty_database, write)
    assert await migrate(empty_database, fingerprint="f") == [m.version for m in load_migrations()[len(older) :]]
    async with open_store(empty_database) as store:
        ((_, event),), _ = await OutboxStore(store.gateway).read(START, 10)
    assert (event.event_id, bytes(event.data)) == (known, b'{"a": "\\u00e9"}')


async def test_an_owner_without_special_settings_can_take_the_lesser_roles() -> None:
    """As on a managed server: CREATEROLE, and nothing else."""
    folder = Path(tempfile.mkdtemp(prefix="csms-test-", dir="/tmp"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "data", None)
    try:
        await trio.to_thread.run_sync(lambda: server.start(timeout=60))

        async def make_plain(conn: Connection) -> None:
            await conn.execute("ALTER ROLE csms RESET ALL")

        await run_with_owner(server.url("postgres", "postgres"), make_plain)
        await migrate(server.url("csms"), fingerprint="f")
        async with open_store(server.url("csms")) as store:
            assert await store.gateway.unit(lambda conn: conn.fetchval("SELECT current_user")) == "csms_gateway"
    finally:
        await trio.to_thread.run_sync(server.stop)
        shutil.rmtree(folder, ignore_errors=True)


async def test_another_secret_is_refused(database: str) -> None:
    with pytest.raises(SecretMismatch, match="CSMS_SECRET_FILE"):
        await migrate(database, fingerprint="another")
    with pytest.raises(SecretMismatch):
        await check_schema(database, fingerprint="another")


async def test_a_database_without_schema_is_refused_with_one_line(empty_database: str) -> None:
    with pytest.raises(SchemaError, match="csms migrate"):
        await check_schema(empty_database, fingerprint="f")


async def test_a_newer_database_is_refused(database: str) -> None:
    async def make_newer(conn: Connection) -> None:
        await conn.execute("INSERT INTO schema_migrations VALUES ('9999_future', 'x')")

    await run_with_owner(database, make_newer)
    with pytest.raises(SchemaError, match="newer"):
        await migrate(database, fingerprint="x")


async def test_a_changed_migration_is_refused(database: str) -> None:
    async def change(conn: Connection) -> None:
        await conn.execute("UPDATE schema_migrations SET checksum = 'x'")

    await run_with_owner(database, change)
    with pytest.raises(SchemaError, match="was changed"):
        await migrate(database, fingerprint="x")


async def test_every_table_of_a_tenant_forces_row_level_security(database: str) -> None:
    async def look(conn: Connection) -> list[asyncpg.Record]:
        await ensure_partitions(conn)
        return await conn.fetch(
            "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
        )

    tables = await run_with_owner(database, look)
    assert len(tables) > 20
    assert [t["relname"] for t in tables if not (t["relrowsecurity"] and t["relforcerowsecurity"])] == []


async def test_partitions_are_made_once_and_hold_their_months(database: str) -> None:
    async def work(conn: Connection) -> tuple[list[str], list[str]]:
        await conn.execute("DROP TABLE samples_default")
        await conn.execute("CREATE TABLE samples_default PARTITION OF samples DEFAULT")
        return await ensure_partitions(conn), [
            r[0] for r in await conn.fetch("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'samples'::regclass")
        ]

    made, present = await run_with_owner(database, work)
    assert made == []
    assert len(present) == 5


def test_the_bounds_of_a_month() -> None:
    assert month_start(2026, 13) == month_start(2027, 1)
    assert uuid7_lower_bound(month_start(2026, 11)) < uuid7_lower_bound(month_start(2026, 12))


async def test_old_events_are_pruned_in_chunks(database: str) -> None:
    async def work(conn: Connection) -> tuple[int, int]:
        await conn.execute(
            "INSERT INTO outbox (tenant_id, type, recorded_at, data) "
            "SELECT 1, 'test', now() - n * interval '1 day', '{}' FROM generate_series(0, 29) n"
        )
        return await prune_outbox(conn, 14), int(await conn.fetchval("SELECT count(*) FROM outbox"))

    assert await run_with_owner(database, work) == (16, 14)


async def test_only_messages_resolved_long_ago_are_pruned(database: str) -> None:
    async def work(conn: Connection) -> tuple[int, int]:
        await conn.execute(
            "INSERT INTO quarantine (tenant_id, quarantine_id, station_id, ocpp_version, action, reason, payload, digest, "
            "recorded_at, resolved_at) SELECT 1, gen_random_uuid(), 1, 'ocpp1.6', 'MeterValues', 'schema', '', n::text::bytea, "
            "now() - interval '1 year', CASE WHEN n < 100 THEN now() - n * interval '1 day' END FROM generate_series(0, 119) n"
        )
        return await prune_quarantine(conn, 90), int(await conn.fetchval("SELECT count(*) FROM quarantine"))

    assert await run_with_owner(database, work) == (10, 110)
