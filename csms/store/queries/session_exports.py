"""Sessions as flat rows for exports."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from csms.store.pool import Connection


async def export_rows(
    conn: Connection, tenant_id: int, after: UUID, limit: int, start_from: datetime | None, start_to: datetime | None
) -> list[tuple[Any, ...]]:
    """Rows (csms.export.sessions.SESSIONS) in the order of their ids, which is that in which we first saw them. Times bound the
    start: from inclusive, to exclusive."""
    rows = await conn.fetch(
        "SELECT x.session_id, s.identity, x.evse_id, x.connector_id, x.transaction_ref, x.ocpp_version, x.status, x.id_token, "
        "x.id_token_type, x.start_time, x.stop_time, x.start_meter_wh, x.stop_meter_wh, x.energy_wh, x.stop_reason, "
        "array_to_string(x.flags, ','), s.location_id, l.name, x.created_at FROM sessions x "
        "JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
        "LEFT JOIN locations l ON l.tenant_id = s.tenant_id AND l.location_id = s.location_id "
        "WHERE x.tenant_id = $1 AND x.session_id > $2 AND ($4::timestamptz IS NULL OR x.start_time >= $4) "
        "AND ($5::timestamptz IS NULL OR x.start_time < $5) ORDER BY x.session_id LIMIT $3",
        tenant_id,
        after,
        limit,
        start_from,
        start_to,
    )
    return [tuple(row) for row in rows]
