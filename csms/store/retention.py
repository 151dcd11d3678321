"""Dropping and deleting what tenants keep no longer (design 7): readings and events; sessions and corrections stay.

A month of a table goes as a whole once it is past for every tenant that has rows in it. Until then the rows of tenants with
a shorter retention than the longest one in it are deleted in chunks. A session that still runs keeps its rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from csms.store.metrics import PARTITIONS_DROPPED, ROWS_DELETED
from csms.store.partitions import PARTITIONED, Partition, TableBusy, drop_partition, list_partitions, uuid7_lower_bound
from csms.store.pool import Connection

log = structlog.get_logger()

KeptDays = Mapping[int, int | None]
"""Days by tenant; None is for ever."""

_COLUMNS: Final = {
    "transaction_events": "events_kept_days",
    "samples": "samples_kept_days",
    "session_states": "samples_kept_days",
}
_CHUNK_S: Final = 0.25
"""How long a chunk should take: its transaction holds back the readers of the outbox."""
_SMALLEST_CHUNK, _FIRST_CHUNK, _LARGEST_CHUNK = 50, 1_000, 20_000
_STATIONS_AT_ONCE: Final = 200
_EMPTY_KEPT_DAYS: Final = 31
"""A month without rows stays for as long: what sessions of its last days still bring should find it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with one month of a table."""

    due: datetime | None
    """When all of it is or was past; None when a tenant keeps its rows for ever."""
    delete: Mapping[int, int] = field(default_factory=dict)
    """Days by tenant whose rows in it are past, while another tenant's are not."""


def plan_partition(begins: datetime, ends: datetime, present: Sequence[int], kept_days: KeptDays, now: datetime) -> Plan:
    """What is due in a month that holds rows of the tenants `present`."""
    kept = {tenant: kept_days.get(tenant) for tenant in present}
    limits = [days for days in kept.values() if days is not None]
    longest = None if len(limits) < len(kept) else max(limits, default=_EMPTY_KEPT_DAYS)
    due = None if longest is None else ends + timedelta(days=longest)
    if due is not None and due <= now:
        return Plan(due)
    past = {t: d for t, d in kept.items() if d is not None and d != longest and begins < now - timedelta(days=d)}
    return Plan(due, past)


class Pace:
    """How many rows are deleted at once, so that a chunk takes about `_CHUNK_S`; and a rest of the same length after it."""

    def __init__(self, deadline: float) -> None:
        self.rows = _FIRST_CHUNK
        self._deadline = deadline

    @property
    def over(self) -> bool:
        """No time is left in this round."""
        return asyncio.get_running_loop().time() >= self._deadline

    async def rest(self, took: float) -> None:
        self.rows = max(_SMALLEST_CHUNK, min(_LARGEST_CHUNK, int(self.rows * min(2.0, _CHUNK_S / max(took, 0.001)))))
        await asyncio.sleep(took)


@dataclass(frozen=True, slots=True)
class Postponed:
    """A partition that was due at that moment, and why it is still there."""

    name: str
    due: datetime
    reason: str


@dataclass(slots=True)
class Outcome:
    """What a round of retention came to."""

    dropped: list[str] = field(default_factory=list)
    deleted: dict[str, int] = field(default_factory=dict)
    postponed: list[Postponed] = field(default_factory=list)
    finished: bool = True
    """False when the time was over before all was done."""

    def count(self, table: str, rows: int) -> None:
        if rows:
            self.deleted[table] = self.deleted.get(table, 0) + rows
            ROWS_DELETED.labels(table).inc(rows)


async def apply_retention(connection: Connection, *, budget_s: float) -> Outcome:
    """Drop and delete what is due, for about `budget_s` seconds; as the owner, outside of any transaction."""
    outcome = Outcome()
    pace = Pace(asyncio.get_running_loop().time() + budget_s)
    for table in PARTITIONED:
        kept_days = await _kept_days(connection, _COLUMNS[table])
        now: datetime = await connection.fetchval("SELECT now()")
        for partition in await list_partitions(connection, table):
            if partition.begins < now:
                await _retain(connection, partition, kept_days, now, pace, outcome)
        past = {tenant: days for tenant, days in kept_days.items() if days is not None}
        await _delete_of_sessions(connection, f"{table}_default", table, past, now, pace, outcome)
    await _delete_of_stations(connection, pace, outcome)
    outcome.finished = outcome.finished and not pace.over
    return outcome


