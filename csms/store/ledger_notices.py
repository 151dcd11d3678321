"""Station events, device reports and the outbox in the ledger's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from csms.domain.operations import StoreDeviceReport
from csms.ledger.rows import OutboxRow, StationEventRow, StoredEvent
from csms.store.in_order import InOrder, Write
from csms.store.pool import Connection
from csms.store.unnest import RowType

_STATION_EVENT: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("event_id", "uuid"),
        ("station_id", "int8"),
        ("type", "text"),
        ("event_time", "timestamptz"),
        ("data", "text"),
        ("digest", "bytea"),
        ("reference", "text"),
        ("caused_by", "text"),
    )
)
_OUTBOX: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("type", "text"),
        ("station_id", "int8"),
        ("session_id", "uuid"),
        ("occurred_at", "timestamptz"),
        ("data", "text"),
    )
)
_VARIABLE_COLUMNS: Final = (
    ("tenant_id", "int4"),
    ("station_id", "int8"),
    ("component", "text"),
    ("component_instance", "text"),
    ("evse_id", "int4"),
    ("connector_id", "int4"),
    ("variable", "text"),
    ("variable_instance", "text"),
    ("attribute", "text"),
    ("value", "text"),
    ("mutability", "text"),
    ("persistent", "bool"),
    ("constant", "bool"),
    ("characteristics", "text"),
)
_VARIABLE: Final = RowType(_VARIABLE_COLUMNS)
_VARIABLE_KEY_WIDTH: Final = 9


class NoticeStatements:
    connection: Connection
    later: InOrder

    async def insert_station_events(self, rows: Sequence[StationEventRow]) -> list[StoredEvent | None]:
        stored = await self.connection.fetch(
            "INSERT INTO station_events (tenant_id, event_id, station_id, type, event_time, data, digest, command_id) "
            "SELECT n.tenant_id, n.event_id, n.station_id, n.type, n.event_time, n.data::jsonb, n.digest, "
            "(SELECT c.command_id FROM commands c WHERE c.tenant_id = n.tenant_id AND c.station_id = n.station_id "
            "AND c.reference = n.reference AND c.action = ANY(string_to_array(n.caused_by, ' ')) "
            # a command that the station refused causes nothing, as long as there is another one
            "ORDER BY c.status = 'rejected', c.sent_at DESC LIMIT 1) "
            f"FROM {_STATION_EVENT.source('n')} WHERE NOT EXISTS (SELECT FROM station_events e "
            "WHERE e.tenant_id = n.tenant_id AND e.station_id = n.station_id AND e.digest = n.digest "
            "AND e.recorded_at > now() - interval '1 h') RETURNING event_id, command_id",
            *_STATION_EVENT.parameters(
                (
                    r.tenant_id,
                    r.event_id,
                    r.station_id,
                    r.type,
                    r.event_time,
                    r.data.decode(),
                    r.digest,
                    r.reference,
                    " ".join(r.caused_by),
                )
                for r in rows
            ),
        )
        fresh = {row[0]: StoredEvent(row[1]) for row in stored}
        return [fresh.get(row.event_id) for row in rows]

    async def upsert_device_variables(self, reports: Sequence[StoreDeviceReport], now: datetime) -> None:
        # one row per key: a report that names a variable twice would hit its own row twice in one statement
        latest = {}
        for report in reports:
            for v in report.variables:
                row = (
                    report.tenant_id,
                    report.station_id,
                    v.component,
                    v.component_instance,
                    v.evse_id,
                    v.connector_id,
                    v.variable,
                    v.variable_instance,
                    v.attribute,
                    v.value,
                    v.mutability,
                    v.persistent,
                    v.constant,
                    None if v.characteristics is None else v.characteristics.decode(),
                )
                latest[row[:_VARIABLE_KEY_WIDTH]] = row
        names = ", ".join(name for name, _ in _VARIABLE_COLUMNS)
        values = ", ".join(f"n.{name}" for name, _ in _VARIABLE_COLUMNS[:-1])
        await self.connection.execute(
            f"INSERT INTO device_variables ({names}, reported_at) SELECT {values}, n.characteristics::jsonb, $15 "
            f"FROM {_VARIABLE.source('n')} "
            "ON CONFLICT (tenant_id, station_id, component, component_instance, evse_id, connector_id, variable, "
            "variable_instance, attribute) DO UPDATE SET value = excluded.value, mutability = excluded.mutability, "
            "persistent = excluded.persistent, constant = excluded.constant, "
            "characteristics = coalesce(excluded.characteristics, device_variables.characteristics), "
            "reported_at = excluded.reported_at",
            *_VARIABLE.parameters(latest.values()),
            now,
        )

    async def insert_outbox(self, rows: Sequence[OutboxRow]) -> None:
        events = _OUTBOX.parameters((r.tenant_id, r.type, r.station_id, r.session_id, r.occurred_at, r.data.decode()) for r in rows)
        self.later.write_later(Write("outbox", _insert_outbox, events))


def _insert_outbox(first: int) -> str:
    return (
        "INSERT INTO outbox (tenant_id, type, station_id, session_id, occurred_at, data) "
        f"SELECT n.tenant_id, n.type, n.station_id, n.session_id, n.occurred_at, n.data FROM {_OUTBOX.source('n', first)}"
    )
