"""Reservations that nobody came for, as billing sees them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from csms.billing.cdr import CdrLocation
from csms.store.pool import Connection
from csms.store.queries.cdrs import PLACE, location_of
from csms.store.queries.tariff_assignments import StartedSession


class ExpiredReservation(msgspec.Struct, frozen=True):
    """`start`: when its station took it; `end`: when its time was over, or its station gave the place free. Where its station named
    no connector, `location` has the EVSE's first. `ocpi_session_id`: by which its party was told of it."""

    station_id: int
    id_token: str
    id_token_type: str
    start: datetime
    end: datetime
    location: CdrLocation
    ocpi_session_id: UUID | None

    @property
    def started(self) -> StartedSession:
        """What decides which tariff it has: that of a session that had begun with it."""
        place = self.location
        return StartedSession(
            self.station_id,
            place.charge_point_id,
            place.evse_id,
            place.connector_id,
            self.id_token,
            self.id_token_type,
            place.location_id,
            place.time_zone,
            self.start,
        )


async def expired_reservation(conn: Connection, tenant_id: int, reservation_id: int) -> ExpiredReservation | None:
    """None: it did not expire, was never made, or has its record."""
    row = await conn.fetchrow(
        "SELECT r.station_id, r.id_token, r.id_token_type, r.made_at, "
        "greatest(r.made_at, least(r.ended_at, r.expires_at)) AS over_at, r.ocpi_session_id, r.evse_id, c.connector_id, "
        f"c.connector_type, c.max_power_w, {PLACE} FROM reservations r JOIN tenants t ON t.tenant_id = r.tenant_id "
        "JOIN stations s ON s.tenant_id = r.tenant_id AND s.station_id = r.station_id "
        "LEFT JOIN locations l ON l.tenant_id = s.tenant_id AND l.location_id = s.location_id "
        "LEFT JOIN evses e ON e.tenant_id = r.tenant_id AND e.station_id = r.station_id AND e.evse_id = r.evse_id "
        "LEFT JOIN LATERAL (SELECT k.connector_id, k.connector_type, k.max_power_w FROM connectors k "
        "WHERE k.tenant_id = r.tenant_id AND k.station_id = r.station_id AND k.evse_id = r.evse_id AND k.connector_id > 0 "
        "AND k.connector_id = coalesce(r.connector_id, k.connector_id) ORDER BY k.connector_id LIMIT 1) c ON true "
        "WHERE r.tenant_id = $1 AND r.reservation_id = $2 AND r.status = 'expired' AND r.made_at IS NOT NULL "
        "AND NOT EXISTS (SELECT FROM cdrs d WHERE d.tenant_id = r.tenant_id AND d.reservation_id = r.reservation_id)",
        tenant_id,
        reservation_id,
    )
    if row is None:
        return None
    return ExpiredReservation(
        row["station_id"],
        row["id_token"],
        row["id_token_type"],
        row["made_at"],
        row["over_at"],
        location_of(row),
        row["ocpi_session_id"],
    )


async def hold_unbilled(conn: Connection, tenant_id: int, reservation_id: int) -> bool:
    """Whether a reservation still stands as one that expired without a record; nobody changes that until the transaction ends."""
    held = await conn.fetchval(
        "SELECT true FROM reservations WHERE tenant_id = $1 AND reservation_id = $2 AND status = 'expired' FOR UPDATE",
        tenant_id,
        reservation_id,
    )
    if held is None:
        return False
    # a statement of its own: it sees what whoever held the lock before has written
    billed = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM cdrs WHERE tenant_id = $1 AND reservation_id = $2)", tenant_id, reservation_id
    )
    return not billed
