"""Partitions of the rows of sessions: by month, made ahead (design 7). The session id is a UUIDv7, so its range is a time.

Everything here runs as the owner, and waits for a lock no longer than `LOCK_WAIT_MS`: a statement that waits for a table
holds up everybody who comes behind it, and long readers (pg_dump) are no reason for stations to wait. DETACH CONCURRENTLY
would need no such care, but PostgreSQL refuses it for a table that has a default partition.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

import asyncpg
import structlog

from csms.store.pool import Connection

T = TypeVar("T")
log = structlog.get_logger()

PARTITIONED: Final = ("transaction_events", "samples", "session_states")
MONTHS_AHEAD: Final = 3
LOCK_WAIT_MS: Final = 200
"""Less than PostgreSQL's deadlock_timeout, and nothing that a station notices."""
LOCK_ATTEMPTS: Final = 5
MOVED_AT_ONCE: Final = 20_000
"""Rows that leave the default partition while its writers wait: a fraction of a second."""
EARLIEST_MONTH: Final = datetime(2020, 1, 1, tzinfo=UTC)
_FARTHEST_MONTH: Final = timedelta(days=366)
_LATEST_MS: Final = int(datetime(9999, 12, 1, tzinfo=UTC).timestamp()) * 1000

_BOUNDS: Final = re.compile(r"FROM \('([0-9a-f-]{36})'\) TO \('([0-9a-f-]{36})'\)")


class TableBusy(Exception):
    """Somebody holds the table for longer than we are ready to hold up its writers. Try again later."""


class TooManyRows(Exception):
    """The default partition holds more than can be moved while stations wait; `csms partitions --move` moves any number."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A month of a table: session ids from `lower` up to, not including, `upper`."""

    table: str
    name: str
    lower: UUID
    upper: UUID

    @property
    def begins(self) -> datetime:
        return moment_of(self.lower)

    @property
    def ends(self) -> datetime:
        return moment_of(self.upper)


@dataclass(frozen=True, slots=True)
class Strays:
    """What a default partition holds, counted up to a limit; the moments are those of the session ids."""

    table: str
    rows: int
    oldest: datetime | None = None
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class PartitionSize:
    """How big a partition is; `rows` is PostgreSQL's estimate, `bytes` all of it with its indexes."""

    partition: Partition
    rows: int
    bytes: int


def month_start(year: int, month: int) -> datetime:
    """The first moment of a month; month 13 is January of the next year."""
    return datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)


