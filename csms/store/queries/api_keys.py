"""API keys of programs."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from csms.store.pool import Connection
from csms.store.queries.users import Role


class ApiKey(msgspec.Struct, frozen=True):
    """A key as the API shows it: never the key itself."""

    key_id: UUID
    name: str
    prefix: str
    role: Role
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


_KEY: Final = "key_id, name, prefix, role, created_by, created_at, expires_at, revoked_at"


async def list_keys(conn: Connection, tenant_id: int, after: UUID, limit: int) -> list[ApiKey]:
    rows = await conn.fetch(
        f"SELECT {_KEY} FROM api_keys WHERE tenant_id = $1 AND key_id > $2 ORDER BY key_id LIMIT $3", tenant_id, after, limit
    )
    return [ApiKey(**row) for row in rows]


async def get_key(conn: Connection, tenant_id: int, key_id: UUID) -> ApiKey | None:
    row = await conn.fetchrow(f"SELECT {_KEY} FROM api_keys WHERE tenant_id = $1 AND key_id = $2", tenant_id, key_id)
    return None if row is None else ApiKey(**row)


async def insert_key(
    conn: Connection,
    tenant_id: int,
    *,
    key_id: UUID,
    name: str,
    prefix: str,
    digest: bytes,
    role: Role,
    created_by: str,
    expires_at: datetime | None,
) -> ApiKey:
    row = await conn.fetchrow(
        "INSERT INTO api_keys (tenant_id, key_id, name, prefix, key_hash, role, created_by, expires_at) "
        f"VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {_KEY}",
        tenant_id,
        key_id,
        name,
        prefix,
        digest,
        role,
        created_by,
        expires_at,
    )
    if row is None:
        raise LookupError("INSERT returned no row")
    return ApiKey(**row)


async def rename_key(conn: Connection, tenant_id: int, key_id: UUID, name: str) -> ApiKey | None:
    row = await conn.fetchrow(
        f"UPDATE api_keys SET name = $3 WHERE tenant_id = $1 AND key_id = $2 RETURNING {_KEY}", tenant_id, key_id, name
    )
    return None if row is None else ApiKey(**row)


async def revoke_key(conn: Connection, tenant_id: int, key_id: UUID) -> bool:
    """Void from now on; the row stays as a record. False when there is no such key."""
    done = await conn.fetchval(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = $1 AND key_id = $2 RETURNING true",
        tenant_id,
        key_id,
    )
    return done is not None
