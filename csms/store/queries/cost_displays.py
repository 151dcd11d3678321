"""Which stations show their drivers what a session costs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from csms.store.pool import Connection


class Display(msgspec.Struct, frozen=True):
    """The station of a session. `displays_cost` None: not known."""

    station_id: int
    charge_point_id: str
    ocpp_version: str
    displays_cost: bool | None


async def display_of(conn: Connection, tenant_id: int, session_id: UUID) -> Display | None:
    row = await conn.fetchrow(
        "SELECT s.station_id, s.identity, x.ocpp_version, s.displays_cost FROM sessions x "
        "JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
        "WHERE x.tenant_id = $1 AND x.session_id = $2",
        tenant_id,
        session_id,
    )
    return None if row is None else Display(*row)


async def claim_question(
    conn: Connection, tenant_id: int, session_id: UUID, *, answered_before: datetime, asked_before: datetime
) -> Display | None:
    """The session's station, if it is to be asked: it is connected, has not answered since `answered_before`, and was not asked in
    vain since `asked_before`. It counts as asked now."""
    row = await conn.fetchrow(
        "UPDATE stations s SET displays_cost_asked_at = now() FROM sessions x "
        "WHERE x.tenant_id = $1 AND x.session_id = $2 AND s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
        "AND s.connected_process IS NOT NULL AND (s.displays_cost_asked_at IS NULL "
        "OR s.displays_cost_asked_at < CASE WHEN s.displays_cost IS NULL THEN $4::timestamptz ELSE $3 END) "
        "RETURNING s.station_id, s.identity, x.ocpp_version, s.displays_cost",
        tenant_id,
        session_id,
        answered_before,
        asked_before,
    )
    return None if row is None else Display(*row)


async def note_answer(conn: Connection, tenant_id: int, station_id: int, shows: bool) -> None:
    await conn.execute(
        "UPDATE stations SET displays_cost = $3 WHERE tenant_id = $1 AND station_id = $2", tenant_id, station_id, shows
    )
