"""Connections to PostgreSQL by role, and the unit of work: one transaction, crossed into the loop thread once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg
import structlog
import trio

from csms.store.loop_thread import LoopThread

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Connection = Any

T = TypeVar("T")
log = structlog.get_logger()

GATEWAY_ROLE: Final = "csms_gateway"
HUB_ROLE: Final = "csms_hub"
AUTH_ROLE: Final = "csms_auth"

_KEY_LOOKUPS_ONLY: Final = {"enable_seqscan": "off", "enable_mergejoin": "off", "jit": "off"}
"""The ledger joins short lists with big tables by key. A cached plan made while a table was still empty must not scan it later."""

_AWAY: Final = (
    OSError,
    TimeoutError,
    asyncio.CancelledError,
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.PostgresIOError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
"""Failures that say nothing about the rows: the store is away, full, restarting, or asks for another try."""


_AWAY_FOR_THE_LEDGER: Final = (*_AWAY, asyncpg.InsufficientPrivilegeError)
"""The gateway's role sees every row, so a missing permission is an operator's matter: nothing that a station sent."""


class StoreUnavailable(Exception):
    """The database is away, refused the connection, or did not answer in time. Try again later."""


class Database:
    """One role's connections. All methods are for Trio tasks."""

    def __init__(
        self, thread: LoopThread, pool: asyncpg.Pool[asyncpg.Record], away: tuple[type[BaseException], ...] = _AWAY
    ) -> None:
        self._thread = thread
        self._pool = pool
        self._away = away

    async def unit(self, work: Callable[[Connection], Awaitable[T]], *, timeout: float = 10.0, first: str = "") -> T:
        """Run `work` in one transaction and commit it; `timeout` in seconds covers all of it.

        `first`: a statement without parameters that goes along with the transaction's begin. `work` runs in the loop thread: plain
        asyncpg, nothing of Trio. Raises StoreUnavailable, or what `work` raised after the transaction was rolled back.
        """
        begin = f"BEGIN; {first}" if first else "BEGIN"
        return await self._thread.run(lambda: self._transaction(work, begin, timeout))

    async def look(self, work: Callable[[Connection], Awaitable[T]], *, timeout: float = 10.0) -> T:
        """Run `work`, which only reads, or writes with one statement alone, without a transaction around it: two ways to the server
        less."""
        return await self._thread.run(lambda: self._transaction(work, None, timeout))

    async def tenant_unit(self, tenant_id: int, work: Callable[[Connection], Awaitable[T]], *, timeout: float = 10.0) -> T:
        """As `unit`, with the tenant of the transaction set: row-level security shows this tenant's rows alone."""
        # in one message, which asyncpg's own transactions cannot: one way less for every unit of a tenant
        begin = f"BEGIN; SET LOCAL app.tenant_id = '{tenant_id:d}'"
        return await self._thread.run(lambda: self._transaction(work, begin, timeout))

    async def _transaction(self, work: Callable[[Connection], Awaitable[T]], begin: str | None, timeout: float) -> T:
        """`begin` None: no transaction."""
        connection: Any = None
        perhaps_away: tuple[type[BaseException], ...] = (*self._away, asyncpg.InterfaceError)
        try:
            async with asyncio.timeout(timeout):
                connection = await self._pool.acquire()
                try:
                    if begin is None:
                        return await work(connection)
                    await connection.execute(begin)
                    result = await work(connection)
                    if await connection.execute("COMMIT") != "COMMIT":
                        raise TransactionLost("the transaction had failed in the midst: nothing of it was stored")
                except Exception as error:
                    if begin is not None and not isinstance(error, self._away):
                        await connection.execute("ROLLBACK")
                    raise
                return result
        except perhaps_away as error:
            if isinstance(error, asyncpg.InterfaceError) and not _is_lost(connection):
                raise  # the driver refuses what it was given: a fault of the statement or of a row, not of the store
            if connection is not None:
                _drop(connection)
                if isinstance(error, TimeoutError):
                    # perhaps its host is gone without a word: the idle ones would cost a time-out each
                    await self._pool.expire_connections()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise StoreUnavailable(str(error) or type(error).__name__) from error
        finally:
            if connection is not None:
                await self._pool.release(connection)