async def _kept_days(connection: Connection, column: str) -> dict[int, int | None]:
    return {row[0]: row[1] for row in await connection.fetch(f"SELECT tenant_id, {column} FROM tenants ORDER BY tenant_id")}


async def _retain(
    connection: Connection, partition: Partition, kept_days: KeptDays, now: datetime, pace: Pace, outcome: Outcome
) -> None:
    present = await _tenants_in(connection, partition.name)
    plan = plan_partition(partition.begins, partition.ends, present, kept_days, now)
    if plan.due is not None and plan.due <= now:
        reason = await _drop(connection, partition, present, kept_days)
        if reason is None:
            outcome.dropped.append(partition.name)
            PARTITIONS_DROPPED.labels(partition.table).inc()
        else:
            outcome.postponed.append(Postponed(partition.name, plan.due, reason))
    else:
        await _delete_of_sessions(connection, partition.name, partition.table, plan.delete, now, pace, outcome)


async def _drop(connection: Connection, partition: Partition, present: Sequence[int], kept_days: KeptDays) -> str | None:
    """Drop a partition, or say why not."""
    reason = await _still_needed(connection, partition, present, kept_days)
    if reason is not None:
        return reason
    foreseen = set(present)

    async def still_idle() -> bool:
        return foreseen.issuperset(await _tenants_in(connection, partition.name))

    try:
        dropped = await drop_partition(connection, partition, still_idle)
    except TableBusy as error:
        return f"the table is in use ({error})"
    return None if dropped else "rows of another tenant have just come"


async def _still_needed(connection: Connection, partition: Partition, present: Sequence[int], kept_days: KeptDays) -> str | None:
    """Why a partition that is past by its session ids must stay for now."""
    for tenant in present:
        row = await connection.fetchrow(
            "SELECT count(*) FILTER (WHERE status = 'active') AS active, "
            # ids are made by the clock of a gateway's host, rows are dated by the database
            "count(*) FILTER (WHERE created_at >= now() - make_interval(days => $4)) AS recent "
            "FROM sessions WHERE tenant_id = $1 AND session_id >= $2 AND session_id < $3",
            tenant,
            partition.lower,
            partition.upper,
            kept_days[tenant],
        )
        if row is not None and row["active"]:
            return f"{row['active']} of its sessions still run"
        if row is not None and row["recent"]:
            return f"{row['recent']} of its sessions are younger than their ids: a gateway's clock was wrong"
    return None


async def _tenants_in(connection: Connection, name: str) -> list[int]:
    """The tenants with rows in a partition: one step in the index for each, whatever the number of rows."""
    rows = await connection.fetch(
        f"WITH RECURSIVE found AS ((SELECT tenant_id FROM {name} ORDER BY tenant_id LIMIT 1) UNION ALL "
        f"SELECT (SELECT p.tenant_id FROM {name} p WHERE p.tenant_id > found.tenant_id ORDER BY p.tenant_id LIMIT 1) "
        "FROM found WHERE found.tenant_id IS NOT NULL) SELECT tenant_id FROM found WHERE tenant_id IS NOT NULL"
    )
    return [row[0] for row in rows]


async def _delete_of_sessions(
    connection: Connection, name: str, table: str, days: Mapping[int, int], now: datetime, pace: Pace, outcome: Outcome
) -> None:
    """Delete the past rows of these tenants in one partition, in the order of its index."""
    for tenant, kept in days.items():
        horizon = now - timedelta(days=kept)
        before = uuid7_lower_bound(horizon)
        running = await connection.fetchval(
            "SELECT coalesce(array_agg(session_id), '{}') FROM sessions "
            "WHERE tenant_id = $1 AND status = 'active' AND session_id < $2",
            tenant,
            before,
        )
        position = UUID(int=0)
        while not pace.over:
            wanted = pace.rows
            began = asyncio.get_running_loop().time()
            count, last = await _delete_chunk(connection, name, (tenant, position, before, horizon, running), wanted)
            outcome.count(table, count)
            await pace.rest(asyncio.get_running_loop().time() - began)
            if count < wanted:
                break
            position = last or position
        else:
            outcome.finished = False
            return


