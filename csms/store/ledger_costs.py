"""What prices are made of, in the ledger's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from csms.ledger.rows import PricedSession, StateRow
from csms.pricing.tariff import PriceSeries, Tariff
from csms.store.pool import Connection
from csms.store.queries import session_usage as usage
from csms.store.queries.price_series import steps_between
from csms.store.unnest import RowType

_STATE: Final = RowType(
    (("tenant_id", "int4"), ("station_id", "int8"), ("connector_id", "int4"), ("time", "timestamptz"), ("status", "text"))
)
_KEY: Final = RowType((("tenant_id", "int4"), ("session_id", "uuid")))
_read_tariff: Final = msgspec.json.Decoder(Tariff).decode


class CostStatements:
    connection: Connection

    async def note_states(self, rows: Sequence[StateRow]) -> None:
        await self.connection.execute(
            "INSERT INTO session_states (tenant_id, session_id, time, status) SELECT x.tenant_id, x.session_id, n.time, n.status "
            f"FROM {_STATE.source('n')} JOIN sessions x ON x.tenant_id = n.tenant_id AND x.station_id = n.station_id "
            "WHERE x.status = 'active' AND x.connector_id = n.connector_id AND x.ocpp_version = 'ocpp1.6' "
            "ON CONFLICT DO NOTHING",
            *_STATE.parameters(rows),
        )

    async def priced_sessions(
        self, keys: Collection[tuple[int, UUID]], most_readings: int
    ) -> dict[tuple[int, UUID], PricedSession]:
        rows = await self.connection.fetch(
            "SELECT c.tenant_id, c.session_id, v.tariff, coalesce(l.time_zone, t.time_zone), x.start_time, x.created_at, "
            f"{usage.RESERVED_AT} "
            f"FROM {_KEY.source('k')} JOIN session_costs c USING (tenant_id, session_id) "
            "JOIN sessions x USING (tenant_id, session_id) "
            "JOIN tariffs f ON f.tenant_id = c.tenant_id AND f.tariff_id = c.tariff_id "
            "CROSS JOIN LATERAL (SELECT n.tariff FROM tariff_versions n "
            "WHERE n.tenant_id = c.tenant_id AND n.tariff_id = c.tariff_id "
            # the one in force where sessions follow their tariff, else their own
            "AND CASE WHEN f.on_change = 'follow' THEN n.valid_from <= now() OR n.version = c.tariff_version "
            "ELSE n.version = c.tariff_version END ORDER BY n.valid_from DESC, n.version DESC LIMIT 1) v "
            "JOIN tenants t ON t.tenant_id = c.tenant_id "
            "JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
            "LEFT JOIN locations l ON l.tenant_id = s.tenant_id AND l.location_id = s.location_id",
            *_KEY.parameters(sorted(keys)),
        )
        found = {}
        for tenant_id, session_id, text, time_zone, start, first_seen, reserved_at in rows:
            everything: usage.After = {session_id: None}
            by_session = await usage.load_readings(self.connection, tenant_id, everything, limit=most_readings + 1)
            readings = by_session.get(session_id, [])
            if len(readings) > most_readings:
                continue
            tariff = _read_tariff(text)
            found[tenant_id, session_id] = PricedSession(
                tariff,
                await self._series(tenant_id, tariff, start or first_seen),
                time_zone,
                reserved_at,
                readings,
                (await usage.load_states(self.connection, tenant_id, everything)).get(session_id, []),
            )
        return found

    async def _series(self, tenant_id: int, tariff: Tariff, start: datetime) -> PriceSeries:
        if tariff.series_id is None:
            return PriceSeries()
        end: datetime = await self.connection.fetchval("SELECT now() + interval '1 day'")
        return PriceSeries(tuple(await steps_between(self.connection, tenant_id, tariff.series_id, start, end)))
