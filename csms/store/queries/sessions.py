"""Charging sessions: lists, one with its newest readings, its events, and closing one whose station is dead."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from csms.store.pool import Connection
from csms.store.queries.events import insert_event

SessionStatus = Literal["active", "completed", "incomplete"]


class Session(msgspec.Struct, frozen=True):
    """A session as the API lists it. Energy and meters in Wh; `id_tag` is the token that charged."""

    session_id: UUID
    charge_point_id: str
    transaction_id: str
    evse_id: int | None
    connector_id: int | None
    ocpp_version: str
    status: SessionStatus
    id_tag: str | None
    id_token_type: str | None
    group_id_token: str | None
    authorization_status: str | None
    start_time: datetime | None
    start_time_text: str | None
    stop_time: datetime | None
    stop_time_text: str | None
    start_meter_wh: Decimal | None
    stop_meter_wh: Decimal | None
    last_meter_wh: Decimal | None
    last_meter_time: datetime | None
    energy_wh: Decimal | None
    stop_reason: str | None
    charging_state: str | None
    remote_start_id: int | None
    reservation_id: int | None
    command_id: UUID | None
    flags: list[str]
    event_count: int
    created_at: datetime
    updated_at: datetime


class SessionFilter(msgspec.Struct, frozen=True):
    """`statuses` empty: all. `start_from` inclusive, `start_to` exclusive, both of start_time."""

    statuses: tuple[SessionStatus, ...] = ()
    charge_point_id: str | None = None
    id_tag: str | None = None
    start_from: datetime | None = None
    start_to: datetime | None = None


class SessionEvent(msgspec.Struct, frozen=True):
    """What the station said; `data` is its message, `answer` what it was answered. `conflict`: a second content for one seq_no."""

    seq_no: int
    type: str
    event_time: datetime | None
    event_time_text: str | None
    trigger_reason: str | None
    offline: bool
    conflict: bool
    data: msgspec.Raw
    answer: msgspec.Raw
    recorded_at: datetime


_SESSION: Final = (
    "x.session_id, s.identity AS charge_point_id, x.transaction_ref AS transaction_id, x.evse_id, x.connector_id, "
    "x.ocpp_version, x.status, x.id_token AS id_tag, x.id_token_type, x.group_id_token, x.authorization_status, "
    "x.start_time, x.start_time_text, x.stop_time, x.stop_time_text, x.start_meter_wh, x.stop_meter_wh, x.last_meter_wh, "
    "x.last_meter_time, x.energy_wh, x.stop_reason, x.charging_state, x.remote_start_id, x.reservation_id, x.command_id, "
    "x.flags, x.event_count, x.created_at, x.updated_at"
)
_EVENT_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_FROM: Final = "sessions x JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id"


async def list_sessions(conn: Connection, tenant_id: int, before: UUID | None, limit: int, wanted: SessionFilter) -> list[Session]:
    """Newest first, by the moment a session was first heard of."""
    conditions, values = ["x.tenant_id = $1"], [tenant_id]

    def add(condition: str, value: Any) -> None:
        values.append(value)
        conditions.append(condition.format(f"${len(values)}"))

    if before is not None:
        add("x.session_id < {}", before)
    if wanted.statuses == ("active",):
        conditions.append("x.status = 'active'")  # a literal, so that the partial index fits
    elif wanted.statuses:
        add("x.status = ANY({}::text[])", list(wanted.statuses))
    if wanted.charge_point_id is not None:
        add(
            "x.station_id = (SELECT w.station_id FROM stations w "
            "WHERE w.tenant_id = $1 AND lower(w.identity) = lower({0}) AND w.identity = {0})",
            wanted.charge_point_id,
        )
    if wanted.id_tag is not None:
        add("lower(x.id_token) = lower({})", wanted.id_tag)
    if wanted.start_from is not None:
        add("x.start_time >= {}", wanted.start_from)
    if wanted.start_to is not None:
        add("x.start_time < {}", wanted.start_to)
    values.append(limit)
    rows = await conn.fetch(
        f"SELECT {_SESSION} FROM {_FROM} WHERE {' AND '.join(conditions)} ORDER BY x.session_id DESC LIMIT ${len(values)}",
        *values,
    )
    return [Session(**row) for row in rows]


async def get_session(conn: Connection, tenant_id: int, session_id: UUID) -> Session | None:
    row = await conn.fetchrow(f"SELECT {_SESSION} FROM {_FROM} WHERE x.tenant_id = $1 AND x.session_id = $2", tenant_id, session_id)
    return None if row is None else Session(**row)


async def list_events(
    conn: Connection, tenant_id: int, session_id: UUID, after: tuple[int, bytes], limit: int
) -> list[tuple[bytes, SessionEvent]]:
    """(digest, event) in the order of (seq_no, digest)."""
    rows = await conn.fetch(
        "SELECT digest, seq_no, type, event_time, event_time_text, trigger_reason, offline, conflict, data, answer, recorded_at "
        "FROM transaction_events WHERE tenant_id = $1 AND session_id = $2 AND (seq_no, digest) > ($3, $4) "
        "ORDER BY seq_no, digest LIMIT $5",
        tenant_id,
        session_id,
        *after,
        limit,
    )
    return [
        (
            row["digest"],
            SessionEvent(
                row["seq_no"],
                row["type"],
                row["event_time"],
                row["event_time_text"],
                row["trigger_reason"],
                row["offline"],
                row["conflict"],
                msgspec.Raw(row["data"].encode()),
                msgspec.Raw(row["answer"].encode()),
                row["recorded_at"],
            ),
        )
        for row in rows
    ]


async def close_by_force(conn: Connection, tenant_id: int, session_id: UUID, now: datetime) -> Session | None:
    """End an active session whose stop will not come, with the last known meter value: incomplete, reason "forced".

    Negative energy is kept and marked `suspect`, as in an ordinary stop. None when it is not active (any more). A stop
    that comes after all still completes it.
    """
    closed = await conn.fetchval(
        "UPDATE sessions SET status = 'incomplete', stop_reason = 'forced', "
        "stop_time = coalesce(last_meter_time, start_time, $3), stop_meter_wh = coalesce(last_meter_wh, start_meter_wh), "
        "energy_wh = coalesce(last_meter_wh, start_meter_wh) - start_meter_wh, "
        "flags = array(SELECT DISTINCT unnest(flags || ARRAY['forced', 'stop_missing'] || "
        "CASE WHEN last_meter_wh < start_meter_wh THEN ARRAY['suspect'] ELSE ARRAY[]::text[] END)), updated_at = now() "
        "WHERE tenant_id = $1 AND session_id = $2 AND status = 'active' RETURNING true",
        tenant_id,
        session_id,
        now,
    )
    if closed is None:
        return None
    session = await get_session(conn, tenant_id, session_id)
    if session is None:
        raise LookupError("the closed session is gone")
    fields = (
        "session_id transaction_id evse_id connector_id id_tag status start_time stop_time start_meter_wh stop_meter_wh "
        "energy_wh stop_reason charging_state flags"
    )
    data = _EVENT_ENCODER.encode({name: getattr(session, name) for name in fields.split()})
    await insert_event(
        conn,
        tenant_id,
        "session.ended",
        data,
        charge_point_id=session.charge_point_id,
        session_id=session_id,
        occurred_at=session.stop_time,
    )
    return session
