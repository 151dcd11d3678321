"""OCPP 1.6 transactions in the ledger, by rule id of the OCPP-J rules."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from csms.domain.metering import Channel, Reading
from csms.domain.times import parse_station_time
from tests.integration.ledger.conftest import Bench, open_bench, reading


async def test_x1_ids_are_positive_unique_and_show_no_pattern(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    ids = [(await bench.start(station, meter_start_wh=n)).transaction_id for n in range(130)]
    assert len(set(ids)) == 130
    assert all(1 <= i <= 2**31 - 1 for i in ids)
    steps = {b - a for a, b in pairwise(ids)}
    assert len(steps) > 120


async def test_x2_a_refused_token_still_makes_a_session(bench: Bench) -> None:
    bench.tenants.replace_all([])  # no tenant settings: unknown tokens are refused
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    assert started.decision.status == "Unknown"
    (session,) = await bench.rows("SELECT * FROM sessions")
    assert session["flags"] == ["unauthorized"]
    assert session["authorization_status"] == "Unknown"


async def test_x3_a_repeated_start_gets_the_first_answer(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    first = await bench.start(station)
    again = await bench.start(station, id_token="tag1")
    assert (again.transaction_id, again.decision) == (first.transaction_id, first.decision)
    assert len(await bench.rows("SELECT 1 FROM sessions")) == 1


async def test_x3_the_first_answer_survives_a_restart(database: str) -> None:
    async with open_bench(database) as bench:
        station = (await bench.connect("S1")).station_id
        first = await bench.start(station)
    async with open_bench(database) as bench:
        again = await bench.start(station)
        assert again.transaction_id == first.transaction_id
        other = await bench.start(station, meter_start_wh=7)
        assert other.transaction_id != first.transaction_id


async def test_x3_a_station_without_clock_may_start_again(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    epoch = parse_station_time("1970-01-01T00:00:00Z")
    first = await bench.start(station, time=epoch, meter_start_wh=0)
    await bench.stop(station, first.transaction_id, time=epoch, meter_stop_wh=10)
    second = await bench.start(station, time=epoch, meter_start_wh=0)
    assert second.transaction_id != first.transaction_id
    assert (await bench.start(station, time=epoch, meter_start_wh=0)).transaction_id == second.transaction_id


async def test_x3_a_clock_before_all_time_counts_as_none(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    before = parse_station_time("0001-01-01T00:00:00Z")
    first = await bench.start(station, time=before, meter_start_wh=0)
    await bench.stop(station, first.transaction_id, time=before, meter_stop_wh=10)
    assert (await bench.start(station, time=before, meter_start_wh=0)).transaction_id != first.transaction_id


async def test_a_start_with_a_clock_ahead_does_not_hold_the_register(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station, time=parse_station_time("2098-01-01T00:00:00Z"))
    await bench.owner("UPDATE sessions SET updated_at = '2026-03-01T10:00:00Z'")
    await bench.meter(station, started.transaction_id, reading(5, "1500"))
    (session,) = await bench.rows("SELECT * FROM sessions")
    assert session["energy_wh"] == 500


async def test_x4_a_second_start_on_the_connector_supersedes_the_first(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    first = await bench.start(station)
    second = await bench.start(station, time=parse_station_time("2026-03-01T12:00:00Z"), meter_start_wh=6000)
    assert second.decision.accepted
    rows = {r["transaction_ref"]: r for r in await bench.rows("SELECT * FROM sessions")}
    assert rows[str(first.transaction_id)]["status"] == "incomplete"
    assert rows[str(first.transaction_id)]["flags"] == ["superseded", "stop_missing"]
    assert len(await bench.rows("SELECT 1 FROM outbox WHERE type = 'session.ended'")) == 1
    await bench.stop(station, first.transaction_id)
    rows = {r["transaction_ref"]: r for r in await bench.rows("SELECT * FROM sessions")}
    assert rows[str(first.transaction_id)]["status"] == "completed"
    assert rows[str(first.transaction_id)]["flags"] == ["superseded"]
    assert rows[str(second.transaction_id)]["status"] == "active"


async def test_x4_a_token_in_use_on_another_connector_is_told(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.start(station)
    second = await bench.start(station, evse_id=2, connector_id=2)
    assert second.decision.status == "ConcurrentTx"
    assert (await bench.start(station)).decision.status == "Accepted"


async def test_x5_minus_one_is_linked_when_only_one_transaction_fits(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.start(station)
    await bench.stop(station, -1, id_token="TAG1")
    (session,) = await bench.rows("SELECT * FROM sessions")
    assert (session["status"], session["energy_wh"]) == ("completed", Decimal(4000))


async def test_x5_minus_one_without_a_candidate_is_an_orphan(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    stopped = await bench.stop(station, -1)
    assert stopped.decision is None
    (orphan,) = await bench.rows("SELECT * FROM quarantine")
    assert (orphan["reason"], orphan["action"]) == ("orphan", "StopTransaction")


async def test_x6_the_transaction_of_another_station_is_not_touched(bench: Bench) -> None:
    mine = (await bench.connect("S1")).station_id
    other = (await bench.connect("S2")).station_id
    started = await bench.start(other)
    await bench.stop(mine, started.transaction_id)
    await bench.meter(mine, started.transaction_id, reading(1, "9999"))
    (session,) = await bench.rows("SELECT * FROM sessions")
    assert (session["status"], session["energy_wh"]) == ("active", 0)
    assert await bench.rows("SELECT 1 FROM samples") == []
    events = await bench.rows("SELECT data::text AS data FROM station_events WHERE type = 'security_event'")
    assert "ForeignTransactionId" in events[0]["data"]


async def test_x7_a_repeated_stop_gets_the_same_answer_and_one_event(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    first = await bench.stop(station, started.transaction_id, id_token="TAG1")
    again = await bench.stop(station, started.transaction_id, id_token="TAG1")
    assert first == again
    assert len(await bench.rows("SELECT 1 FROM outbox WHERE type = 'session.ended'")) == 1


async def test_x7_a_different_second_stop_is_a_conflict_and_the_first_one_bills(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    await bench.stop(station, started.transaction_id)
    await bench.stop(station, started.transaction_id, meter_stop_wh=9999)
    (session,) = await bench.rows("SELECT * FROM sessions")
    assert session["energy_wh"] == 4000
    assert "conflict" in session["flags"]
    assert len(await bench.rows("SELECT 1 FROM transaction_events WHERE conflict")) == 1


async def test_x10_meter_values_move_the_register_and_are_stored_once(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    for _ in range(2):
        await bench.meter(station, started.transaction_id, reading(5, "1500"))
    await bench.meter(station, started.transaction_id, reading(3, "1300"))
    (session,) = await bench.rows("SELECT * FROM sessions")
    assert (session["last_meter_wh"], session["energy_wh"]) == (1500, 500)
    assert len(await bench.rows("SELECT 1 FROM samples")) == 2
    assert len(await bench.rows("SELECT 1 FROM outbox WHERE type = 'session.meter_values'")) == 2


async def test_x10_readings_without_transaction_belong_to_the_station(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.meter(station, None, reading(5, "1500"), evse_id=0, connector_id=0)
    assert len(await bench.rows("SELECT 1 FROM station_samples")) == 1


async def test_x11_transaction_data_that_repeats_meter_values_is_stored_once(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    await bench.meter(station, started.transaction_id, reading(5, "1500"))
    await bench.stop(station, started.transaction_id, readings=[reading(5, "1500"), reading(6, "1600")])
    assert len(await bench.rows("SELECT 1 FROM samples")) == 2


async def test_late_readings_join_a_finished_session_without_changing_its_energy(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    await bench.stop(station, started.transaction_id)
    await bench.meter(station, started.transaction_id, reading(5, "1500"))
    (session,) = await bench.rows("SELECT * FROM sessions")
    assert (session["status"], session["energy_wh"]) == ("completed", 4000)
    assert len(await bench.rows("SELECT 1 FROM samples")) == 1


async def test_a_meter_that_runs_backwards_makes_a_suspect_session(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    await bench.stop(station, started.transaction_id, meter_stop_wh=10)
    (session,) = await bench.rows("SELECT * FROM sessions")
    assert session["flags"] == ["suspect"]


async def test_absurd_times_are_kept_as_text(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station, time=parse_station_time("2222-10-27T19:10:11Z"))
    await bench.stop(station, started.transaction_id, time=parse_station_time("222222017-10-27T19:10:11Z"))
    (session,) = await bench.rows("SELECT * FROM sessions")
    assert session["start_time"] is None
    assert session["start_time_text"] == "2222-10-27T19:10:11Z"
    assert session["stop_time_text"] == "222222017-10-27T19:10:11Z"
    assert "suspect" in session["flags"]


async def test_signed_and_unreadable_values_are_kept_as_sent(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    signed = Reading(
        reading(1, "0").ts, None, 0, (Channel(), Channel(format="SignedData")), ["1200.5", ""], [None, 'OCMF|{"a":"\\"b"}|sig']
    )
    await bench.meter(station, started.transaction_id, signed)
    (row,) = await bench.rows('SELECT "values", texts FROM samples')
    assert row["values"] == [Decimal("1200.5"), None]
    assert row["texts"] == [None, 'OCMF|{"a":"\\"b"}|sig']
