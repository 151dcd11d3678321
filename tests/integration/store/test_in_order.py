"""Writes that wait for company: seen by what comes after them, written once, in one statement where they can be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import asyncpg
import pytest

from csms.clock import SystemClock
from csms.ledger.port import LedgerTransaction
from csms.ledger.rows import OutboxRow
from csms.store import Connection, Store
from csms.store.in_order import InOrder, Write
from csms.store.ledger_transaction import PostgresLedgerStore
from csms.store.pool import open_store, run_with_owner


class Counting:
    """A connection that counts its statements."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.connection, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.statements += 1
            return method(*args, **kwargs)

        return call


def into(table: str, *rows: tuple[int, str]) -> Write:
    def text(first: int) -> str:
        return f"INSERT INTO {table} SELECT * FROM unnest(${first}::int4[], ${first + 1}::text[])"

    return Write(table, text, [[row[0] for row in rows], [row[1] for row in rows]])


@pytest.fixture
def on_tables(database: str) -> Callable[[Callable[[InOrder, Counting], Awaitable[None]]], Awaitable[None]]:
    """Run something on a connection with the empty tables `a`, `b` and `c`."""

    async def run(work: Callable[[InOrder, Counting], Awaitable[None]]) -> None:
        async def prepared(connection: Connection) -> None:
            await connection.execute("".join(f"CREATE TEMP TABLE {name} (n int UNIQUE, word text);" for name in "abc"))
            counting = Counting(connection)
            await work(InOrder(cast("Connection", counting)), counting)

        await run_with_owner(database, prepared)

    return run


OnTables = Callable[[Callable[[InOrder, Counting], Awaitable[None]]], Awaitable[None]]


async def test_each_way_to_ask_sees_what_was_written_before(on_tables: OnTables) -> None:
    async def work(connection: InOrder, counting: Counting) -> None:
        connection.write_later(into("a", (1, "one")))
        assert counting.statements == 0
        assert await connection.fetchval("SELECT word FROM a") == "one"
        connection.write_later(into("a", (2, "two")))
        assert len(await connection.fetch("SELECT * FROM a WHERE n <= $1", 2)) == 2
        connection.write_later(into("a", (3, "three")))
        row = await connection.fetchrow("SELECT count(*) AS rows FROM a")
        assert row is not None
        assert row["rows"] == 3
        connection.write_later(into("a", (4, "four")))
        assert await connection.execute("UPDATE a SET word = $1", "x") == "UPDATE 4"
        assert counting.statements == 8

    await on_tables(work)


async def test_what_waits_is_one_statement(on_tables: OnTables) -> None:
    async def work(connection: InOrder, counting: Counting) -> None:
        for write in (into("a", (1, "a")), into("b", (2, "b"), (3, "bb")), into("a", (4, "aa"))):
            connection.write_later(write)
        await connection.write()
        assert counting.statements == 1
        assert await connection.fetch("SELECT * FROM a ORDER BY n") == [(1, "a"), (4, "aa")]
        assert await connection.fetch("SELECT * FROM b ORDER BY n") == [(2, "b"), (3, "bb")]
        before = counting.statements
        await connection.write()
        assert counting.statements == before, "there is nothing left"

    await on_tables(work)


@pytest.mark.parametrize("waiting", [(), ("b",), ("b", "c"), ("c", "b")])
async def test_what_waits_goes_along_with_a_question(on_tables: OnTables, waiting: tuple[str, ...]) -> None:
    async def work(connection: InOrder, counting: Counting) -> None:
        for number, table in enumerate(waiting):
            connection.write_later(into(table, (number, table)))
        ctes = "made AS (INSERT INTO a SELECT * FROM unnest($1::int4[], $2::text[]) RETURNING n)"
        assert await connection.fetch_along(ctes, "SELECT n FROM made", [[7], ["seven"]]) == [(7,)]
        assert counting.statements == 1
        for number, table in enumerate(waiting):
            assert await connection.fetch(f"SELECT * FROM {table}") == [(number, table)]
        await connection.write()
        assert await connection.fetchval("SELECT count(*) FROM a") == 1

    await on_tables(work)


async def test_a_write_that_fails_takes_with_it_what_it_went_along_with(on_tables: OnTables) -> None:
    async def work(connection: InOrder, counting: Counting) -> None:
        connection.write_later(into("a", (1, "a"), (1, "again")))
        connection.write_later(into("b", (1, "b")))
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.fetchval("SELECT 1")
        assert await connection.fetchval("SELECT count(*) FROM b") == 0

    await on_tables(work)


@pytest.fixture
async def events(database: str) -> Any:
    """Write an event in a transaction of the ledger, or alone; gives what the database has afterwards."""

    async def write(after: Callable[[], None], *, alone: bool = False) -> int:
        async def work(tx: LedgerTransaction) -> None:
            await tx.insert_outbox([OutboxRow(1, "station.online", 1, None, SystemClock().now(), b"{}")])
            after()

        async with open_store(database) as store:
            ledger = PostgresLedgerStore(store.gateway)
            try:
                await (ledger.look(work, timeout=10) if alone else ledger.transact(work, timeout=10))
            except ZeroDivisionError:
                pass
            return await _count(store)

    return write


async def test_what_waits_at_the_end_is_committed_and_after_a_fault_it_is_not(events: Any) -> None:
    assert await events(lambda: None) == 1
    assert await events(lambda: 1 / 0) == 1
    assert await events(lambda: None, alone=True) == 2


async def _count(store: Store) -> int:
    async def work(connection: Connection) -> int:
        found: int = await connection.fetchval("SELECT count(*) FROM outbox")
        return found

    return await store.gateway.unit(work)
