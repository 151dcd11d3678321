"""Parties of our tenants, and the tenant that is the hub."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Literal

import asyncpg
import msgspec

from csms.roaming.parties import OwnParty, OwnRole
from csms.store.pool import Connection
from csms.store.queries.ocpi_partners import lock_roles

TenantKind = Literal["operator", "hub"]

HUB_SLUG: Final = "hub"
CDR_WITHIN_S: Final = 120.0
"""A session that has ended has its CDR by then."""
_TOLD_BY: Final[dict[OwnRole, tuple[str, ...]]] = {
    "CPO": ("locations", "tariffs", "sessions", "cdrs", "invoicereconciliation"),
    "EMSP": ("tokens",),
}
_IS_ITS: Final = "lower(p.country_code) AND {0}party_id = lower(p.party_id)"
_END_LEAVING: Final = (
    "DELETE FROM ocpi_parties p WHERE p.tenant_id = $1 AND p.role = $2 AND p.leaving_since IS NOT NULL "
    "AND (p.leaving_since < $4 OR NOT ("
    "EXISTS (SELECT FROM ocpi_publications w WHERE w.tenant_id = $1 AND w.module = ANY($3::text[])) "
    "OR EXISTS (SELECT FROM ocpi_pushes q WHERE q.tenant_id = $1 AND q.module = ANY($3::text[]) "
    f"AND q.from_country_code = {_IS_ITS.format('q.from_')}) "
    "OR EXISTS (SELECT FROM ocpi_objects o WHERE o.tenant_id = $1 AND o.module = 'sessions' AND o.module = ANY($3::text[]) "
    f"AND o.origin = 'own' AND o.country_code = {_IS_ITS.format('o.')} AND o.last_updated > now() - interval '1 day' "
    "AND (o.last_updated > now() - make_interval(secs => $5) OR o.document ->> 'status' NOT IN ('COMPLETED', 'INVALID'))))) "
    "RETURNING true"
)

_encode: Final = msgspec.json.encode


class PartyTaken(Exception):
    """Another tenant of this installation is this party."""


class NoHubSlug(Exception):
    """The slug of the hub's tenant is an operator's."""


async def load_parties(conn: Connection) -> list[OwnParty]:
    """The parties of all tenants; the auth role."""
    rows = await conn.fetch(
        "SELECT tenant_id, slug, country_code, party_id, role, business_details, on_hub, updated_at, leaving_since "
        "FROM auth_ocpi_parties()"
    )
    return [_party(row) for row in rows]


async def ensure_hub(conn: Connection) -> int:
    """The tenant that is the hub, made if there is none; the auth role. Raises NoHubSlug."""
    tenant_id = await conn.fetchval("SELECT auth_ocpi_hub($1, $2)", HUB_SLUG, "OCPI hub")
    if tenant_id is None:
        raise NoHubSlug
    return int(tenant_id)


async def list_parties(conn: Connection, tenant_id: int) -> list[OwnParty]:
    rows = await conn.fetch(
        "SELECT p.tenant_id, t.slug, p.country_code, p.party_id, p.role, p.business_details, p.on_hub, p.updated_at, "
        "p.leaving_since "
        "FROM ocpi_parties p JOIN tenants t USING (tenant_id) WHERE p.tenant_id = $1 ORDER BY p.country_code, p.party_id, p.role",
        tenant_id,
    )
    return [_party(row) for row in rows]


async def put_party(
    conn: Connection,
    tenant_id: int,
    country_code: str,
    party_id: str,
    role: OwnRole,
    business_details: dict[str, Any],
    *,
    on_hub: bool,
) -> None:
    """Make or change a party; one that was leaving stays. Raises PartyTaken."""
    try:
        await conn.execute(
            "INSERT INTO ocpi_parties (tenant_id, country_code, party_id, role, business_details, on_hub) "
            "VALUES ($1, $2, $3, $4, $5::json, $6) ON CONFLICT (tenant_id, country_code, party_id, role) DO UPDATE "
            "SET business_details = excluded.business_details, on_hub = excluded.on_hub, leaving_since = NULL, updated_at = now()",
            tenant_id,
            country_code,
            party_id,
            role,
            _encode(business_details).decode(),
            on_hub,
        )
    except asyncpg.UniqueViolationError:
        raise PartyTaken from None


async def delete_party(conn: Connection, tenant_id: int, country_code: str, party_id: str, role: str) -> bool:
    """False when there was none."""
    done = await conn.fetchval(
        "DELETE FROM ocpi_parties WHERE tenant_id = $1 AND country_code = $2 AND party_id = $3 AND role = $4 RETURNING true",
        tenant_id,
        country_code,
        party_id,
        role,
    )
    return done is not None


async def begin_leaving(conn: Connection, tenant_id: int, country_code: str, party_id: str, role: OwnRole) -> bool:
    """The party takes back what it has told (I3, L2, F1, K2). False: it has told nothing, or there is none."""
    done = await conn.fetchval(
        "UPDATE ocpi_parties p SET leaving_since = coalesce(p.leaving_since, now()), updated_at = now() "
        "WHERE p.tenant_id = $1 AND p.country_code = $2 AND p.party_id = $3 AND p.role = $4 "
        "AND EXISTS (SELECT FROM ocpi_objects o WHERE o.tenant_id = $1 AND o.module = ANY($5::text[]) "
        "AND o.country_code = lower($2) AND o.party_id = lower($3) AND o.origin = 'own' AND o.deleted_at IS NULL) RETURNING true",
        tenant_id,
        country_code,
        party_id,
        role,
        list(_TOLD_BY[role]),
    )
    return done is not None


async def end_leaving(conn: Connection, tenant_id: int, before: datetime) -> int:
    """Delete the parties that have taken back everything, and those that have been leaving since `before`; gives how many.

    One stays while something of it is still to be told, and while a session of it may go on or have its CDR before it.
    """
    gone = 0
    for role, modules in _TOLD_BY.items():
        rows = await conn.fetch(_END_LEAVING, tenant_id, role, list(modules), before, CDR_WITHIN_S)
        gone += len(rows)
    return gone


async def put_hub_party(
    conn: Connection, tenant_id: int, country_code: str, party_id: str, business_details: dict[str, Any]
) -> None:
    """The hub is this party now, and no other one. Raises PartyTaken."""
    await conn.execute(
        "DELETE FROM ocpi_parties WHERE tenant_id = $1 AND (country_code, party_id) <> ($2, $3)", tenant_id, country_code, party_id
    )
    await put_party(conn, tenant_id, country_code, party_id, "HUB", business_details, on_hub=True)


async def kind_of(conn: Connection, tenant_id: int) -> TenantKind:
    """What the tenant of the unit is."""
    kind: TenantKind = await conn.fetchval("SELECT kind FROM tenants WHERE tenant_id = $1", tenant_id)
    return kind


async def sync_own_roles(conn: Connection, hub_tenant_id: int, parties: Iterable[OwnParty]) -> list[OwnParty]:
    """Show `parties`, all own ones, among those of the hub as far as they are on it (in a unit of the hub's tenant); those that
    are not any more stay, suspended (I3). Gives those that a partner of the hub has taken (C12)."""
    await lock_roles(conn, hub_tenant_id)
    shown = [party for party in parties if party.on_hub and party.role != "HUB"]
    live = {
        (row["country_code"], row["party_id"], row["role"])
        for row in await conn.fetch(
            "SELECT country_code, party_id, role FROM ocpi_roles "
            "WHERE tenant_id = $1 AND partner_id IS NOT NULL AND status <> 'SUSPENDED'",
            hub_tenant_id,
        )
    }
    taken = [party for party in shown if _key(party) in live]
    await conn.executemany(
        "INSERT INTO ocpi_roles AS r (tenant_id, country_code, party_id, role, own_tenant, business_details, status, last_updated) "
        "VALUES ($1, $2, $3, $4, $5, $6::json, 'CONNECTED', clock_timestamp()) "
        "ON CONFLICT (tenant_id, country_code, party_id, role) DO UPDATE SET partner_id = NULL, own_tenant = excluded.own_tenant, "
        "business_details = excluded.business_details, status = excluded.status, gone = false, "
        "last_updated = greatest(clock_timestamp(), r.last_updated) "
        "WHERE (r.status, r.own_tenant, r.business_details::text) IS DISTINCT FROM "
        "(excluded.status, excluded.own_tenant, excluded.business_details::text)",
        [
            (hub_tenant_id, *_key(party), party.slug, _encode(party.business_details).decode())
            for party in shown
            if _key(party) not in live
        ],
    )
    keys = [_key(party) for party in shown]
    await conn.execute(
        "UPDATE ocpi_roles SET status = 'SUSPENDED', last_updated = greatest(clock_timestamp(), last_updated) "
        "WHERE tenant_id = $1 AND own_tenant IS NOT NULL AND status <> 'SUSPENDED' "
        "AND (country_code, party_id, role) NOT IN (SELECT * FROM unnest($2::text[], $3::text[], $4::text[]))",
        hub_tenant_id,
        [key[0] for key in keys],
        [key[1] for key in keys],
        [key[2] for key in keys],
    )
    return taken


def _key(party: OwnParty) -> tuple[str, str, str]:
    return party.country_code, party.party_id, party.role


def _party(row: Any) -> OwnParty:
    fields = dict(row)
    fields["business_details"] = msgspec.json.decode(fields["business_details"])
    return OwnParty(**fields)
