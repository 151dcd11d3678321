"""What our hub knows of where things belong (R11, digest 17.4), and what the platforms behind it are told of one another (I2)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from csms.roaming.parties import Folded, PartnerRole
from csms.roaming.routing_open import LookUp
from csms.store.pool import Connection
from csms.store.queries.ocpi_partners import list_roles

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
