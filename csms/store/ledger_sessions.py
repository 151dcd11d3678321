"""Sessions and their events in the ledger's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import asyncpg

from csms.domain.session_state import SessionState
from csms.ledger.rows import EventRow
from csms.store.in_order import InOrder, Write
from csms.store.pool import Connection
from csms.store.unnest import RowType

_TYPES: Final = {
    "tenant_id": "int4",
    "session_id": "uuid",
    "station_id": "int8",
    "ocpp_version": "text",
    "transaction_ref": "text",
    "incarnation": "int4",
    "evse_id": "int4",
    "connector_id": "int4",
    "status": "text",
    "id_token": "text",
    "id_token_type": "text",
    "id_token_seq": "int4",
    "group_id_token": "text",
    "authorization_status": "text",
    "authorization_reason": "text",
    "start_key": "bytea",
    "start_time": "timestamptz",
    "start_time_text": "text",
    "stop_time": "timestamptz",
    "stop_time_text": "text",
    "start_meter_wh": "numeric",
    "stop_meter_wh": "numeric",
    "last_meter_wh": "numeric",
    "last_meter_time": "timestamptz",
    "energy_wh": "numeric",
    "start_meter_seq": "int4",
    "start_meter_time": "timestamptz",
    "last_meter_seq": "int4",
    "stop_reason": "text",
    "charging_state": "text",
    "remote_start_id": "int8",
    "reservation_id": "int8",
    "command_id": "uuid",
    "first_seq": "int4",
    "last_seq": "int4",
    "started_seq": "int4",
    "ended_seq": "int4",
    "event_count": "int4",
    "flags": "text",
}
_COLUMNS: Final = tuple((name, _TYPES[name]) for name in SessionState.__struct_fields__)
_SESSION: Final = RowType(_COLUMNS)
_NAMES: Final = SessionState.__struct_fields__
_KEY: Final = frozenset({"tenant_id", "session_id", "station_id", "ocpp_version", "transaction_ref", "incarnation", "start_key"})
SESSION_COLUMNS: Final = ", ".join(f"x.{name}" for name in _NAMES)
_VALUES: Final = ", ".join("string_to_array(n.flags, ',')" if name == "flags" else f"n.{name}" for name in _NAMES)
_SETTINGS: Final = ", ".join(
    "flags = string_to_array(n.flags, ',')" if name == "flags" else f"{name} = n.{name}" for name in _NAMES if name not in _KEY
)
_PROGRESS: Final = (
    "last_meter_wh",
    "last_meter_time",
    "energy_wh",
    "last_meter_seq",
    "charging_state",
    "last_seq",
    "event_count",
)
"""The columns that an event in the midst of a session changes, and mostly the only ones."""
_PROGRESSED: Final = RowType(tuple(column for column in _COLUMNS if column[0] in ("tenant_id", "session_id", *_PROGRESS)))
_progress_of: Final = attrgetter(*(name for name, _ in _PROGRESSED.columns))
_besides_progress: Final = attrgetter(*(name for name in _NAMES if name not in _KEY and name not in _PROGRESS))

_STATION: Final = RowType((("tenant_id", "int4"), ("station_id", "int8")))
_REF: Final = RowType((("tenant_id", "int4"), ("station_id", "int8"), ("transaction_ref", "text")))
_START_KEY: Final = RowType((("tenant_id", "int4"), ("station_id", "int8"), ("start_key", "bytea")))
_SESSION_KEY: Final = RowType((("tenant_id", "int4"), ("session_id", "uuid")))
_EVENT_KEY: Final = RowType((("tenant_id", "int4"), ("session_id", "uuid"), ("seq_no", "int4")))
_EVENT: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("session_id", "uuid"),
        ("seq_no", "int4"),
        ("digest", "bytea"),
        ("type", "text"),
        ("event_time", "timestamptz"),
        ("event_time_text", "text"),
        ("trigger_reason", "text"),
        ("offline", "bool"),
        ("conflict", "bool"),
        ("data", "text"),
        ("answer", "text"),
    )
)


class SessionStatements:
    connection: Connection
    later: InOrder
    read_sessions: dict[tuple[int, UUID], Any]
    """What the sessions that this transaction read and locked for an event had besides their progress."""

    async def sessions_by_ref(self, keys: Collection[tuple[int, int, str]]) -> dict[tuple[int, int, str], SessionState]:
        rows = await self.connection.fetch(
            f"SELECT {SESSION_COLUMNS} FROM {_REF.source('k')} JOIN sessions x USING (tenant_id, station_id, transaction_ref) "
            "ORDER BY x.tenant_id, x.session_id FOR UPDATE OF x",
            *_REF.parameters(sorted(keys)),
        )
        found: dict[tuple[int, int, str], SessionState] = {}
        for session in map(session_of, rows):
            self.read_sessions[session.tenant_id, session.session_id] = _besides_progress(session)
            key = (session.tenant_id, session.station_id, session.transaction_ref)
            if key not in found or session.incarnation > found[key].incarnation:
                found[key] = session
        return found

    async def sessions_by_start_key(self, keys: Collection[tuple[int, int, bytes]]) -> dict[tuple[int, int, bytes], SessionState]:
        rows = await self.connection.fetch(
            f"SELECT {SESSION_COLUMNS} FROM {_START_KEY.source('k')} JOIN sessions x USING (tenant_id, station_id, start_key) "
            "ORDER BY x.tenant_id, x.session_id FOR UPDATE OF x",
            *_START_KEY.parameters(sorted(keys)),
        )
        # in the order of session ids: the newest with the same key stays
        return {(s.tenant_id, s.station_id, s.start_key or b""): s for s in map(session_of, rows)}

    async def open_sessions(self, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], list[SessionState]]:
        rows = await self.connection.fetch(
            f"SELECT {SESSION_COLUMNS} FROM {_STATION.source('k')} "
            "JOIN sessions x ON x.tenant_id = k.tenant_id AND x.station_id = k.station_id AND x.status = 'active' "
            "ORDER BY x.tenant_id, x.session_id FOR UPDATE OF x",
            *_STATION.parameters(sorted(keys)),
        )
        found: dict[tuple[int, int], list[SessionState]] = {}
        for session in map(session_of, rows):
            found.setdefault((session.tenant_id, session.station_id), []).append(session)
        return found

    async def session_ids(self, keys: Collection[tuple[int, int, str]]) -> dict[tuple[int, int, str], UUID]:
        rows = await self.connection.fetch(
            "SELECT x.tenant_id, x.station_id, x.transaction_ref, x.session_id "
            f"FROM {_REF.source('k')} JOIN sessions x USING (tenant_id, station_id, transaction_ref) ORDER BY x.incarnation",
            *_REF.parameters(keys),
        )
        return {(row[0], row[1], row[2]): row[3] for row in rows}

    async def sessions_by_id(self, keys: Collection[tuple[int, UUID]]) -> dict[tuple[int, UUID], SessionState]:
        rows = await self.connection.fetch(
            f"SELECT {SESSION_COLUMNS} FROM {_SESSION_KEY.source('k')} JOIN sessions x USING (tenant_id, session_id) "
            "ORDER BY x.tenant_id, x.session_id FOR UPDATE OF x",
            *_SESSION_KEY.parameters(sorted(keys)),
        )
        return {(session.tenant_id, session.session_id): session for session in map(session_of, rows)}

    async def refs_elsewhere(self, keys: Collection[tuple[int, int, str]]) -> set[tuple[int, int, str]]:
        # by station, because the unique key leads with it: the stations of a tenant are few against its sessions
        rows = await self.connection.fetch(
            f"SELECT k.tenant_id, k.station_id, k.transaction_ref FROM {_REF.source('k')} WHERE EXISTS ("
            "SELECT FROM stations s JOIN sessions x ON x.tenant_id = s.tenant_id AND x.station_id = s.station_id "
            "AND x.transaction_ref = k.transaction_ref WHERE s.tenant_id = k.tenant_id AND s.station_id <> k.station_id)",
            *_REF.parameters(keys),
        )
        return {(row[0], row[1], row[2]) for row in rows}

    async def flag_sessions(self, keys: Collection[tuple[int, UUID]], flag: str) -> None:
        await self.connection.execute(
            "UPDATE sessions x SET flags = array_append(x.flags, $3), updated_at = now() "
            f"FROM {_SESSION_KEY.source('k')} WHERE x.tenant_id = k.tenant_id AND x.session_id = k.session_id "
            "AND NOT $3 = ANY(x.flags)",
            *_SESSION_KEY.parameters(sorted(keys)),
            flag,
        )

    async def insert_sessions(self, rows: Sequence[SessionState]) -> None:
        await self.connection.execute(
            f"INSERT INTO sessions ({', '.join(_NAMES)}) SELECT {_VALUES} FROM {_SESSION.source('n')}",
            *_SESSION.parameters(map(_values, rows)),
        )

    async def update_sessions(self, rows: Sequence[SessionState]) -> None:
        progressed: list[SessionState] = []
        changed: list[SessionState] = []
        for session in rows:
            read = self.read_sessions.get((session.tenant_id, session.session_id))
            (progressed if read == _besides_progress(session) else changed).append(session)
        if changed:
            await self.connection.execute(
                f"UPDATE sessions x SET {_SETTINGS}, updated_at = now() FROM {_SESSION.source('n')} "
                "WHERE x.tenant_id = n.tenant_id AND x.session_id = n.session_id",
                *_SESSION.parameters(map(_values, changed)),
            )
        if progressed:
            self.later.write_later(Write("progress", _progress, _PROGRESSED.parameters(map(_progress_of, progressed))))

    async def next_transaction_numbers(self, count: int) -> list[int]:
        rows = await self.connection.fetch("SELECT nextval('ocpp16_transaction_numbers') FROM generate_series(1, $1)", count)
        return [row[0] for row in rows]

    async def events_at(self, keys: Collection[tuple[int, UUID, int]]) -> dict[tuple[int, UUID, int], list[EventRow]]:
        rows = await self.connection.fetch(
            "SELECT e.tenant_id, e.session_id, e.seq_no, e.digest, e.type, e.event_time, e.event_time_text, e.trigger_reason, "
            "e.offline, e.conflict, e.data, e.answer "
            f"FROM {_EVENT_KEY.source('k')} JOIN transaction_events e USING (tenant_id, session_id, seq_no)",
            *_EVENT_KEY.parameters(keys),
        )
        found: dict[tuple[int, UUID, int], list[EventRow]] = {}
        for row in rows:
            fields = dict(row) | {"data": row["data"].encode(), "answer": row["answer"].encode()}
            event = EventRow(**fields)
            found.setdefault((event.tenant_id, event.session_id, event.seq_no), []).append(event)
        return found

    async def insert_events(self, rows: Sequence[EventRow]) -> None:
        events = _EVENT.parameters(
            (
                e.tenant_id,
                e.session_id,
                e.seq_no,
                e.digest,
                e.type,
                e.event_time,
                e.event_time_text,
                e.trigger_reason,
                e.offline,
                e.conflict,
                e.data.decode(),
                e.answer.decode(),
            )
            for e in rows
        )
        self.later.write_later(Write("events", _insert_events, events))


def _progress(first: int) -> str:
    settings = ", ".join(f"{name} = n.{name}" for name in _PROGRESS)
    return (
        f"UPDATE sessions x SET {settings}, updated_at = now() FROM {_PROGRESSED.source('n', first)} "
        "WHERE x.tenant_id = n.tenant_id AND x.session_id = n.session_id"
    )


def _insert_events(first: int) -> str:
    return (
        "INSERT INTO transaction_events (tenant_id, session_id, seq_no, digest, type, event_time, event_time_text, "
        "trigger_reason, offline, conflict, data, answer) SELECT n.tenant_id, n.session_id, n.seq_no, n.digest, n.type, "
        "n.event_time, n.event_time_text, n.trigger_reason, n.offline, n.conflict, n.data::jsonb, n.answer::jsonb "
        f"FROM {_EVENT.source('n', first)} ON CONFLICT DO NOTHING"
    )


def session_of(row: asyncpg.Record) -> SessionState:
    """The session of a row of `SESSION_COLUMNS`, which are in the order of its fields."""
    return SessionState(*row)


def _values(session: SessionState) -> tuple[Any, ...]:
    return tuple(",".join(session.flags) if name == "flags" else getattr(session, name) for name in _NAMES)
