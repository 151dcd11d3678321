"""Databases for tests: copies of a migrated template, emptied and lent again.

To copy the files of so many tables for each test took more time than most tests do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, NamedTuple, TypeVar

import asyncpg

from csms.postgres import EmbeddedPostgres

_LARGEST: Final = 1 << 20
"""Bytes of a table; what has grown beyond is copied anew, not emptied."""

_CATALOGUES: Final = (
    "pg_class",
    "pg_attribute",
    "pg_attrdef",
    "pg_constraint",
    "pg_index",
    "pg_namespace",
    "pg_policy",
    "pg_proc",
    "pg_trigger",
    "pg_type",
)
# a change of the schema, or of its rights, leaves a row of a newer transaction, or one row less
_STRUCTURE: Final = (
    " UNION ALL ".join(f"SELECT '{name}', count(*), max(xmin::text::bigint) FROM {name}" for name in _CATALOGUES)
    + " UNION ALL SELECT 'settings', count(*), NULL FROM pg_db_role_setting"
    + " WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_TABLES: Final = """
SELECT oid::regclass::text AS name, pg_relation_size(oid) AS size, reltuples >= 0 AS analysed FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY oid
"""
_SEQUENCES: Final = """
SELECT seqrelid::regclass::text AS name, seqstart AS start, pg_sequence_last_value(seqrelid) AS last FROM pg_sequence
"""
_LET_GO: Final = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


T = TypeVar("T")


class _Template(NamedTuple):
    """What a database is when it is new. `rows`: those of the few tables that have some, as JSON."""

    structure: list[tuple[Any, ...]]
    rows: dict[str, str]
    sequences: dict[str, int | None]


class Databases:
    """Lends databases of one server; those that a test has left as they can be emptied, it lends again."""

    def __init__(self, postgres: EmbeddedPostgres, template: str) -> None:
        self._postgres = postgres
        self._template_name = template
        self._template = self._run(template, _look)
        self._numbers = count(1)
        self._idle: list[str] = []

    @contextmanager
    def lend(self) -> Iterator[str]:
        """The name of a database that is as new."""
        name = self._idle.pop() if self._idle else self._make()
        try:
            yield name
        finally:
            if self._run(name, self._empty):
                self._idle.append(name)
            else:
                # FORCE: a test may have left connections open, and what it tests is not how the database goes away
                self._server(f"DROP DATABASE {name} WITH (FORCE)")

    def _make(self) -> str:
        name = f"test_{next(self._numbers)}"
        # the other strategy, through the server's buffers, takes a second for so many tables
        self._server(f"CREATE DATABASE {name} TEMPLATE {self._template_name} OWNER csms STRATEGY FILE_COPY")
        return name

    async def _empty(self, conn: asyncpg.Connection) -> bool:
        """Make the database as new; False: it has to be copied."""
        await conn.execute(_LET_GO)
        if await _structure(conn) != self._template.structure:
            return False
        tables = await conn.fetch(_TABLES)
        if any(table["size"] > _LARGEST for table in tables):
            return False
        if any(table["analysed"] and table["name"] not in self._template.rows for table in tables):
            return False  # the planner would go on believing what was in there
        statements = ["SET session_replication_role = replica"]  # in any order, and whatever triggers say
        for name in (table["name"] for table in tables if table["size"]):
            rows = self._template.rows.get(name)
            if rows is None:
                statements.append(f"DELETE FROM {name}")
            elif rows != await _rows(conn, name):
                text = rows.replace("'", "''")
                statements.append(f"DELETE FROM {name}")
                statements.append(
                    f"INSERT INTO {name} OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::{name}, '{text}')"
                )
        for sequence in await conn.fetch(_SEQUENCES):
            last = self._template.sequences[sequence["name"]]
            if sequence["last"] != last:
                to = f"{sequence['start']}, false" if last is None else str(last)
                statements.append(f"SELECT setval('{sequence['name']}', {to})")
        await conn.execute("; ".join(statements))
        return True

    def _server(self, statement: str) -> None:
        async def execute(conn: asyncpg.Connection) -> None:
            await conn.execute(statement)

        self._run("postgres", execute)

    def _run(self, database: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """As the superuser."""

        async def run() -> T:
            conn = await asyncpg.connect(self._postgres.url(database, "postgres"))
            try:
                return await work(conn)
            finally:
                await conn.close()

        return asyncio.run(run())


async def _look(conn: asyncpg.Connection) -> _Template:
    found = {table["name"]: await _rows(conn, table["name"]) for table in await conn.fetch(_TABLES) if table["size"]}
    return _Template(
        structure=await _structure(conn),
        rows={name: rows for name, rows in found.items() if json.loads(rows)},
        sequences={sequence["name"]: sequence["last"] for sequence in await conn.fetch(_SEQUENCES)},
    )


async def _structure(conn: asyncpg.Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await conn.fetch(_STRUCTURE)]


async def _rows(conn: asyncpg.Connection, table: str) -> str:
    found: str = await conn.fetchval(f"SELECT coalesce(json_agg(t ORDER BY t::text), '[]')::text FROM {table} t")
    return found
