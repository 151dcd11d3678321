"""One tenant's own settings."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UnsetType

from csms.domain.tolerance import Validation
from csms.store.pool import Connection

Onboarding = Literal["accept", "pending", "refuse"]
UnknownTokens = Literal["refuse", "accept"]


class Tenant(msgspec.Struct, frozen=True):
    """A tenant as the API shows it; its id outside is the slug."""

    id: str
    name: str
    onboarding: Onboarding
    unknown_tokens: UnknownTokens
    allow_unauthenticated: bool
    validation: Validation
    time_zone: str
    currency: str
    heartbeat_interval_s: int
    samples_kept_days: int | None
    """Days that meter readings are kept, from the begin of their session; None: for ever."""
    events_kept_days: int | None
    """The same for the events of sessions and stations."""
    created_at: datetime
    updated_at: datetime


class TenantChange(msgspec.Struct, frozen=True):
    """New settings; None leaves one as it is, and UNSET where None is a setting."""

    name: str | None
    onboarding: Onboarding | None
    unknown_tokens: UnknownTokens | None
    allow_unauthenticated: bool | None
    validation: Validation | None
    time_zone: str | None
    currency: str | None
    heartbeat_interval_s: int | None
    samples_kept_days: int | UnsetType | None
    events_kept_days: int | UnsetType | None


async def get_tenant(conn: Connection, tenant_id: int) -> Tenant:
    row = await conn.fetchrow(
        "SELECT slug AS id, name, onboarding, unknown_tokens, allow_unauthenticated, validation, time_zone, currency, "
        "heartbeat_interval_s, samples_kept_days, events_kept_days, created_at, updated_at FROM tenants WHERE tenant_id = $1",
        tenant_id,
    )
    if row is None:
        raise LookupError(f"tenant {tenant_id} is gone")
    return Tenant(**row)


async def change_tenant(conn: Connection, tenant_id: int, change: TenantChange) -> Tenant:
    *settings, samples, events = msgspec.structs.astuple(change)
    await conn.execute(
        "UPDATE tenants SET name = coalesce($2, name), onboarding = coalesce($3, onboarding), "
        "unknown_tokens = coalesce($4, unknown_tokens), allow_unauthenticated = coalesce($5, allow_unauthenticated), "
        "validation = coalesce($6, validation), time_zone = coalesce($7, time_zone), currency = coalesce($8, currency), "
        "heartbeat_interval_s = coalesce($9, heartbeat_interval_s), "
        "samples_kept_days = CASE WHEN $10 THEN $11 ELSE samples_kept_days END, "
        "events_kept_days = CASE WHEN $12 THEN $13 ELSE events_kept_days END, updated_at = now() WHERE tenant_id = $1",
        tenant_id,
        *settings,
        *_given(samples),
        *_given(events),
    )
    return await get_tenant(conn, tenant_id)


def _given(value: int | UnsetType | None) -> tuple[bool, int | None]:
    """Whether there is a new value, and which."""
    return (False, None) if isinstance(value, UnsetType) else (True, value)


async def id_of(conn: Connection, slug: str) -> int:
    """The id of a tenant, which never changes; the gateway role. Raises LookupError when there is none."""
    tenant_id = await conn.fetchval("SELECT tenant_id FROM tenants WHERE slug = $1", slug)
    if tenant_id is None:
        raise LookupError(f"no tenant {slug}")
    return int(tenant_id)
