"""What a person decides about a session, in one transaction: the session locked, its contested events, what was changed and why."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.domain.metering import CONTEXT_NUMBER, Channel, Reading
from csms.domain.session_state import SessionState
from csms.store.ledger_sessions import SESSION_COLUMNS, SessionStatements, session_of
from csms.store.pool import Connection


class Correction(msgspec.Struct, frozen=True):
    """A change of a session's facts that a message or a person brought, or what a person said about it (no changes).

    `changes`: fact -> [before, after]. `corrected_by` and `reason` are null where no person did it.
    """

    correction_id: UUID
    cause: str
    changes: msgspec.Raw
    reason: str | None
    corrected_by: str | None
    recorded_at: datetime


class StoredEvent(msgspec.Struct, frozen=True):
    """A stored event of one seq_no; `data` is the message of its station (OCPP 2.x: without its meterValue)."""

    digest: bytes
    type: str
    event_time: datetime | None
    event_time_text: str | None
    conflict: bool
    resolution: str | None
    data: bytes


_RAW_SHAPE: Final = msgspec.json.Decoder(tuple[Channel, ...]).decode
_MOST_REGISTERS: Final = 200


async def lock_session(conn: Connection, tenant_id: int, session_id: UUID) -> SessionState | None:
    """The session, locked as the ledger locks it: its station first. None: there is no such session.

    The lock of the station leaves room for rows that refer to it: a group commit that holds the session may still write some.
    """
    station = await conn.fetchval(
        "SELECT station_id FROM sessions WHERE tenant_id = $1 AND session_id = $2",
        tenant_id,
        session_id,
    )
    if station is None:
        return None
    await conn.execute("SELECT FROM stations WHERE tenant_id = $1 AND station_id = $2 FOR NO KEY UPDATE", tenant_id, station)
    row = await conn.fetchrow(
        f"SELECT {SESSION_COLUMNS} FROM sessions x WHERE x.tenant_id = $1 AND x.session_id = $2 FOR UPDATE",
        tenant_id,
        session_id,
    )
    return None if row is None else session_of(row)


async def save_session(conn: Connection, session: SessionState, *, settled: Collection[str] = ()) -> None:
    """Store a locked session; `settled` are flags that a person has looked into now."""
    statements = SessionStatements()
    statements.connection = conn
    statements.read_sessions = {}  # nothing is known of what it had: all of it is written, at once
    await statements.update_sessions([session])
    if settled:
        await settle_flags(conn, session.tenant_id, session.session_id, settled)


async def settle_flags(conn: Connection, tenant_id: int, session_id: UUID, flags: Collection[str]) -> None:
    await conn.execute(
        "UPDATE sessions SET settled_flags = array(SELECT DISTINCT unnest(settled_flags || $3::text[]) ORDER BY 1) "
        "WHERE tenant_id = $1 AND session_id = $2",
        tenant_id,
        session_id,
        list(flags),
    )


async def settled_flags(conn: Connection, tenant_id: int, session_id: UUID) -> set[str]:
    found = await conn.fetchval(
        "SELECT settled_flags FROM sessions WHERE tenant_id = $1 AND session_id = $2", tenant_id, session_id
    )
    return set(found or ())


async def insert_correction(
    conn: Connection,
    session: SessionState,
    correction_id: UUID,
    *,
    cause: str,
    changes: bytes,
    reason: str | None,
    corrected_by: str,
) -> None:
    await conn.execute(
        "INSERT INTO session_corrections (tenant_id, session_id, correction_id, cause, changes, reason, corrected_by) "
        "VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7)",
        session.tenant_id,
        session.session_id,
        correction_id,
        cause,
        changes.decode(),
        reason,
        corrected_by,
    )


async def list_corrections(conn: Connection, tenant_id: int, session_id: UUID, after: UUID, limit: int) -> list[Correction]:
    """In the order in which they came."""
    rows = await conn.fetch(
        "SELECT correction_id, cause, changes, reason, corrected_by, recorded_at FROM session_corrections "
        "WHERE tenant_id = $1 AND session_id = $2 AND correction_id > $3 ORDER BY correction_id LIMIT $4",
        tenant_id,
        session_id,
        after,
        limit,
    )
    return [Correction(**dict(row) | {"changes": msgspec.Raw(row["changes"].encode())}) for row in rows]


async def first_billed(conn: Connection, tenant_id: int, session_id: UUID) -> dict[str, msgspec.Raw]:
    """What the facts were that have changed since the session first ended. The row that ended it tells of a time before that."""
    rows = await conn.fetch(
        "SELECT DISTINCT ON (e.key) e.key, (e.value -> 0)::text AS before FROM session_corrections c "
        "CROSS JOIN LATERAL jsonb_each(c.changes) e WHERE c.tenant_id = $1 AND c.session_id = $2 "
        "AND c.changes -> 'status' ->> 0 IS DISTINCT FROM 'active' ORDER BY e.key, c.correction_id",
        tenant_id,
        session_id,
    )
    return {row["key"]: msgspec.Raw(row["before"].encode()) for row in rows}


async def events_of(conn: Connection, tenant_id: int, session_id: UUID, seq_no: int) -> list[StoredEvent]:
    """All events that a session has under one number, the first one first."""
    rows = await conn.fetch(
        "SELECT digest, type, event_time, event_time_text, conflict, resolution, data FROM transaction_events "
        "WHERE tenant_id = $1 AND session_id = $2 AND seq_no = $3 ORDER BY conflict, recorded_at, digest",
        tenant_id,
        session_id,
        seq_no,
    )
    return [StoredEvent(**dict(row) | {"data": row["data"].encode()}) for row in rows]


async def resolve_event(
    conn: Connection, tenant_id: int, session_id: UUID, seq_no: int, digest: bytes, *, resolution: str, reason: str, by: str
) -> None:
    await conn.execute(
        "UPDATE transaction_events SET resolution = $5, resolution_reason = $6, resolved_by = $7, resolved_at = now() "
        "WHERE tenant_id = $1 AND session_id = $2 AND seq_no = $3 AND digest = $4",
        tenant_id,
        session_id,
        seq_no,
        digest,
        resolution,
        reason,
        by,
    )


async def has_open_conflict(conn: Connection, tenant_id: int, session_id: UUID) -> bool:
    found = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM transaction_events WHERE tenant_id = $1 AND session_id = $2 AND conflict "
        "AND resolved_at IS NULL)",
        tenant_id,
        session_id,
    )
    return bool(found)


async def end_registers(
    conn: Connection, tenant_id: int, session_id: UUID, at: datetime | None
) -> tuple[set[Decimal], set[Decimal]]:
    """The registers in Wh that were measured exactly `at`, and those that were told as the end of the transaction."""
    rows: list[Any] = await conn.fetch(
        'SELECT r.ts, r.context, r."values"::text[] AS numbers, r.texts, coalesce(r.shape, h.shape) AS shape FROM samples r '
        "LEFT JOIN sample_shapes h ON h.tenant_id = r.tenant_id AND h.shape_id = r.shape_id "
        "WHERE r.tenant_id = $1 AND r.session_id = $2 AND (r.ts = $3 OR r.context = $4) LIMIT $5",
        tenant_id,
        session_id,
        at,
        CONTEXT_NUMBER["Transaction.End"],
        _MOST_REGISTERS,
    )
    measured: set[Decimal] = set()
    told: set[Decimal] = set()
    for row in rows:
        numbers = [number if number is not None and number != "NaN" else "" for number in row["numbers"]]
        register = Reading(row["ts"], None, row["context"], _RAW_SHAPE(row["shape"]), numbers).import_register_wh()
        if register is None:
            continue
        (measured if row["ts"] == at else told).add(register)
    return measured, told
