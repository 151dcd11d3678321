"""Comparing what the stations know with what the database and the API have (security.md section 3.2: the ledger method)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from csms.domain.session_flags import DOUBTS
from tests.crash.charging import Station, Transaction
from tests.e2e.running import Api

Key = tuple[str, str]
"""A station's identity and the text of a transaction id."""

_SESSIONS = """
WITH recent AS (
    SELECT s.identity, x.* FROM sessions x JOIN stations s USING (tenant_id, station_id) WHERE x.created_at >= $1
), events AS (
    SELECT tenant_id, session_id, count(*) AS events, count(*) FILTER (WHERE conflict) AS conflicts
    FROM transaction_events JOIN recent USING (tenant_id, session_id) GROUP BY 1, 2
), registers AS (
    SELECT tenant_id, session_id, array_agg(register ORDER BY ts) AS registers
    FROM (SELECT DISTINCT tenant_id, session_id, ts, "values"[1] AS register FROM samples
          JOIN recent USING (tenant_id, session_id)) AS readings GROUP BY 1, 2
), published AS (
    SELECT tenant_id, o.session_id,
           count(*) FILTER (WHERE o.type = 'session.started') AS told_started,
           count(*) FILTER (WHERE o.type = 'session.ended') AS told_ended
    FROM outbox o JOIN recent USING (tenant_id) WHERE o.session_id = recent.session_id GROUP BY 1, 2
)
SELECT r.identity, r.transaction_ref, r.ocpp_version, r.status, r.start_meter_wh, r.stop_meter_wh, r.energy_wh, r.last_meter_wh,
       r.incarnation, r.flags, coalesce(e.events, 0) AS events, coalesce(e.conflicts, 0) AS conflicts,
       coalesce(g.registers, '{}') AS registers,
       coalesce(p.told_started, 0) AS told_started, coalesce(p.told_ended, 0) AS told_ended
FROM recent r
LEFT JOIN events e USING (tenant_id, session_id)
LEFT JOIN registers g USING (tenant_id, session_id)
LEFT JOIN published p USING (tenant_id, session_id)
"""
_ALL_SESSIONS = "SELECT count(*) FROM sessions"
_TRANSACTION_IDS_GIVEN_TWICE = """
SELECT transaction_ref, count(*) FROM sessions WHERE ocpp_version = 'ocpp1.6' GROUP BY transaction_ref HAVING count(*) > 1
"""
_STATUS = """
SELECT s.identity, c.status, c.status_time FROM connectors c JOIN stations s USING (tenant_id, station_id)
WHERE c.evse_id = 1 AND c.connector_id = 1
"""
_SECURITY = """
SELECT data ->> 'techInfo' AS told FROM station_events WHERE type = 'security_event' AND recorded_at >= $1
"""


