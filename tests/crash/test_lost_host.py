"""A database host that is gone without a word: every connection to it is silent, new ones lead to its successor."""

from __future__ import annotations

from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest
import trio

from csms.store import Connection, StoreUnavailable, open_store
from csms.store.pool import Database
from tests.crash.proxy import open_proxy, to_unix

CONNECTIONS = 4


async def test_costs_one_time_out_however_many_connections_stood(database: str) -> None:
    address = urlsplit(database)
    socket_path = f"{parse_qs(address.query)['host'][0]}/.s.PGSQL.5432"
    async with open_proxy(to_unix(socket_path)) as proxy:
        url = f"postgresql://{address.username}@127.0.0.1:{proxy.port}{address.path}?sslmode=disable"
        async with open_store(url, connections=CONNECTIONS) as store:
            await _use_all_connections(store.gateway)
            for line in list(proxy.lines.values()):
                line.half_open(near_side_knows=False)
            with pytest.raises(StoreUnavailable):
                await store.gateway.unit(_nothing, timeout=0.5)
            with trio.fail_after(5):
                await _use_all_connections(store.gateway)
            proxy.bury()


async def _use_all_connections(database: Database) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(CONNECTIONS):
            nursery.start_soon(partial(database.unit, _a_moment, timeout=10))


async def _a_moment(connection: Connection) -> None:
    await connection.execute("SELECT pg_sleep(0.2)")


async def _nothing(connection: Connection) -> None:
    await connection.execute("SELECT 1")
