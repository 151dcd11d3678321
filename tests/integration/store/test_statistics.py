"""What the planner knows: grown tables are analysed within seconds, and looks that every process makes stay cheap before that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import uuid4

import pytest
import trio

from csms.health import HealthRegistry
from csms.store import Connection, maintenance, open_store
from csms.store.command_records import queued_for_process
from csms.store.ledger_reconciliation import ReconciliationStatements
from csms.store.ledger_tokens import TokenStatements
from csms.store.maintenance import maintain
from csms.store.statistics import FEWEST_ROWS, analyse_grown
from tests.integration.store.past import Past

STATIONS: Final = 2_000
PROCESS: Final = uuid4()

CROWD: Final = f"""
INSERT INTO stations (tenant_id, identity, ocpp_version, connected_process, connected_at)
SELECT 1, 'CROWD-' || n, 'ocpp1.6', '{PROCESS}', now() FROM generate_series(1, {STATIONS}) n;
INSERT INTO commands (tenant_id, command_id, station_id, command, parameters, requested_by, expires_at)
SELECT 1, gen_random_uuid(), station_id, 'clear_cache', '{{}}', 'a test', now() + interval '1 hour' FROM stations;
INSERT INTO sessions (tenant_id, session_id, station_id, ocpp_version, transaction_ref, status, updated_at)
SELECT 1, gen_random_uuid(), station_id, 'ocpp1.6', station_id::text, 'active', now() FROM stations;
"""


@pytest.fixture
def past(database: str) -> Past:
    """A database in which nobody but the product analyses anything."""
    return Past(database)


async def _without_autovacuum(past: Past) -> None:
    await past.execute(
        *(f"ALTER TABLE {table} SET (autovacuum_enabled = false)" for table in ("stations", "sessions", "commands")), CROWD
    )


def _rows_read(plan: dict[str, Any]) -> Iterator[int]:
    """The rows that each node of the plan looked at, those that it threw away too."""
    loops = plan["Actual Loops"]
    yield loops * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Join Filter", 0))
    for inner in plan.get("Plans", ()):
        yield from _rows_read(inner)


async def _explained(conn: Connection, query: str, *arguments: Any) -> int:
    (plan,) = json.loads(await conn.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *arguments))
    print(json.dumps(plan))  # shown when it reads too much
    return max(_rows_read(plan["Plan"]))


async def _silent(conn: Connection) -> None:
    statements = ReconciliationStatements()
    statements.connection = conn
    await statements.silent_sessions(PROCESS, silence=timedelta(hours=1), settle=timedelta(hours=1), limit=100)


async def _queued(conn: Connection) -> None:
    assert await queued_for_process(conn, PROCESS)


async def _unknown(conn: Connection) -> None:
    statements = TokenStatements()
    statements.connection = conn
    await statements.add_unknown_tokens([(1, "NEW", "ISO14443")])


async def _most_rows_read(conn: Connection, look: Any) -> int:
    asked: list[Any] = []
    with conn.query_logger(asked.append):
        await look(conn)
        await asyncio.sleep(0)  # loggers are told in the loop's next turn
    ours = [record for record in asked if "typeinfo" not in record.query]  # the driver asks about types of arrays
    assert ours
    return max([await _explained(conn, record.query, *record.args) for record in ours])


async def test_queued_commands_are_found_cheaply_in_tables_that_nobody_has_analysed(past: Past) -> None:
    await _without_autovacuum(past)
    assert await past.run(partial(_most_rows_read, look=_queued)) <= STATIONS


async def test_unknown_tokens_are_counted_without_a_look_at_the_known_ones(past: Past) -> None:
    await past.execute(
        "ALTER TABLE id_tokens SET (autovacuum_enabled = false)",
        "INSERT INTO id_tokens (tenant_id, id_token, type) SELECT 1, 'KNOWN-' || n, 'ISO14443' "
        f"FROM generate_series(1, {STATIONS}) n",
        "INSERT INTO id_tokens (tenant_id, id_token, type, status) SELECT 1, 'SEEN-' || n, 'ISO14443', 'unknown' "
        "FROM generate_series(1, 10) n",
    )
    assert await past.run(partial(_most_rows_read, look=_unknown)) <= 20


async def test_silent_sessions_are_found_cheaply_once_grown_tables_are_analysed(past: Past) -> None:
    await _without_autovacuum(past)
    analysed = await past.run(analyse_grown)
    assert {"public.sessions", "public.stations"} <= set(analysed)
    assert await past.run(partial(_most_rows_read, look=_silent)) <= STATIONS
    assert await past.run(analyse_grown) == [], "once is enough"


async def test_only_what_has_more_than_doubled_is_analysed_again(past: Past) -> None:
    await past.execute(
        "CREATE TABLE small (n int) WITH (autovacuum_enabled = false)",
        'CREATE TABLE "Grown" (n int) WITH (autovacuum_enabled = false)',
        f"INSERT INTO small SELECT generate_series(1, {FEWEST_ROWS} - 1)",
        f'INSERT INTO "Grown" SELECT generate_series(1, {FEWEST_ROWS})',
    )
    assert await past.run(analyse_grown) == ['public."Grown"']
    await past.execute(f'INSERT INTO "Grown" SELECT generate_series(1, {FEWEST_ROWS})')
    assert await past.run(analyse_grown) == []
    await past.execute('INSERT INTO "Grown" VALUES (0)')
    assert await past.run(analyse_grown) == ['public."Grown"']


async def test_a_running_process_analyses_what_grows(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "STATISTICS_EVERY_S", (0.05, 0.1))
    async with open_store(past.dsn) as store, trio.open_nursery() as nursery:
        nursery.start_soon(partial(maintain, past.dsn, store.gateway, call_timeout_s=30, health=HealthRegistry()))
        await trio.sleep(0.3)  # it has looked, and found nothing, and goes on
        await _without_autovacuum(past)
        with trio.fail_after(15):
            while not await past.value("SELECT reltuples = $1 FROM pg_class WHERE relname = 'sessions'", STATIONS):
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
