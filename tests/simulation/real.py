"""The same runs on a real PostgreSQL: the clock is fast instead of jumping, because the server keeps its own time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from csms.ledger.port import LedgerTransaction, StationKey
from csms.store import Connection, Store, StoreUnavailable
from csms.store.command_records import CommandRecord
from csms.store.gateway_store import PostgresGatewayStore
from csms.store.ledger_transaction import PostgresLedgerStore
from csms.store.pool import run_with_owner
from csms.store.replay_records import ReplayError, ReplayRecord
from csms.store.stations import StationRecord
from tests.simulation.model import Behaviour
from tests.simulation.oracle import Facts, StoredSession, decoded
from tests.simulation.timing import SimulatedClock

T = TypeVar("T")
RATE = 15
"""Virtual seconds in a second."""

_SESSIONS = """
SELECT t.slug, s.identity, x.transaction_ref, x.incarnation, x.status, x.id_token, x.start_time_text, x.start_meter_wh,
       x.stop_meter_wh, x.energy_wh, x.flags,
       ARRAY(SELECT (e.seq_no, e.type, e.conflict)::text FROM transaction_events e
             WHERE e.tenant_id = x.tenant_id AND e.session_id = x.session_id) AS events,
       ARRAY(SELECT DISTINCT unnest(r."values") FROM samples r
             WHERE r.tenant_id = x.tenant_id AND r.session_id = x.session_id) AS registers,
       ARRAY(SELECT o.type FROM outbox o WHERE o.tenant_id = x.tenant_id AND o.session_id = x.session_id) AS published
FROM sessions x JOIN stations s USING (tenant_id, station_id) JOIN tenants t USING (tenant_id)
"""
_ORPHANS = """
SELECT t.slug, s.identity, q.payload FROM quarantine q JOIN stations s USING (tenant_id, station_id) JOIN tenants t
USING (tenant_id) WHERE q.reason = 'orphan'
"""


class RealClock(SimulatedClock):
    """Begins now, because the server compares with its own time; may be asked in the store's thread, too."""

    def __init__(self) -> None:
        super().__init__()
        self._began = datetime.now(UTC)
        self._zero = time.monotonic()

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.monotonic()) + self.ahead

    def monotonic(self) -> float:
        return (time.monotonic() - self._zero) * RATE


class RealDatabase:
    """`tests.simulation.world.SimulatedDatabase` on PostgreSQL."""

    def __init__(self, store: Store, dsn: str) -> None:
        self.clock: SimulatedClock = RealClock()
        self._store = store
        self._dsn = dsn

    def ledger_store(self, behaviour: Behaviour) -> RealLedgerStore:
        return RealLedgerStore(PostgresLedgerStore(self._store.gateway), behaviour)

    def gateway_store(self, behaviour: Behaviour) -> RealGatewayStore:
        return RealGatewayStore(PostgresGatewayStore(self._store.gateway), behaviour)

    async def crash(self) -> None:
        """All of the server's processes for this database end, as when it is restarted."""
        await self._owner(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND usename = current_user"
        )

    async def add_tenant(self, tenant_id: int, slug: str) -> None:
        if tenant_id == 1:
            await self._owner("UPDATE tenants SET slug = $1 WHERE tenant_id = 1", slug)
        else:
            await self._owner("INSERT INTO tenants (slug, name) VALUES ($1, $1)", slug)

    async def place_of(self, tenant_id: int, identity: str) -> tuple[int, UUID | None] | None:
        rows = await self._rows(
            "SELECT station_id, connected_process FROM stations WHERE tenant_id = $1 AND identity = $2", tenant_id, identity
        )
        return (rows[0][0], rows[0][1]) if rows else None

    async def insert_command(
        self, tenant_id: int, command_id: UUID, station_id: int, action: str, payload: dict[str, Any], *, expires_at: datetime
    ) -> None:
        await self._owner(
            "INSERT INTO commands (tenant_id, command_id, station_id, action, parameters, requested_by, expires_at) "
            "VALUES ($1, $2, $3, $4, $5, 'operator', $6)",
            tenant_id,
            command_id,
            station_id,
            action,
            msgspec.json.encode(payload).decode(),
            expires_at,
        )

    async def command_status(self, tenant_id: int, command_id: UUID) -> str:
        (row,) = await self._rows("SELECT status FROM commands WHERE tenant_id = $1 AND command_id = $2", tenant_id, command_id)
        return str(row[0])

    async def facts(self) -> Facts:
        sessions = [
            StoredSession(
                *row[:11],
                events=[_event(text) for text in row["events"]],
                registers=set(row["registers"]),
                outbox=Counter(row["published"]),
            )
            for row in await self._rows(_SESSIONS)
        ]
        return Facts(sessions, [(row[0], row[1], decoded(row[2])) for row in await self._rows(_ORPHANS)])

    async def _rows(self, sql: str, *arguments: Any) -> list[Any]:
        async def work(connection: Connection) -> list[Any]:
            return list(await connection.fetch(sql, *arguments))

        return await run_with_owner(self._dsn, work)

    async def _owner(self, sql: str, *arguments: Any) -> None:
        await self._rows(sql, *arguments)


class RealLedgerStore:
    """PostgreSQL, with a hook before each transaction and after its commit."""

    def __init__(self, behind: PostgresLedgerStore, behaviour: Behaviour) -> None:
        self._behind = behind
        self._behaviour = behaviour
        self._killed = False

    def kill(self) -> None:
        self._killed = True

    async def transact(
        self, work: Callable[[LedgerTransaction], Awaitable[T]], *, timeout: float, lanes: Collection[StationKey] = ()
    ) -> T:
        await self._at("begin")
        result = await self._behind.transact(work, timeout=timeout, lanes=lanes)
        await self._at("committed")
        return result

    async def look(self, work: Callable[[LedgerTransaction], Awaitable[T]], *, timeout: float) -> T:
        await self._at("begin")
        return await self._behind.look(work, timeout=timeout)

    async def probe(self, timeout: float) -> None:
        await self._at("probe")
        await self._behind.probe(timeout)

    async def _at(self, point: str) -> None:
        if not self._killed:
            await self._behaviour.at(point)
        if self._killed:
            raise StoreUnavailable("this process is dead")


class RealGatewayStore:
    """The same for what the gateway reads."""

    def __init__(self, behind: PostgresGatewayStore, behaviour: Behaviour) -> None:
        self._behind = behind
        self._behaviour = behaviour

    async def find_station(self, tenant_id: int, identity: str) -> StationRecord | None:
        await self._behaviour.at("find_station")
        return await self._behind.find_station(tenant_id, identity)

    async def load_commands(self, keys: Sequence[tuple[int, UUID]]) -> list[CommandRecord]:
        await self._behaviour.at("load_commands")
        return await self._behind.load_commands(keys)

    async def queued_commands(self, process_id: UUID) -> list[CommandRecord]:
        await self._behaviour.at("queued_commands")
        return await self._behind.queued_commands(process_id)

    async def claim_replays(self, process_id: UUID, limit: int) -> list[ReplayRecord]:
        await self._behaviour.at("claim_replays")
        return await self._behind.claim_replays(process_id, limit)

    async def finish_replay(self, record: ReplayRecord, outcome: bytes | ReplayError) -> None:
        await self._behaviour.at("finish_replay")
        await self._behind.finish_replay(record, outcome)


def _event(text: str) -> tuple[int, str, bool]:
    seq_no, kind, conflict = text.strip("()").split(",")
    return int(seq_no), kind, conflict == "t"
