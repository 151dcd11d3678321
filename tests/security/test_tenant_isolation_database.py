"""The database itself keeps tenants apart, whatever the hub asks of it (proof list N3 a, c, d, g)."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
import trio

from csms.store import Connection, Database, open_store
from csms.store.pool import run_with_owner
from tests.integration.hub.harness import Field, Person, RunningHub
from tests.security.catalogue import BREACHES, QUESTIONS
from tests.security.tenants import Side, furnish, snapshot

Rows = list[dict[str, Any]]


async def _ask(dsn: str, question: str) -> list[str]:
    async def work(conn: Connection) -> list[str]:
        return [row["offender"] for row in await conn.fetch(question)]

    return await run_with_owner(dsn, work)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_the_catalogue(database: str, question: str) -> None:
    assert await _ask(database, QUESTIONS[question]) == []


@pytest.mark.parametrize("question", BREACHES)
async def test_the_catalogue_test_sees_a_breach(database: str, question: str) -> None:
    async def breach(conn: Connection) -> None:
        await conn.execute("GRANT CREATE ON SCHEMA public TO csms_hub")  # what ALTER … OWNER asks for
        await conn.execute(BREACHES[question])

    await run_with_owner(database, breach)
    assert await _ask(database, QUESTIONS[question]) != []


@pytest.fixture
async def north(hub: RunningHub, field: Field, admin: Person) -> Side:
    return await furnish(hub, field, admin, "north", "plain")


@pytest.fixture
async def south(hub: RunningHub, field: Field, admin: Person, north: Side) -> Side:
    made = await furnish(hub, field, admin, "south", "canary")
    await hub.sql(
        "INSERT INTO device_variables (tenant_id, station_id, component, variable, reported_at) VALUES ($1, $2, 'C', 'V', now())",
        made.tenant_id,
        made.station_id,
    )
    await hub.sql(
        "INSERT INTO event_streams (tenant_id, station_id, stream_id, variable_monitoring_id) VALUES ($1, $2, 1, 1)",
        made.tenant_id,
        made.station_id,
    )
    await hub.sql(
        'INSERT INTO station_samples (tenant_id, station_id, evse_id, ts, context, shape_id, "values") '
        "SELECT $1, $2, 1, now(), 0, shape_id, '{1}' FROM sample_shapes WHERE tenant_id = $1 LIMIT 1",
        made.tenant_id,
        made.station_id,
    )
    return made


async def _try(database: Database, tenant_id: int | None, statement: str, *arguments: Any) -> Rows | str:
    """The rows, or the name of the refusal."""

    async def work(conn: Connection) -> Rows:
        return [dict(row) for row in await conn.fetch(statement, *arguments)]

    try:
        return await (database.unit(work) if tenant_id is None else database.tenant_unit(tenant_id, work))
    except asyncpg.PostgresError as error:
        return type(error).__name__


async def test_the_hub_s_role_reaches_no_row_of_another_tenant(hub: RunningHub, north: Side, south: Side) -> None:
    before = await snapshot(hub, south.tenant_id)
    empty = [table for table, rows in before.items() if not rows]
    assert empty == [], "every table must have something to protect"
    role, theirs = hub.store.hub, south.tenant_id
    for table in before:
        columns = [
            row["attname"]
            for row in await hub.sql(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped "
                "AND attname <> 'tenant_id' AND attidentity <> 'a' AND attgenerated = ''",
                table,
            )
        ]
        for tenant_id in (north.tenant_id, None):
            for statement in (
                f"SELECT * FROM {table} WHERE tenant_id = $1",
                f'UPDATE {table} SET "{columns[-1]}" = "{columns[-1]}" WHERE tenant_id = $1 RETURNING 1',
                f"DELETE FROM {table} WHERE tenant_id = $1 RETURNING 1",
            ):
                outcome = await _try(role, tenant_id, statement, theirs)
                assert outcome in ([], "InsufficientPrivilegeError"), (statement, tenant_id, outcome)
        everything = await _try(role, None, f"SELECT * FROM {table}")
        assert everything == [], table
        mine = await _try(role, north.tenant_id, f"SELECT * FROM {table}")
        assert isinstance(mine, list)
        assert {row["tenant_id"] for row in mine} <= {north.tenant_id}
        # moving own rows over, and inserting copies of own rows there
        moved = await _try(role, north.tenant_id, f"UPDATE {table} SET tenant_id = $1 RETURNING 1", theirs)
        assert moved in ([], "InsufficientPrivilegeError", "GeneratedAlwaysError"), (table, moved)
        names = ", ".join(f'"{name}"' for name in columns)
        copied = await _try(
            role, north.tenant_id, f"INSERT INTO {table} (tenant_id, {names}) SELECT $1, {names} FROM {table} RETURNING 1", theirs
        )
        assert copied in ([], "InsufficientPrivilegeError", "GeneratedAlwaysError"), (table, copied)
        assert await _try(role, north.tenant_id, f"TRUNCATE {table}") == "InsufficientPrivilegeError"
    assert await snapshot(hub, south.tenant_id) == before


async def test_the_sign_in_s_role_reaches_no_table(hub: RunningHub, north: Side) -> None:
    for table in await snapshot(hub, north.tenant_id):
        assert await _try(hub.store.auth, None, f"SELECT * FROM {table}") == "InsufficientPrivilegeError"
    known = await _try(hub.store.auth, None, "SELECT slug FROM auth_tenant('north')")
    assert known == [{"slug": "north"}]


async def test_a_reference_to_another_tenant_s_row_is_refused(hub: RunningHub, north: Side, south: Side) -> None:
    outcome = await _try(
        hub.store.hub,
        north.tenant_id,
        "UPDATE stations SET location_id = $1::text::uuid WHERE tenant_id = $2 RETURNING 1",
        south.location_id,
        north.tenant_id,
    )
    assert outcome == "ForeignKeyViolationError"


async def test_no_tenant_is_left_behind_on_a_connection(database: str) -> None:
    """A pool of one connection; units that end well, badly, late and cancelled at any moment."""
    async with open_store(database, connections=1) as store:

        async def setting(conn: Connection) -> str:
            return str(await conn.fetchval("SELECT coalesce(current_setting('app.tenant_id', true), '')"))

        async def fail(conn: Connection) -> None:
            await conn.execute("SELECT 1 / 0")

        async def sleep(conn: Connection) -> None:
            await conn.execute("SELECT pg_sleep(0.02)")
            await asyncio.sleep(0.01)

        for step in range(60):
            with trio.move_on_after(step * 0.001):
                await store.hub.tenant_unit(1, sleep)
            assert await store.hub.unit(setting) == ""
        with pytest.raises(asyncpg.DivisionByZeroError):
            await store.hub.tenant_unit(1, fail)
        assert await store.hub.unit(setting) == ""
        assert await store.hub.tenant_unit(7, setting) == "7"
        assert await store.hub.unit(setting) == ""
