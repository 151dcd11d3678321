"""Groups of people: companies, fleets, families. A token belongs to one, and a group may belong to another."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg
import msgspec

from csms.domain.restrictions import Restrictions
from csms.store.pool import Connection
from csms.store.queries.hierarchy import GroupInUse, check_name, check_parent, check_room, lock_hierarchy

GroupKind = Literal["company", "fleet", "family", "other"]


class TokenGroupFields(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says about a group. Group token, user type, restrictions and being blocked are inherited downwards."""

    name: str
    kind: GroupKind = "other"
    parent_id: UUID | None = None
    group_id_token: str | None = None
    user_type: str | None = None
    status: Literal["accepted", "blocked"] = "accepted"
    blocked_reason: str | None = None
    restrictions: Restrictions | None = None


class TokenGroup(TokenGroupFields, frozen=True, kw_only=True):
    """A group as the API shows it. `tokens`: how many belong to it itself."""

    group_id: UUID
    tokens: int
    created_at: datetime
    updated_at: datetime


_NAMES: Final = TokenGroupFields.__struct_fields__
_COLUMNS: Final = (
    ", ".join(f"g.{name}" for name in (*_NAMES, "group_id", "created_at", "updated_at"))
    + ", (SELECT count(*) FROM id_tokens t WHERE t.tenant_id = g.tenant_id AND t.group_id = g.group_id "
    "AND t.retired_at IS NULL) AS tokens"
)
_PLACES: Final = ", ".join(f"${n}{'::text::jsonb' if name == 'restrictions' else ''}" for n, name in enumerate(_NAMES, 3))
_read_restrictions: Final = msgspec.json.Decoder(Restrictions).decode


async def list_token_groups(
    conn: Connection, tenant_id: int, after: UUID, limit: int, *, parent_id: UUID | None = None
) -> list[TokenGroup]:
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM token_groups g WHERE g.tenant_id = $1 AND g.group_id > $2 "
        "AND ($4::uuid IS NULL OR g.parent_id = $4) ORDER BY g.group_id LIMIT $3",
        tenant_id,
        after,
        limit,
        parent_id,
    )
    return [_group(row) for row in rows]


async def get_token_group(conn: Connection, tenant_id: int, group_id: UUID) -> TokenGroup | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM token_groups g WHERE g.tenant_id = $1 AND g.group_id = $2", tenant_id, group_id
    )
    return None if row is None else _group(row)


async def insert_token_group(conn: Connection, tenant_id: int, group_id: UUID, fields: TokenGroupFields) -> TokenGroup:
    """Raises NoSuchParent, NameTaken, TooManyGroups."""
    await lock_hierarchy(conn, tenant_id)
    await check_room(conn, "token_groups", tenant_id)
    await check_parent(conn, "token_groups", tenant_id, group_id, fields.parent_id)
    await check_name(conn, "token_groups", tenant_id, group_id, fields.name)
    await conn.execute(
        f"INSERT INTO token_groups (tenant_id, group_id, {', '.join(_NAMES)}) VALUES ($1, $2, {_PLACES})",
        tenant_id,
        group_id,
        *_stored(fields),
    )
    return await _there(conn, tenant_id, group_id)


async def replace_token_group(conn: Connection, tenant_id: int, group_id: UUID, fields: TokenGroupFields) -> TokenGroup:
    """The group must be there and the hierarchy locked. Raises NoSuchParent, NameTaken."""
    await check_parent(conn, "token_groups", tenant_id, group_id, fields.parent_id)
    await check_name(conn, "token_groups", tenant_id, group_id, fields.name)
    await conn.execute(
        f"UPDATE token_groups SET ({', '.join(_NAMES)}) = ROW ({_PLACES}), updated_at = now() "
        "WHERE tenant_id = $1 AND group_id = $2",
        tenant_id,
        group_id,
        *_stored(fields),
    )
    return await _there(conn, tenant_id, group_id)


async def delete_token_group(conn: Connection, tenant_id: int, group_id: UUID) -> bool:
    """False when there is no such group. Retired tokens let go of it. Raises GroupInUse."""
    await lock_hierarchy(conn, tenant_id)
    await conn.execute(
        "UPDATE id_tokens SET group_id = NULL WHERE tenant_id = $1 AND group_id = $2 AND retired_at IS NOT NULL",
        tenant_id,
        group_id,
    )
    try:
        done = await conn.fetchval(
            "DELETE FROM token_groups WHERE tenant_id = $1 AND group_id = $2 RETURNING true", tenant_id, group_id
        )
    except asyncpg.ForeignKeyViolationError as error:
        user = {"id_tokens": "tokens belong to the group", "token_groups": "groups belong to the group"}
        raise GroupInUse(user.get(error.table_name or "", "tariffs are assigned to the group")) from None
    return done is not None


async def _there(conn: Connection, tenant_id: int, group_id: UUID) -> TokenGroup:
    group = await get_token_group(conn, tenant_id, group_id)
    if group is None:
        raise LookupError("the group was written")
    return group


def _group(row: asyncpg.Record) -> TokenGroup:
    fields = dict(row)
    restrictions = fields.pop("restrictions")
    return TokenGroup(**fields, restrictions=None if restrictions is None else _read_restrictions(restrictions))


def _stored(fields: TokenGroupFields) -> list[Any]:
    return [
        msgspec.json.encode(value).decode() if isinstance(value, Restrictions) else value
        for value in (getattr(fields, name) for name in _NAMES)
    ]
