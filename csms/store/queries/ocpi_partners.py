"""Partners of tenants, the parties behind them, and the tokens that they use towards us."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.roaming.parties import Folded, PartnerRole
from csms.roaming.partners import Partner, PartnerEndpoint, PartnerSettings, PartnerStatus
from csms.store.pool import Connection

_read_endpoints: Final = msgspec.json.Decoder(tuple[PartnerEndpoint, ...]).decode
_read_settings: Final = msgspec.json.Decoder(PartnerSettings).decode
_encode: Final = msgspec.json.encode

_ROLES_LOCK: Final = 4_700_021
"""Who is which party at a tenant is changed by one transaction at a time, else two could both find a party free (C12)."""

_PARTNER: Final = (
    "tenant_id, partner_id, name, status, status_since, heard_at, version, versions_url, endpoints, token_sealed, settings, "
    "needs_resync, created_at, updated_at"
)
_ROLE: Final = "country_code, party_id, role, partner_id, own_tenant, business_details, status, last_updated, gone"


class KnownToken(msgspec.Struct, frozen=True):
    """To whom a token belongs. `kind`: registration tokens are good for versions and credentials only (A4)."""

    tenant_id: int
    token_hash: bytes
    partner_id: UUID
    kind: str
    expires_at: datetime | None


class ReceiverState(msgspec.Struct, frozen=True):
    """How it goes with telling a party of changes; `waiting`: changed objects that it has not been told of."""

    country_code: str
    party_id: str
    waiting: int
    failing_since: datetime | None
    failures: int
    next_attempt_at: datetime | None
    last_failure: str | None


class PartyTaken(Exception):
    """C12: another live connection has this party in this role."""

    def __init__(self, role: PartnerRole) -> None:
        super().__init__(f"{role.country_code}-{role.party_id} as {role.role} is another partner's")
        self.role = role


async def find_tokens(conn: Connection, hashes: Collection[bytes]) -> list[KnownToken]:
    """The auth role: no tenant is known yet."""
    rows = await conn.fetch(
        "SELECT tenant_id, token_hash, partner_id, kind, expires_at FROM auth_ocpi_token($1::bytea[])", list(hashes)
    )
    return [KnownToken(*row) for row in rows]


async def get_partner(conn: Connection, tenant_id: int, partner_id: UUID, *, lock: bool = False) -> Partner | None:
    """One partner with its roles."""
    row = await conn.fetchrow(
        f"SELECT {_PARTNER} FROM ocpi_partners WHERE tenant_id = $1 AND partner_id = $2" + (" FOR UPDATE" if lock else ""),
        tenant_id,
        partner_id,
    )
    if row is None:
        return None
    roles = await list_roles(conn, tenant_id, partner_id)
    return _partner(row, roles)


async def list_partners(
    conn: Connection, tenant_id: int, after: UUID, limit: int, *, status: PartnerStatus | None = None
) -> list[Partner]:
    """Partners with their roles, by id; only those with a status, if given."""
    rows = await conn.fetch(
        f"SELECT {_PARTNER} FROM ocpi_partners WHERE tenant_id = $1 AND partner_id > $2 AND ($3::text IS NULL OR status = $3) "
        "ORDER BY partner_id LIMIT $4",
        tenant_id,
        after,
        status,
        limit,
    )
    roles: dict[UUID | None, list[PartnerRole]] = {}
    for role in await list_roles(conn, tenant_id):
        roles.setdefault(role.partner_id, []).append(role)
    return [_partner(row, roles.get(row["partner_id"], ())) for row in rows]


async def list_roles(conn: Connection, tenant_id: int, partner_id: UUID | None = None) -> list[PartnerRole]:
    """Parties that the tenant reaches, in the order of their creation; only those of one partner, if given."""
    rows = await conn.fetch(
        f"SELECT {_ROLE} FROM ocpi_roles WHERE tenant_id = $1 AND ($2::uuid IS NULL OR partner_id = $2) ORDER BY role_no",
        tenant_id,
        partner_id,
    )
    return [_role(row) for row in rows]


async def insert_partner(
    conn: Connection,
    tenant_id: int,
    partner_id: UUID,
    name: str,
    settings: PartnerSettings,
    *,
    versions_url: str | None = None,
    token_sealed: bytes | None = None,
) -> Partner:
    row = await conn.fetchrow(
        "INSERT INTO ocpi_partners (tenant_id, partner_id, name, settings, versions_url, token_sealed) "
        f"VALUES ($1, $2, $3, $4::json, $5, $6) RETURNING {_PARTNER}",
        tenant_id,
        partner_id,
        name,
        _encode(settings).decode(),
        versions_url,
        token_sealed,
    )
    if row is None:
        raise LookupError("INSERT returned no row")
    return _partner(row, ())


async def store_registration(
    conn: Connection,
    tenant_id: int,
    partner_id: UUID,
    *,
    version: str,
    versions_url: str,
    endpoints: Sequence[PartnerEndpoint],
    token_sealed: bytes,
) -> None:
    """What a partner has told in a handshake; it is connected from now on."""
    await conn.execute(
        "UPDATE ocpi_partners SET version = $3, versions_url = $4, endpoints = $5::json, token_sealed = $6, "
        "status_since = CASE status WHEN 'connected' THEN status_since ELSE now() END, status = 'connected', "
        "heard_at = now(), updated_at = now() WHERE tenant_id = $1 AND partner_id = $2",
        tenant_id,
        partner_id,
        version,
        versions_url,
        _encode(list(endpoints)).decode(),
        token_sealed,
    )


async def set_status(conn: Connection, tenant_id: int, partner_id: UUID, status: PartnerStatus) -> bool:
    """Whether it was another one before. The status of its parties follows."""
    changed = await conn.fetchval(
        "UPDATE ocpi_partners SET status = $3, status_since = now(), updated_at = now() "
        "WHERE tenant_id = $1 AND partner_id = $2 AND status <> $3 RETURNING true",
        tenant_id,
        partner_id,
        status,
    )
    if changed:
        shown = {"planned": "PLANNED", "connected": "CONNECTED", "offline": "OFFLINE"}.get(status, "SUSPENDED")
        await conn.execute(
            "UPDATE ocpi_roles SET status = CASE $3 WHEN 'CONNECTED' THEN coalesce(told_status, $3) ELSE $3 END, "
            "last_updated = greatest(clock_timestamp(), last_updated + interval '1 ms') "
            "WHERE tenant_id = $1 AND partner_id = $2 AND NOT gone AND status <> $3",
            tenant_id,
            partner_id,
            shown,
        )
    return changed is True


async def store_endpoints(conn: Connection, tenant_id: int, partner_id: UUID, endpoints: Sequence[PartnerEndpoint]) -> None:
    """What a partner offers now, in the same version."""
    await conn.execute(
        "UPDATE ocpi_partners SET endpoints = $3::json, heard_at = now(), updated_at = now() "
        "WHERE tenant_id = $1 AND partner_id = $2",
        tenant_id,
        partner_id,
        _encode(list(endpoints)).decode(),
    )


async def change_partner(conn: Connection, tenant_id: int, partner_id: UUID, name: str, settings: PartnerSettings) -> None:
    await conn.execute(
        "UPDATE ocpi_partners SET name = $3, settings = $4::json, updated_at = now() WHERE tenant_id = $1 AND partner_id = $2",
        tenant_id,
        partner_id,
        name,
        _encode(settings).decode(),
    )


async def forget_registration(conn: Connection, tenant_id: int, partner_id: UUID) -> None:
    """C8: nothing of the handshake is left; the tokens of both sides are void, the parties of the partner suspended (I3)."""
    await conn.execute(
        "UPDATE ocpi_partners SET token_sealed = NULL, endpoints = '[]', version = NULL WHERE tenant_id = $1 AND partner_id = $2",
        tenant_id,
        partner_id,
    )
    await end_tokens(conn, tenant_id, partner_id)
    await set_status(conn, tenant_id, partner_id, "left")


async def lock_roles(conn: Connection, tenant_id: int) -> None:
    """Until the transaction ends nobody else changes who is which party at this tenant."""
    await conn.execute("SELECT pg_advisory_xact_lock($1, $2)", _ROLES_LOCK, tenant_id)


async def replace_roles(conn: Connection, tenant_id: int, partner_id: UUID, roles: Sequence[PartnerRole]) -> None:
    """The parties of a partner are these now; one that left stays, suspended (I3). Raises PartyTaken (C12)."""
    await lock_roles(conn, tenant_id)
    known = {(role.country_code, role.party_id, role.role): role for role in await list_roles(conn, tenant_id)}
    given = {(role.country_code, role.party_id, role.role): role for role in roles}
    for key, role in given.items():
        other = known.get(key)
        if other is not None and other.partner_id != partner_id and other.status != "SUSPENDED":
            raise PartyTaken(role)
    await conn.executemany(
        "INSERT INTO ocpi_roles AS r (tenant_id, country_code, party_id, role, partner_id, business_details, status, last_updated) "
        "VALUES ($1, $2, $3, $4, $5, $6::json, $7, $8) ON CONFLICT (tenant_id, country_code, party_id, role) DO UPDATE "
        "SET partner_id = excluded.partner_id, own_tenant = NULL, business_details = excluded.business_details, "
        "status = excluded.status, gone = false, told_status = NULL, "
        "last_updated = greatest(excluded.last_updated, r.last_updated) "
        "WHERE r.gone OR (r.partner_id, r.business_details::text, r.status) IS DISTINCT FROM "
        "(excluded.partner_id, excluded.business_details::text, excluded.status)",
        [
            (
                tenant_id,
                *key,
                partner_id,
                _encode(role.business_details).decode(),
                role.status,
                role.last_updated,
            )
            for key, role in given.items()
        ],
    )
    gone = [key for key, role in known.items() if role.partner_id == partner_id and key not in given]
    await conn.executemany(
        "UPDATE ocpi_roles SET status = 'SUSPENDED', gone = true, last_updated = CASE status WHEN 'SUSPENDED' THEN last_updated "
        "ELSE greatest(clock_timestamp(), last_updated) END "
        "WHERE tenant_id = $1 AND country_code = $2 AND party_id = $3 AND role = $4 AND told_status IS NULL",
        [(tenant_id, *key) for key in gone],
    )


async def insert_token(
    conn: Connection, tenant_id: int, partner_id: UUID, token_hash: bytes, kind: str, expires_at: datetime | None = None
) -> None:
    await conn.execute(
        "INSERT INTO ocpi_tokens (tenant_id, token_hash, partner_id, kind, expires_at) VALUES ($1, $2, $3, $4, $5)",
        tenant_id,
        token_hash,
        partner_id,
        kind,
        expires_at,
    )


async def announce_token(
    conn: Connection, tenant_id: int, partner_id: UUID, token_sealed: bytes | None, token_hash: bytes, alone_s: int
) -> bool:
    """Have a token that the partner is going to be told, unless it is told another one at this moment, in the last `alone_s`
    seconds, or its registration is not that of `token_sealed` any more."""
    present = await get_partner(conn, tenant_id, partner_id, lock=True)
    if present is None or present.token_sealed != token_sealed:
        return False
    others, recent = await conn.fetchrow(
        "SELECT count(*), coalesce(max(created_at) > now() - make_interval(secs => $3), false) FROM ocpi_tokens "
        "WHERE tenant_id = $1 AND partner_id = $2 AND kind = 'access' AND expires_at IS NULL",
        tenant_id,
        partner_id,
        alone_s,
    ) or (0, False)
    if others > (token_sealed is not None) and recent:
        return False
    await insert_token(conn, tenant_id, partner_id, token_hash, "access")
    return True


async def has_token(conn: Connection, tenant_id: int, partner_id: UUID, token_hash: bytes) -> bool:
    found = await conn.fetchval(
        "SELECT true FROM ocpi_tokens WHERE tenant_id = $1 AND partner_id = $2 AND token_hash = $3",
        tenant_id,
        partner_id,
        token_hash,
    )
    return found is True


async def delete_token(conn: Connection, tenant_id: int, token_hash: bytes) -> None:
    await conn.execute("DELETE FROM ocpi_tokens WHERE tenant_id = $1 AND token_hash = $2", tenant_id, token_hash)


async def delete_registration_tokens(conn: Connection, tenant_id: int, partner_id: UUID) -> None:
    await conn.execute(
        "DELETE FROM ocpi_tokens WHERE tenant_id = $1 AND partner_id = $2 AND kind = 'registration'", tenant_id, partner_id
    )


async def tokens_since(conn: Connection, tenant_id: int, partner_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When partners got the tokens that they use (C10)."""
    rows = await conn.fetch(
        "SELECT partner_id, max(created_at) FROM ocpi_tokens WHERE tenant_id = $1 AND partner_id = ANY($2::uuid[]) "
        "AND kind = 'access' GROUP BY 1",
        tenant_id,
        list(partner_ids),
    )
    return {row[0]: row[1] for row in rows}


