"""What strikes an installation, and what must hold meanwhile (design 3.1; security.md R1 to R3, R6)."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

import asyncpg
import trio

from tests.crash.installation import Installation
from tests.crash.proxy import Line, Weather
from tests.crash.surroundings import children, in_asyncio, signal_tree

Strike = Callable[[Installation, Random], AbstractAsyncContextManager[None]]
"""Entered: the fault is there. Left: it is gone, and what is down is being started again."""

_END_GATEWAYS_SESSIONS: Final = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'csms\\_%'"
)


@dataclass(frozen=True)
class Fault:
    """One kind. `store`: what the gateways have of their store while it lasts.

    `away`: nothing at all, so nothing may be acknowledged. `lost`: nothing, until they find that out, whenever the fault ends.
    `troubled`: this and that. `sound`: all of it.
    `lines`: whether every connection of a station lasts, as long as the gateway does not end it.
    """

    name: str
    strike: Strike
    store: Literal["away", "lost", "troubled", "sound"]
    lines: bool
    gateways: bool = True
    """Every gateway process lives on."""


# -- processes


@asynccontextmanager
async def _one_gateway_killed(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """kill -9 of one of two gateways: its stations go to the other one."""
    await trio.to_thread.run_sync(chance.choice(installation.gateways).kill)
    yield
    await installation.bring_back_gateways()


@asynccontextmanager
async def _gateways_killed(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    for gateway in installation.gateways:
        await trio.to_thread.run_sync(gateway.kill)
    yield
    await installation.bring_back_gateways()


@asynccontextmanager
async def _postgres_killed(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    installation.kill_postgres()
    yield
    await installation.bring_back_postgres()


@asynccontextmanager
async def _backend_killed(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """kill -9 of one process of PostgreSQL's: the postmaster ends all others and goes through crash recovery."""
    assert installation.postgres.pid is not None
    os.kill(chance.choice(children(installation.postgres.pid)), signal.SIGKILL)
    yield
    await installation.bring_back_postgres()


