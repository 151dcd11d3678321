"""One store behind a ledger's transactions: the model, or PostgreSQL, both at a time that the test sets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from random import Random
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from csms.domain.operations import Operation
from csms.domain.restrictions import Restrictions
from csms.ledger.batch import apply_batch
from csms.ledger.context import BatchContext
from csms.ledger.known_sessions import KnownSessions
from csms.ledger.port import LedgerStore, LedgerTransaction
from csms.ledger.rows import TokenRow
from csms.ledger.transaction_ids import TransactionIdPool
from csms.store import Connection, Database, StoreUnavailable
from csms.store.command_records import CommandRecord
from csms.store.gateway_store import GatewayStore, PostgresGatewayStore
from csms.store.ledger_transaction import PostgresLedgerStore, PostgresLedgerTransaction
from csms.store.pool import run_with_owner
from csms.tenants import TenantConfig, TenantDirectory
from tests.simulation.comparison.tables import Tables, model_tables, postgres_tables
from tests.simulation.model import Behaviour, ModelDatabase
from tests.simulation.model.rows import Command
from tests.simulation.timing import EPOCH, SimulatedClock, SimulatedIds

TENANTS: Final = (
    TenantConfig(1, "red", "accept", "accept", True, "UTC", "EUR", 60),
    TenantConfig(2, "blue", "accept", "refuse", True, "UTC", "EUR", 60),
)


DEADLOCK_MS: Final = 20
"""After which PostgreSQL looks once whether a wait closes a circle."""


class SetClock(SimulatedClock):
    """Shows what it is set to."""

    def __init__(self) -> None:
        super().__init__()
        self.moment = EPOCH

    def now(self) -> datetime:
        return self.moment


class Batch(msgspec.Struct, frozen=True):
    """One group commit. `seed` of its ids; `skew`: how much the clock of the process is ahead of the database's."""

    operations: Sequence[Operation]
    now: datetime
    seed: int
    skew: timedelta = timedelta(0)
    abort: bool = False


class Failure(msgspec.Struct, frozen=True):
    """Instead of outcomes. Which error it is differs between the two; what matters to the ledger is whether it tries again."""

    again: bool


Outcome = list[Any] | Failure
CommandKey = tuple[int, UUID]
"""(tenant_id, command_id)"""


class Aborted(Exception):
    """Raised by the unit of work when all is done but the commit."""


class Gate(Protocol):
    async def at(self, point: str) -> None:
        """Awaited before every step of the port, and before the commit."""
        ...


class _Gated:
    """A transaction with a gate before every step."""

    def __init__(self, tx: LedgerTransaction, gate: Gate) -> None:
        self._tx = tx
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._tx, name)

        async def step(*args: Any, **kwargs: Any) -> Any:
            await self._gate.at(name)
            result = await method(*args, **kwargs)
            if isinstance(self._tx, PostgresLedgerTransaction):
                # what may wait for the next statement would wait for a lock, or find its server gone, a step late
                await self._tx.later.write()
            return result

        return step


class Side:
    """What both have in common: who applies a batch, and the transaction ids of two processes."""

    def __init__(self) -> None:
        self.tenants = TenantDirectory(try_out=False)
        self.tenants.replace_all(TENANTS)
        self.transaction_ids = [TransactionIdPool(bytes(32)) for _ in range(2)]

    async def work(self, tx: Any, batch: Batch, process: int, gate: Gate | None) -> list[Any]:
        clock = SetClock()
        clock.moment = batch.now
        ids = SimulatedIds(clock, Random(f"ids {batch.seed}"))
        context = BatchContext(batch.now + batch.skew, ids, self.tenants, self.transaction_ids[process], KnownSessions())
        outcomes = await apply_batch(tx if gate is None else _Gated(tx, gate), context, batch.operations)
        if batch.abort:
            raise Aborted
        if gate is not None:
            await gate.at("commit")
        return outcomes


async def outcome_of(store: LedgerStore, work: Any) -> Outcome:
    try:
        result: list[Any] = await store.transact(work, timeout=60)
        return result
    except StoreUnavailable:
        return Failure(again=True)
    except Exception as error:
        if isinstance(error, AssertionError | AttributeError | TypeError | KeyError | NameError):
            raise  # a fault of the model or of this test
        return Failure(again=False)


class Reads(msgspec.Struct, frozen=True):
    """What a process reads outside of the ledger."""

    stations: list[Any]
    commands: list[Any]
    queued: list[CommandKey]


