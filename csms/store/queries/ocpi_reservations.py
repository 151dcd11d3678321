"""Partners' reservations as the sessions that they are told as (E5)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from csms.pricing.tariff import Price
from csms.roaming.sources import ForeignToken, SessionSource, Vouching
from csms.store.pool import Connection
from csms.store.queries.ocpi_session_ids import GOES_ON, ORDERED_SINCE
from csms.store.queries.ocpi_sources import read_periods, tokens_named


async def reserved(conn: Connection, tenant_id: int, ids: Collection[UUID]) -> list[SessionSource]:
    """Of the reservations that are told by these ids, or that these sessions began with, those that their stations have taken and
    that no session goes on with. One whose session has shown no token yet stands."""
    rows = await conn.fetch(
        "WITH wanted AS (SELECT reservation_id FROM reservations WHERE tenant_id = $1 AND ocpi_session_id = ANY($2::uuid[]) "
        "UNION SELECT reservation_id FROM sessions WHERE tenant_id = $1 AND session_id = ANY($2::uuid[])), "
        "found AS (SELECT r.*, CASE WHEN r.status IN ('requested', 'active') "
        "OR r.status = 'used' AND r.ended_at IS NULL AND x.status = 'active' AND x.id_token IS NULL THEN NULL "
        "WHEN r.ended_at IS NOT NULL THEN least(r.ended_at, r.expires_at) ELSE r.updated_at END AS over_at "
        "FROM wanted w JOIN reservations r ON r.reservation_id = w.reservation_id "
        "LEFT JOIN sessions x ON x.tenant_id = r.tenant_id AND x.session_id = r.session_id "
        f"WHERE r.tenant_id = $1 AND r.ocpi_session_id IS NOT NULL AND r.made_at IS NOT NULL AND ({GOES_ON}) IS NOT TRUE) "
        "SELECT r.ocpi_session_id, r.id_token, r.id_token_type, r.made_at, r.over_at, s.location_id, e.evse_uid, "
        "coalesce(r.connector_id, (SELECT min(c.connector_id) FROM connectors c WHERE c.tenant_id = r.tenant_id "
        "AND c.station_id = r.station_id AND c.evse_id = r.evse_id AND c.connector_id > 0)) AS connector_id, t.currency, "
        "v.method, v.reference, d.currency AS billed_in, d.tariff_id, d.total_excl_vat, d.total_incl_vat, "
        "d.document -> 'charging_periods' AS periods FROM found r "
        "JOIN stations s ON s.tenant_id = r.tenant_id AND s.station_id = r.station_id "
        "JOIN tenants t ON t.tenant_id = r.tenant_id "
        "LEFT JOIN evses e ON e.tenant_id = r.tenant_id AND e.station_id = r.station_id AND e.evse_id = r.evse_id "
        "LEFT JOIN cdrs d ON d.tenant_id = r.tenant_id AND d.reservation_id = r.reservation_id AND d.credit_of IS NULL "
        "LEFT JOIN LATERAL (SELECT a.method, a.reference FROM ocpi_authorizations a WHERE a.tenant_id = r.tenant_id "
        "AND a.token_key = lower(r.id_token) AND (a.station_id IS NULL OR a.station_id = r.station_id) "
        f"AND a.created_at > {ORDERED_SINCE} AND a.created_at <= coalesce(r.over_at, now()) "
        "ORDER BY a.reference IS NOT NULL DESC, a.created_at DESC LIMIT 1) v ON true ORDER BY r.ocpi_session_id",
        tenant_id,
        list(ids),
    )
    named = {row["ocpi_session_id"]: (row["id_token"], row["id_token_type"]) for row in rows}
    tokens = await tokens_named(conn, tenant_id, named)
    return [_source(row, tokens[row["ocpi_session_id"]]) for row in rows if row["ocpi_session_id"] in tokens]


def _source(row: Any, token: ForeignToken) -> SessionSource:
    return SessionSource(
        session_id=row["ocpi_session_id"],
        told_as=row["ocpi_session_id"],
        status="reserved" if row["over_at"] is None else "lapsed",
        created_at=row["made_at"],
        start_time=None,
        stop_time=row["over_at"],
        last_meter_time=None,
        energy_wh=None,
        location_id=row["location_id"],
        evse_uid=row["evse_uid"],
        connector_id=row["connector_id"],
        meter_serial=None,
        by_command=True,
        currency=row["billed_in"] or row["currency"],
        tariff_id=row["tariff_id"],
        total_cost=None if row["total_excl_vat"] is None else Price(row["total_excl_vat"], row["total_incl_vat"]),
        periods=None if row["periods"] is None else read_periods(row["periods"]),
        token=token,
        vouching=None if row["method"] is None else Vouching(row["method"], row["reference"]),
    )