async def list_stale(conn: Connection, tenant_id: int, now: datetime) -> list[UUID]:
    """Connected partners whose tokens are to be renewed (C10)."""
    rows = await conn.fetch(
        "SELECT p.partner_id FROM ocpi_partners p JOIN ocpi_tokens t USING (tenant_id, partner_id) "
        "WHERE p.tenant_id = $1 AND p.status = 'connected' AND t.kind = 'access' AND p.settings ->> 'rotate_days' IS NOT NULL "
        "GROUP BY p.tenant_id, p.partner_id, p.settings ->> 'rotate_days' "
        "HAVING max(t.created_at) < $2::timestamptz - make_interval(days => (p.settings ->> 'rotate_days')::integer)",
        tenant_id,
        now,
    )
    return [row[0] for row in rows]


async def receivers_of(conn: Connection, tenant_id: int, parties: Collection[Folded]) -> list[ReceiverState]:
    """How it goes with telling these parties of changes; those of whom there is nothing to say are left out."""
    rows = await conn.fetch(
        "SELECT country_code, party_id, coalesce(p.waiting, 0), r.failing_since, coalesce(r.failures, 0), r.next_attempt_at, "
        "r.last_failure FROM (SELECT to_country_code AS country_code, to_party_id AS party_id, count(*) AS waiting "
        "FROM ocpi_pushes WHERE tenant_id = $1 GROUP BY 1, 2) p "
        "FULL JOIN (SELECT * FROM ocpi_receivers WHERE tenant_id = $1) r USING (country_code, party_id) "
        "WHERE (country_code, party_id) IN (SELECT * FROM unnest($2::text[], $3::text[])) ORDER BY 1, 2",
        tenant_id,
        [country_code for country_code, _ in parties],
        [party_id for _, party_id in parties],
    )
    return [ReceiverState(*row) for row in rows]