@dataclass(slots=True)
class Account:
    """The account of one network over all rounds: what was settled before is not looked at again, but it still counts."""

    database_url: str
    stations: Sequence[Station]
    settled: set[Key] = field(default_factory=set)

    async def differences(self) -> list[str]:
        """Every way in which the stored facts are not the real ones; empty when each is there, whole, once.

        All stations must be idle: a message that is under way is neither acknowledged nor lost.
        """
        began = [t.began for station in self.stations for t in station.transactions]
        if not began:
            return []
        since = min(began) - timedelta(seconds=1)
        connection = await asyncpg.connect(self.database_url, timeout=10)
        try:
            sessions = await connection.fetch(_SESSIONS, since)
            stored = await connection.fetchval(_ALL_SESSIONS)
            twice = await connection.fetch(_TRANSACTION_IDS_GIVEN_TWICE)
            statuses = {row["identity"]: (row["status_time"], row["status"]) for row in await connection.fetch(_STATUS)}
            security = Counter(row["told"] for row in await connection.fetch(_SECURITY, since))
        finally:
            await connection.close()
        found = self._session_differences(sessions)
        real = len(self.settled) + sum(1 for station in self.stations for t in station.transactions if t.started)
        if stored != real:
            found.append(f"{stored} sessions are stored, {real} are real")
        found += [f"transaction id {row['transaction_ref']} was given {row['count']} times" for row in twice]
        for station in self.stations:
            if station.status is not None:
                time, status = _moment(station.status[0]), station.status[1]
                if statuses.get(station.identity) != (time, status):
                    found.append(f"{station.identity}: status {statuses.get(station.identity)}, not {(time, status)}")
            found += [
                f"{told}: the security event is stored {security[told]} times"
                for told in station.security_events
                if security[told] != 1
            ]
        return found

    def settle(self) -> None:
        """What is complete was found right: forget all of it but its name."""
        for station in self.stations:
            done = [t for t in station.transactions if t.complete]
            self.settled.update(_key(station, t) for t in done)
            station.transactions = [t for t in station.transactions if not t.complete]
            station.security_events.clear()

    def _session_differences(self, rows: Sequence[asyncpg.Record]) -> list[str]:
        stored: dict[Key, list[asyncpg.Record]] = {}
        for row in rows:
            stored.setdefault((row["identity"], row["transaction_ref"]), []).append(row)
        found: list[str] = []
        for station in self.stations:
            for transaction in station.transactions:
                if transaction.started:
                    kept = stored.pop(_key(station, transaction), [])
                    if len(kept) == 1:
                        found += [f"{_key(station, transaction)}: {fault}" for fault in _faults(station, transaction, kept[0])]
                    else:
                        found.append(f"{_key(station, transaction)}: {len(kept)} sessions")
        return found + [f"{key}: a session that no station knows" for key in stored if key not in self.settled]


def _key(station: Station, transaction: Transaction) -> Key:
    return station.identity, str(transaction.transaction_id)


def _faults(station: Station, transaction: Transaction, row: asyncpg.Record) -> list[str]:
    """How one stored session differs from the charge, as far as that was acknowledged: also while it goes on."""
    done = transaction.complete
    expected: dict[str, Any] = {
        "incarnation": 0,
        "conflicts": 0,
        "status": "completed" if done else "active",
        "start_meter_wh": transaction.start_wh,
        "registers": [register for _, register in transaction.readings],
        "events": transaction.acknowledged_events,
        "told_started": 1,
        "told_ended": int(done),
    }
    if done:
        expected["stop_meter_wh"] = transaction.stop_wh
        expected["energy_wh"] = transaction.stop_wh - transaction.start_wh
    elif transaction.readings:
        expected["last_meter_wh"] = transaction.readings[-1][1]
    found = [f"{name} is {row[name]}, not {value}" for name, value in expected.items() if row[name] != value]
    # a token that is used at two stations at once is refused, and the stations charge all the same
    doubts = set(row["flags"]) & set(DOUBTS) - {"unauthorized"}
    return [*found, *(f"flagged {flag}" for flag in sorted(doubts))]


def api_differences(api: Api, stations: Sequence[Station]) -> list[str]:
    """The same question to the API, for the transactions that are not settled yet, with the samples of the last one."""
    found: list[str] = []
    for station in stations:
        listed = {session["transaction_id"]: session for session in api.sessions(station.identity)}
        complete = [t for t in station.transactions if t.complete]
        for transaction in complete:
            session = listed.get(str(transaction.transaction_id))
            if session is None or session["energy_wh"] != transaction.stop_wh - transaction.start_wh:
                found.append(f"{_key(station, transaction)}: the API has {session}")
            elif transaction is complete[-1]:
                samples = [(_moment(s["timestamp"]), s["value"]) for s in api.samples(session["session_id"])]
                if samples != [(_moment(timestamp), register) for timestamp, register in transaction.readings]:
                    found.append(f"{_key(station, transaction)}: samples {samples}")
    return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