async def _read(
    store: GatewayStore, process_id: UUID, stations: Sequence[tuple[int, str]], commands: Sequence[CommandKey]
) -> Reads:
    return Reads(
        [await store.find_station(*station) for station in stations],
        [_comparable(record) for record in await store.load_commands(commands)],
        [(record.tenant_id, record.command_id) for record in await store.queued_commands(process_id)],
    )


async def _add_groups(conn: Connection, token: TokenRow) -> None:
    for group, above in reversed(list(zip_longest(token.groups, token.groups[1:]))):
        await conn.execute(
            "INSERT INTO token_groups (tenant_id, group_id, name, parent_id, group_id_token, restrictions) "
            "VALUES ($1, $2, $3, $4, $5, $6::text::jsonb) ON CONFLICT DO NOTHING",
            token.tenant_id,
            group.group_id,
            group.name,
            None if above is None else above.group_id,
            group.group_id_token,
            _json(group.restrictions),
        )


def _json(restrictions: Restrictions | None) -> str | None:
    return None if restrictions is None else msgspec.json.encode(restrictions).decode()


def _comparable(record: CommandRecord) -> Any:
    """PostgreSQL writes JSON in its own way."""
    return msgspec.structs.replace(record, parameters=b""), json.loads(record.parameters)


class ModelSide(Side):
    def __init__(self) -> None:
        super().__init__()
        self.clock = SetClock()
        self.database = ModelDatabase(self.clock)

    async def apply(self, batch: Batch, process: int = 0, gate: Gate | None = None) -> Outcome:
        self.clock.moment = batch.now
        store = self.database.ledger_store(Behaviour())
        return await outcome_of(store, lambda tx: self.work(tx, batch, process, gate))

    async def tables(self) -> Tables:
        return model_tables(self.database.tables)

    async def read(self, process_id: UUID, stations: Sequence[tuple[int, str]], commands: Sequence[CommandKey]) -> Reads:
        return await _read(self.database.gateway_store(Behaviour()), process_id, stations, commands)

    async def add_token(self, token: TokenRow) -> None:
        self._put("tokens", (token.tenant_id, token.id_token.lower(), token.type), token)

    async def add_command(self, command: Command) -> None:
        self._put("commands", (command.tenant_id, command.command_id), command)

    async def retire(self, tenant_id: int, station_id: int, at: datetime) -> None:
        station = msgspec.structs.replace(self.database.tables.table("stations")[tenant_id, station_id], retired_at=at)
        self._put("stations", (tenant_id, station_id), station)

    async def end_command(self, tenant_id: int, command_id: UUID, status: str) -> None:
        command = msgspec.structs.replace(self.database.commands[tenant_id, command_id], status=status)
        self._put("commands", (tenant_id, command_id), command)

    def _put(self, table: str, key: Any, row: Any) -> None:
        transaction = self.database.begin()
        transaction.put(table, key, row)
        transaction.commit()


