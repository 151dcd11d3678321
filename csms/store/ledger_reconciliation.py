"""Sessions in doubt, and corrections of finished ones, in the ledger's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from csms.domain.session_state import SessionState
from csms.ledger.rows import ConnectorKey, CorrectionRow
from csms.store.ledger_sessions import SESSION_COLUMNS, session_of
from csms.store.pool import Connection
from csms.store.unnest import RowType

_CORRECTION: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("session_id", "uuid"),
        ("correction_id", "uuid"),
        ("cause", "text"),
        ("changes", "text"),
    )
)
_ASKED: Final = RowType((("tenant_id", "int4"), ("session_id", "uuid"), ("reconcile_at", "timestamptz")))
_CONNECTOR: Final = RowType((("tenant_id", "int4"), ("station_id", "int8"), ("connector_id", "int4")))


class ReconciliationStatements:
    connection: Connection

    async def insert_corrections(self, rows: Sequence[CorrectionRow]) -> None:
        await self.connection.execute(
            "INSERT INTO session_corrections (tenant_id, session_id, correction_id, cause, changes) "
            f"SELECT n.tenant_id, n.session_id, n.correction_id, n.cause, n.changes::jsonb FROM {_CORRECTION.source('n')}",
            *_CORRECTION.parameters((r.tenant_id, r.session_id, r.correction_id, r.cause, r.changes.decode()) for r in rows),
        )

    async def silent_sessions(self, process_id: UUID, *, silence: timedelta, settle: timedelta, limit: int) -> list[SessionState]:
        # the last sign that a station gave of starting over: its boot, or its connection
        back = "greatest(s.connected_at, s.booted_at)"
        active = await self.connection.fetch(
            f"SELECT {SESSION_COLUMNS} FROM sessions x JOIN stations s USING (tenant_id, station_id) "
            # a station that has started over since it was asked is asked anew
            f"WHERE x.status = 'active' AND s.connected_process = $1 AND (x.reconcile_at IS NULL OR x.reconcile_at <= now() "
            f"OR x.asked_at < {back}) "
            f"AND (x.updated_at < now() - $2::interval OR (x.updated_at < {back} AND {back} < now() - $3::interval)) "
            "ORDER BY x.updated_at, x.session_id LIMIT $4 FOR UPDATE OF x SKIP LOCKED",
            process_id,
            silence,
            settle,
            limit,
        )
        ended = await self.connection.fetch(
            f"SELECT {SESSION_COLUMNS} FROM sessions x JOIN stations s USING (tenant_id, station_id) "
            "WHERE x.status <> 'active' AND s.connected_process = $1 AND x.reconcile_at <= now() "
            "ORDER BY x.reconcile_at, x.session_id LIMIT $2 FOR UPDATE OF x SKIP LOCKED",
            process_id,
            limit,
        )
        return [session_of(row) for row in (*active, *ended)]

    async def forlorn_sessions(self, after: timedelta, limit: int) -> list[SessionState]:
        rows = await self.connection.fetch(
            f"SELECT {SESSION_COLUMNS} FROM sessions x WHERE x.status = 'active' AND x.updated_at < now() - $1::interval "
            "ORDER BY x.updated_at, x.session_id LIMIT $2 FOR UPDATE OF x SKIP LOCKED",
            after,
            limit,
        )
        return [session_of(row) for row in rows]

    async def note_asked(self, sessions: Mapping[tuple[int, UUID], datetime | None]) -> None:
        await self.connection.execute(
            f"UPDATE sessions x SET asked_at = now(), reconcile_at = n.reconcile_at FROM {_ASKED.source('n')} "
            "WHERE x.tenant_id = n.tenant_id AND x.session_id = n.session_id",
            *_ASKED.parameters((*key, at) for key, at in sorted(sessions.items(), key=lambda item: item[0])),
        )

    async def asked_on_connectors(self, keys: Collection[ConnectorKey]) -> list[SessionState]:
        rows = await self.connection.fetch(
            f"SELECT {SESSION_COLUMNS} FROM {_CONNECTOR.source('k')} JOIN sessions x USING (tenant_id, station_id, connector_id) "
            "WHERE x.status = 'active' AND x.ocpp_version = 'ocpp1.6' AND x.asked_at > x.updated_at "
            "ORDER BY x.tenant_id, x.session_id FOR UPDATE OF x",
            *_CONNECTOR.parameters(sorted(keys)),
        )
        return [session_of(row) for row in rows]
