"""The third party that a tenant has asked about tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec
from msgspec import UnsetType

from csms.domain.external import AskingRules, Asks, Fallback
from csms.domain.token_identity import CONTRACT, contract_key, lookup_key
from csms.store.pool import Connection


class ExternalAuthorization(msgspec.Struct, frozen=True):
    """One tenant's settings. `timeout_ms`: milliseconds for the whole question; `cache_s`: seconds that an answer is remembered;
    the two secrets are sealed."""

    url: str
    asks: Asks
    timeout_ms: int
    fallback: Fallback
    cache_s: int
    authorization_sealed: bytes | None
    signing_secret_sealed: bytes | None
    created_at: datetime
    updated_at: datetime


class NewExternalAuthorization(msgspec.Struct, frozen=True):
    """All settings anew; UNSET keeps a secret as it is stored."""

    url: str
    asks: Asks
    timeout_ms: int
    fallback: Fallback
    cache_s: int
    authorization_sealed: bytes | UnsetType | None
    signing_secret_sealed: bytes | UnsetType | None


_COLUMNS: Final = "url, asks, timeout_ms, fallback, cache_s, authorization_sealed, signing_secret_sealed, created_at, updated_at"


async def get_external_authorization(conn: Connection, tenant_id: int, *, lock: bool = False) -> ExternalAuthorization | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM external_authorization WHERE tenant_id = $1" + (" FOR UPDATE" if lock else ""), tenant_id
    )
    return None if row is None else ExternalAuthorization(*row)


async def put_external_authorization(conn: Connection, tenant_id: int, new: NewExternalAuthorization) -> ExternalAuthorization:
    authorization, signing_secret = new.authorization_sealed, new.signing_secret_sealed
    row = await conn.fetchrow(
        "INSERT INTO external_authorization AS e "
        "(tenant_id, url, asks, timeout_ms, fallback, cache_s, authorization_sealed, signing_secret_sealed) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant_id) DO UPDATE SET url = $2, asks = $3, timeout_ms = $4, "
        "fallback = $5, cache_s = $6, authorization_sealed = CASE WHEN $9 THEN e.authorization_sealed ELSE $7 END, "
        "signing_secret_sealed = CASE WHEN $10 THEN e.signing_secret_sealed ELSE $8 END, updated_at = clock_timestamp() "
        f"RETURNING {_COLUMNS}",
        tenant_id,
        new.url,
        new.asks,
        new.timeout_ms,
        new.fallback,
        new.cache_s,
        None if isinstance(authorization, UnsetType) else authorization,
        None if isinstance(signing_secret, UnsetType) else signing_secret,
        isinstance(authorization, UnsetType),
        isinstance(signing_secret, UnsetType),
    )
    if row is None:
        raise LookupError("INSERT returned no row")
    return ExternalAuthorization(*row)


async def delete_external_authorization(conn: Connection, tenant_id: int) -> bool:
    """False when there was none."""
    done = await conn.fetchval("DELETE FROM external_authorization WHERE tenant_id = $1 RETURNING true", tenant_id)
    return done is not None


async def load_asking_rules(conn: Connection) -> dict[int, AskingRules]:
    """Those of all tenants that have a third party asked; the gateway role only, which sees neither URL nor secrets."""
    rows = await conn.fetch("SELECT tenant_id, asks, timeout_ms, fallback, cache_s, updated_at FROM external_authorization")
    return {row[0]: AskingRules(*row[1:]) for row in rows}


async def knows_token(conn: Connection, tenant_id: int, id_token: str, token_type: str | None) -> bool:
    """Whether somebody has entered this token, in whatever spelling; the gateway role only.

    `token_type` None: of any type. Tokens that were only seen and kept as unknown do not count.
    """
    known = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM id_tokens WHERE tenant_id = $1 AND retired_at IS NULL AND status <> 'unknown' "
        "AND (token_key = ANY($2::text[]) AND ($3::text IS NULL OR type = $3) OR token_key = $4 AND type = $5))",
        tenant_id,
        list({lookup_key(id_token, token_type), id_token.lower()}),
        token_type,
        contract_key(id_token, token_type),
        CONTRACT,
    )
    return bool(known)
