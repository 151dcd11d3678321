"""Messages of stations that could not be taken as they were."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from csms.store.pool import Connection

QuarantineReason = Literal["schema", "gate", "orphan", "failed"]


class QuarantinedMessage(msgspec.Struct, frozen=True):
    """`payload` is the message as received, with bytes that are no UTF-8 replaced; `times` counts equal ones."""

    quarantine_id: UUID
    charge_point_id: str
    ocpp_version: str
    action: str
    reason: QuarantineReason
    error_code: str | None
    path: str | None
    rule: str | None
    payload: str
    times: int
    recorded_at: datetime
    resolved_at: datetime | None
    resolution: str | None


async def list_quarantined(
    conn: Connection, tenant_id: int, before: UUID | None, limit: int, reason: QuarantineReason | None
) -> list[QuarantinedMessage]:
    """Newest first."""
    rows = await conn.fetch(
        "SELECT q.quarantine_id, s.identity AS charge_point_id, q.ocpp_version, q.action, q.reason, q.error_code, q.path, "
        "q.rule, q.payload, q.times, q.recorded_at, q.resolved_at, q.resolution "
        "FROM quarantine q JOIN stations s ON s.tenant_id = q.tenant_id AND s.station_id = q.station_id "
        "WHERE q.tenant_id = $1 AND ($2::uuid IS NULL OR q.quarantine_id < $2) AND ($4::text IS NULL OR q.reason = $4) "
        "ORDER BY q.quarantine_id DESC LIMIT $3",
        tenant_id,
        before,
        limit,
        reason,
    )
    return [QuarantinedMessage(**{**row, "payload": row["payload"].decode("utf-8", "replace")}) for row in rows]
