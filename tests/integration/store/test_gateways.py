"""How many gateway processes are alive, as the hub's role sees it."""

from __future__ import annotations

from csms.store import Connection, open_store
from csms.store.pool import run_with_owner
from csms.store.queries.gateways import Gateways, count_gateways


async def test_those_with_a_sign_of_life_count(database: str) -> None:
    async def processes(conn: Connection) -> None:
        await conn.execute(
            "INSERT INTO gateway_processes (process_id, seen_at) SELECT gen_random_uuid(), now() - age::interval FROM "
            "unnest($1::text[]) AS age",
            ["1 s", "25 s", "40 s", "23 h", "25 h"],
        )

    async with open_store(database) as store:
        assert await store.hub.unit(count_gateways) == Gateways(0, 0)
        await run_with_owner(database, processes)
        assert await store.hub.unit(count_gateways) == Gateways(2, 4)
