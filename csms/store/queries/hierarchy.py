"""Groups that belong to groups: what holds for token groups and station groups alike."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from csms.store.pool import Connection

DEEPEST: Final = 8
"""Levels of groups, the topmost counted."""
MOST_GROUPS: Final = 10_000
"""Of one kind, per tenant."""

GroupTable = Literal["token_groups", "station_groups"]


class NoSuchParent(Exception):
    """The parent is not there, or would make a circle or more than `DEEPEST` levels. `args[0]` says which, in words."""


class TooManyGroups(Exception):
    """The tenant has `MOST_GROUPS` already."""


class NameTaken(Exception):
    """Another group has this name, in any case."""


class GroupInUse(Exception):
    """Something still refers to the group. `args[0]` says what."""


async def lock_hierarchy(conn: Connection, tenant_id: int) -> None:
    """Changes of a tenant's hierarchies take turns. References to the tenant do not wait for it."""
    await conn.fetchval("SELECT tenant_id FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE", tenant_id)


async def check_room(conn: Connection, table: GroupTable, tenant_id: int) -> None:
    """Raises TooManyGroups."""
    if await conn.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant_id) >= MOST_GROUPS:
        raise TooManyGroups


async def check_name(conn: Connection, table: GroupTable, tenant_id: int, group_id: UUID, name: str) -> None:
    """Raises NameTaken."""
    taken = await conn.fetchval(
        f"SELECT EXISTS (SELECT FROM {table} WHERE tenant_id = $1 AND lower(name) = lower($3) AND group_id <> $2)",
        tenant_id,
        group_id,
        name,
    )
    if taken:
        raise NameTaken


async def check_parent(conn: Connection, table: GroupTable, tenant_id: int, group_id: UUID, parent_id: UUID | None) -> None:
    """May the group (which need not be there yet) belong to this parent? The hierarchy must be locked. Raises NoSuchParent."""
    if parent_id is None:
        return
    above = await conn.fetch(
        f"WITH RECURSIVE above AS (SELECT group_id, parent_id, 1 AS level FROM {table} WHERE tenant_id = $1 AND group_id = $2 "
        f"UNION ALL SELECT g.group_id, g.parent_id, a.level + 1 FROM above a JOIN {table} g ON g.tenant_id = $1 "
        "AND g.group_id = a.parent_id WHERE a.level <= $3) SELECT group_id FROM above",
        tenant_id,
        parent_id,
        DEEPEST,
    )
    if not above:
        raise NoSuchParent("is not a group of this kind")
    if any(row["group_id"] == group_id for row in above):
        raise NoSuchParent("is the group itself or one below it")
    height = await conn.fetchval(
        f"WITH RECURSIVE below AS (SELECT $2::uuid AS group_id, 1 AS level "
        f"UNION ALL SELECT g.group_id, b.level + 1 FROM below b JOIN {table} g ON g.tenant_id = $1 AND g.parent_id = b.group_id "
        "WHERE b.level <= $3) SELECT max(level) FROM below",
        tenant_id,
        group_id,
        DEEPEST,
    )
    if len(above) + height > DEEPEST:
        raise NoSuchParent(f"would make more than {DEEPEST} levels")
