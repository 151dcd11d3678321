"""What a store has after a run, in the oracle's terms."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from uuid import UUID

from tests.simulation.model import ModelDatabase
from tests.simulation.oracle import Facts, StoredSession, decoded


def facts_of(database: ModelDatabase) -> Facts:
    tables = database.tables
    slugs = tables.table("tenants")
    stations = {key: (slugs[key[0]], station.identity) for key, station in tables.table("stations").items()}
    events: dict[tuple[int, UUID], list[tuple[int, str, bool]]] = defaultdict(list)
    for (tenant_id, session_id, seq_no), rows in tables.table("events").items():
        events[tenant_id, session_id] += [(seq_no, row.type, row.conflict) for row in rows]
    registers: dict[tuple[int, UUID], set[Decimal]] = defaultdict(set)
    for key, sample in tables.table("samples").values():
        registers[key].update(value for value in sample.values if value is not None)
    published: dict[tuple[int, UUID], Counter[str]] = defaultdict(Counter)
    for row in tables.table("outbox").values():
        if row.session_id is not None:
            published[row.tenant_id, row.session_id][row.type] += 1
    sessions = []
    for key, row in tables.table("sessions").items():
        state = row.state
        sessions.append(
            StoredSession(
                *stations[state.tenant_id, state.station_id],
                state.transaction_ref,
                state.incarnation,
                state.status,
                state.id_token,
                state.start_time_text,
                state.start_meter_wh,
                state.stop_meter_wh,
                state.energy_wh,
                state.flags,
                events[key],
                registers[key],
                published[key],
            )
        )
    orphans = [
        (*stations[row.tenant_id, row.station_id], decoded(row.payload))
        for row in tables.table("quarantine").values()
        if row.reason == "orphan"
    ]
    return Facts(sessions, orphans)