async def _delete_chunk(
    connection: Connection, name: str, key: tuple[int, UUID, UUID, datetime, list[UUID]], limit: int
) -> tuple[int, UUID | None]:
    """Delete the next rows; gives their number and the last session among them, of which more may be left."""
    row: Any = await connection.fetchrow(
        f"WITH gone AS (DELETE FROM {name} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {name} "
        "WHERE tenant_id = $1 AND session_id >= $2 AND session_id < $3 AND recorded_at < $4 AND session_id <> ALL($5::uuid[]) "
        "ORDER BY session_id LIMIT $6)) RETURNING session_id) SELECT count(*), max(session_id::text) FROM gone",
        *key,
        limit,
    )
    return row[0], None if row[1] is None else UUID(row[1])


async def _delete_of_stations(connection: Connection, pace: Pace, outcome: Outcome) -> None:
    for tenant, days in (await _kept_days(connection, "events_kept_days")).items():
        if days is not None:
            await _delete_station_events(connection, tenant, days, pace, outcome)
    for tenant, days in (await _kept_days(connection, "samples_kept_days")).items():
        if days is not None:
            await _delete_station_samples(connection, tenant, days, pace, outcome)


async def _delete_station_events(connection: Connection, tenant: int, days: int, pace: Pace, outcome: Outcome) -> None:
    horizon: datetime = await connection.fetchval("SELECT now() - make_interval(days => $1)", days)
    while not pace.over:
        wanted = pace.rows
        began = asyncio.get_running_loop().time()
        count = await connection.fetchval(
            "WITH gone AS (DELETE FROM station_events WHERE ctid = ANY(ARRAY(SELECT ctid FROM station_events "
            "WHERE tenant_id = $1 AND event_id < $2 AND recorded_at < $3 ORDER BY event_id LIMIT $4)) RETURNING 1) "
            "SELECT count(*) FROM gone",
            tenant,
            uuid7_lower_bound(horizon),
            horizon,
            wanted,
        )
        outcome.count("station_events", count)
        await pace.rest(asyncio.get_running_loop().time() - began)
        if count < wanted:
            return
    outcome.finished = False


async def _delete_station_samples(connection: Connection, tenant: int, days: int, pace: Pace, outcome: Outcome) -> None:
    """Station by station, because that is how the index leads. A reading without a usable time counts by its arrival."""
    horizon: datetime = await connection.fetchval("SELECT now() - make_interval(days => $1)", days)
    after = 0
    while not pace.over:
        stations = await connection.fetch(
            "SELECT station_id FROM stations WHERE tenant_id = $1 AND station_id > $2 ORDER BY station_id LIMIT $3",
            tenant,
            after,
            _STATIONS_AT_ONCE,
        )
        if not stations:
            return
        wanted = pace.rows
        began = asyncio.get_running_loop().time()
        row: Any = await connection.fetchrow(
            "WITH old AS MATERIALIZED (SELECT p.ctid FROM unnest($2::bigint[]) s(station_id) CROSS JOIN LATERAL ("
            + " UNION ALL ".join(
                f"(SELECT ctid FROM station_samples WHERE tenant_id = $1 AND station_id = s.station_id AND {times} "
                "AND recorded_at < $3 LIMIT $4)"
                for times in ("ts < $3", "ts > now() + interval '1 day'", "ts IS NULL")
            )
            + ") p LIMIT $4), gone AS (DELETE FROM station_samples WHERE ctid = ANY(ARRAY(SELECT ctid FROM old)) RETURNING 1) "
            "SELECT count(*) FROM gone",
            tenant,
            [station[0] for station in stations],
            horizon,
            wanted,
        )
        outcome.count("station_samples", row[0])
        await pace.rest(asyncio.get_running_loop().time() - began)
        if row[0] < wanted:
            after = stations[-1][0]
    outcome.finished = False
