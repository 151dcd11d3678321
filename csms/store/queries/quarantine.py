"""Messages of stations that could not be taken as they were."""

from __future__ import annotations

from datetime import datetime
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
    `payload_bytes`. `times` counts equal ones. `taken`: it was taken all the same, without what breaks its schema."""

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
    "q.resolution, q.resolved_by, q.replay_by, q.replay_at, q.replay_finished_at"
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


async def order_replay(
    conn: Connection, tenant_id: int, quarantine_id: UUID, *, replay_id: UUID, payload: bytes | None, by: str
) -> Literal["ordered", "resolved", "under_way"] | None:
    """Order that the message, or `payload` in its place, is taken again; None: there is no such message."""
    row = await conn.fetchrow(
        "SELECT resolved_at IS NOT NULL AS resolved, replay_id IS NOT NULL AND replay_finished_at IS NULL "
        "AND replay_at > now() - make_interval(secs => $3) AS under_way "
        "FROM quarantine WHERE tenant_id = $1 AND quarantine_id = $2 FOR UPDATE",
        tenant_id,
        quarantine_id,
        float(REPLAY_LOST_S),
    )
    if row is None:
        return None
    if row["resolved"]:
        return "resolved"
    if row["under_way"]:
        return "under_way"
    await conn.execute(
        "UPDATE quarantine SET replay_id = $3, replay_payload = $4, replay_by = $5, replay_at = now(), replay_process = NULL, "
        "replay_claimed_at = NULL, replay_finished_at = NULL, replay_error = NULL WHERE tenant_id = $1 AND quarantine_id = $2",
        tenant_id,
        quarantine_id,
        replay_id,
        payload,
        by,
    )
    return "ordered"


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
