"""Messages of stations that could not be taken as they were."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from csms.store.pool import Connection
from csms.store.quarantine_usage import lock_usage, release

QuarantineReason = Literal["schema", "gate", "orphan", "failed"]

SHOWN: Final = 4096
"""Bytes of a message that a list shows."""
REPLAY_LOST_S: Final = 120
"""Seconds after which an order to take a message again that nobody has carried out may be given anew."""


class QuarantinedMessage(msgspec.Struct, frozen=True):
    """`payload` is the message as received, with bytes that are no UTF-8 replaced; a list shows its first 4096 bytes of
    `payload_bytes`. `times` counts equal ones. `taken`: it was taken all the same, without what breaks its schema.
    `session_id`: the session that the newest order to take it again attaches it to, `attach_reason` why."""

    quarantine_id: UUID
    charge_point_id: str
    ocpp_version: str
    action: str
    reason: QuarantineReason
    error_code: str | None
    path: str | None
    rule: str | None
    payload: str
    payload_bytes: int
    taken: bool
    times: int
    recorded_at: datetime
    last_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    resolved_by: str | None
    replay_by: str | None
    replay_at: datetime | None
    replay_finished_at: datetime | None
    session_id: UUID | None
    attach_reason: str | None


class QuarantinedMessageDetails(QuarantinedMessage, frozen=True, kw_only=True):
    """`payload_json`: the message, if it is JSON. `replay_payload`: the corrected message of the newest order to take it again,
    `replay_error` why it could not be taken, `answer` what it was answered when it was."""

    payload_json: msgspec.Raw | None
    replay_payload: msgspec.Raw | None
    replay_error: msgspec.Raw | None
    answer: msgspec.Raw | None


class QuarantineFilter(msgspec.Struct, frozen=True):
    reason: QuarantineReason | None = None
    resolved: bool | None = None
    charge_point_id: str | None = None


_COLUMNS: Final = (
    "q.quarantine_id, s.identity AS charge_point_id, q.ocpp_version, q.action, q.reason, q.error_code, q.path, q.rule, "
    "{payload} AS payload, octet_length(q.payload) AS payload_bytes, q.taken, q.times, q.recorded_at, q.last_at, q.resolved_at, "
    "q.resolution, q.resolved_by, q.replay_by, q.replay_at, q.replay_finished_at, q.attach_session_id AS session_id, "
    "q.attach_reason"
)
_LISTED: Final = _COLUMNS.format(payload=f"substring(q.payload FROM 1 FOR {SHOWN})")
_WHOLE: Final = _COLUMNS.format(payload="q.payload")
_FROM: Final = "quarantine q JOIN stations s ON s.tenant_id = q.tenant_id AND s.station_id = q.station_id"


async def list_quarantined(
    conn: Connection, tenant_id: int, before: UUID | None, limit: int, wanted: QuarantineFilter
) -> list[QuarantinedMessage]:
    """Newest first."""
    rows = await conn.fetch(
        f"SELECT {_LISTED} FROM {_FROM} "
        "WHERE q.tenant_id = $1 AND ($2::uuid IS NULL OR q.quarantine_id < $2) AND ($4::text IS NULL OR q.reason = $4) "
        "AND ($5::boolean IS NULL OR (q.resolved_at IS NOT NULL) = $5) AND ($6::text IS NULL OR s.identity = $6) "
        "ORDER BY q.quarantine_id DESC LIMIT $3",
        tenant_id,
        before,
        limit,
        wanted.reason,
        wanted.resolved,
        wanted.charge_point_id,
    )
    return [QuarantinedMessage(**_readable(dict(row))) for row in rows]


async def get_quarantined(conn: Connection, tenant_id: int, quarantine_id: UUID) -> QuarantinedMessageDetails | None:
    row = await conn.fetchrow(
        f"SELECT {_WHOLE}, q.replay_payload, q.replay_error, q.answer FROM {_FROM} WHERE q.tenant_id = $1 AND q.quarantine_id = $2",
        tenant_id,
        quarantine_id,
    )
    if row is None:
        return None
    fields = dict(row)
    return QuarantinedMessageDetails(
        **_readable(fields)
        | {
            "payload_json": _json(row["payload"]),
            "replay_payload": _json(row["replay_payload"]),
            "replay_error": _json(row["replay_error"]),
            "answer": _json(row["answer"]),
        }
    )


class Attachment(msgspec.Struct, frozen=True):
    """The session that a message is said to belong to, and why."""

    session_id: UUID
    reason: str


class Attachable(msgspec.Struct, frozen=True):
    """A whole message, for the look-up of the session that it belongs to."""

    station_id: int
    ocpp_version: str
    action: str
    payload: bytes


class Candidate(msgspec.Struct, frozen=True):
    """A session of a message's station. `newest`: its transaction id means this session, and no later one with the same id."""

    session_id: UUID
    ocpp_version: str
    transaction_ref: str
    start_time: datetime | None
    stop_time: datetime | None
    evse_id: int | None
    connector_id: int | None
    id_token: str | None
    start_meter_wh: Decimal | None
    stop_meter_wh: Decimal | None
    ended: bool
    newest: bool


Ordered = Literal["ordered", "resolved", "under_way", "attached", "attaching"]
"""What became of an order; attached, attaching: the very same was given before, and was carried out or is under way."""


