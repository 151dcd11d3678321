"""The third party that a tenant has asked about tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec
from msgspec import UnsetType

from csms.domain.external import AskingRules, Asks, Fallback, Via
from csms.domain.token_identity import CONTRACT, contract_key, lookup_key
from csms.store.known_tokens import load_known_tokens
from csms.store.pool import Connection


class ExternalAuthorization(msgspec.Struct, frozen=True):
    """One tenant's settings. `url`: None where parties are asked over OCPI; `timeout_ms`: milliseconds for the whole question;
    `cache_s`: seconds that an answer is remembered; the two secrets are sealed."""

    via: Via
    url: str | None
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

    via: Via
    url: str | None
    asks: Asks
    timeout_ms: int
    fallback: Fallback
    cache_s: int
    authorization_sealed: bytes | UnsetType | None
    signing_secret_sealed: bytes | UnsetType | None


_COLUMNS: Final = (
    "via, url, asks, timeout_ms, fallback, cache_s, authorization_sealed, signing_secret_sealed, created_at, updated_at"
)


async def get_external_authorization(conn: Connection, tenant_id: int, *, lock: bool = False) -> ExternalAuthorization | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM external_authorization WHERE tenant_id = $1" + (" FOR UPDATE" if lock else ""), tenant_id
    )
    return None if row is None else ExternalAuthorization(*row)


async def put_external_authorization(conn: Connection, tenant_id: int, new: NewExternalAuthorization) -> ExternalAuthorization:
    authorization, signing_secret = new.authorization_sealed, new.signing_secret_sealed
    row = await conn.fetchrow(
        "INSERT INTO external_authorization AS e "
        "(tenant_id, via, url, asks, timeout_ms, fallback, cache_s, authorization_sealed, signing_secret_sealed) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (tenant_id) DO UPDATE SET via = $2, url = $3, asks = $4, "
        "timeout_ms = $5, fallback = $6, cache_s = $7, "
        "authorization_sealed = CASE WHEN $10 THEN e.authorization_sealed ELSE $8 END, "
        "signing_secret_sealed = CASE WHEN $11 THEN e.signing_secret_sealed ELSE $9 END, updated_at = clock_timestamp() "
        f"RETURNING {_COLUMNS}",
        tenant_id,
        new.via,
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
    rows = await conn.fetch("SELECT tenant_id, asks, timeout_ms, fallback, cache_s, updated_at, via FROM external_authorization")
    return {row[0]: AskingRules(*row[1:]) for row in rows}


async def knows_token(
    conn: Connection, tenant_id: int, id_token: str, token_type: str | None, rules: AskingRules, now: datetime
) -> bool:
    """Whether the tenant's own data suffice for this token, in whatever spelling; the gateway role only.

    Of a token that somebody has entered they do; one of another party may have to be asked about all the same (K4), where parties
    are asked. `token_type` None: of any type. Tokens that were only seen and kept as unknown do not count.
    """
    contract = contract_key(id_token, token_type)
    keys = {lookup_key(id_token, token_type), id_token.lower()}
    found = await load_known_tokens(conn, [(tenant_id, key) for key in sorted({*keys, *([contract] if contract else [])})])
    named = [
        token
        for (_, key), tokens in found.items()
        for token in tokens
        if not token.retired
        and token.status != "unknown"
        and ((key in keys and token_type in (None, token.type)) or (key == contract and token.type == CONTRACT))
    ]
    if rules.via == "http":
        return bool(named)
    return any(not token.must_be_asked_about(rules.asks, now) for token in named)
