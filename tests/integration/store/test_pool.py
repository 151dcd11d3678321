"""The unit of work: commits, rollbacks, cancellation, tenants that never leak into the next unit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
import trio

from csms.store import Connection, StoreUnavailable, open_store
from csms.store.pool import TransactionLost


async def count_events(conn: Connection) -> int:
    return int(await conn.fetchval("SELECT count(*) FROM station_events"))


def add_event(number: int) -> Any:
    async def work(conn: Connection) -> int:
        await conn.execute(
            "INSERT INTO station_events (tenant_id, event_id, station_id, type, data, digest) "
            "VALUES (1, gen_random_uuid(), 1, 'test', '{}', $1)",
            number.to_bytes(4),
        )
        return number

    return work


async def test_an_error_rolls_back_and_reaches_the_caller(database: str) -> None:
    async with open_store(database) as store:

        async def fail(conn: Connection) -> None:
            await add_event(1)(conn)
            raise LookupError("reason")

        with pytest.raises(LookupError, match="reason"):
            await store.gateway.unit(fail)
        assert await store.gateway.unit(count_events) == 0


async def test_a_unit_that_goes_on_after_a_failed_statement_stores_nothing_and_says_so(database: str) -> None:
    async with open_store(database, connections=1) as store:

        async def go_on(conn: Connection) -> None:
            await add_event(1)(conn)
            with suppress(asyncpg.DivisionByZeroError):
                await conn.execute("SELECT 1 / 0")

        with pytest.raises(TransactionLost):
            await store.gateway.unit(go_on)
        assert await store.gateway.unit(count_events) == 0


async def test_a_storm_of_cancellations_leaves_the_pool_whole(database: str) -> None:
    async with open_store(database, connections=4) as store:

        async def slow(conn: Connection) -> None:
            await conn.execute("SELECT pg_sleep(0.02)")

        async def cancelled_after(seconds: float) -> None:
            with trio.move_on_after(seconds):
                await store.gateway.unit(slow)

        async with trio.open_nursery() as nursery:
            for n in range(200):
                nursery.start_soon(cancelled_after, (n % 20) / 1000)
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                for n in range(20):
                    nursery.start_soon(store.gateway.unit, add_event(n))
        assert await store.gateway.unit(count_events) == 20


async def test_cancelling_a_unit_ends_its_query_on_the_server(database: str) -> None:
    async with open_store(database) as store:

        async def sleep(conn: Connection) -> None:
            await conn.execute("SELECT pg_sleep(30)")

        started = trio.current_time()
        with trio.move_on_after(0.2):
            await store.gateway.unit(sleep)
        assert trio.current_time() - started < 5


async def test_a_unit_that_takes_too_long_is_unavailable(database: str) -> None:
    async with open_store(database) as store:

        async def sleep(conn: Connection) -> None:
            await conn.execute("SELECT pg_sleep(30)")

        with pytest.raises(StoreUnavailable):
            await store.gateway.unit(sleep, timeout=0.2)
        assert await store.gateway.unit(count_events) == 0


async def test_no_server_is_unavailable_and_says_so() -> None:
    with pytest.raises(StoreUnavailable, match="cannot open the database"):
        async with open_store("postgresql://nobody@127.0.0.1:1/none"):
            pass


async def test_the_tenant_of_a_unit_is_gone_in_the_next_one(database: str) -> None:
    async with open_store(database, connections=1) as store:

        async def seen(conn: Connection) -> tuple[str | None, int]:
            setting = await conn.fetchval("SELECT current_setting('app.tenant_id', true)")
            return setting, int(await conn.fetchval("SELECT count(*) FROM tenants"))

        async def fail(conn: Connection) -> None:
            raise LookupError

        assert await store.hub.tenant_unit(1, seen) == ("1", 1)
        with pytest.raises(LookupError):
            await store.hub.tenant_unit(1, fail)
        setting, visible = await store.hub.unit(seen)
        assert (setting or "", visible) == ("", 0)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("hub", "SELECT * FROM installation"),
        ("hub", "DELETE FROM sessions"),
        ("hub", "TRUNCATE stations"),
        ("hub", "SELECT * FROM samples_default"),
        ("auth", "SELECT * FROM users"),
        ("auth", "SELECT * FROM tenants"),
        ("gateway", "SELECT * FROM users"),
        ("gateway", "SELECT * FROM api_keys"),
        ("gateway", "DELETE FROM sessions"),
        ("gateway", "UPDATE tenants SET name = 'x'"),
        ("gateway", "SELECT auth_create_tenant('x', 'x')"),
    ],
)
async def test_roles_may_do_no_more_than_their_work(database: str, role: str, statement: str) -> None:
    async with open_store(database) as store:

        async def work(conn: Connection) -> None:
            await conn.execute(statement)

        # to the ledger a missing permission is an outage: it waits for the operator instead of refusing what stations send
        refusal = StoreUnavailable if role == "gateway" else asyncpg.InsufficientPrivilegeError
        with pytest.raises(refusal, match="permission denied"):
            await getattr(store, role).unit(work)


async def test_the_result_of_a_unit_that_was_too_late_to_cancel_is_given(database: str) -> None:
    async with open_store(database) as store:
        reached = trio.Event()
        token = trio.lowlevel.current_trio_token()

        async def stubborn(conn: Connection) -> str:
            token.run_sync_soon(reached.set)
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                return "finished"
            return "never"

        result = None

        async def call() -> None:
            nonlocal result
            result = await store.gateway.unit(stubborn)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await reached.wait()
            nursery.cancel_scope.cancel()
        assert result == "finished"
