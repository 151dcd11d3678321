"""Groups of stations: regions, customers, kinds of sites. A station may be in several, and a group may belong to another."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from csms.store.pool import Connection
from csms.store.queries.hierarchy import GroupInUse, check_name, check_parent, check_room, lock_hierarchy


class StationGroupFields(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    parent_id: UUID | None = None


class StationGroup(StationGroupFields, frozen=True, kw_only=True):
    """A group as the API shows it. `charge_points`: how many are in it itself."""

    group_id: UUID
    charge_points: int
    created_at: datetime
    updated_at: datetime


_COLUMNS: Final = (
    "g.name, g.parent_id, g.group_id, g.created_at, g.updated_at, (SELECT count(*) FROM station_group_members m "
    "JOIN stations s USING (tenant_id, station_id) "
    "WHERE m.tenant_id = g.tenant_id AND m.group_id = g.group_id AND s.retired_at IS NULL) AS charge_points"
)


async def list_station_groups(
    conn: Connection, tenant_id: int, after: UUID, limit: int, *, parent_id: UUID | None = None
) -> list[StationGroup]:
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM station_groups g WHERE g.tenant_id = $1 AND g.group_id > $2 "
        "AND ($4::uuid IS NULL OR g.parent_id = $4) ORDER BY g.group_id LIMIT $3",
        tenant_id,
        after,
        limit,
        parent_id,
    )
    return [StationGroup(**row) for row in rows]


async def get_station_group(conn: Connection, tenant_id: int, group_id: UUID) -> StationGroup | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM station_groups g WHERE g.tenant_id = $1 AND g.group_id = $2", tenant_id, group_id
    )
    return None if row is None else StationGroup(**row)


async def insert_station_group(conn: Connection, tenant_id: int, group_id: UUID, fields: StationGroupFields) -> StationGroup:
    """Raises NoSuchParent, NameTaken, TooManyGroups."""
    await lock_hierarchy(conn, tenant_id)
    await check_room(conn, "station_groups", tenant_id)
    await check_parent(conn, "station_groups", tenant_id, group_id, fields.parent_id)
    await check_name(conn, "station_groups", tenant_id, group_id, fields.name)
    await conn.execute(
        "INSERT INTO station_groups (tenant_id, group_id, name, parent_id) VALUES ($1, $2, $3, $4)",
        tenant_id,
        group_id,
        fields.name,
        fields.parent_id,
    )
    return await _there(conn, tenant_id, group_id)


async def replace_station_group(conn: Connection, tenant_id: int, group_id: UUID, fields: StationGroupFields) -> StationGroup:
    """The group must be there and the hierarchy locked. Raises NoSuchParent, NameTaken."""
    await check_parent(conn, "station_groups", tenant_id, group_id, fields.parent_id)
    await check_name(conn, "station_groups", tenant_id, group_id, fields.name)
    await conn.execute(
        "UPDATE station_groups SET name = $3, parent_id = $4, updated_at = now() WHERE tenant_id = $1 AND group_id = $2",
        tenant_id,
        group_id,
        fields.name,
        fields.parent_id,
    )
    return await _there(conn, tenant_id, group_id)


async def delete_station_group(conn: Connection, tenant_id: int, group_id: UUID) -> bool:
    """False when there is no such group. Its stations stay. Raises GroupInUse: a restriction that names a group which is gone would
    allow nothing any more."""
    await lock_hierarchy(conn, tenant_id)
    for table, who in (("id_tokens", "tokens are restricted to the group"), ("token_groups", "token groups are restricted to it")):
        retired = "retired_at IS NULL AND " if table == "id_tokens" else ""
        used = await conn.fetchval(
            f"SELECT EXISTS (SELECT FROM {table} WHERE tenant_id = $1 AND {retired}restrictions -> 'station_groups' ? $2)",
            tenant_id,
            str(group_id),
        )
        if used:
            raise GroupInUse(who)
    try:
        done = await conn.fetchval(
            "DELETE FROM station_groups WHERE tenant_id = $1 AND group_id = $2 RETURNING true", tenant_id, group_id
        )
    except asyncpg.ForeignKeyViolationError as error:
        below = error.table_name == "station_groups"
        raise GroupInUse("groups belong to the group" if below else "tariffs are assigned to the group") from None
    return done is not None


async def list_members(conn: Connection, tenant_id: int, group_id: UUID, after: str, limit: int) -> list[str]:
    """Identities, in their order without regard to case."""
    rows = await conn.fetch(
        "SELECT s.identity FROM station_group_members m JOIN stations s USING (tenant_id, station_id) "
        "WHERE m.tenant_id = $1 AND m.group_id = $2 AND s.retired_at IS NULL AND lower(s.identity) > $3 "
        "ORDER BY lower(s.identity) LIMIT $4",
        tenant_id,
        group_id,
        after,
        limit,
    )
    return [row["identity"] for row in rows]


class NoSuchStation(Exception):
    """There is no such charge point. `args[0]` is its identity."""


async def change_members(
    conn: Connection, tenant_id: int, group_id: UUID, add: Collection[str], remove: Collection[str]
) -> StationGroup | None:
    """Put stations in and take stations out; those that are there already, or are not, are left as they are. None when there is
    no such group. Raises NoSuchStation."""
    await lock_hierarchy(conn, tenant_id)
    if await get_station_group(conn, tenant_id, group_id) is None:
        return None
    rows = await conn.fetch(
        "SELECT identity, station_id FROM stations WHERE tenant_id = $1 AND identity = ANY($2::text[]) AND retired_at IS NULL",
        tenant_id,
        sorted({*add, *remove}),
    )
    ids = {row["identity"]: row["station_id"] for row in rows}
    for identity in (*add, *remove):
        if identity not in ids:
            raise NoSuchStation(identity)
    await conn.execute(
        "DELETE FROM station_group_members WHERE tenant_id = $1 AND group_id = $2 AND station_id = ANY($3::bigint[])",
        tenant_id,
        group_id,
        [ids[identity] for identity in remove],
    )
    await conn.execute(
        "INSERT INTO station_group_members (tenant_id, group_id, station_id) SELECT $1, $2, unnest($3::bigint[]) "
        "ON CONFLICT DO NOTHING",
        tenant_id,
        group_id,
        sorted({ids[identity] for identity in add}),
    )
    return await _there(conn, tenant_id, group_id)


async def _there(conn: Connection, tenant_id: int, group_id: UUID) -> StationGroup:
    group = await get_station_group(conn, tenant_id, group_id)
    if group is None:
        raise LookupError("the group was written")
    return group
