"""Refresh tokens: each is good once; using one a second time ends its whole family (RFC 9700 section 4.14)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from csms.store.pool import Connection
from csms.store.queries.users import Account


async def begin_family(
    conn: Connection, tenant_id: int, digest: bytes, user_id: UUID, token_version: int, family: UUID, expires_at: datetime
) -> bool:
    """The first token of a sign-in whose password was compared while the user had `token_version`. False when the user was
    disabled, removed or given another password meanwhile."""
    # with the row locked, a new password comes either before this look or after the token, which it removes then
    unchanged = await conn.fetchval(
        "SELECT true FROM users WHERE tenant_id = $1 AND user_id = $2 AND token_version = $3 AND disabled_at IS NULL FOR UPDATE",
        tenant_id,
        user_id,
        token_version,
    )
    if unchanged is None:
        return False
    await _insert_token(conn, tenant_id, digest, user_id, family, expires_at)
    return True


async def _insert_token(conn: Connection, tenant_id: int, digest: bytes, user_id: UUID, family: UUID, expires_at: datetime) -> None:
    """Keep a new token, and forget this user's expired ones."""
    await conn.execute(
        "DELETE FROM refresh_tokens WHERE tenant_id = $1 AND user_id = $2 AND expires_at < now()", tenant_id, user_id
    )
    await conn.execute(
        "INSERT INTO refresh_tokens (tenant_id, token_hash, user_id, family, expires_at) VALUES ($1, $2, $3, $4, $5)",
        tenant_id,
        digest,
        user_id,
        family,
        expires_at,
    )


async def rotate_token(
    conn: Connection, tenant_id: int, user_id: UUID, old: bytes, new: bytes, expires_at: datetime
) -> Account | None:
    """Exchange `old` for `new`. None when `old` is not good any more; if it was used before, its family is gone then."""
    # the user's row lock puts rotations in a row: a family cannot grow behind the back of its revocation
    user = await conn.fetchrow(
        "SELECT user_id, email, name, role, token_version, disabled_at FROM users WHERE tenant_id = $1 AND user_id = $2 FOR UPDATE",
        tenant_id,
        user_id,
    )
    token = await conn.fetchrow(
        "SELECT family, used_at IS NOT NULL AS used, expires_at < now() AS expired FROM refresh_tokens "
        "WHERE tenant_id = $1 AND token_hash = $2",
        tenant_id,
        old,
    )
    if user is None or token is None or token["expired"] or user["disabled_at"] is not None:
        return None
    if token["used"]:
        await conn.execute("DELETE FROM refresh_tokens WHERE tenant_id = $1 AND family = $2", tenant_id, token["family"])
        return None
    await conn.execute("UPDATE refresh_tokens SET used_at = now() WHERE tenant_id = $1 AND token_hash = $2", tenant_id, old)
    await _insert_token(conn, tenant_id, new, user_id, token["family"], expires_at)
    return Account(**user)


async def revoke_family(conn: Connection, tenant_id: int, digest: bytes) -> None:
    """Sign out: the token and all that came from the same sign-in."""
    await conn.execute(
        "DELETE FROM refresh_tokens WHERE tenant_id = $1 AND family = "
        "(SELECT family FROM refresh_tokens WHERE tenant_id = $1 AND token_hash = $2)",
        tenant_id,
        digest,
    )
