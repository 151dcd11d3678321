"""Sessions over the API, as the ledger stored them."""

from __future__ import annotations

from decimal import Decimal

from csms.domain.metering import Channel, Reading
from tests.integration.hub.harness import Field, Person, RunningHub, reading


async def test_a_charge_is_shown_exactly(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    await field.meter("north", station, transaction, reading(1, "1500", "7200.5"), reading(2, "2100", "7100"))
    session = (await boss.get("/api/v1/sessions", params={"status": "active"})).json()["items"][0]
    assert session["charge_point_id"] == "CP-1"
    assert session["transaction_id"] == transaction
    assert session["id_tag"] == "TAG1"
    assert session["status"] == "active"
    assert session["start_meter_wh"] == 1000
    assert session["energy_wh"] == 1100
    await field.stop("north", station, transaction)
    details = (await boss.get(f"/api/v1/sessions/{session['session_id']}")).json()
    assert details["status"] == "completed"
    assert details["energy_wh"] == 4000
    assert details["start_time"] == "2026-03-01T10:00:00Z"
    assert details["stop_time"] == "2026-03-01T11:00:00Z"
    assert details["stop_reason"] == "Local"
    samples = (await boss.get(f"/api/v1/sessions/{session['session_id']}/samples")).json()["items"]
    assert samples[0] == {
        "timestamp": "2026-03-01T10:01:00Z",
        "timestamp_text": None,
        "context": "Sample.Periodic",
        "measurand": "Energy.Active.Import.Register",
        "phase": None,
        "location": "Outlet",
        "unit": "Wh",
        "format": "Raw",
        "value": 1500,
    }
    assert [(s["measurand"], s["phase"], s["value"]) for s in samples if s["measurand"].startswith("Power")] == [
        ("Power.Active.Import", "L1", 7200.5),
        ("Power.Active.Import", "L1", 7100),
    ]
    events = (await boss.get(f"/api/v1/sessions/{session['session_id']}/events")).json()["items"]
    assert {event["type"] for event in events} >= {"StartTransaction", "StopTransaction"}
    assert {event["data"]["meterStart"] for event in events if event["type"] == "StartTransaction"} == {1000}


async def test_samples_are_paged_and_each_identity_comes_once(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    for minute in range(20):
        await field.meter("north", station, transaction, reading(minute, str(1000 + minute), str(minute)))
    # the same identities again in another shape, and two readings of a station without a clock
    await field.meter("north", station, transaction, reading(3, "1003"), reading(4, "9999"))
    odd = Reading(None, "1969-01-01T00:00:00Z", 0, (Channel(unit="kWh", multiplier=-1), Channel("Vendor")), ["15", ""], [None, "x"])
    await field.meter("north", station, transaction, odd)
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    path = f"/api/v1/sessions/{session['session_id']}/samples"
    whole = (await boss.get(path, params={"limit": 500})).json()
    assert whole["next_cursor"] is None
    assert len(whole["items"]) == 42
    assert [(s["value"], s["unit"]) for s in whole["items"] if s["timestamp"] is None] == [(1.5, "kWh"), ("x", "Wh")]
    energy_at_four = [s["value"] for s in whole["items"] if s["timestamp"] == "2026-03-01T10:04:00Z" and s["unit"] == "Wh"]
    assert energy_at_four == [1004]  # the first value of an identity counts
    for size in (1, 7, 41):
        found, cursor = [], None
        while True:
            page = (await boss.get(path, params={"limit": size} | ({"cursor": cursor} if cursor else {}))).json()
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            assert len(page["items"]) == size
        assert found == whole["items"]


async def test_filters(hub: RunningHub, field: Field, boss: Person) -> None:
    first, second = await field.connect("north", "CP-1"), await field.connect("north", "CP-2")
    done = await field.start("north", first, tag="Card-A", at="2026-03-01T10:00:00Z")
    await field.stop("north", first, done)
    await field.start("north", second, tag="CARD-B", at="2026-04-01T10:00:00Z")

    async def found(**parameters: str) -> list[str]:
        answer = await boss.get("/api/v1/sessions", params=parameters)
        assert answer.status_code == 200, answer.text
        return [session["charge_point_id"] for session in answer.json()["items"]]

    assert await found() == ["CP-2", "CP-1"]
    assert await found(status="active") == ["CP-2"]
    assert await found(status="historical") == ["CP-1"]
    assert await found(status="completed") == ["CP-1"]
    assert await found(status="incomplete") == []
    assert await found(charge_point_id="CP-1") == ["CP-1"]
    assert await found(charge_point_id="cp-1") == []
    assert await found(id_tag="card-a") == ["CP-1"]
    assert await found(**{"from": "2026-03-15T00:00:00Z"}) == ["CP-2"]
    assert await found(to="2026-03-15T00:00:00+01:00") == ["CP-1"]
    bad = await boss.get("/api/v1/sessions", params={"from": "2026-03-15T00:00:00"})
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["field"] == "from"


async def test_forcing_closes_the_session_of_a_dead_station_only(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    await field.meter("north", station, transaction, reading(30, "4200"))
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    path = f"/api/v1/sessions/{session['session_id']}/stop"
    await hub.sql("UPDATE gateway_processes SET seen_at = now() - interval '5 min'")
    refused = await boss.post(path, {})
    assert refused.status_code == 409
    assert (await boss.request("POST", path)).content == refused.content  # no body at all: nothing is forced
    forced = await boss.post(path, {"force": True})
    assert forced.status_code == 200, forced.text
    body = forced.json()
    assert body["forced"] is True
    assert body["command"] is None
    assert body["session"]["status"] == "incomplete"
    assert body["session"]["stop_reason"] == "forced"
    assert body["session"]["stop_meter_wh"] == 4200
    assert body["session"]["energy_wh"] == 3200
    assert body["session"]["stop_time"] == "2026-03-01T10:30:00Z"
    assert (await boss.post(path, {"force": True})).status_code == 409
    events = (await boss.get("/api/v1/events")).json()["items"]
    assert events[-1]["type"] == "session.ended"
    assert events[-1]["data"]["stop_reason"] == "forced"
    # the station comes back and tells its stop after all
    await field.stop("north", station, transaction)
    late = (await boss.get(f"/api/v1/sessions/{session['session_id']}")).json()
    assert (late["status"], late["energy_wh"]) == ("completed", 4000)


async def test_an_operator_may_force_and_a_viewer_may_not_stop(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.start("north", station)
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    await hub.sql("DELETE FROM gateway_processes")
    path = f"/api/v1/sessions/{session['session_id']}/stop"
    viewer, operator = await hub.make_user(boss, "viewer"), await hub.make_user(boss, "operator")
    assert (await viewer.post(path, {"force": True})).status_code == 403
    assert (await operator.post(path, {"force": True})).status_code == 200


async def test_a_session_of_a_retired_station_can_only_be_forced(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.start("north", station)
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    assert (await boss.delete("/api/v1/chargepoints/CP-1")).status_code == 204
    path = f"/api/v1/sessions/{session['session_id']}/stop"
    refused = await boss.post(path, {})
    assert refused.status_code == 409
    assert "retired" in refused.json()["detail"]
    assert "force" in refused.json()["detail"]
    forced = await boss.post(path, {"force": True})
    assert (forced.status_code, forced.json()["forced"]) == (200, True)


async def test_the_event_of_a_forced_stop_carries_numbers(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    await field.meter("north", station, transaction, reading(30, "4200.25"))
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    await hub.sql("DELETE FROM gateway_processes")
    path = f"/api/v1/sessions/{session['session_id']}/stop"
    assert (await boss.post(path, {"force": True})).json()["session"]["flags"].count("suspect") == 0
    data = (await boss.get("/api/v1/events", params={"type": "session.ended"})).json()["items"][-1]["data"]
    assert (data["start_meter_wh"], data["stop_meter_wh"], data["energy_wh"]) == (1000, 4200.25, 3200.25)


async def test_a_forced_stop_with_negative_energy_is_suspect(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.start("north", station)
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    await hub.sql("UPDATE sessions SET last_meter_wh = $1", Decimal(400))
    await hub.sql("DELETE FROM gateway_processes")
    forced = (await boss.post(f"/api/v1/sessions/{session['session_id']}/stop", {"force": True})).json()["session"]
    assert forced["energy_wh"] == -600
    assert set(forced["flags"]) >= {"suspect", "forced", "stop_missing"}


async def test_samples_are_paged_past_any_text_of_a_time(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    texts = ["1969-01-01T00:00:00Z", *("x" * 50_000 + str(n) for n in range(3)), "\x01" * 300, "\U0001f50c" * 400, "\u00e9" * 32]
    for text in texts:
        await field.meter("north", station, transaction, Reading(None, text, 0, (Channel(),), ["1"]))
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    path = f"/api/v1/sessions/{session['session_id']}/samples"
    found, cursor = [], None
    for _ in texts:
        answer = await boss.get(path, params={"limit": 1} | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found += [sample["timestamp_text"] for sample in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
    assert cursor is None
    assert sorted(found) == sorted(texts)
