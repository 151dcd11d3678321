"""What is stored of how sessions used their stations: the input of their prices. For many sessions at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.domain.metering import Channel, Reading
from csms.pricing.usage import MOST_ENTRIES
from csms.store.pool import Connection
from csms.store.unnest import RowType

After = Mapping[UUID, datetime | None]
"""Session -> what is later than this; None: all."""

RESERVED_AT: Final = (
    "(SELECT c.finished_at FROM commands c WHERE c.tenant_id = x.tenant_id AND c.station_id = x.station_id "
    "AND c.reference = x.reservation_id::text AND c.action = 'ReserveNow' AND c.status = 'accepted' "
    "AND c.sent_at < coalesce(x.start_time, x.created_at) AND NOT EXISTS (SELECT FROM cdrs d WHERE d.tenant_id = x.tenant_id "
    "AND d.reservation_id = x.reservation_id) ORDER BY c.sent_at DESC LIMIT 1)"
)
"""Of a session `x`; not of a reservation that was thought unused, and has been billed as such."""

_AFTER: Final = RowType((("session_id", "uuid"), ("after", "timestamptz")))
_read_shape: Final = msgspec.json.Decoder(tuple[Channel, ...]).decode


class SessionSpan(msgspec.Struct, frozen=True):
    """Where and when a session was. `time_zone` is its location's, else the tenant's; `first_seen` is by our clock, and so is
    `reserved_at`: when its station accepted the reservation that it used."""

    status: str
    start_time: datetime | None
    stop_time: datetime | None
    start_meter_wh: Decimal | None
    stop_meter_wh: Decimal | None
    last_meter_time: datetime | None
    first_seen: datetime
    time_zone: str
    reserved_at: datetime | None = None


async def load_spans(conn: Connection, tenant_id: int, session_ids: Collection[UUID]) -> dict[UUID, SessionSpan]:
    rows = await conn.fetch(
        "SELECT x.session_id, x.status, x.start_time, x.stop_time, x.start_meter_wh, x.stop_meter_wh, x.last_meter_time, "
        f"x.created_at, coalesce(l.time_zone, t.time_zone), {RESERVED_AT} FROM sessions x "
        "JOIN tenants t ON t.tenant_id = x.tenant_id "
        "JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
        "LEFT JOIN locations l ON l.tenant_id = s.tenant_id AND l.location_id = s.location_id "
        "WHERE x.tenant_id = $1 AND x.session_id = ANY($2::uuid[])",
        tenant_id,
        list(session_ids),
    )
    return {row[0]: SessionSpan(*list(row)[1:]) for row in rows}


async def load_readings(conn: Connection, tenant_id: int, after: After, *, limit: int = MOST_ENTRIES) -> dict[UUID, list[Reading]]:
    """The readings of sessions with a usable time, in the order of time; at most `limit` of each."""
    rows: list[Any] = await conn.fetch(
        'SELECT k.session_id, r.ts, r.context, r."values"::text[] AS numbers, coalesce(r.shape, h.shape) AS shape '
        f"FROM {_AFTER.source('k')} CROSS JOIN LATERAL ("
        'SELECT p.tenant_id, p.ts, p.context, p.shape_id, p.shape, p."values" FROM samples p '
        "WHERE p.tenant_id = $3 AND p.session_id = k.session_id AND p.ts IS NOT NULL AND (k.after IS NULL OR p.ts > k.after) "
        "ORDER BY p.ts LIMIT $4) r "
        "LEFT JOIN sample_shapes h ON h.tenant_id = r.tenant_id AND h.shape_id = r.shape_id ORDER BY k.session_id, r.ts",
        *_AFTER.parameters(after.items()),
        tenant_id,
        limit,
    )
    shapes: dict[str, tuple[Channel, ...]] = {}
    found: dict[UUID, list[Reading]] = {}
    for session_id, ts, context, numbers, text in rows:
        shape = shapes.get(text)
        if shape is None:
            shape = shapes[text] = _read_shape(text)
        values = ["" if number is None or number == "NaN" else number for number in numbers]
        found.setdefault(session_id, []).append(Reading(ts, None, context, shape, values))
    return found


async def load_states(conn: Connection, tenant_id: int, after: After) -> dict[UUID, list[tuple[datetime, str]]]:
    """(time, state) in the order of time: charging states of OCPP 2.x, connector states of 1.6. A message that contradicts
    another counts when a person has said so."""
    rows = await conn.fetch(
        "SELECT k.session_id, e.event_time, e.data #>> '{transactionInfo,chargingState}' "
        f"FROM {_AFTER.source('k')} JOIN transaction_events e ON e.tenant_id = $3 AND e.session_id = k.session_id "
        "WHERE e.event_time IS NOT NULL AND (NOT e.conflict OR e.resolution = 'other') "
        "AND e.data #>> '{transactionInfo,chargingState}' IS NOT NULL AND (k.after IS NULL OR e.event_time > k.after) "
        f"UNION ALL SELECT k.session_id, x.time, x.status FROM {_AFTER.source('k')} "
        "JOIN session_states x ON x.tenant_id = $3 AND x.session_id = k.session_id WHERE k.after IS NULL OR x.time > k.after "
        "ORDER BY 1, 2, 3 LIMIT $4",
        *_AFTER.parameters(after.items()),
        tenant_id,
        MOST_ENTRIES,
    )
    found: dict[UUID, list[tuple[datetime, str]]] = {}
    for session_id, time, state in rows:
        found.setdefault(session_id, []).append((time, state))
    return found
