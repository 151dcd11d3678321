"""What the publication of our own data reads: who is told what, and what of our tables has changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from csms.roaming.agreements import Agreement, Visibility
from csms.roaming.parties import Folded
from csms.roaming.partners import PartnerEndpoint
from csms.store.pool import Connection
from csms.store.queries.ocpi_session_ids import OURS, TOLD_AS
from schemas.ocpi221.types import Role

_LOCK: Final = 0x4F43_5049
_read_endpoints: Final = msgspec.json.Decoder(tuple[PartnerEndpoint, ...]).decode


class ReceivingParty(msgspec.Struct, frozen=True):
    """A party of a direct partner. `modules`: those whose RECEIVER interface its platform has."""

    party: Folded
    role: Role
    modules: frozenset[str]


class Whole(msgspec.Struct, frozen=True):
    """A row of ocpi_publications: what of a tenant is gone through. `to`: told to this one alone; None: documents are made anew."""

    tenant_id: int
    module: str
    to: Folded | None
    after: str
    requested_at: datetime


class Due(NamedTuple):
    """What begins or ends by itself within a time. `places`: the tariffs of connectors may be others."""

    tariff_ids: set[str]
    token_ids: set[UUID]
    places: bool


class GrownSession(NamedTuple):
    """A running session that has had readings since it was told."""

    tenant_id: int
    session_id: UUID
    energy_wh: Decimal


async def lock_publication(conn: Connection, tenant_id: int) -> None:
    """One publication of a tenant at a time, to the end of the transaction: what is read behind this is never older than what
    another one has published."""
    await conn.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCK, tenant_id)


async def any_party(conn: Connection) -> bool:
    """Whether anybody roams at all; the gateway role."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM ocpi_parties WHERE role <> 'HUB')"))


async def roaming_tenants(conn: Connection) -> list[int]:
    """Tenants with a party; the gateway role."""
    rows = await conn.fetch("SELECT DISTINCT tenant_id FROM ocpi_parties WHERE role <> 'HUB' ORDER BY tenant_id")
    return [row[0] for row in rows]


async def view_fingerprint(conn: Connection, tenant_id: int) -> str:
    """Another one when who is told what may have changed."""
    found = await conn.fetchval(
        "SELECT concat_ws('/', "
        "(SELECT concat(count(*), max(updated_at)) FROM ocpi_parties WHERE tenant_id = $1), "
        "(SELECT concat(count(*), max(updated_at), sum(hashtext(agreement_id::text))) FROM ocpi_agreements WHERE tenant_id = $1), "
        "(SELECT concat(count(*), sum(hashtextextended(concat(country_code, party_id, role, status, partner_id), 0))) "
        "FROM ocpi_roles WHERE tenant_id = $1 AND partner_id IS NOT NULL), "
        "(SELECT sum(hashtextextended(concat(partner_id, status, endpoints::text), 0)) FROM ocpi_partners WHERE tenant_id = $1), "
        "(SELECT ocpi_visibility FROM tenants WHERE tenant_id = $1))",
        tenant_id,
    )
    return str(found)


async def load_agreements(conn: Connection, tenant_id: int) -> tuple[list[Agreement], Visibility]:
    """All agreements of a tenant, and what holds where none does."""
    rows = await conn.fetch(
        "SELECT owner_country_code, owner_party_id, party_country_code, party_party_id, allowed, modules, location_ids, countries "
        "FROM ocpi_agreements WHERE tenant_id = $1",
        tenant_id,
    )
    visibility: Visibility = await conn.fetchval("SELECT ocpi_visibility FROM tenants WHERE tenant_id = $1", tenant_id)
    return [
        Agreement(
            owner=_folded(row["owner_country_code"], row["owner_party_id"]),
            party=_folded(row["party_country_code"], row["party_party_id"]),
            allowed=row["allowed"],
            modules=_set(row["modules"]),
            location_ids=_set([one.lower() for one in row["location_ids"]] if row["location_ids"] is not None else None),
            countries=_set(row["countries"]),
        )
        for row in rows
    ], visibility


