"""Comparing what the stations know with what the database and the API have (security.md section 3.2: the ledger method)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from tests.crash.charging import READINGS, Station, Transaction
from tests.e2e.running import Api

_SESSIONS = """
SELECT s.identity, x.transaction_ref, x.status, x.start_meter_wh, x.stop_meter_wh, x.energy_wh, x.incarnation,
       (SELECT count(*) FROM transaction_events e
        WHERE e.tenant_id = x.tenant_id AND e.session_id = x.session_id) AS events,
       (SELECT count(*) FROM transaction_events e
        WHERE e.tenant_id = x.tenant_id AND e.session_id = x.session_id AND e.conflict) AS conflicts,
       (SELECT array_agg(r."values"[1] ORDER BY r.ts) FROM
           (SELECT DISTINCT ts, "values" FROM samples
            WHERE tenant_id = x.tenant_id AND session_id = x.session_id) r) AS registers
FROM sessions x JOIN stations s USING (tenant_id, station_id)
"""


async def differences(database_url: str, stations: Sequence[Station]) -> list[str]:
    """Every way in which the stored sessions are not the real ones; empty when each is there, whole, once."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(_SESSIONS)
    finally:
        await connection.close()
    stored: dict[tuple[str, str], list[asyncpg.Record]] = {}
    for row in rows:
        stored.setdefault((row["identity"], row["transaction_ref"]), []).append(row)
    found: list[str] = []
    for station in stations:
        for transaction in station.transactions:
            key = (station.identity, str(transaction.transaction_id))
            kept = stored.pop(key, [])
            if len(kept) != 1:
                found.append(f"{key}: {len(kept)} sessions")
            else:
                found += [f"{key}: {fault}" for fault in _faults(station, transaction, kept[0])]
    found += [f"{key}: a session that no station knows" for key in stored]
    return found


def _faults(station: Station, transaction: Transaction, row: asyncpg.Record) -> list[str]:
    expected: dict[str, Any] = {
        "incarnation": 0,
        "conflicts": 0,
        "status": "completed",
        "start_meter_wh": transaction.start_wh,
        "stop_meter_wh": transaction.stop_wh,
        "energy_wh": transaction.stop_wh - transaction.start_wh,
        "registers": [register for _, register in transaction.readings],
        # 1.6: the start and the stop; 2.0.1: every event
        "events": 2 if station.version == "ocpp1.6" else READINGS + 1,
    }
    return [f"{name} is {row[name]}, not {value}" for name, value in expected.items() if row[name] != value]


def api_differences(api: Api, stations: Sequence[Station]) -> list[str]:
    """The same question to the API: all sessions, and the samples of the last one of each tenth station."""
    listed = {(s["charge_point_id"], s["transaction_id"]): s for s in api.items("/sessions", limit=500)}
    found: list[str] = []
    for index, station in enumerate(stations):
        for transaction in station.transactions:
            session = listed.pop((station.identity, str(transaction.transaction_id)), None)
            if session is None or session["energy_wh"] != transaction.stop_wh - transaction.start_wh:
                found.append(f"{station.identity} {transaction.transaction_id}: the API has {session}")
            elif index % 10 == 0 and transaction is station.transactions[-1]:
                samples = [(_moment(s["timestamp"]), s["value"]) for s in api.samples(session["session_id"])]
                if samples != [(_moment(timestamp), register) for timestamp, register in transaction.readings]:
                    found.append(f"{station.identity} {transaction.transaction_id}: samples {samples}")
    return found + [f"{key}: the API has it, no station does" for key in listed]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
