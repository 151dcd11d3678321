"""Messages of sessions whose events and readings are gone by retention: no session is doubled, no energy changes."""

from __future__ import annotations

from typing import Any

from tests.integration.ledger.conftest import Bench, reading


async def forget(bench: Bench) -> None:
    """What retention leaves behind."""
    await bench.owner("DELETE FROM transaction_events; DELETE FROM samples")


async def only_session(bench: Bench) -> dict[str, Any]:
    (session,) = await bench.rows("SELECT * FROM sessions")
    return session


FACTS = ("status", "energy_wh", "start_time", "stop_time", "start_meter_wh", "stop_meter_wh", "incarnation", "transaction_ref")


async def test_an_ocpp16_start_and_stop_that_come_again(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    await bench.stop(station, started.transaction_id)
    before = await only_session(bench)
    await forget(bench)
    again = await bench.start(station)
    assert again.transaction_id == started.transaction_id
    await bench.meter(station, started.transaction_id, reading(30, "3000"))
    await bench.stop(station, started.transaction_id)
    after = await only_session(bench)
    assert {name: after[name] for name in FACTS} == {name: before[name] for name in FACTS}


async def test_ocpp2_events_that_come_again(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id

    async def charge() -> None:
        await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z", readings=[reading(0, "1000")])
        await bench.event(station, "Updated", 1, "2026-03-01T10:05:00Z", readings=[reading(5, "1500")])
        await bench.event(station, "Ended", 2, "2026-03-01T10:10:00Z", readings=[reading(10, "2000")])

    await charge()
    before = await only_session(bench)
    await forget(bench)
    await charge()
    after = await only_session(bench)
    assert {name: after[name] for name in FACTS} == {name: before[name] for name in FACTS}


async def test_a_reading_whose_session_is_gone_belongs_to_none(bench: Bench) -> None:
    """The ledger remembers sessions between commits, but not beyond their end."""
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    await bench.meter(station, started.transaction_id, reading(5, "1500"))
    await bench.stop(station, started.transaction_id)
    await bench.owner("DELETE FROM transaction_events; DELETE FROM sessions")
    await bench.meter(station, started.transaction_id, reading(30, "3000"))
    assert len(await bench.rows("SELECT FROM samples")) == 1, "that of the session while it was there"
    assert len(await bench.rows("SELECT FROM station_samples")) == 1


async def test_an_event_whose_session_is_gone_begins_one(bench: Bench) -> None:
    """The ledger knows of the session; the row is what counts."""
    station = (await bench.connect("S1")).station_id
    for number, kind in enumerate(("Started", "Updated", "Updated")):
        await bench.event(station, kind, number, f"2026-03-01T10:0{number}:00Z", readings=[reading(number, "1000")])
    before = await only_session(bench)
    await bench.owner("DELETE FROM transaction_events; DELETE FROM sessions")
    await bench.event(station, "Ended", 3, "2026-03-01T10:03:00Z", readings=[reading(3, "1300")])
    after = await only_session(bench)
    assert after["session_id"] != before["session_id"]
    assert (after["status"], after["incarnation"], after["event_count"]) == ("completed", 0, 1)