async def order_replay(
    conn: Connection,
    tenant_id: int,
    quarantine_id: UUID,
    *,
    replay_id: UUID,
    payload: bytes | None,
    by: str,
    attachment: Attachment | None = None,
) -> tuple[Ordered, UUID] | None:
    """Order that the message, or `payload` in its place, is taken again; None: there is no such message.

    Gives the id of the order that counts, which is an older one where that is under way.
    """
    row = await conn.fetchrow(
        "SELECT resolved_at IS NOT NULL AS resolved, replay_id IS NOT NULL AND replay_finished_at IS NULL "
        "AND replay_at > now() - make_interval(secs => $3) AS under_way, replay_id, attach_session_id, "
        "answer IS NOT NULL AS answered "
        "FROM quarantine WHERE tenant_id = $1 AND quarantine_id = $2 FOR UPDATE",
        tenant_id,
        quarantine_id,
        float(REPLAY_LOST_S),
    )
    if row is None:
        return None
    same = attachment is not None and row["attach_session_id"] == attachment.session_id
    if row["resolved"]:
        return ("attached" if same and row["answered"] else "resolved"), row["replay_id"] or replay_id
    if row["under_way"]:
        return ("attaching" if same else "under_way"), row["replay_id"]
    await conn.execute(
        "UPDATE quarantine SET replay_id = $3, replay_payload = $4, replay_by = $5, replay_at = now(), replay_process = NULL, "
        "replay_claimed_at = NULL, replay_finished_at = NULL, replay_error = NULL, attach_session_id = $6, attach_reason = $7 "
        "WHERE tenant_id = $1 AND quarantine_id = $2",
        tenant_id,
        quarantine_id,
        replay_id,
        payload,
        by,
        None if attachment is None else attachment.session_id,
        None if attachment is None else attachment.reason,
    )
    return "ordered", replay_id


async def get_attachable(conn: Connection, tenant_id: int, quarantine_id: UUID) -> Attachable | None:
    row = await conn.fetchrow(
        "SELECT station_id, ocpp_version, action, payload FROM quarantine WHERE tenant_id = $1 AND quarantine_id = $2",
        tenant_id,
        quarantine_id,
    )
    return None if row is None else Attachable(*row)


_CANDIDATE: Final = (
    "x.session_id, x.ocpp_version, x.transaction_ref, x.start_time, x.stop_time, x.evse_id, x.connector_id, x.id_token, "
    "x.start_meter_wh, x.stop_meter_wh, x.ended_seq IS NOT NULL AS ended, "
    "NOT EXISTS (SELECT FROM sessions y WHERE y.tenant_id = x.tenant_id AND y.station_id = x.station_id "
    "AND y.transaction_ref = x.transaction_ref AND y.incarnation > x.incarnation) AS newest"
)


async def get_candidate(conn: Connection, tenant_id: int, station_id: int, session_id: UUID) -> Candidate | None:
    """The session, if it is one of the station."""
    row = await conn.fetchrow(
        f"SELECT {_CANDIDATE} FROM sessions x WHERE x.tenant_id = $1 AND x.station_id = $2 AND x.session_id = $3",
        tenant_id,
        station_id,
        session_id,
    )
    return None if row is None else Candidate(**row)


async def list_candidates(
    conn: Connection, tenant_id: int, station_id: int, ocpp_version: str, at: datetime | None, limit: int
) -> list[Candidate]:
    """The sessions of the station that began before `at`, last ones first; then, as far as there is room, those after."""
    rows = await conn.fetch(
        f"SELECT {_CANDIDATE} FROM sessions x WHERE x.tenant_id = $1 AND x.station_id = $2 AND x.ocpp_version = $3 "
        "ORDER BY coalesce(x.start_time <= $4::timestamptz, true) DESC, abs(extract(epoch FROM x.start_time - $4::timestamptz)) "
        "NULLS FIRST, x.session_id DESC LIMIT $5",
        tenant_id,
        station_id,
        ocpp_version,
        at,
        limit,
    )
    return [Candidate(**row) for row in rows]


async def resolve(
    conn: Connection, tenant_id: int, quarantine_id: UUID, *, resolution: str, by: str
) -> Literal["resolved", "was_resolved"] | None:
    """Close the message by hand; an order to take it again that nobody has carried out is void. None: no such message."""
    await lock_usage(conn, tenant_id, quarantine_id)
    done = await conn.fetchval(
        "UPDATE quarantine SET resolved_at = now(), resolution = $3, resolved_by = $4, "
        "replay_finished_at = CASE WHEN replay_id IS NULL THEN NULL ELSE coalesce(replay_finished_at, now()) END "
        "WHERE tenant_id = $1 AND quarantine_id = $2 AND resolved_at IS NULL RETURNING 1",
        tenant_id,
        quarantine_id,
        resolution,
        by,
    )
    if done is not None:
        await release(conn, tenant_id, quarantine_id)
        return "resolved"
    there = await conn.fetchval("SELECT 1 FROM quarantine WHERE tenant_id = $1 AND quarantine_id = $2", tenant_id, quarantine_id)
    return None if there is None else "was_resolved"


def _readable(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"payload": fields["payload"].decode("utf-8", "replace")}


def _json(stored: bytes | str | None) -> msgspec.Raw | None:
    """What is JSON as it is, anything else as nothing."""
    if stored is None:
        return None
    try:
        text = stored if isinstance(stored, str) else stored.decode()
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return msgspec.Raw(text.encode())