def uuid7_lower_bound(moment: datetime) -> UUID:
    """The smallest UUIDv7-ordered value of this moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def moment_of(uuid7: UUID) -> datetime:
    """When a UUIDv7 was made; what is beyond the year 9999 is the end of that year."""
    try:
        return datetime.fromtimestamp((uuid7.int >> 80) / 1000, UTC)
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)


async def list_partitions(connection: Connection, table: str) -> list[Partition]:
    """The partitions of a table by age, without the default one."""
    rows = await connection.fetch(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = $1::text::regclass",
        table,
    )
    found = []
    for name, expression in rows:
        bounds = _BOUNDS.search(expression)
        if bounds is not None:
            found.append(Partition(table, name, UUID(bounds[1]), UUID(bounds[2])))
    return sorted(found, key=lambda partition: partition.lower)


async def measure_partitions(connection: Connection, table: str) -> list[PartitionSize]:
    """The partitions of a table by age, with their sizes."""
    sizes = []
    for partition in await list_partitions(connection, table):
        row = await connection.fetchrow(
            "SELECT greatest(reltuples, 0)::bigint, pg_total_relation_size(oid) FROM pg_class WHERE oid = $1::text::regclass",
            partition.name,
        )
        if row is not None:
            sizes.append(PartitionSize(partition, row[0], row[1]))
    return sizes


async def ensure_partitions(connection: Connection) -> list[str]:
    """Make the partitions of this month and the next three where they are missing; gives the names of the new ones.

    What cannot be made now is logged and left for the next time: the default partition takes its rows.
    """
    now: datetime = await connection.fetchval("SELECT now()")
    months = [month_start(now.year, now.month + offset) for offset in range(MONTHS_AHEAD + 1)]
    return [name for table in PARTITIONED for name in await _make_months(connection, table, months, MOVED_AT_ONCE)]


async def empty_defaults(connection: Connection, limit: int | None = MOVED_AT_ONCE) -> list[str]:
    """Give rows of the default partitions a partition of their month; gives the names of those made for it.

    `limit`: the most rows that are moved while writers wait; None for any number.
    """
    now: datetime = await connection.fetchval("SELECT now()")
    made = []
    for table in PARTITIONED:
        months = [
            month for month in await _months_in_default(connection, table) if EARLIEST_MONTH <= month <= now + _FARTHEST_MONTH
        ]
        made += await _make_months(connection, table, months, limit)
    return made


async def find_strays(connection: Connection, table: str, limit: int = 100_000) -> Strays:
    """What the default partition of a table holds."""
    # min and max of uuid come with PostgreSQL 18
    row = await connection.fetchrow(
        f"SELECT count(*), min(session_id::text), max(session_id::text) FROM (SELECT session_id FROM {table}_default LIMIT $1) q",
        limit,
    )
    if row is None or not row[0]:
        return Strays(table, 0)
    return Strays(table, row[0], moment_of(UUID(row[1])), moment_of(UUID(row[2])))


async def drop_partition(connection: Connection, partition: Partition, still_idle: Callable[[], Awaitable[bool]]) -> bool:
    """Drop a partition if `still_idle` says so while nobody else can reach it. Raises TableBusy.

    The files go after the locks do (PostgreSQL unlinks them behind the commit), so the size costs the writers nothing.
    """

    async def drop() -> bool:
        await connection.execute(f"LOCK TABLE ONLY {partition.table}, {partition.name} IN ACCESS EXCLUSIVE MODE")
        if not await still_idle():
            return False
        await connection.execute(f"DROP TABLE {partition.name}")
        return True

    return await _with_short_locks(connection, drop)


async def _make_months(connection: Connection, table: str, months: Sequence[datetime], limit: int | None) -> list[str]:
    present = await list_partitions(connection, table)
    made = []
    for month in months:
        lower, upper = uuid7_lower_bound(month), uuid7_lower_bound(month_start(month.year, month.month + 1))
        if any(p.lower < upper and lower < p.upper for p in present):
            continue
        partition = Partition(table, f"{table}_{month:%Y_%m}", lower, upper)
        try:
            moved = await _make(connection, partition, limit)
        except (TableBusy, TooManyRows) as error:
            log.warning("partitions.postponed", name=partition.name, reason=str(error))
            continue
        if moved:
            log.warning("partitions.moved_from_default", name=partition.name, rows=moved)
        made.append(partition.name)
    return made


async def _make(connection: Connection, partition: Partition, limit: int | None) -> int:
    """Make a partition with what the default one holds of its range; gives the number of these rows."""
    table, name = partition.table, partition.name
    strays = await find_strays(connection, table, 1 if limit is None else limit + 1)
    if limit is not None and strays.rows > limit:
        # attaching also reads all of the default partition, whatever it holds
        raise TooManyRows(f"{table}_default holds more than {limit} rows: move them with `csms partitions --move`")
    unused = not strays.rows and await connection.fetchval("SELECT now() + interval '1 day' < $1", partition.begins)

    async def make() -> int:
        # made apart and attached, because CREATE TABLE … PARTITION OF locks out the readers of all partitions
        await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
        # a partition addressed directly would not be held by its parent's policies
        await connection.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        await connection.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        await connection.execute(f"CREATE POLICY owner_all ON {name} TO CURRENT_USER USING (true) WITH CHECK (true)")
        # A writer that has chosen the default partition for its row and waits for it would find it closed to that row. Of a
        # month that is far off nobody has rows, so its writers need not wait.
        await connection.execute(f"LOCK TABLE ONLY {table} IN {'SHARE UPDATE' if unused else 'ACCESS'} EXCLUSIVE MODE")
        await connection.execute(f"LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE")
        moved = await connection.execute(
            f"WITH moved AS (DELETE FROM {table}_default WHERE session_id >= $1 AND session_id < $2 RETURNING *) "
            f"INSERT INTO {name} SELECT * FROM moved ORDER BY session_id",
            partition.lower,
            partition.upper,
        )
        await connection.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{partition.lower}') TO ('{partition.upper}')"
        )
        return int(moved.rpartition(" ")[2])

    return await _with_short_locks(connection, make)


async def _months_in_default(connection: Connection, table: str) -> list[datetime]:
    rows = await connection.fetch(
        "SELECT DISTINCT date_trunc('month', to_timestamp(least($1, "
        "('x' || left(replace(session_id::text, '-', ''), 12))::bit(48)::bigint) / 1000.0) AT TIME ZONE 'UTC') "
        f"FROM {table}_default ORDER BY 1",
        _LATEST_MS,
    )
    return [row[0].replace(tzinfo=UTC) for row in rows]


async def _with_short_locks(connection: Connection, work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` in a transaction that waits for no lock longer than `LOCK_WAIT_MS`; a few times. Raises TableBusy."""
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
                return await work()
        except asyncpg.LockNotAvailableError as error:
            if attempt == LOCK_ATTEMPTS:
                raise TableBusy(str(error)) from error
            # those who were held up go first
            await asyncio.sleep(attempt * LOCK_WAIT_MS / 1000)
    raise AssertionError("the last attempt gave or raised")
