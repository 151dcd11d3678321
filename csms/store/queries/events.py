"""The tenant's events, from the outbox, in the order in which every reader sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from csms.store.pool import Connection


class Event(msgspec.Struct, frozen=True):
    """The event envelope; `tenant` is the slug."""

    event_id: UUID
    type: str
    version: int
    tenant: str
    charge_point_id: str | None
    session_id: UUID | None
    occurred_at: datetime | None
    recorded_at: datetime
    data: msgspec.Raw


EVENT_ID: Final = "outbox_event_id(o.event_id, (SELECT i.event_space FROM installation i), o.xid, o.id, o.recorded_at) AS event_id"
"""The id of the outbox's event `o`: the same whenever it is read."""


class EventPosition(msgspec.Struct, frozen=True, array_like=True):
    xid: int
    id: int


async def list_events(
    conn: Connection, tenant_id: int, slug: str, after: EventPosition, limit: int, type_: str | None
) -> list[tuple[EventPosition, Event]]:
    """Events behind the safe position: every transaction that could still write an earlier one has ended (design 4)."""
    rows = await conn.fetch(
        f"SELECT o.xid::text::bigint AS xid, o.id, {EVENT_ID}, o.type, o.version, s.identity AS charge_point_id, o.session_id, "
        "o.occurred_at, o.recorded_at, o.data FROM outbox o LEFT JOIN stations s USING (tenant_id, station_id) "
        "WHERE o.tenant_id = $1 AND (o.xid, o.id) > ($2::bigint::text::xid8, $3) "
        "AND o.xid < outbox_horizon() AND ($5::text IS NULL OR o.type = $5) "
        "ORDER BY o.xid, o.id LIMIT $4",
        tenant_id,
        after.xid,
        after.id,
        limit,
        type_,
    )
    return [
        (
            EventPosition(row["xid"], row["id"]),
            Event(
                row["event_id"],
                row["type"],
                row["version"],
                slug,
                row["charge_point_id"],
                row["session_id"],
                row["occurred_at"],
                row["recorded_at"],
                msgspec.Raw(row["data"].encode()),
            ),
        )
        for row in rows
    ]


async def insert_event(
    conn: Connection,
    tenant_id: int,
    type_: str,
    data: bytes,
    *,
    charge_point_id: str | None = None,
    session_id: UUID | None = None,
    occurred_at: datetime | None = None,
) -> None:
    """Write an event in the transaction that causes it."""
    await conn.execute(
        "INSERT INTO outbox (tenant_id, type, station_id, session_id, occurred_at, data) "
        "VALUES ($1, $2, (SELECT station_id FROM stations WHERE tenant_id = $1 AND identity = $3), $4, $5, $6)",
        tenant_id,
        type_,
        charge_point_id,
        session_id,
        occurred_at,
        data.decode(),
    )
