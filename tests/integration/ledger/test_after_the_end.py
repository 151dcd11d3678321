"""What comes after a session was closed without its stop: it counts, and it is traced (decision 0014)."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec
import pytest

from csms.domain.operations import ReconcileSessions
from csms.store.ledger_transaction import PostgresLedgerTransaction
from tests.integration.ledger.conftest import Bench, reading

GIVE_UP = {"silence_s": 1e6, "settle_s": 1e6, "give_up_s": 3600.0}


async def given_up(bench: Bench) -> None:
    """Close the running sessions as given up."""
    await bench.owner("UPDATE sessions SET updated_at = now() - interval '2 h' WHERE status = 'active'")
    (row,) = await bench.rows("SELECT connected_process FROM stations LIMIT 1")
    await bench.ledger.commit(ReconcileSessions(tenant_id=0, station_id=0, process_id=row["connected_process"], **GIVE_UP))


async def session(bench: Bench) -> dict[str, Any]:
    (row,) = await bench.rows("SELECT * FROM sessions")
    return row


async def corrections(bench: Bench) -> list[dict[str, Any]]:
    rows = await bench.rows("SELECT cause, changes FROM session_corrections ORDER BY correction_id")
    return [{"cause": row["cause"], **msgspec.json.decode(row["changes"])} for row in rows]


async def test_a_late_stop_completes_it(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    await bench.meter(station, started.transaction_id, reading(10, "1500"))
    await given_up(bench)
    closed = await session(bench)
    assert (closed["status"], closed["stop_meter_wh"], closed["energy_wh"]) == ("incomplete", 1500, 500)
    assert closed["flags"] == ["given_up", "stop_missing"]
    await bench.stop(station, started.transaction_id)
    stopped = await session(bench)
    assert (stopped["status"], stopped["stop_meter_wh"], stopped["energy_wh"]) == ("completed", 5000, 4000)
    (correction,) = await corrections(bench)
    assert correction["cause"] == "StopTransaction"
    assert correction["status"] == ["incomplete", "completed"]
    assert correction["energy_wh"] == [500, 4000]
    (event,) = await bench.rows("SELECT data, session_id FROM outbox WHERE type = 'session.corrected'")
    assert msgspec.json.decode(event["data"])["changes"]["energy_wh"] == [500, 4000]


async def test_late_meter_values_move_it_and_a_repeat_moves_nothing(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    await bench.meter(station, started.transaction_id, reading(10, "1500"))
    await given_up(bench)
    await bench.meter(station, started.transaction_id, reading(20, "1800"))
    await bench.meter(station, started.transaction_id, reading(20, "1800"))
    await bench.meter(station, started.transaction_id, reading(15, "1600"))
    row = await session(bench)
    assert (row["status"], row["stop_meter_wh"], row["energy_wh"]) == ("incomplete", 1800, 800)
    assert [c["energy_wh"] for c in await corrections(bench)] == [[500, 800]]


async def test_meter_values_that_race_with_the_close_are_not_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session is closed between the look-up of the message and its statement: the register moves the closed session."""
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    look_up = PostgresLedgerTransaction.session_ids

    async def closed_meanwhile(self: PostgresLedgerTransaction, keys: Any) -> Any:
        found = await look_up(self, keys)
        other = await asyncpg.connect(bench.dsn)
        await other.execute(
            "UPDATE sessions SET status = 'incomplete', flags = '{given_up,stop_missing}', stop_meter_wh = 1000, "
            "stop_time = start_time"
        )
        await other.close()
        return found

    monkeypatch.setattr(PostgresLedgerTransaction, "session_ids", closed_meanwhile)
    await bench.meter(station, started.transaction_id, reading(10, "1700"))
    row = await session(bench)
    assert (row["status"], row["stop_meter_wh"], row["energy_wh"]) == ("incomplete", 1700, 700)
    assert [c["stop_meter_wh"] for c in await corrections(bench)] == [[1000, 1700]]


async def test_late_events_of_2x_move_it(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z", readings=[reading(0, "1000")])
    await bench.event(station, "Updated", 1, "2026-03-01T10:10:00Z", readings=[reading(10, "1500")])
    await given_up(bench)
    await bench.event(station, "Updated", 2, "2026-03-01T10:20:00Z", readings=[reading(20, "1800")])
    row = await session(bench)
    assert (row["status"], row["stop_meter_wh"], row["energy_wh"]) == ("incomplete", 1800, 800)
    await bench.event(station, "Ended", 3, "2026-03-01T10:30:00Z", readings=[reading(30, "2000")])
    row = await session(bench)
    assert (row["status"], row["stop_meter_wh"], row["energy_wh"]) == ("completed", 2000, 1000)
    assert [c["cause"] for c in await corrections(bench)] == ["TransactionEvent", "TransactionEvent"]


async def test_an_end_in_conflict_ends_nothing(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z")
    await bench.event(station, "Updated", 1, "2026-03-01T10:10:00Z")
    await bench.event(station, "Ended", 1, "2026-03-01T10:20:00Z")
    assert (await session(bench))["status"] == "active"
    types = [row["type"] for row in await bench.rows("SELECT type FROM outbox WHERE session_id IS NOT NULL ORDER BY id")]
    assert types == ["session.started", "session.updated", "session.updated"]
