"""Partitions of the rows of sessions: by month, made ahead (design 7). The session id is a UUIDv7, so its range is a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from csms.store.pool import Connection

PARTITIONED: Final = ("transaction_events", "samples")
MONTHS_AHEAD: Final = 3


def month_start(year: int, month: int) -> datetime:
    """The first moment of a month; month 13 is January of the next year."""
    return datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)


def uuid7_lower_bound(moment: datetime) -> UUID:
    """The smallest UUIDv7-ordered value of this moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


async def ensure_partitions(connection: Connection) -> list[str]:
    """Make the partitions of this month and the next three where they are missing; gives the names of the new ones."""
    now: datetime = await connection.fetchval("SELECT now()")
    made = []
    for offset in range(MONTHS_AHEAD + 1):
        lower, upper = month_start(now.year, now.month + offset), month_start(now.year, now.month + offset + 1)
        for table in PARTITIONED:
            name = f"{table}_{lower:%Y_%m}"
            if await connection.fetchval("SELECT to_regclass($1)", name) is not None:
                continue
            async with connection.transaction():
                await connection.execute(
                    f"CREATE TABLE {name} PARTITION OF {table} "
                    f"FOR VALUES FROM ('{uuid7_lower_bound(lower)}') TO ('{uuid7_lower_bound(upper)}')"
                )
                # a partition addressed directly would not be held by its parent's policies
                await connection.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
                await connection.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
                await connection.execute(f"CREATE POLICY owner_all ON {name} TO CURRENT_USER USING (true) WITH CHECK (true)")
            made.append(name)
    return made
