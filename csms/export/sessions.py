"""Sessions as flat rows, in the order of csms.store.queries.session_exports.export_rows."""

from __future__ import annotations

from typing import Final

from csms.export.table import Column, Table

SESSIONS: Final = Table(
    "sessions",
    (
        Column("session_id"),
        Column("charge_point_id"),
        Column("evse_id", "integer"),
        Column("connector_id", "integer"),
        Column("transaction_id"),
        Column("ocpp_version"),
        Column("status"),
        Column("id_token"),
        Column("id_token_type"),
        Column("start_time", "time"),
        Column("stop_time", "time"),
        Column("start_meter_wh", "decimal", 9),
        Column("stop_meter_wh", "decimal", 9),
        Column("energy_wh", "decimal", 9),
        Column("stop_reason"),
        # names, with a comma between them
        Column("flags"),
        Column("location_id"),
        Column("location_name"),
        Column("created_at", "time"),
    ),
)