async def end_tokens(
    conn: Connection, tenant_id: int, partner_id: UUID, *, but: bytes | None = None, expires_at: datetime | None = None
) -> None:
    """The tokens that a partner uses are void, or will be at `expires_at` (C6); but for one, if given."""
    if expires_at is None:
        await conn.execute(
            "DELETE FROM ocpi_tokens WHERE tenant_id = $1 AND partner_id = $2 AND ($3::bytea IS NULL OR token_hash <> $3)",
            tenant_id,
            partner_id,
            but,
        )
    else:
        await conn.execute(
            "UPDATE ocpi_tokens SET expires_at = least(expires_at, $4) WHERE tenant_id = $1 AND partner_id = $2 "
            "AND ($3::bytea IS NULL OR token_hash <> $3)",
            tenant_id,
            partner_id,
            but,
            expires_at,
        )


async def heard(conn: Connection, tenant_id: int, partner_ids: Collection[UUID], at: datetime) -> None:
    """Something came from these partners (I5)."""
    await conn.execute(
        "UPDATE ocpi_partners SET heard_at = $3 WHERE tenant_id = $1 AND partner_id = ANY($2::uuid[]) "
        "AND (heard_at IS NULL OR heard_at < $3)",
        tenant_id,
        list(partner_ids),
        at,
    )


def _partner(row: Any, roles: Sequence[PartnerRole]) -> Partner:
    fields = dict(row)
    fields["endpoints"] = _read_endpoints(fields["endpoints"])
    fields["settings"] = _read_settings(fields["settings"])
    return Partner(**fields, roles=tuple(roles))


def _role(row: Any) -> PartnerRole:
    fields = dict(row)
    fields["business_details"] = msgspec.json.decode(fields["business_details"])
    return PartnerRole(**fields)