async def load_receivers(conn: Connection, tenant_id: int) -> list[ReceivingParty]:
    """Parties of direct partners that may be sent to."""
    rows = await conn.fetch(
        "SELECT r.country_code, r.party_id, r.role, p.endpoints FROM ocpi_roles r "
        "JOIN ocpi_partners p ON p.tenant_id = r.tenant_id AND p.partner_id = r.partner_id "
        "WHERE r.tenant_id = $1 AND p.status IN ('connected', 'offline') AND r.status IN ('CONNECTED', 'OFFLINE') "
        "ORDER BY r.role_no",
        tenant_id,
    )
    return [
        ReceivingParty(
            (row["country_code"].lower(), row["party_id"].lower()),
            row["role"],
            frozenset(one.identifier for one in _read_endpoints(row["endpoints"]) if one.role in ("RECEIVER", None)),
        )
        for row in rows
    ]


async def next_whole(conn: Connection) -> Whole | None:
    """What is to be gone through, the oldest wish first, tariffs before what refers to them; the gateway role."""
    row = await conn.fetchrow(
        "SELECT tenant_id, module, to_country_code, to_party_id, after, requested_at FROM ocpi_publications ORDER BY requested_at, "
        "array_position(ARRAY['tariffs', 'locations', 'tokens', 'sessions'], module), to_country_code, to_party_id LIMIT 1"
    )
    return None if row is None else _whole(row)


async def note_whole(conn: Connection, whole: Whole, after: str | None) -> None:
    """It has come up to `after`; None: to the end. Nothing is noted if somebody else has gone on meanwhile, or it was asked for
    once more."""
    as_it_was = (
        "WHERE tenant_id = $1 AND module = $2 AND to_country_code = $3 AND to_party_id = $4 AND after = $5 AND requested_at = $6"
    )
    key = (whole.tenant_id, whole.module, *(whole.to or ("", "")), whole.after, whole.requested_at)
    if after is None:
        await conn.execute(f"DELETE FROM ocpi_publications {as_it_was}", *key)
    else:
        await conn.execute(f"UPDATE ocpi_publications SET after = $7 {as_it_was}", *key, after)


async def request_whole(conn: Connection, tenant_id: int, modules: Collection[str], to: Folded | None = None) -> None:
    """Go through these modules from the beginning: tariffs, locations, tokens; sessions with their CDRs."""
    await conn.execute(
        "INSERT INTO ocpi_publications (tenant_id, module, to_country_code, to_party_id) "
        "SELECT $1, module, $3, $4 FROM unnest($2::text[]) AS m(module) "
        "ON CONFLICT (tenant_id, module, to_country_code, to_party_id) DO UPDATE SET after = '', requested_at = clock_timestamp()",
        tenant_id,
        sorted(modules),
        *(to or ("", "")),
    )


async def open_wholes(conn: Connection, tenant_id: int) -> list[Whole]:
    """What of this tenant is still to be gone through."""
    rows = await conn.fetch(
        "SELECT tenant_id, module, to_country_code, to_party_id, after, requested_at FROM ocpi_publications WHERE tenant_id = $1 "
        "ORDER BY requested_at, module, to_country_code, to_party_id",
        tenant_id,
    )
    return [_whole(row) for row in rows]


async def location_ids_after(conn: Connection, tenant_id: int, after: str, limit: int) -> list[str]:
    """Ids of locations that are there or were told, in order."""
    rows = await conn.fetch(
        "SELECT id FROM (SELECT location_id::text AS id FROM locations WHERE tenant_id = $1 "
        "UNION SELECT object_id FROM ocpi_objects WHERE tenant_id = $1 AND module = 'locations' AND origin = 'own') AS known "
        "WHERE id > $2 ORDER BY id LIMIT $3",
        tenant_id,
        after,
        limit,
    )
    return [row[0] for row in rows]


