"""OCPP 2.x transactions in the ledger, by rule id of the OCPP-J rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.integration.ledger.conftest import Bench, reading


async def only_session(bench: Bench) -> dict[str, Any]:
    (session,) = await bench.rows("SELECT * FROM sessions")
    return session


async def test_a_plain_transaction(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.event(
        station, "Started", 0, "2026-03-01T10:00:00Z", evse_id=1, connector_id=1, id_token="T", token_type="ISO14443",
        readings=[reading(0, "1000")],
    )  # fmt: skip
    assert started.decision.accepted
    updated = await bench.event(
        station, "Updated", 1, "2026-03-01T10:05:00Z", readings=[reading(5, "1500.5")], charging_state="Charging"
    )
    assert updated.decision is None
    await bench.event(station, "Ended", 2, "2026-03-01T10:10:00Z", readings=[reading(10, "2000.5")], stopped_reason="Remote")
    session = await only_session(bench)
    assert (session["status"], session["stop_reason"], session["energy_wh"]) == ("completed", "Remote", 1000.5)
    assert session["start_time"] == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert "missing_events" not in session["flags"]
    assert [r["type"] for r in await bench.rows("SELECT type FROM outbox WHERE session_id IS NOT NULL ORDER BY id")] == [
        "session.started",
        "session.updated",
        "session.ended",
    ]


async def test_y5_numbers_need_not_begin_at_zero(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    for number, kind in ((415, "Started"), (416, "Updated"), (417, "Ended")):
        await bench.event(station, kind, number, f"2026-03-01T10:0{number - 415}:00Z")
    session = await only_session(bench)
    assert session["status"] == "completed"
    assert "missing_events" not in session["flags"]


async def test_y6_a_repeat_is_answered_equally_and_changes_nothing(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    first = await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z", id_token="T", token_type="ISO14443")
    bench.tenants.replace_all([])  # the token would be refused now
    again = await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z", id_token="T", token_type="ISO14443", offline=True)
    assert again == first
    session = await only_session(bench)
    assert (session["event_count"], session["flags"]) == (1, [])


async def test_y6_other_content_with_the_same_number_is_kept_as_conflict(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z")
    await bench.event(station, "Updated", 1, "2026-03-01T10:01:00Z", readings=[reading(1, "100")])
    await bench.event(station, "Updated", 1, "2026-03-01T10:02:00Z", readings=[reading(2, "900")])
    session = await only_session(bench)
    assert "conflict" in session["flags"]
    assert session["last_meter_wh"] == 100
    assert len(await bench.rows("SELECT 1 FROM transaction_events WHERE seq_no = 1")) == 2


async def test_y6_an_id_that_is_used_again_makes_a_new_incarnation(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z")
    await bench.event(station, "Ended", 1, "2026-03-01T10:10:00Z")
    await bench.event(station, "Started", 0, "2026-03-02T10:00:00Z")
    await bench.event(station, "Updated", 1, "2026-03-02T10:01:00Z")
    rows = await bench.rows("SELECT incarnation, status, event_count FROM sessions ORDER BY incarnation")
    assert [tuple(r.values()) for r in rows] == [(0, "completed", 2), (1, "active", 2)]


async def test_y7_events_fold_by_number_not_by_arrival(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z", readings=[reading(0, "100")])
    await bench.event(station, "Ended", 2, "2026-03-01T10:10:00Z", readings=[reading(10, "900")])
    assert "missing_events" in (await only_session(bench))["flags"]
    await bench.event(station, "Updated", 1, "2026-03-01T10:05:00Z", readings=[reading(5, "500")])
    session = await only_session(bench)
    assert (session["status"], session["energy_wh"]) == ("completed", 800)
    assert "missing_events" not in session["flags"]


async def test_y7_an_end_alone_makes_an_incomplete_looking_session(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.event(station, "Ended", 7, "2026-03-01T10:10:00Z")
    session = await only_session(bench)
    assert session["status"] == "completed"
    assert "missing_events" in session["flags"]


async def test_y1_the_same_id_on_two_stations_and_two_tenants_is_two_sessions(bench: Bench) -> None:
    async def make_tenant(conn: Any) -> int:
        return int(await conn.fetchval("SELECT auth_create_tenant('other', 'Other')"))

    other_tenant = await bench.store.auth.unit(make_tenant)
    one = await bench.connect("S1")
    two = await bench.connect("S2")
    three = await bench.connect("S1", tenant_id=other_tenant)
    for station, tenant_id in ((one, 1), (two, 1), (three, other_tenant)):
        await bench.event(station.station_id, "Started", 0, "2026-03-01T10:00:00Z", tenant_id=tenant_id)
    assert len(await bench.rows("SELECT 1 FROM sessions WHERE transaction_ref = 'tx-1'")) == 3


async def test_kilowatt_hours_and_multipliers_count_in_wh(bench: Bench) -> None:
    from csms.domain.metering import Channel, Reading

    station = (await bench.connect("S1")).station_id

    def kwh(minute: int, value: str) -> Reading:
        return Reading(datetime(2026, 3, 1, 10, minute, tzinfo=UTC), None, 0, (Channel(unit="kWh", multiplier=1),), [value])

    await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z", readings=[kwh(0, "1.001")])
    await bench.event(station, "Ended", 1, "2026-03-01T10:10:00Z", readings=[kwh(10, "2.0015")])
    assert (await only_session(bench))["energy_wh"] == 10005


async def test_y7_the_token_that_started_pays_whatever_comes_first(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.event(station, "Ended", 2, "2026-03-01T10:10:00Z", id_token="STOPCARD", token_type="ISO14443")
    await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z", id_token="PAYER", token_type="ISO14443")
    assert (await only_session(bench))["id_token"] == "PAYER"


async def test_y4_a_transaction_does_not_concur_with_itself(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    token = {"id_token": "T", "token_type": "ISO14443"}
    await bench.event(station, "Updated", 1, "2026-03-01T10:01:00Z", evse_id=1, connector_id=1, **token)
    started = await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z", **token)
    assert started.decision.status == "Accepted"
    other = await bench.event(station, "Started", 0, "2026-03-01T10:00:00Z", transaction_ref="tx-2", evse_id=2, **token)
    assert other.decision.status == "ConcurrentTx"
