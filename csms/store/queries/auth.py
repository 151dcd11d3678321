"""Look-ups that come before a tenant is known: the csms_auth role's SECURITY DEFINER functions. Runs on `store.auth`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from csms.store.pool import Connection
from csms.store.queries.tenants import Tenant
from csms.store.queries.users import Role


class TenantName(msgspec.Struct, frozen=True):
    tenant_id: int
    slug: str
    name: str


class LoginUser(msgspec.Struct, frozen=True):
    tenant_id: int
    slug: str
    user_id: UUID
    email: str
    role: Role
    password_hash: str
    token_version: int
    disabled_at: datetime | None


class KnownApiKey(msgspec.Struct, frozen=True):
    tenant_id: int
    slug: str
    key_id: UUID
    name: str
    role: Role
    expires_at: datetime | None
    revoked_at: datetime | None


class KnownRefreshToken(msgspec.Struct, frozen=True):
    tenant_id: int
    slug: str
    user_id: UUID


async def find_tenant(conn: Connection, slug: str) -> TenantName | None:
    row = await conn.fetchrow("SELECT tenant_id, slug, name FROM auth_tenant($1)", slug)
    return None if row is None else TenantName(**row)


async def list_tenants(conn: Connection, after_slug: str, limit: int) -> list[Tenant]:
    """All tenants of the installation in the order of their slugs: for platform administrators only."""
    rows = await conn.fetch(
        "SELECT slug AS id, name, onboarding, unknown_tokens, allow_unauthenticated, validation, time_zone, currency, "
        "heartbeat_interval_s, samples_kept_days, events_kept_days, created_at, updated_at FROM auth_tenants($1, $2)",
        after_slug,
        limit,
    )
    return [Tenant(**row) for row in rows]


async def create_tenant(conn: Connection, slug: str, name: str) -> int | None:
    """The new tenant's id, None when the slug is taken."""
    tenant_id: int | None = await conn.fetchval("SELECT auth_create_tenant($1, $2)", slug, name)
    return tenant_id


async def find_user(conn: Connection, slug: str, email: str) -> LoginUser | None:
    row = await conn.fetchrow(
        "SELECT tenant_id, slug, user_id, email, role, password_hash, token_version, disabled_at FROM auth_user($1, $2)",
        slug,
        email,
    )
    return None if row is None else LoginUser(**row)


async def find_api_key(conn: Connection, digest: bytes) -> KnownApiKey | None:
    row = await conn.fetchrow("SELECT tenant_id, slug, key_id, name, role, expires_at, revoked_at FROM auth_api_key($1)", digest)
    return None if row is None else KnownApiKey(**row)


async def find_refresh_token(conn: Connection, digest: bytes) -> KnownRefreshToken | None:
    row = await conn.fetchrow("SELECT tenant_id, slug, user_id FROM auth_refresh_token($1)", digest)
    return None if row is None else KnownRefreshToken(**row)
