"""URLs that our hub has put in place of others (table ocpi_relays; digest 17.1). Times are those of the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Literal

import msgspec

from csms.store.pool import Connection
from schemas.ocpi221.headers import Party

RelayKind = Literal["command", "profile", "page", "cdr"]

CLAIM_S: Final = 90.0
"""What came to a response URL and was not passed on within this time, because the process is gone, may come again."""

_COLUMNS: Final = (
    "kind, original_url, from_country_code, from_party_id, to_country_code, to_party_id, detail, correlation_id, used_at"
)


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """`sender` and `receiver` are those of the request that was relayed. `detail`: the name of the command, or the module of a
    page. `used`: a result has been passed on."""

    kind: RelayKind
    original_url: str
    sender: Party
    receiver: Party
    detail: str | None
    correlation_id: str | None
    used: bool = False


async def insert_relay(conn: Connection, tenant_id: int, key: bytes, relay: Relay, life: timedelta) -> None:
    """`key` is the hash of what is in our URL."""
    await conn.execute(
        "INSERT INTO ocpi_relays (tenant_id, relay_key, kind, original_url, from_country_code, from_party_id, to_country_code, "
        "to_party_id, detail, correlation_id, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + $11)",
        tenant_id,
        key,
        relay.kind,
        relay.original_url,
        *relay.sender,
        *relay.receiver,
        relay.detail,
        relay.correlation_id,
        life,
    )


async def find_relay(conn: Connection, tenant_id: int, key: bytes) -> Relay | None:
    """None: there is none, or its time is over."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM ocpi_relays WHERE tenant_id = $1 AND relay_key = $2 AND expires_at > now()", tenant_id, key
    )
    return None if row is None else _relay(row)


async def keep_relay(conn: Connection, tenant_id: int, key: bytes, life: timedelta) -> None:
    """From now on it lives so long."""
    await conn.execute(
        "UPDATE ocpi_relays SET expires_at = now() + $3 WHERE tenant_id = $1 AND relay_key = $2", tenant_id, key, life
    )


async def delete_relay(conn: Connection, tenant_id: int, key: bytes) -> None:
    await conn.execute("DELETE FROM ocpi_relays WHERE tenant_id = $1 AND relay_key = $2", tenant_id, key)


async def claim_relay(conn: Connection, tenant_id: int, key: bytes, *, again: bool) -> bool:
    """A result has come and is being passed on. False: another is or was. `again`: more than one may come (M7)."""
    claimed = await conn.fetchval(
        "UPDATE ocpi_relays SET claimed_at = now() WHERE tenant_id = $1 AND relay_key = $2 AND expires_at > now() "
        "AND (used_at IS NULL OR $3) AND (claimed_at IS NULL OR claimed_at < now() - make_interval(secs => $4)) RETURNING true",
        tenant_id,
        key,
        again,
        CLAIM_S,
    )
    return claimed is True


async def end_claim(conn: Connection, tenant_id: int, key: bytes, *, passed_on: bool) -> None:
    """What had been claimed was passed on, or it could not be and may come again."""
    await conn.execute(
        "UPDATE ocpi_relays SET claimed_at = NULL, used_at = CASE WHEN $3 THEN now() ELSE used_at END "
        "WHERE tenant_id = $1 AND relay_key = $2",
        tenant_id,
        key,
        passed_on,
    )


def _relay(row: Any) -> Relay:
    return Relay(
        kind=row["kind"],
        original_url=row["original_url"],
        sender=Party(row["from_country_code"], row["from_party_id"]),
        receiver=Party(row["to_country_code"], row["to_party_id"]),
        detail=row["detail"],
        correlation_id=row["correlation_id"],
        used=row["used_at"] is not None,
    )