class PostgresSide(Side):
    """The store must have been opened after `set_clock_of`."""

    def __init__(self, database: Database, dsn: str) -> None:
        super().__init__()
        self._database = database
        self._dsn = dsn
        self._stores = [PostgresLedgerStore(database) for _ in range(2)]
        self.backends: list[int | None] = [None, None]
        """The server's processes of the two writers, while they write."""

    async def apply(self, batch: Batch, process: int = 0, gate: Gate | None = None) -> Outcome:
        async def work(tx: LedgerTransaction) -> list[Any]:
            assert isinstance(tx, PostgresLedgerTransaction)
            await tx.connection.execute("SELECT set_config('simulation.now', $1, true)", batch.now.isoformat())
            self.backends[process] = await tx.connection.fetchval("SELECT pg_backend_pid()")
            return await self.work(tx, batch, process, gate)

        return await outcome_of(self._stores[process], work)

    async def tables(self) -> Tables:
        return await self._database.unit(postgres_tables)

    async def waiting(self, process: int) -> bool:
        """Does this writer wait for a lock?"""

        async def work(conn: Connection) -> bool:
            sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)"
            found: bool = await conn.fetchval(sql, self.backends[process])
            return found

        return await self._database.unit(work)

    async def kill(self, process: int) -> None:
        """End the server's process of this writer, as a crash of the server does, and wait until its locks are free."""

        async def work(conn: Connection) -> None:
            pid = self.backends[process]
            await conn.execute("SELECT pg_terminate_backend($1)", pid)
            while await conn.fetchval("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", pid):
                await asyncio.sleep(0.001)

        await run_with_owner(self._dsn, work, timeout=5)

    async def read(self, process_id: UUID, stations: Sequence[tuple[int, str]], commands: Sequence[CommandKey]) -> Reads:
        return await _read(PostgresGatewayStore(self._database), process_id, stations, commands)

    async def add_token(self, token: TokenRow) -> None:
        await run_with_owner(self._dsn, lambda conn: _add_groups(conn, token))
        await self._execute(
            "INSERT INTO id_tokens (tenant_id, id_token, type, status, valid_from, valid_until, group_id_token, retired_at, "
            "token_id, restrictions, single_use, group_id, parent_token_id) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $8::boolean THEN '2026-01-01'::timestamptz END, "
            "coalesce($9, gen_random_uuid()), $10::text::jsonb, $11, $12, $13)",
            *msgspec.structs.astuple(token)[:9],
            _json(token.restrictions),
            token.single_use,
            token.groups[0].group_id if token.groups else None,
            None if token.parent is None else token.parent.token_id,
        )

    async def add_command(self, command: Command) -> None:
        fields = msgspec.structs.asdict(command) | {"parameters": command.parameters.decode()}
        places = ", ".join(f"${n}" for n in range(1, len(fields) + 1))
        await self._execute(f"INSERT INTO commands ({', '.join(fields)}) VALUES ({places})", *fields.values())

    async def retire(self, tenant_id: int, station_id: int, at: datetime) -> None:
        await self._execute(
            "UPDATE stations SET retired_at = $3 WHERE tenant_id = $1 AND station_id = $2", tenant_id, station_id, at
        )

    async def end_command(self, tenant_id: int, command_id: UUID, status: str) -> None:
        await self._execute(
            "UPDATE commands SET status = $3 WHERE tenant_id = $1 AND command_id = $2", tenant_id, command_id, status
        )

    async def _execute(self, sql: str, *arguments: Any) -> None:
        async def work(conn: Connection) -> None:
            await conn.execute(sql, *arguments)

        await self._database.unit(work)

    async def start_anew(self) -> None:
        """Forget all but the tenants, and count from the beginning again."""
        self.__init__(self._database, self._dsn)  # type: ignore[misc]  # with caches and ids of a new process

        async def work(conn: Connection) -> None:
            await conn.execute(
                "TRUNCATE gateway_processes, stations, evses, connectors, id_tokens, token_groups, sessions, transaction_events, "
                "sample_shapes, samples, station_samples, station_events, device_variables, quarantine, quarantine_usage, "
                "relaxations, commands, event_streams, session_corrections, session_states, outbox RESTART IDENTITY CASCADE; "
                "ALTER SEQUENCE ocpp16_transaction_numbers RESTART"
            )

        await run_with_owner(self._dsn, work)


async def set_clock_of(dsn: str) -> None:
    """Make now() of this database the time that a transaction sets, in statements and in defaults; add the second tenant.

    For connections that are opened afterwards.
    """

    async def work(conn: Connection) -> None:
        await conn.execute(
            "CREATE SCHEMA simulation; GRANT USAGE ON SCHEMA simulation TO PUBLIC; "
            "CREATE FUNCTION simulation.now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT "
            f"coalesce(nullif(current_setting('simulation.now', true), ''), '{EPOCH.isoformat()}')::timestamptz $$"
        )
        columns = await conn.fetch(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND column_default = 'now()' AND table_name NOT LIKE '%default'"
        )
        for table, column in columns:
            await conn.execute(f'ALTER TABLE public."{table}" ALTER COLUMN "{column}" SET DEFAULT simulation.now()')
        name = await conn.fetchval("SELECT current_database()")
        name = await conn.fetchval("SELECT current_database()")
        await conn.execute(f"ALTER DATABASE {name} SET search_path = simulation, pg_catalog, public")
        await conn.execute("INSERT INTO public.tenants (slug, name) VALUES ('blue', 'The second tenant')")

    await run_with_owner(dsn, work)


async def find_deadlocks_fast(dsn: str, superuser_dsn: str) -> None:
    """Whoever closes a circle of waits is told soon, and long after the other one has begun to wait.

    For connections that are opened afterwards.
    """

    async def name(conn: Connection) -> str:
        found: str = await conn.fetchval("SELECT current_database()")
        return found

    database = await run_with_owner(dsn, name)

    async def set_timeout(conn: Connection) -> None:
        await conn.execute(f"ALTER DATABASE {database} SET deadlock_timeout = '{DEADLOCK_MS}ms'")

    await run_with_owner(superuser_dsn, set_timeout)
