"""People who may sign in."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from csms.store.pool import Connection

Role = Literal["admin", "tenant_admin", "operator", "viewer"]

_ADMINS_LOCK: Final = 0x61646D696E  # "admin": whoever adds, removes or weakens platform administrators holds it


class User(msgspec.Struct, frozen=True):
    """A user as the API shows him."""

    user_id: UUID
    email: str
    name: str | None
    role: Role
    disabled: bool
    created_at: datetime
    updated_at: datetime


class Account(msgspec.Struct, frozen=True):
    """What decides whether a token of this user is good."""

    user_id: UUID
    email: str
    name: str | None
    role: Role
    token_version: int
    disabled_at: datetime | None


_USER: Final = "user_id, email, name, role, disabled_at IS NOT NULL AS disabled, created_at, updated_at"


async def find_account(conn: Connection, tenant_id: int, user_id: UUID) -> Account | None:
    row = await conn.fetchrow(
        "SELECT user_id, email, name, role, token_version, disabled_at FROM users WHERE tenant_id = $1 AND user_id = $2",
        tenant_id,
        user_id,
    )
    return None if row is None else Account(**row)


async def list_users(conn: Connection, tenant_id: int, after: UUID, limit: int) -> list[User]:
    rows = await conn.fetch(
        f"SELECT {_USER} FROM users WHERE tenant_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3",
        tenant_id,
        after,
        limit,
    )
    return [User(**row) for row in rows]


async def get_user(conn: Connection, tenant_id: int, user_id: UUID) -> User | None:
    row = await conn.fetchrow(f"SELECT {_USER} FROM users WHERE tenant_id = $1 AND user_id = $2", tenant_id, user_id)
    return None if row is None else User(**row)


async def insert_user(
    conn: Connection, tenant_id: int, user_id: UUID, email: str, name: str | None, role: Role, password_hash: str
) -> User | None:
    """None when the e-mail address is taken in this tenant."""
    row = await conn.fetchrow(
        "INSERT INTO users (tenant_id, user_id, email, name, role, password_hash) VALUES ($1, $2, $3, $4, $5, $6) "
        f"ON CONFLICT (tenant_id, lower(email)) DO NOTHING RETURNING {_USER}",
        tenant_id,
        user_id,
        email,
        name,
        role,
        password_hash,
    )
    return None if row is None else User(**row)


async def insert_first_admin(conn: Connection, tenant_id: int, user_id: UUID, email: str, password_hash: str) -> bool:
    """Make the first platform administrator unless there is one already; several processes may try at once."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _ADMINS_LOCK)
    if await count_admins(conn, tenant_id, active_only=False):
        return False
    return await insert_user(conn, tenant_id, user_id, email, None, "admin", password_hash) is not None


async def insert_first_user(
    conn: Connection, tenant_id: int, user_id: UUID, email: str, name: str | None, role: Role, password_hash: str
) -> User | None:
    """The first user of a tenant; None when the tenant has users already."""
    if await conn.fetchval("SELECT EXISTS (SELECT FROM users WHERE tenant_id = $1)", tenant_id):
        return None
    return await insert_user(conn, tenant_id, user_id, email, name, role, password_hash)


async def count_admins(conn: Connection, tenant_id: int, *, active_only: bool = True) -> int:
    count: int = await conn.fetchval(
        "SELECT count(*) FROM users WHERE tenant_id = $1 AND role = 'admin' AND (NOT $2 OR disabled_at IS NULL)",
        tenant_id,
        active_only,
    )
    return count


class UserChange(msgspec.Struct, frozen=True):
    """New values; None leaves one as it is, `set_name` says whether `name` is meant."""

    set_name: bool = False
    name: str | None = None
    role: Role | None = None
    password_hash: str | None = None
    disabled: bool | None = None


async def change_user(conn: Connection, tenant_id: int, user_id: UUID, change: UserChange) -> User | None:
    """None when there is no such user. A new password, role or disabling voids his tokens. Raises LastAdmin."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _ADMINS_LOCK)
    row = await conn.fetchrow(
        "UPDATE users SET name = CASE WHEN $3 THEN $4 ELSE name END, role = coalesce($5, role), "
        "password_hash = coalesce($6, password_hash), "
        "disabled_at = CASE WHEN $7::boolean IS NULL THEN disabled_at WHEN $7 THEN coalesce(disabled_at, now()) END, "
        "token_version = token_version + ($6::text IS NOT NULL OR coalesce($7, false))::integer, updated_at = now() "
        f"WHERE tenant_id = $1 AND user_id = $2 RETURNING {_USER}",
        tenant_id,
        user_id,
        change.set_name,
        change.name,
        change.role,
        change.password_hash,
        change.disabled,
    )
    if row is None:
        return None
    if change.password_hash is not None or change.disabled:
        await conn.execute("DELETE FROM refresh_tokens WHERE tenant_id = $1 AND user_id = $2", tenant_id, user_id)
    if change.disabled or change.role not in (None, "admin"):
        await _keep_an_admin(conn, tenant_id)
    return User(**row)


async def delete_user(conn: Connection, tenant_id: int, user_id: UUID) -> bool:
    """False when there is no such user. Raises LastAdmin."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _ADMINS_LOCK)
    role = await conn.fetchval("DELETE FROM users WHERE tenant_id = $1 AND user_id = $2 RETURNING role", tenant_id, user_id)
    if role == "admin":
        await _keep_an_admin(conn, tenant_id)
    return role is not None


async def set_password(conn: Connection, tenant_id: int, email: str, password_hash: str) -> bool:
    """Set a password by e-mail address and enable the user again; False when there is none. His tokens become void."""
    user_id = await conn.fetchval(
        "UPDATE users SET password_hash = $3, token_version = token_version + 1, disabled_at = NULL, updated_at = now() "
        "WHERE tenant_id = $1 AND lower(email) = lower($2) RETURNING user_id",
        tenant_id,
        email,
        password_hash,
    )
    if user_id is None:
        return False
    await conn.execute("DELETE FROM refresh_tokens WHERE tenant_id = $1 AND user_id = $2", tenant_id, user_id)
    return True


class LastAdmin(Exception):
    """The change would leave the installation without an active platform administrator."""


async def _keep_an_admin(conn: Connection, tenant_id: int) -> None:
    ever = await conn.fetchval("SELECT slug = 'default' FROM tenants WHERE tenant_id = $1", tenant_id)
    if ever and not await count_admins(conn, tenant_id):
        raise LastAdmin
