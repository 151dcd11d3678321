"""Charging sessions: lists, one of them, and its events."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from csms.domain.session_flags import DOUBTS
from csms.store.pool import Connection

SessionStatus = Literal["active", "completed", "incomplete"]


class Session(msgspec.Struct, frozen=True):
    """A session as the API lists it. Energy and meters in Wh; `id_tag` is the token that charged.

    `doubts`: the flags that nobody has settled yet. `corrections`: how often its facts were changed after it had ended, or by
    a person.
    """

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
    authorization_reason: str | None
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
    doubts: list[str]
    corrections: int
    event_count: int
    created_at: datetime
    updated_at: datetime


class SessionFilter(msgspec.Struct, frozen=True):
    """`statuses` empty: all. `start_from` inclusive, `start_to` exclusive, both of start_time. `flags`: at least one of them.
    `in_doubt`: with a doubt that nobody has settled, or (False) without one."""

    statuses: tuple[SessionStatus, ...] = ()
    charge_point_id: str | None = None
    id_tag: str | None = None
    start_from: datetime | None = None
    start_to: datetime | None = None
    flags: tuple[str, ...] = ()
    in_doubt: bool | None = None


class SessionEvent(msgspec.Struct, frozen=True):
    """What the station said; `data` is its message, `answer` what it was answered. `conflict`: a second content for one seq_no.

    `event_id` names it in this session. `resolution`: which of the two bills, by the word of a person.
    """

    event_id: str
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
    resolution: Literal["first", "other"] | None
    resolution_reason: str | None
    resolved_by: str | None
    resolved_at: datetime | None


_DOUBTS: Final = ", ".join(f"'{flag}'" for flag in DOUBTS)
# word by word the condition of the index sessions_in_doubt
_IN_DOUBT: Final = " OR ".join(f"('{flag}' = ANY (x.flags) AND NOT '{flag}' = ANY (x.settled_flags))" for flag in DOUBTS)
_SESSION: Final = (
    # no join: a planner that knows nothing of the stations yet would go through all sessions of each
    "x.session_id, (SELECT s.identity FROM stations s WHERE s.tenant_id = x.tenant_id AND s.station_id = x.station_id) "
    "AS charge_point_id, x.transaction_ref AS transaction_id, x.evse_id, x.connector_id, "
    "x.ocpp_version, x.status, x.id_token AS id_tag, x.id_token_type, x.group_id_token, x.authorization_status, "
    "x.authorization_reason, "
    "x.start_time, x.start_time_text, x.stop_time, x.stop_time_text, x.start_meter_wh, x.stop_meter_wh, x.last_meter_wh, "
    "x.last_meter_time, x.energy_wh, x.stop_reason, x.charging_state, x.remote_start_id, x.reservation_id, x.command_id, "
    f"x.flags, array(SELECT f FROM unnest(x.flags) f WHERE f IN ({_DOUBTS}) AND NOT f = ANY (x.settled_flags)) AS doubts, "
    "(SELECT count(*) FROM session_corrections c WHERE c.tenant_id = x.tenant_id AND c.session_id = x.session_id "
    "AND c.changes <> '{}') AS corrections, x.event_count, x.created_at, x.updated_at"
)


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
    if wanted.flags:
        conditions.append("x.flags <> '{}'")  # so that the partial index fits
        add("x.flags && {}::text[]", list(wanted.flags))
    if wanted.in_doubt is not None:
        conditions.append(f"({_IN_DOUBT})" if wanted.in_doubt else f"NOT ({_IN_DOUBT})")
    values.append(limit)
    rows = await conn.fetch(
        f"SELECT {_SESSION} FROM sessions x WHERE {' AND '.join(conditions)} ORDER BY x.session_id DESC LIMIT ${len(values)}",
        *values,
    )
    return [Session(**row) for row in rows]


async def get_session(conn: Connection, tenant_id: int, session_id: UUID) -> Session | None:
    row = await conn.fetchrow(
        f"SELECT {_SESSION} FROM sessions x WHERE x.tenant_id = $1 AND x.session_id = $2", tenant_id, session_id
    )
    return None if row is None else Session(**row)


async def list_events(
    conn: Connection, tenant_id: int, session_id: UUID, after: tuple[int, bytes], limit: int, conflict: bool | None = None
) -> list[tuple[bytes, SessionEvent]]:
    """(digest, event) in the order of (seq_no, digest); of `conflict` those that are in conflict, or are not."""
    rows = await conn.fetch(
        "SELECT digest, seq_no, type, event_time, event_time_text, trigger_reason, offline, conflict, data, answer, recorded_at, "
        "resolution, resolution_reason, resolved_by, resolved_at "
        "FROM transaction_events WHERE tenant_id = $1 AND session_id = $2 AND (seq_no, digest) > ($3, $4) "
        "AND ($6::boolean IS NULL OR conflict = $6) ORDER BY seq_no, digest LIMIT $5",
        tenant_id,
        session_id,
        *after,
        limit,
        conflict,
    )
    return [
        (
            row["digest"],
            SessionEvent(
                f"{row['seq_no']}-{row['digest'].hex()}",
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
                row["resolution"],
                row["resolution_reason"],
                row["resolved_by"],
                row["resolved_at"],
            ),
        )
        for row in rows
    ]