@asynccontextmanager
async def _all_killed(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """Gateways and PostgreSQL at the same moment, as when the machine goes."""
    for gateway in installation.gateways:
        os.kill(gateway.pid, signal.SIGKILL)
    installation.kill_postgres()
    for gateway in installation.gateways:
        await trio.to_thread.run_sync(gateway.wait, 10.0)
    yield
    await installation.bring_back_postgres()
    await installation.bring_back_gateways()


@asynccontextmanager
async def _postgres_down(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """As `pg_ctl stop -m immediate`: connections are cut and refused; then started again, with crash recovery."""
    assert installation.postgres.pid is not None
    os.kill(installation.postgres.pid, signal.SIGQUIT)
    with trio.fail_after(10):
        while installation.postgres.alive():
            await trio.sleep(0.02)
    yield
    await installation.bring_back_postgres()


@asynccontextmanager
async def _postgres_frozen(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """SIGSTOP: connections stay open and nothing answers."""
    assert installation.postgres.pid is not None
    signal_tree(installation.postgres.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        signal_tree(installation.postgres.pid, signal.SIGCONT)


# -- the database's resources


@asynccontextmanager
async def _disk_full(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """No file grows. What fits into pages that are there still commits."""
    installation.disk.fill("full")
    try:
        yield
    finally:
        installation.disk.free()
    await installation.bring_back_postgres()


@asynccontextmanager
async def _disk_dead(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """No write succeeds, the log's neither: PostgreSQL panics, and perhaps does not come up by itself."""
    installation.disk.fill("dead")
    try:
        yield
    finally:
        installation.disk.free()
    await installation.bring_back_postgres()


@asynccontextmanager
async def _no_connections(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """Another client takes every connection that PostgreSQL gives, and those of the gateways as soon as they are cut."""
    took_all, done = threading.Event(), threading.Event()
    taken: list[asyncpg.Connection[asyncpg.Record]] = []

    async def take() -> None:
        while not done.is_set():
            try:
                taken.append(await asyncpg.connect(installation.database_url, timeout=5))
            except (asyncpg.PostgresError, OSError, TimeoutError):
                await asyncio.sleep(0.02)

    async def cut_off_others() -> None:
        superuser = await asyncpg.connect(installation.superuser_url, timeout=5)
        try:
            while await superuser.fetchval(_END_GATEWAYS_SESSIONS):
                await asyncio.sleep(0.1)
        finally:
            superuser.terminate()
        took_all.set()

    async def greed() -> None:
        try:
            await asyncio.gather(*(take() for _ in range(8)), cut_off_others())
        finally:
            for connection in taken:
                connection.terminate()

    async with _beside(greed, took_all, done):
        yield


@asynccontextmanager
async def _read_only(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """What a client sees whose address leads to a standby after a failover."""
    await installation.as_superuser("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    try:
        yield
    finally:
        await installation.as_superuser("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")


@asynccontextmanager
async def _locked(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """Somebody's maintenance holds a lock on the sessions."""
    locked, done = threading.Event(), threading.Event()

    async def hold() -> None:
        patient = {"idle_in_transaction_session_timeout": "0"}
        connection = await asyncpg.connect(installation.database_url, timeout=10, server_settings=patient)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
                locked.set()
                while not done.is_set():
                    await asyncio.sleep(0.05)
        finally:
            connection.terminate()

    async with _beside(hold, locked, done):
        yield


@asynccontextmanager
async def _beside(work: Callable[[], Awaitable[None]], begun: threading.Event, done: threading.Event) -> AsyncGenerator[None]:
    """Another client of the database works in asyncio, from when it has set `begun` until it sees `done`."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(in_asyncio, work)
        try:
            with trio.fail_after(15):
                while not begun.is_set():
                    await trio.sleep(0.05)
            yield
        finally:
            done.set()


# -- the network between gateways and PostgreSQL


@asynccontextmanager
async def _database_cut(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    installation.database.refusing = True
    installation.database.reset()
    try:
        yield
    finally:
        installation.database.refusing = False


@asynccontextmanager
async def _database_stalled(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    installation.database.stall()
    try:
        yield
    finally:
        installation.database.resume()


@asynccontextmanager
async def _database_lost(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """The host is gone without a word, and its address leads to the next one at once: old connections only stay silent."""
    for line in list(installation.database.lines.values()):
        line.half_open(near_side_knows=False)
    yield


@asynccontextmanager
async def _database_slow(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """Each answer of the database is late, and comes in pieces."""
    installation.database.set_weather(Weather(0.002, 0.05, chance.choice((None, 512))))
    try:
        yield
    finally:
        installation.database.set_weather(Weather())


# -- the network between stations and gateways


@asynccontextmanager
async def _stations_cut(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """RST on many connections, and none to be had for a while."""
    proxy = installation.stations
    proxy.refusing = chance.random() < 0.5
    proxy.reset(proxy.some(chance.uniform(0.2, 1.0), chance))
    try:
        yield
    finally:
        proxy.refusing = False


@asynccontextmanager
async def _stations_black_hole(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """Silence on all lines, then everything arrives at once; or some of them are cut in their silence."""
    proxy = installation.stations
    proxy.stall()
    try:
        yield
    finally:
        proxy.reset(proxy.some(chance.uniform(0.0, 0.5), chance))
        proxy.resume()


@asynccontextmanager
async def _stations_half_open(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """One end is gone and the other one does not know: the station comes back while its old connection still stands."""
    lines = installation.stations.some(chance.uniform(0.2, 0.8), chance)
    for line in lines:
        line.half_open(near_side_knows=chance.random() < 0.5)
    yield


@asynccontextmanager
async def _stations_slow(installation: Installation, chance: Random) -> AsyncGenerator[None]:
    """Latency and small pieces, down to single bytes, on a part of the lines."""
    lines: list[Line] = installation.stations.some(0.3, chance)
    for line in lines:
        line.weather = Weather(chance.uniform(0.0, 1.0), 0.5, chance.choice((None, 1, 3, 7, 40)))
    try:
        yield
    finally:
        installation.stations.set_weather(Weather(), lines)


FAULTS: Final = (
    Fault("one-gateway-killed", _one_gateway_killed, "sound", lines=False, gateways=False),
    Fault("gateways-killed", _gateways_killed, "sound", lines=False, gateways=False),
    Fault("all-killed", _all_killed, "sound", lines=False, gateways=False),
    Fault("postgres-killed", _postgres_killed, "away", lines=True),
    Fault("backend-killed", _backend_killed, "troubled", lines=True),
    Fault("postgres-down", _postgres_down, "away", lines=True),
    Fault("postgres-frozen", _postgres_frozen, "away", lines=True),
    Fault("disk-full", _disk_full, "troubled", lines=True),
    Fault("disk-dead", _disk_dead, "away", lines=True),
    Fault("no-connections", _no_connections, "away", lines=True),
    Fault("read-only", _read_only, "away", lines=True),
    Fault("locked", _locked, "troubled", lines=True),
    Fault("database-cut", _database_cut, "away", lines=True),
    Fault("database-stalled", _database_stalled, "away", lines=True),
    Fault("database-lost", _database_lost, "lost", lines=True),
    Fault("database-slow", _database_slow, "troubled", lines=True),
    Fault("stations-cut", _stations_cut, "sound", lines=False),
    Fault("stations-black-hole", _stations_black_hole, "sound", lines=False),
    Fault("stations-half-open", _stations_half_open, "sound", lines=False),
    Fault("stations-slow", _stations_slow, "sound", lines=False),
)
