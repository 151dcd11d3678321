"""What our hub knows of where things belong (R11, digest 17.4), and what the platforms behind it are told of one another (I2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from csms.roaming.parties import Folded, PartnerRole
from csms.roaming.routing_open import LookUp
from csms.store.pool import Connection
from csms.store.queries.ocpi_partners import list_roles, lock_roles

RouteKind = Literal["session", "reservation"]

_MOST_FOUND: Final = 100
"""Of one id: who would tell more of them apart by it."""
_MOST_ANNOUNCED: Final = 500


async def note_route(conn: Connection, tenant_id: int, kind: RouteKind, object_id: str, owner: Folded, other: Folded) -> None:
    """A session or reservation (`object_id` folded) of the CPO `owner` has passed between it and `other`."""
    await conn.execute(
        "INSERT INTO ocpi_routes AS r (tenant_id, kind, object_id, owner_country_code, owner_party_id, other_country_code, "
        "other_party_id) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT ON CONSTRAINT ocpi_routes_pkey DO UPDATE "
        "SET seen_at = now() WHERE r.seen_at < now() - interval '1 day'",
        tenant_id,
        kind,
        object_id,
        *owner,
        *other,
    )


async def note_places(conn: Connection, tenant_id: int, owner: Folded, other: Folded, countries: Mapping[str, str]) -> None:
    """Locations of `owner` (folded ids) are in these countries, and have passed between it and `other`."""
    await conn.execute(
        "INSERT INTO ocpi_routes AS r (tenant_id, kind, object_id, owner_country_code, owner_party_id, other_country_code, "
        "other_party_id, country) SELECT $1, 'location', p.object_id, $2, $3, $4, $5, p.country "
        "FROM unnest($6::text[], $7::text[]) AS p(object_id, country) ORDER BY p.object_id "
        "ON CONFLICT ON CONSTRAINT ocpi_routes_pkey DO UPDATE SET seen_at = now(), country = excluded.country "
        "WHERE r.seen_at < now() - interval '1 day' OR r.country IS DISTINCT FROM excluded.country",
        tenant_id,
        *owner,
        *other,
        list(countries),
        list(countries.values()),
    )


async def country_of_place(conn: Connection, tenant_id: int, owner: Folded, location_id: str) -> str | None:
    """Where a location (folded id) is, as its owner has told everybody, or somebody through the hub. What is asked for is kept."""
    country: str | None = await conn.fetchval(
        "SELECT document ->> 'country' FROM ocpi_objects WHERE tenant_id = $1 AND module = 'locations' AND country_code = $2 "
        "AND party_id = $3 AND object_id = $4 AND kind = ''",
        tenant_id,
        *owner,
        location_id,
    )
    if country is not None:
        return country
    key = "tenant_id = $1 AND kind = 'location' AND object_id = $2 AND owner_country_code = $3 AND owner_party_id = $4"
    row = await conn.fetchrow(
        f"SELECT country, seen_at < now() - interval '1 day' AS old FROM ocpi_routes WHERE {key} ORDER BY seen_at DESC LIMIT 1",
        tenant_id,
        location_id,
        *owner,
    )
    if row is None:
        return None
    if row["old"]:
        await conn.execute(f"UPDATE ocpi_routes SET seen_at = now() WHERE {key}", tenant_id, location_id, *owner)
    found: str | None = row["country"]
    return found


async def find(conn: Connection, tenant_id: int, look_ups: Collection[LookUp]) -> dict[LookUp, list[Folded]]:
    """The parties that each of these leads to."""
    return {one: await _find(conn, tenant_id, one) for one in look_ups}


async def _find(conn: Connection, tenant_id: int, wanted: LookUp) -> list[Folded]:
    if wanted.what in ("session", "reservation"):
        side = "owner" if wanted.side == "owner" else "other"
        rows = await conn.fetch(
            f"SELECT DISTINCT {side}_country_code, {side}_party_id FROM ocpi_routes WHERE tenant_id = $1 AND kind = $2 "
            f"AND object_id = $3 LIMIT {_MOST_FOUND}",
            tenant_id,
            wanted.what,
            wanted.id,
        )
    else:
        rows = await conn.fetch(
            "SELECT country_code, party_id FROM ocpi_objects WHERE tenant_id = $1 AND module = $2 AND object_id = $3 AND kind = $4 "
            f"AND deleted_at IS NULL LIMIT {_MOST_FOUND}",
            tenant_id,
            f"{wanted.what}s",
            wanted.id,
            wanted.kind,
        )
    return [(row[0], row[1]) for row in rows]


async def take_unannounced(conn: Connection, tenant_id: int) -> list[PartnerRole]:
    """Some of the parties whose state has changed since it was last told; they count as told from now on."""
    rows = await conn.fetch(
        "UPDATE ocpi_roles r SET announced_at = r.last_updated FROM (SELECT country_code, party_id, role FROM ocpi_roles "
        "WHERE tenant_id = $1 AND announced_at IS DISTINCT FROM last_updated ORDER BY country_code, party_id, role LIMIT $2 "
        "FOR UPDATE SKIP LOCKED) c WHERE r.tenant_id = $1 "
        "AND (r.country_code, r.party_id, r.role) = (c.country_code, c.party_id, c.role) "
        "RETURNING r.country_code, r.party_id, r.role",
        tenant_id,
        _MOST_ANNOUNCED,
    )
    changed = {(row[0], row[1], row[2]) for row in rows}
    if not changed:
        return []
    return [role for role in await list_roles(conn, tenant_id) if (role.country_code, role.party_id, role.role) in changed]


async def announce_again(conn: Connection, tenant_id: int, parties: Collection[Folded] | None) -> None:
    """Who may exchange anything with these parties of the hub has changed (None: with all), and so what others are shown of them
    (I4)."""
    await lock_roles(conn, tenant_id)
    await conn.execute(
        "UPDATE ocpi_roles SET last_updated = greatest(clock_timestamp(), last_updated) "
        "WHERE tenant_id = $1 AND status IN ('CONNECTED', 'OFFLINE') "
        "AND EXISTS (SELECT FROM tenants t WHERE t.tenant_id = $1 AND t.kind = 'hub') "
        "AND ($2 OR (lower(country_code), lower(party_id)) IN (SELECT * FROM unnest($3::text[], $4::text[])))",
        tenant_id,
        parties is None,
        [party[0] for party in parties or ()],
        [party[1] for party in parties or ()],
    )


async def put_role_of_hub(conn: Connection, tenant_id: int, role: PartnerRole) -> bool:
    """A party behind a partner that is a hub, as that has told of it (I2). False: it is another's, or what is known is newer."""
    done = await conn.fetchval(
        "INSERT INTO ocpi_roles AS r (tenant_id, country_code, party_id, role, partner_id, status, told_status, last_updated) "
        "VALUES ($1, $2, $3, $4, $5, $6, $6, $7) ON CONFLICT (tenant_id, country_code, party_id, role) DO UPDATE "
        "SET status = excluded.status, told_status = excluded.status, last_updated = excluded.last_updated, "
        "partner_id = excluded.partner_id, gone = false "
        "WHERE (r.partner_id = excluded.partner_id AND r.told_status IS NOT NULL AND r.last_updated <= excluded.last_updated) "
        "OR (r.partner_id IS NOT NULL AND (r.gone OR EXISTS (SELECT FROM ocpi_partners p WHERE p.tenant_id = r.tenant_id "
        "AND p.partner_id = r.partner_id AND p.status = 'left'))) RETURNING true",
        tenant_id,
        role.country_code,
        role.party_id,
        role.role,
        role.partner_id,
        role.status,
        role.last_updated,
    )
    return done is True


async def forgive_receivers(conn: Connection, tenant_id: int, partner_id: UUID) -> None:
    """The partner is there again: what waits for its parties need not wait any longer."""
    await conn.execute(
        "UPDATE ocpi_receivers r SET next_attempt_at = NULL FROM ocpi_roles o WHERE r.tenant_id = $1 AND o.tenant_id = $1 "
        "AND o.partner_id = $2 AND lower(o.country_code) = r.country_code AND lower(o.party_id) = r.party_id",
        tenant_id,
        partner_id,
    )


async def list_silent(conn: Connection, tenant_id: int, before: datetime, lost_before: datetime, most: int) -> list[UUID]:
    """I5: registered partners from whom nothing was heard since `before`, those who are known to be away since `lost_before`; the
    longest first."""
    rows = await conn.fetch(
        "SELECT partner_id FROM ocpi_partners WHERE tenant_id = $1 AND versions_url IS NOT NULL AND CASE status "
        "WHEN 'connected' THEN coalesce(heard_at, status_since) < $2 WHEN 'offline' THEN status_since < $3 ELSE false END "
        "ORDER BY coalesce(heard_at, status_since) LIMIT $4",
        tenant_id,
        before,
        lost_before,
        most,
    )
    return [row[0] for row in rows]
