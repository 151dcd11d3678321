"""Rows of sessions that began long ago, written as the owner: session ids are backdated UUIDv7."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from csms.store import Connection
from csms.store.partitions import PARTITIONED, month_start, uuid7_lower_bound
from csms.store.pool import run_with_owner

T = TypeVar("T")


def uuid7_at(moment: datetime) -> UUID:
    """A UUIDv7 of that moment."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | 0x7 << 76 | 0b10 << 62 | (uuid4().int & (1 << 62) - 1))


def days_ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def month_of(age_days: float) -> str:
    """The month in the name of a partition."""
    return f"{days_ago(age_days):%Y_%m}"


class Past:
    """The database of a test and what happened there long ago."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        return await run_with_owner(self.dsn, work)

    async def execute(self, *statements: str) -> None:
        async def work(conn: Connection) -> None:
            for statement in statements:
                await conn.execute(statement)

        await self.run(work)

    async def value(self, sql: str, *arguments: object) -> object:
        async def work(conn: Connection) -> object:
            return await conn.fetchval(sql, *arguments)

        return await self.run(work)

    async def count(self, table: str, tenant: int | None = None) -> int:
        found = await self.value(f"SELECT count(*) FROM {table} WHERE $1::int IS NULL OR tenant_id = $1", tenant)
        assert isinstance(found, int)
        return found

    async def partitions(self, table: str) -> list[str]:
        """The names of the partitions, without the table's own."""

        async def work(conn: Connection) -> list[str]:
            rows = await conn.fetch("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass", table)
            return sorted(row[0].removeprefix(f"{table}_") for row in rows)

        return await self.run(work)

    async def tenant(self, slug: str, *, samples: int | None = None, events: int | None = None) -> int:
        """Make or change a tenant; gives its id."""

        async def work(conn: Connection) -> int:
            return int(
                await conn.fetchval(
                    "INSERT INTO tenants (slug, name, samples_kept_days, events_kept_days) VALUES ($1, $1, $2, $3) "
                    "ON CONFLICT (slug) DO UPDATE SET samples_kept_days = $2, events_kept_days = $3 RETURNING tenant_id",
                    slug,
                    samples,
                    events,
                )
            )

        return await self.run(work)

    async def station(self, tenant: int, identity: str = "S1") -> int:
        async def work(conn: Connection) -> int:
            return int(
                await conn.fetchval(
                    "INSERT INTO stations (tenant_id, identity) VALUES ($1, $2) "
                    "ON CONFLICT (tenant_id, lower(identity)) DO UPDATE SET identity = $2 RETURNING station_id",
                    tenant,
                    identity,
                )
            )

        return await self.run(work)

    async def session(
        self, tenant: int, age_days: float, *, rows: int = 10, status: str = "completed", recorded_days_ago: float | None = None
    ) -> UUID:
        """A session with so many samples, two events and a state; `recorded_days_ago` is the database's clock, when it differed."""
        session_id, began = uuid7_at(days_ago(age_days)), days_ago(age_days)
        recorded = began if recorded_days_ago is None else days_ago(recorded_days_ago)
        station = await self.station(tenant)

        async def work(conn: Connection) -> None:
            await conn.execute(
                "INSERT INTO sessions (tenant_id, session_id, station_id, ocpp_version, transaction_ref, status, created_at) "
                "VALUES ($1, $2, $3, 'ocpp1.6', $4, $5, $6)",
                tenant,
                session_id,
                station,
                session_id.hex,
                status,
                recorded,
            )
            await conn.execute(
                'INSERT INTO samples (tenant_id, session_id, ts, context, shape_id, "values", recorded_at) '
                "SELECT $1, $2, $3::timestamptz + n * interval '1 min', 0, 1, ARRAY[n], $3 FROM generate_series(1, $4) n",
                tenant,
                session_id,
                recorded,
                rows,
            )
            await conn.execute(
                "INSERT INTO transaction_events (tenant_id, session_id, seq_no, digest, type, data, answer, recorded_at) "
                "SELECT $1, $2, n, '', 'Updated', '{}', '{}', $3 FROM generate_series(0, 1) n",
                tenant,
                session_id,
                recorded,
            )
            await conn.execute(
                "INSERT INTO session_states (tenant_id, session_id, time, status, recorded_at) VALUES ($1, $2, $3, 'Charging', $3)",
                tenant,
                session_id,
                recorded,
            )

        await self.run(work)
        return session_id

    async def make_months(self, ages: Sequence[float]) -> None:
        """Partitions of months that are past, as they were made when these were to come."""
        for name, month in {f"{m:%Y_%m}": m for m in map(days_ago, ages)}.items():
            lower = uuid7_lower_bound(month_start(month.year, month.month))
            upper = uuid7_lower_bound(month_start(month.year, month.month + 1))
            for table in PARTITIONED:
                if name in await self.partitions(table):
                    continue
                await self.execute(
                    f"CREATE TABLE {table}_{name} PARTITION OF {table} FOR VALUES FROM ('{lower}') TO ('{upper}')",
                    f"ALTER TABLE {table}_{name} ENABLE ROW LEVEL SECURITY",
                    f"ALTER TABLE {table}_{name} FORCE ROW LEVEL SECURITY",
                    f"CREATE POLICY owner_all ON {table}_{name} TO CURRENT_USER USING (true) WITH CHECK (true)",
                )
