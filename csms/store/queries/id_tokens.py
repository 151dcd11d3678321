"""Id tokens: cards, keys and contracts that may charge."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from csms.store.pool import Connection

TokenStatus = Literal["accepted", "blocked", "unknown"]


class IdTokenFields(msgspec.Struct, frozen=True):
    """What an operator says about a token. `type` has the OCPP 2.x names, `kind` our own finer ones."""

    kind: str | None
    label: str | None
    status: TokenStatus
    valid_from: datetime | None
    valid_until: datetime | None
    group_id_token: str | None


class IdToken(IdTokenFields, frozen=True):
    """A token as the API shows it. `unknown`: seen on the wire, never entered by a person."""

    token_id: UUID
    id_token: str
    type: str
    created_at: datetime
    updated_at: datetime


_COLUMNS: Final = "kind, label, status, valid_from, valid_until, group_id_token, token_id, id_token, type, created_at, updated_at"


async def list_tokens(
    conn: Connection, tenant_id: int, after: UUID, limit: int, *, id_token: str | None, status: TokenStatus | None
) -> list[IdToken]:
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM id_tokens WHERE tenant_id = $1 AND token_id > $2 AND retired_at IS NULL "
        "AND ($4::text IS NULL OR lower(id_token) = lower($4)) AND ($5::text IS NULL OR status = $5) "
        "ORDER BY token_id LIMIT $3",
        tenant_id,
        after,
        limit,
        id_token,
        status,
    )
    return [IdToken(**row) for row in rows]


async def get_token(conn: Connection, tenant_id: int, token_id: UUID, *, lock: bool = False) -> IdToken | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM id_tokens WHERE tenant_id = $1 AND token_id = $2 AND retired_at IS NULL"
        + (" FOR UPDATE" if lock else ""),
        tenant_id,
        token_id,
    )
    return None if row is None else IdToken(**row)


async def insert_token(
    conn: Connection, tenant_id: int, token_id: UUID, id_token: str, type_: str, fields: IdTokenFields
) -> IdToken | None:
    """None when the token exists. A retired one comes back to life, and so does one that was only seen on the wire."""
    row = await conn.fetchrow(
        "INSERT INTO id_tokens AS t (tenant_id, token_id, id_token, type, kind, label, status, valid_from, valid_until, "
        "group_id_token) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "ON CONFLICT (tenant_id, lower(id_token), type) DO UPDATE SET id_token = excluded.id_token, kind = excluded.kind, "
        "label = excluded.label, status = excluded.status, valid_from = excluded.valid_from, "
        "valid_until = excluded.valid_until, group_id_token = excluded.group_id_token, retired_at = NULL, updated_at = now() "
        f"WHERE t.retired_at IS NOT NULL OR t.status = 'unknown' RETURNING {_COLUMNS}",
        tenant_id,
        token_id,
        id_token,
        type_,
        *msgspec.structs.astuple(fields),
    )
    return None if row is None else IdToken(**row)


async def replace_token(conn: Connection, tenant_id: int, token_id: UUID, fields: IdTokenFields) -> IdToken | None:
    row = await conn.fetchrow(
        "UPDATE id_tokens SET kind = $3, label = $4, status = $5, valid_from = $6, valid_until = $7, group_id_token = $8, "
        f"updated_at = now() WHERE tenant_id = $1 AND token_id = $2 AND retired_at IS NULL RETURNING {_COLUMNS}",
        tenant_id,
        token_id,
        *msgspec.structs.astuple(fields),
    )
    return None if row is None else IdToken(**row)


async def retire_token(conn: Connection, tenant_id: int, token_id: UUID) -> bool:
    """The token is refused from now on; its sessions stay. False when there is no such token."""
    done = await conn.fetchval(
        "UPDATE id_tokens SET retired_at = now(), status = 'blocked', updated_at = now() "
        "WHERE tenant_id = $1 AND token_id = $2 AND retired_at IS NULL RETURNING true",
        tenant_id,
        token_id,
    )
    return done is not None