async def tariff_ids_after(conn: Connection, tenant_id: int, after: str, limit: int) -> list[str]:
    rows = await conn.fetch(
        "SELECT tariff_id FROM tariffs WHERE tenant_id = $1 AND tariff_id > $2 ORDER BY tariff_id LIMIT $3", tenant_id, after, limit
    )
    return [row[0] for row in rows]


async def token_ids_after(conn: Connection, tenant_id: int, after: UUID, limit: int) -> list[UUID]:
    """Tokens of the tenant's own that a partner may be told of."""
    rows = await conn.fetch(
        "SELECT token_id FROM id_tokens WHERE tenant_id = $1 AND token_id > $2 AND owner_country_code IS NULL AND NOT single_use "
        "AND status <> 'unknown' ORDER BY token_id LIMIT $3",
        tenant_id,
        after,
        limit,
    )
    return [row[0] for row in rows]


async def session_ids_after(conn: Connection, tenant_id: int, after: UUID, limit: int) -> list[UUID]:
    """Ids of sessions, and those by which reservations are told (E5)."""
    rows = await conn.fetch(
        "(SELECT session_id AS id FROM sessions WHERE tenant_id = $1 AND session_id > $2 ORDER BY id LIMIT $3) UNION ALL "
        "(SELECT ocpi_session_id AS id FROM reservations WHERE tenant_id = $1 AND ocpi_session_id > $2 ORDER BY id LIMIT $3) "
        "ORDER BY id LIMIT $3",
        tenant_id,
        after,
        limit,
    )
    return [row[0] for row in rows]


async def running_published(conn: Connection, tenant_id: int) -> list[UUID]:
    """Sessions that were told and run."""
    rows = await conn.fetch(
        "SELECT x.session_id FROM sessions x WHERE x.tenant_id = $1 AND x.status = 'active' AND EXISTS (SELECT FROM ocpi_objects o "
        f"WHERE o.tenant_id = x.tenant_id AND o.module = 'sessions' AND o.object_id = {TOLD_AS}::text AND o.origin = 'own') "
        "ORDER BY x.session_id",
        tenant_id,
    )
    return [row[0] for row in rows]


async def grown_sessions(conn: Connection) -> list[GrownSession]:
    """Running sessions, of all tenants, whose energy is another than what was told last; the gateway role."""
    rows = await conn.fetch(
        "WITH told AS (SELECT tenant_id, object_id::uuid AS told_as, (document ->> 'kwh')::numeric AS kwh FROM ocpi_objects "
        "WHERE module = 'sessions' AND origin = 'own' AND document ->> 'status' = 'ACTIVE') "
        "SELECT x.tenant_id, x.session_id, coalesce(x.energy_wh, 0) AS energy_wh "
        "FROM told t JOIN sessions x ON x.tenant_id = t.tenant_id "
        f"AND x.session_id = {OURS} WHERE x.status = 'active' AND coalesce(x.energy_wh, 0) <> t.kwh * 1000"
    )
    return [GrownSession(*row) for row in rows]


async def untold_sessions(conn: Connection, tenant_id: int, location_ids: Collection[str], since: datetime) -> list[UUID]:
    """Sessions at these locations, of other parties' tokens, that have a CDR which was not told: it could not be, for what was
    missing of the location. At most 1,000."""
    rows = await conn.fetch(
        "SELECT DISTINCT coalesce(c.session_id, r.ocpi_session_id) FROM cdrs c "
        "LEFT JOIN reservations r ON r.tenant_id = c.tenant_id AND r.reservation_id = c.reservation_id "
        "JOIN id_tokens t ON t.tenant_id = c.tenant_id AND t.token_key = lower(c.id_token) AND t.owner_country_code IS NOT NULL "
        "WHERE c.tenant_id = $1 AND c.location_id = ANY($2::uuid[]) AND c.created_at >= $3 "
        "AND NOT EXISTS (SELECT FROM ocpi_objects o WHERE o.tenant_id = c.tenant_id AND o.module = 'cdrs' "
        "AND o.object_id = lower(c.cdr_id) AND o.origin = 'own') AND coalesce(c.session_id, r.ocpi_session_id) IS NOT NULL "
        "LIMIT 1000",
        tenant_id,
        list(location_ids),
        since,
    )
    return [row[0] for row in rows]


