"""Offline policies, of tenants, station groups and stations. A policy is JSON text here: `csms.local_lists.policy`."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from csms.store.pool import Connection


class PolicyRow(msgspec.Struct, frozen=True):
    policy: str
    updated_by: str
    updated_at: datetime


class ScopedPolicy(msgspec.Struct, frozen=True):
    station_group_id: UUID | None
    station_id: int | None
    policy: str


_SCOPE: Final = "tenant_id = $1 AND station_group_id IS NOT DISTINCT FROM $2::uuid AND station_id IS NOT DISTINCT FROM $3::bigint"


async def list_policies(conn: Connection, tenant_id: int) -> list[ScopedPolicy]:
    """Those of all scopes."""
    rows = await conn.fetch("SELECT station_group_id, station_id, policy FROM offline_policies WHERE tenant_id = $1", tenant_id)
    return [ScopedPolicy(**row) for row in rows]


async def get_policy(conn: Connection, tenant_id: int, group_id: UUID | None, station_id: int | None) -> PolicyRow | None:
    row = await conn.fetchrow(
        f"SELECT policy, updated_by, updated_at FROM offline_policies WHERE {_SCOPE}", tenant_id, group_id, station_id
    )
    return None if row is None else PolicyRow(**row)


async def put_policy(
    conn: Connection, tenant_id: int, group_id: UUID | None, station_id: int | None, policy: str, by: str
) -> PolicyRow:
    row = await conn.fetchrow(
        "INSERT INTO offline_policies (tenant_id, station_group_id, station_id, policy, updated_by) "
        "VALUES ($1, $2, $3, $4::text::jsonb, $5) "
        "ON CONFLICT (tenant_id, coalesce(station_group_id, '00000000-0000-0000-0000-000000000000'), coalesce(station_id, 0)) "
        "DO UPDATE SET policy = excluded.policy, updated_by = excluded.updated_by, updated_at = now() "
        "RETURNING policy, updated_by, updated_at",
        tenant_id,
        group_id,
        station_id,
        policy,
        by,
    )
    if row is None:
        raise LookupError("the policy was written")
    return PolicyRow(**row)


async def delete_policy(conn: Connection, tenant_id: int, group_id: UUID | None, station_id: int | None) -> bool:
    """False when there was none."""
    done = await conn.fetchval(f"DELETE FROM offline_policies WHERE {_SCOPE} RETURNING true", tenant_id, group_id, station_id)
    return done is True


async def unknown_token_groups(conn: Connection, tenant_id: int, group_ids: list[UUID]) -> set[UUID]:
    """Those of these that are not there."""
    rows = await conn.fetch(
        "SELECT group_id FROM token_groups WHERE tenant_id = $1 AND group_id = ANY($2::uuid[])", tenant_id, group_ids
    )
    return set(group_ids) - {row[0] for row in rows}