class TransactionLost(Exception):
    """`work` went on after a statement of its transaction had failed, so that there was nothing to commit."""


@dataclass(frozen=True, slots=True)
class Store:
    """The database by role (schemas/migrations/0001_initial.sql says what each may do)."""

    gateway: Database
    hub: Database
    auth: Database


@asynccontextmanager
async def open_store(
    dsn: str, *, gateway_dsn: str | None = None, hub_dsn: str | None = None, connections: int = 8
) -> AsyncIterator[Store]:
    """Open the pools of all roles; `connections` is the bound of the gateway's and of the hub's pool each.

    Without a DSN of its own a role is set in the connection's start-up packet (the weaker form: the log-in role could
    leave it again). Raises StoreUnavailable when the database cannot be reached.
    """
    thread = LoopThread("store")
    thread.start()
    pools: list[asyncpg.Pool[asyncpg.Record]] = []

    async def open_pool(
        url: str, role: str, size: int, extra: dict[str, str], away: tuple[type[BaseException], ...] = _AWAY
    ) -> Database:
        async def create() -> asyncpg.Pool[asyncpg.Record]:
            return await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=size,
                max_inactive_connection_lifetime=300,
                timeout=10,
                reset=_keep_as_is,
                server_settings={
                    "role": role,
                    "application_name": role,
                    "timezone": "UTC",
                    "idle_in_transaction_session_timeout": "5000",
                    "synchronous_commit": "on",
                    **extra,
                },
            )

        try:
            pool = await thread.run(create)
        except (*_AWAY, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
            raise StoreUnavailable(f"cannot open the database as {role}: {error}") from error
        pools.append(pool)
        return Database(thread, pool, away)

    async def close_pool(pool: asyncpg.Pool[asyncpg.Record]) -> None:
        try:
            await asyncio.wait_for(pool.close(), 5)
        except (TimeoutError, asyncpg.InterfaceError):
            pool.terminate()

    async def close_pools() -> None:
        await asyncio.gather(*map(close_pool, pools))

    try:
        yield Store(
            gateway=await open_pool(gateway_dsn or dsn, GATEWAY_ROLE, connections, _KEY_LOOKUPS_ONLY, _AWAY_FOR_THE_LEDGER),
            hub=await open_pool(hub_dsn or dsn, HUB_ROLE, connections, {"statement_timeout": "15000"}),
            auth=await open_pool(hub_dsn or dsn, AUTH_ROLE, 4, {"statement_timeout": "5000"}),
        )
    finally:
        with trio.CancelScope(shield=True):
            await thread.run(close_pools)
        thread.stop()


def _is_lost(connection: Any) -> bool:
    """True when the driver's complaint is that there is no connection (any more)."""
    try:
        return connection is None or connection.is_closed()
    except asyncpg.InterfaceError:
        return True


def _drop(connection: Any) -> None:
    """Close a connection whose state is unknown: a rollback could wait for a server that does not answer."""
    try:
        connection.terminate()
    except asyncpg.InterfaceError:
        log.debug("store.connection_already_gone")


async def _keep_as_is(connection: object) -> None:
    """No RESET on release: settings are made by set_config(…, true) only, which end with the transaction."""


async def run_with_owner(dsn: str, work: Callable[[Connection], Awaitable[T]], *, timeout: float = 60.0) -> T:
    """Run `work` on a connection of the owner's, outside of any pool and transaction (migrations, partitions)."""
    thread = LoopThread("store-owner")
    thread.start()

    async def connected() -> T:
        async with asyncio.timeout(timeout):
            connection = await asyncpg.connect(dsn, timeout=10, server_settings={"timezone": "UTC"})
            try:
                return await work(connection)
            finally:
                await connection.close(timeout=5)

    try:
        return await thread.run(connected)
    except _AWAY as error:
        raise StoreUnavailable(str(error) or type(error).__name__) from error
    finally:
        thread.stop()