async def take_due(conn: Connection, tenant_id: int, now: datetime) -> Due:
    """What has begun or ended by itself since this was asked last. The first time: nothing."""
    since = await conn.fetchval("SELECT ocpi_looked_until FROM tenants WHERE tenant_id = $1", tenant_id)
    await conn.execute("UPDATE tenants SET ocpi_looked_until = $2 WHERE tenant_id = $1", tenant_id, now)
    if since is None or since >= now:
        return Due(set(), set(), False)
    tariffs = await conn.fetch(
        "SELECT DISTINCT tariff_id FROM tariff_versions WHERE tenant_id = $1 AND (valid_from > $2 AND valid_from <= $3 "
        "OR (tariff ->> 'start_date_time')::timestamptz > $2 AND (tariff ->> 'start_date_time')::timestamptz <= $3 "
        "OR (tariff ->> 'end_date_time')::timestamptz > $2 AND (tariff ->> 'end_date_time')::timestamptz <= $3)",
        tenant_id,
        since,
        now,
    )
    tokens = await conn.fetch(
        "SELECT token_id FROM id_tokens WHERE tenant_id = $1 AND owner_country_code IS NULL AND NOT single_use "
        "AND (valid_from > $2 AND valid_from <= $3 OR valid_until > $2 AND valid_until <= $3) ORDER BY token_id LIMIT 10000",
        tenant_id,
        since,
        now,
    )
    assigned = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM tariff_assignments WHERE tenant_id = $1 AND token_group_id IS NULL AND user_type IS NULL "
        "AND (valid_from > $2 AND valid_from <= $3 OR valid_until > $2 AND valid_until <= $3))",
        tenant_id,
        since,
        now,
    )
    at_clock_times = await conn.fetchval(
        # a clock time of an assignment, on one of the days at hand, in one of the tenant's zones
        "SELECT EXISTS (SELECT FROM (SELECT DISTINCT unnest(ARRAY[coalesce(start_time, '00:00'), coalesce(end_time, '00:00')]) "
        "AS at FROM tariff_assignments WHERE tenant_id = $1 AND token_group_id IS NULL AND user_type IS NULL "
        "AND (start_time IS NOT NULL OR end_time IS NOT NULL OR days_of_week IS NOT NULL)) a "
        "CROSS JOIN (SELECT DISTINCT coalesce(l.time_zone, t.time_zone) AS zone FROM tenants t "
        "LEFT JOIN locations l ON l.tenant_id = t.tenant_id WHERE t.tenant_id = $1) z "
        "CROSS JOIN generate_series(0, 1) AS d(back) "
        "CROSS JOIN LATERAL (SELECT (($3::timestamptz AT TIME ZONE z.zone)::date - d.back + a.at::time) AT TIME ZONE z.zone "
        "AS moment) m WHERE m.moment > $2 AND m.moment <= $3)",
        tenant_id,
        since,
        now,
    )
    return Due({row[0] for row in tariffs}, {row[0] for row in tokens}, bool(tariffs) or bool(assigned) or bool(at_clock_times))


def first_of(moment: datetime) -> UUID:
    """Before all session ids that were made from a moment on (UUIDv7 begin with their time)."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def _whole(row: Any) -> Whole:
    to = (row["to_country_code"], row["to_party_id"])
    return Whole(row["tenant_id"], row["module"], to if to != ("", "") else None, row["after"], row["requested_at"])


def _folded(country_code: str | None, party_id: str | None) -> Folded | None:
    return None if country_code is None or party_id is None else (country_code.lower(), party_id.lower())


def _set(values: Sequence[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)
