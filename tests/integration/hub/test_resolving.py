"""Sessions that could not be settled by themselves, settled by a person over the API, beside a ledger that goes on working."""

from __future__ import annotations

import ast
import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import trio

from csms.domain.metering import Channel, Reading
from csms.domain.operations import RecordTransactionEvent, StopTransaction
from csms.domain.session_flags import DOUBTS, FLAGS
from csms.domain.times import parse_station_time
from csms.store import Connection
from csms.store.pool import run_with_owner
from csms.store.queries import sessions
from tests.integration.hub.harness import Field, Person, RunningHub, reading

WHY = "the driver called, the meter was read"


async def stop_16(field: Field, station_id: int, transaction: str, *, meter_wh: int, at: str = "2026-03-01T11:00:00Z") -> None:
    """As the gateway hands it on: the event keeps the message."""
    payload = b'{"transactionId":%s,"meterStop":%d,"timestamp":"%s","reason":"EVDisconnected"}'
    await field.ledger.commit(
        StopTransaction(
            tenant_id=await field.tenant_id("north"),
            station_id=station_id,
            transaction_ref=transaction,
            time=parse_station_time(at),
            meter_stop_wh=meter_wh,
            reason="EVDisconnected",
            payload=payload % (transaction.encode(), meter_wh, at.encode()),
        )
    )


async def event_2x(
    field: Field,
    station_id: int,
    type_: str,
    seq_no: int,
    at: str,
    *registers: tuple[str, str],
    trigger: str = "MeterValuePeriodic",
    context: int = 0,
) -> None:
    """An event of transaction T1 with readings (time, Wh)."""
    info = {"transactionId": "T1", "stoppedReason": "EVDisconnected"}
    details = json.dumps({"eventType": type_, "seqNo": seq_no, "transactionInfo": info}).encode()
    await field.ledger.commit(
        RecordTransactionEvent(
            tenant_id=await field.tenant_id("north"),
            station_id=station_id,
            ocpp_version="ocpp2.0.1",
            type=type_,  # type: ignore[arg-type]  # the tests name them well
            transaction_ref="T1",
            seq_no=seq_no,
            time=parse_station_time(at),
            trigger_reason=trigger,
            details=details,
            payload=details,
            evse_id=1,
            connector_id=1,
            stopped_reason="EVDisconnected" if type_ == "Ended" else None,
            readings=[Reading(parse_station_time(ts).ts, None, context, (Channel(),), [wh]) for ts, wh in registers],
        )
    )


async def only_session(boss: Person) -> dict[str, Any]:
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    return dict(session)


async def corrections(boss: Person, session: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await boss.get(f"/api/v1/sessions/{session['session_id']}/corrections")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def published(boss: Person, *types: str) -> list[dict[str, Any]]:
    events = (await boss.get("/api/v1/events", params={"limit": 500})).json()["items"]
    return [event for event in events if event["type"] in types]


async def test_an_open_session_is_closed_where_it_was_last_known(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    await field.meter("north", station, transaction, reading(30, "4200.5"))
    session = await only_session(boss)
    path = f"/api/v1/sessions/{session['session_id']}"
    operator = await hub.make_user(boss, "operator")
    answer = await operator.post(f"{path}/close", {"reason": WHY})
    assert answer.status_code == 200, answer.text
    closed = answer.json()
    assert (closed["status"], closed["stop_time"], closed["stop_meter_wh"]) == ("incomplete", "2026-03-01T10:30:00Z", 4200.5)
    assert closed["energy_wh"] == 3200.5
    assert set(closed["flags"]) >= {"closed_by_operator", "stop_missing"}
    assert "stop_missing" not in closed["doubts"], "a person has settled it"
    (row,) = await corrections(boss, session)
    assert (row["cause"], row["reason"], row["corrected_by"]) == ("close", WHY, f"user:{operator.email}")
    assert row["changes"] == {
        "status": ["active", "incomplete"],
        "stop_time": [None, "2026-03-01T10:30:00Z"],
        "stop_meter_wh": [None, 4200.5],
    }
    (ended,) = await published(boss, "session.ended", "session.corrected")
    assert (ended["type"], ended["session_id"], ended["charge_point_id"]) == ("session.ended", session["session_id"], "CP-1")
    assert ended["data"]["energy_wh"] == 3200.5
    # the same order again
    assert (await operator.post(f"{path}/close", {"reason": "again"})).json() == closed
    assert len(await corrections(boss, session)) == 1
    assert len(await published(boss, "session.ended", "session.corrected")) == 1


async def test_a_stop_that_comes_after_the_close_counts_and_is_listed(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    session = await only_session(boss)
    path = f"/api/v1/sessions/{session['session_id']}"
    order = {"reason": WHY, "stop_meter_wh": 3000.25, "stop_time": "2026-03-01T11:30:00+01:00"}
    closed = (await boss.post(f"{path}/close", order)).json()
    assert (closed["stop_time"], closed["stop_meter_wh"], closed["energy_wh"]) == ("2026-03-01T10:30:00Z", 3000.25, 2000.25)
    await stop_16(field, station, transaction, meter_wh=5000)
    details = (await boss.get(path)).json()
    assert (details["status"], details["energy_wh"], details["corrections"]) == ("completed", 4000, 2)
    assert details["first_billed"] == {
        "status": "incomplete",
        "stop_time": "2026-03-01T10:30:00Z",
        "stop_meter_wh": 3000.25,
        "energy_wh": 2000.25,
        "stop_reason": None,
    }
    first, late = await corrections(boss, session)
    assert (first["cause"], late["cause"], late["corrected_by"]) == ("close", "StopTransaction", None)
    assert late["changes"]["energy_wh"] == [2000.25, 4000]
    refused = await boss.post(f"{path}/close", {"reason": WHY})
    assert refused.status_code == 409, refused.text
    types = [event["type"] for event in await published(boss, "session.ended", "session.corrected")]
    assert types == ["session.ended", "session.ended", "session.corrected"]


async def test_an_end_of_2x_that_comes_after_the_close_counts(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await event_2x(field, station, "Started", 0, "2026-03-01T10:00:00Z", ("2026-03-01T10:00:00Z", "1000"))
    session = await only_session(boss)
    path = f"/api/v1/sessions/{session['session_id']}"
    order = {"reason": WHY, "stop_meter_wh": 3000, "stop_time": "2026-03-01T10:40:00Z"}
    assert (await boss.post(f"{path}/close", order)).json()["energy_wh"] == 2000
    # earlier than the person said, and with less: the station knows better
    await event_2x(field, station, "Ended", 1, "2026-03-01T10:30:00Z", ("2026-03-01T10:30:00Z", "2900"), context=2)
    now = (await boss.get(path)).json()
    assert (now["status"], now["stop_meter_wh"], now["energy_wh"]) == ("completed", 2900, 1900)
    assert (now["stop_time"], now["stop_reason"], now["doubts"]) == ("2026-03-01T10:30:00Z", "EVDisconnected", [])
    assert [row["cause"] for row in await corrections(boss, session)] == ["close", "TransactionEvent"]
    # one without a reading leaves what the person read
    await event_2x(field, station, "Started", 5, "2026-03-02T10:00:00Z", ("2026-03-02T10:00:00Z", "1000"))
    (newer,) = (await boss.get("/api/v1/sessions", params={"status": "active"})).json()["items"]
    await boss.post(f"/api/v1/sessions/{newer['session_id']}/close", {"reason": WHY, "stop_meter_wh": 3000})
    await event_2x(field, station, "Ended", 6, "2026-03-02T11:00:00Z")
    shown = (await boss.get(f"/api/v1/sessions/{newer['session_id']}")).json()
    assert (shown["status"], shown["stop_meter_wh"], shown["energy_wh"]) == ("completed", 3000, 2000)


async def test_a_close_is_corrected_by_another(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.start("north", station)
    path = f"/api/v1/sessions/{(session := await only_session(boss))['session_id']}"
    assert (await boss.post(f"{path}/close", {"reason": WHY})).json()["stop_time"] == "2026-03-01T10:00:00Z"
    better = await boss.post(f"{path}/close", {"reason": "read off", "stop_meter_wh": 2500, "stop_time": "2026-03-01T10:20:00Z"})
    assert (better.json()["energy_wh"], better.json()["stop_time"]) == (1500, "2026-03-01T10:20:00Z")
    # what is left out stays as it was decided before
    kept = (await boss.post(f"{path}/close", {"reason": "again"})).json()
    assert (kept["energy_wh"], kept["stop_time"], kept["corrections"]) == (1500, "2026-03-01T10:20:00Z", 2)
    _, second = await corrections(boss, session)
    assert second["changes"] == {
        "stop_time": ["2026-03-01T10:00:00Z", "2026-03-01T10:20:00Z"],
        "stop_meter_wh": [1000, 2500],
        "energy_wh": [0, 1500],
    }
    corrected = (await published(boss, "session.corrected"))[-1]["data"]
    assert (corrected["changes"], corrected["correction_id"]) == (second["changes"], second["correction_id"])
    assert (corrected["cause"], corrected["reason"], corrected["corrected_by"]) == ("close", "read off", f"user:{boss.email}")
    assert (await boss.get(path)).json()["first_billed"] == {
        "stop_time": "2026-03-01T10:00:00Z",
        "stop_meter_wh": 1000,
        "energy_wh": 0,
    }
    # a reading of before the decision moves nothing, a later one does
    transaction = session["transaction_id"]
    await field.meter("north", station, transaction, reading(10, "2400"))
    assert (await boss.get(path)).json()["stop_meter_wh"] == 2500
    await field.meter("north", station, transaction, reading(25, "2600"))
    assert (await boss.get(path)).json()["stop_meter_wh"] == 2600


async def test_a_session_that_was_superseded_is_confirmed(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.start("north", station)
    await field.start("north", station, tag="TAG2", at="2026-03-01T12:00:00Z")
    (old,) = (await boss.get("/api/v1/sessions", params={"status": "incomplete"})).json()["items"]
    assert old["doubts"] == ["unauthorized", "stop_missing"]
    closed = (await boss.post(f"/api/v1/sessions/{old['session_id']}/close", {"reason": WHY})).json()
    assert (closed["doubts"], closed["stop_time"], closed["corrections"]) == (["unauthorized"], old["stop_time"], 0)
    (row,) = await corrections(boss, old)
    assert (row["changes"], row["reason"]) == ({}, WHY)


async def test_a_forced_stop_is_kept_with_its_author_and_stays_in_doubt(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.start("north", station)
    session = await only_session(boss)
    await hub.sql("DELETE FROM gateway_processes")
    forced = (await boss.post(f"/api/v1/sessions/{session['session_id']}/stop", {"force": True})).json()["session"]
    assert (forced["status"], forced["doubts"]) == ("incomplete", ["unauthorized", "stop_missing"])
    (row,) = await corrections(boss, session)
    assert (row["cause"], row["corrected_by"]) == ("close", f"user:{boss.email}")
    closed = (await boss.post(f"/api/v1/sessions/{session['session_id']}/close", {"reason": WHY})).json()
    assert (closed["doubts"], closed["stop_reason"]) == (["unauthorized"], "forced")


_BAD_CLOSES: list[tuple[dict[str, Any], str]] = [
    ({"reason": ""}, "reason"),
    ({"reason": "  \n "}, "reason"),
    ({"reason": "x" * 501}, "reason"),
    ({}, "reason"),
    ({"reason": 5}, "reason"),
    ({"stop_time": "2026-03-01T09:59:59Z"}, "stop_time"),
    ({"stop_time": "2099-01-01T00:00:00Z"}, "stop_time"),
    ({"stop_time": "2026-03-01T11:00:00"}, "stop_time"),
    ({"stop_time": "1000-01-01T00:00:00Z"}, "stop_time"),
    ({"stop_meter_wh": 999.999}, "stop_meter_wh"),
    ({"stop_meter_wh": -1}, "stop_meter_wh"),
    ({"stop_meter_wh": 1e13}, "stop_meter_wh"),
    ({"stop_meter_wh": "NaN"}, "stop_meter_wh"),
    ({"stop_meter_wh": "1e-40000"}, "stop_meter_wh"),
    ({"stop_meter_wh": "1e99999999"}, "stop_meter_wh"),
    ({"stop_meter_wh": "many"}, "stop_meter_wh"),
    ({"status": "completed"}, "status"),
]


async def test_a_bad_close_is_refused_by_field(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.start("north", station)
    session = await only_session(boss)
    for order, name in _BAD_CLOSES:
        sent = order if "reason" in order or not order else {"reason": WHY} | order
        refused = await boss.post(f"/api/v1/sessions/{session['session_id']}/close", sent)
        assert refused.status_code == 422, refused.text
        assert [error["field"] for error in refused.json()["errors"]] == [name]
        assert await only_session(boss) == session
        assert await corrections(boss, session) == []


async def test_a_meter_below_the_start_must_be_said(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.start("north", station)
    path = f"/api/v1/sessions/{(await only_session(boss))['session_id']}/close"
    closed = await boss.post(path, {"reason": "the meter was replaced", "stop_meter_wh": 20, "below_start": True})
    assert (closed.json()["energy_wh"], "suspect" in closed.json()["doubts"]) == (-980, True)


async def test_who_may_decide(hub: RunningHub, field: Field, admin: Person, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.start("north", station)
    path = f"/api/v1/sessions/{(await only_session(boss))['session_id']}"
    viewer = await hub.make_user(boss, "viewer")
    other = await hub.make_tenant(admin, "south")
    for action, body in (
        ("close", {"reason": WHY}),
        ("settle", {"reason": WHY}),
        ("conflicts/1-00/resolve", {"use": "first", "reason": WHY}),
    ):
        assert (await viewer.post(f"{path}/{action}", body)).status_code == 403
        assert (await other.post(f"{path}/{action}", body)).status_code == 404
    assert (await viewer.get(f"{path}/corrections")).status_code == 200
    assert (await other.get(f"{path}/corrections")).status_code == 404
    for event_id in ("1-00", "x", "1-zz", "-1-00", "9999999999-00", "1-0", "1", "%00"):
        assert (await boss.post(f"{path}/conflicts/{event_id}/resolve", {"use": "first", "reason": WHY})).status_code == 404
    assert (await only_session(boss))["status"] == "active"


async def conflicts(boss: Person, session: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await boss.get(f"/api/v1/sessions/{session['session_id']}/events", params={"conflict": "true"})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def resolve(boss: Person, session: dict[str, Any], event: dict[str, Any], use: str, **more: Any) -> Any:
    path = f"/api/v1/sessions/{session['session_id']}/conflicts/{event['event_id']}/resolve"
    return await boss.post(path, {"use": use, "reason": WHY, **more})


async def test_of_two_stops_the_first_goes_on_billing(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    await stop_16(field, station, transaction, meter_wh=5000)
    await stop_16(field, station, transaction, meter_wh=5001)
    await stop_16(field, station, transaction, meter_wh=5002)
    session = await only_session(boss)
    assert (session["energy_wh"], "conflict" in session["doubts"]) == (4000, True)
    whole = (await boss.get(f"/api/v1/sessions/{session['session_id']}/events")).json()["items"]
    assert [(e["seq_no"], e["conflict"]) for e in whole].count((1, True)) == 2
    first, second = await conflicts(boss, session)
    assert {first["data"]["meterStop"], second["data"]["meterStop"]} == {5001, 5002}
    assert first["resolution"] is None
    settled = await boss.post(f"/api/v1/sessions/{session['session_id']}/settle", {"reason": WHY, "flags": ["conflict"]})
    assert settled.status_code == 409, settled.text
    half = (await resolve(boss, session, first, "first")).json()
    assert (half["energy_wh"], "conflict" in half["flags"]) == (4000, True)
    done = (await resolve(boss, session, second, "first")).json()
    assert (done["energy_wh"], "conflict" in done["flags"], done["corrections"]) == (4000, False, 0)
    shown, _ = await conflicts(boss, session)
    assert (shown["resolution"], shown["resolution_reason"], shown["resolved_by"]) == ("first", WHY, f"user:{boss.email}")
    assert shown["resolved_at"] is not None
    assert [(row["cause"], row["changes"]) for row in await corrections(boss, session)] == [("conflict", {})] * 2
    told = len(await published(boss, "session.updated", "session.corrected", "session.ended"))
    assert (await resolve(boss, session, second, "first")).json() == done
    assert len(await published(boss, "session.updated", "session.corrected", "session.ended")) == told
    # one more of them
    await stop_16(field, station, transaction, meter_wh=5003)
    assert "conflict" in (await only_session(boss))["doubts"]


async def test_a_conflict_whose_messages_are_gone_is_settled(hub: RunningHub, field: Field, boss: Person) -> None:
    await boss.post("/api/v1/id-tokens", {"id_token": "TAG1", "type": "ISO14443"})
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    await stop_16(field, station, transaction, meter_wh=5000)
    await stop_16(field, station, transaction, meter_wh=5001)
    session = await only_session(boss)
    path = f"/api/v1/sessions/{session['session_id']}/settle"
    assert (await boss.post(path, {"reason": WHY})).status_code == 409
    await hub.sql("DELETE FROM transaction_events WHERE conflict")
    assert (await boss.post(path, {"reason": WHY})).json()["flags"] == []
    await stop_16(field, station, transaction, meter_wh=5002)
    assert (await only_session(boss))["doubts"] == ["conflict"], "the next one is heard of"


async def test_the_other_stop_bills_until_the_decision_is_taken_back(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    await stop_16(field, station, transaction, meter_wh=5000)
    await stop_16(field, station, transaction, meter_wh=5500, at="2026-03-01T11:05:00Z")
    session = await only_session(boss)
    (event,) = await conflicts(boss, session)
    wrong = await resolve(boss, session, event, "other", stop_meter_wh=5400)
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "stop_meter_wh")
    decided = (await resolve(boss, session, event, "other")).json()
    assert (decided["stop_meter_wh"], decided["energy_wh"], decided["status"]) == (5500, 4500, "completed")
    assert (decided["stop_time"], decided["flags"]) == ("2026-03-01T11:05:00Z", ["unauthorized"])
    (row,) = await corrections(boss, session)
    assert row["changes"] == {
        "stop_time": ["2026-03-01T11:00:00Z", "2026-03-01T11:05:00Z"],
        "stop_meter_wh": [5000, 5500],
        "energy_wh": [4000, 4500],
    }
    (told,) = await published(boss, "session.corrected")
    assert (told["data"]["changes"], told["data"]["cause"]) == (row["changes"], "conflict")
    assert (await resolve(boss, session, event, "other")).json() == decided
    back = (await resolve(boss, session, event, "first")).json()
    assert (back["stop_meter_wh"], back["stop_time"], back["corrections"]) == (5000, "2026-03-01T11:00:00Z", 2)
    assert [e["resolution"] for e in await conflicts(boss, session)] == ["first"]
    # a repeat of either message is answered as before and changes nothing
    await stop_16(field, station, transaction, meter_wh=5500, at="2026-03-01T11:05:00Z")
    assert await only_session(boss) == back


async def test_the_other_end_of_a_2x_transaction(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await event_2x(field, station, "Started", 0, "2026-03-01T10:00:00Z", ("2026-03-01T10:00:00Z", "1000"))
    at, other_at = "2026-03-01T11:00:00Z", "2026-03-01T11:10:00Z"
    await event_2x(field, station, "Ended", 1, at, (at, "4000"), context=2)
    await event_2x(field, station, "Ended", 1, other_at, (other_at, "4400.5"), context=2)
    session = await only_session(boss)
    assert (session["energy_wh"], session["flags"]) == (3000, ["conflict"])
    (event,) = await conflicts(boss, session)
    decided = (await resolve(boss, session, event, "other")).json()
    assert (decided["energy_wh"], decided["stop_time"], decided["flags"]) == (3400.5, other_at, [])
    assert decided["stop_reason"] == "EVDisconnected"
    back = (await resolve(boss, session, event, "first")).json()
    assert (back["energy_wh"], back["stop_time"], back["corrections"]) == (3000, at, 2)


async def test_meters_of_2x_messages_that_cannot_be_told_apart_are_asked_for(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    at = "2026-03-01T11:00:00Z"
    await event_2x(field, station, "Started", 0, "2026-03-01T10:00:00Z", ("2026-03-01T10:00:00Z", "1000"))
    await event_2x(field, station, "Ended", 1, at, (at, "4000"))
    for number, wh in enumerate(("4100", "4200")):
        await event_2x(field, station, "Ended", 1, at, (at, wh), trigger=f"T{number}")
    session = await only_session(boss)
    event, last = await conflicts(boss, session)
    refused = await resolve(boss, session, event, "other")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "stop_meter_wh")
    decided = (await resolve(boss, session, event, "other", stop_meter_wh=4100)).json()
    assert (decided["energy_wh"], decided["flags"]) == (3100, ["conflict"])
    needless = await resolve(boss, session, last, "first", stop_meter_wh=1)
    assert (needless.status_code, needless.json()["errors"][0]["field"]) == (422, "stop_meter_wh")
    assert (await resolve(boss, session, last, "first")).json()["flags"] == []


async def test_an_end_that_was_taken_for_a_repeat_ends_the_session(hub: RunningHub, field: Field, boss: Person) -> None:
    """A station that counts wrong: its Ended has the number of an Updated."""
    station = await field.connect("north", "CP-1")
    await event_2x(field, station, "Started", 0, "2026-03-01T10:00:00Z", ("2026-03-01T10:00:00Z", "1000"))
    await event_2x(field, station, "Updated", 1, "2026-03-01T10:30:00Z", ("2026-03-01T10:30:00Z", "2000"))
    await event_2x(field, station, "Ended", 1, "2026-03-01T11:00:00Z", ("2026-03-01T11:00:00Z", "4000"))
    session = await only_session(boss)
    assert (session["status"], session["doubts"]) == ("active", ["conflict"])
    (event,) = await conflicts(boss, session)
    decided = (await resolve(boss, session, event, "other")).json()
    assert (decided["status"], decided["energy_wh"], decided["flags"]) == ("completed", 3000, [])
    told = (await published(boss, "session.ended", "session.corrected"))[-1]
    assert (told["type"], told["data"]["status"], told["data"]["energy_wh"]) == ("session.ended", "completed", 3000)
    back = await resolve(boss, session, event, "first")
    assert (back.status_code, back.json()["errors"][0]["field"]) == (422, "use")


async def test_flags_and_doubts(hub: RunningHub, field: Field, boss: Person) -> None:
    first, second = await field.connect("north", "CP-1"), await field.connect("north", "CP-2")
    await boss.post("/api/v1/id-tokens", {"id_token": "TAG1", "type": "ISO14443"})
    clean = await field.start("north", first)
    await field.stop("north", first, clean)
    await field.start("north", first, tag="STRANGER", at="2026-03-02T10:00:00Z")
    await field.start("north", second)
    await field.start("north", second, at="2026-03-03T10:00:00Z")

    async def found(**parameters: str) -> list[tuple[str, ...]]:
        answer = await boss.get("/api/v1/sessions", params=parameters)
        assert answer.status_code == 200, answer.text
        return [(session["charge_point_id"], *session["doubts"]) for session in answer.json()["items"]]

    assert await found(in_doubt="true") == [("CP-2", "stop_missing"), ("CP-1", "unauthorized")]
    assert await found(in_doubt="false") == [("CP-2",), ("CP-1",)]
    assert await found(flag="stop_missing") == [("CP-2", "stop_missing")]
    assert await found(flag="conflict") == []
    assert await found(flag="conflict,unauthorized,stop_missing", limit="1") == [("CP-2", "stop_missing")]
    for bad in ("", "nonsense", "conflict,", "x" * 300):
        refused = await boss.get("/api/v1/sessions", params={"flag": bad})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "flag")
    (stranger,) = (await boss.get("/api/v1/sessions", params={"flag": "unauthorized"})).json()["items"]
    path = f"/api/v1/sessions/{stranger['session_id']}/settle"
    for body, name in (({"flags": ["suspect"]}, "flags"), ({"flags": []}, "flags"), ({"flags": ["odd"]}, "flags[0]")):
        refused = await boss.post(path, {"reason": WHY, **body})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, name)
    settled = (await boss.post(path, {"reason": WHY})).json()
    assert (settled["flags"], settled["doubts"], settled["corrections"]) == (["unauthorized"], [], 0)
    assert (await boss.post(path, {"reason": "once more"})).json() == settled
    (row,) = await corrections(boss, stranger)
    assert (row["cause"], row["changes"], row["reason"]) == ("settled", {}, f"unauthorized: {WHY}")
    assert await found(in_doubt="true") == [("CP-2", "stop_missing")]
    # pages with a filter
    page = (await boss.get("/api/v1/sessions", params={"in_doubt": "false", "limit": 2})).json()
    rest = (await boss.get("/api/v1/sessions", params={"in_doubt": "false", "limit": 2, "cursor": page["next_cursor"]})).json()
    assert (len(page["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None)


async def test_corrections_are_paged(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.start("north", station)
    session = await only_session(boss)
    path = f"/api/v1/sessions/{session['session_id']}"
    for meter in range(2000, 2005):
        await boss.post(f"{path}/close", {"reason": f"{meter}", "stop_meter_wh": meter})
    whole = await corrections(boss, session)
    assert [row["reason"] for row in whole] == ["2000", "2001", "2002", "2003", "2004"]
    found, cursor = [], None
    while True:
        page = (await boss.get(f"{path}/corrections", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == whole


async def test_the_list_of_doubts_is_read_from_its_index(hub: RunningHub, boss: Person) -> None:
    """The condition of the query is that of the index, flag by flag: a table of millions is not walked at 3 a.m."""
    plans = []
    for condition in (sessions._IN_DOUBT, "x.flags <> '{}' AND x.flags && '{suspect}'"):
        query = f"EXPLAIN SELECT x.session_id FROM sessions x WHERE x.tenant_id = 1 AND ({condition}) ORDER BY x.session_id DESC"

        async def explain(conn: Connection, query: str = query) -> str:
            await conn.execute("SET enable_seqscan = off")
            return "\n".join(row[0] for row in await conn.fetch(query))

        plans.append(await run_with_owner(hub.dsn, explain))
    assert "sessions_in_doubt" in plans[0], plans[0]
    assert "sessions_flagged" in plans[1] or "sessions_in_doubt" in plans[1], plans[1]


def test_every_flag_is_known() -> None:
    """A flag that the ledger sets can be asked for, and the list of doubts is made of flags."""
    used = set()
    for path in Path("csms").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                arguments = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                if name in ("flag", "close_without_stop", "flag_sessions") and arguments:
                    used.add(arguments[-1])
    assert len(used) > 8
    assert used <= set(FLAGS)
    assert set(DOUBTS) <= set(FLAGS)


async def test_events_by_hand_are_like_those_of_the_ledger(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.stop("north", station, await field.start("north", station))
    await field.start("north", station, at="2026-03-02T10:00:00Z")
    (active,) = (await boss.get("/api/v1/sessions", params={"status": "active"})).json()["items"]
    await boss.post(f"/api/v1/sessions/{active['session_id']}/close", {"reason": WHY})
    by_ledger, by_hand = await published(boss, "session.ended")
    assert {name: type(value) for name, value in by_hand["data"].items() if name != "stop_reason"} == {
        name: type(value) for name, value in by_ledger["data"].items() if name != "stop_reason"
    }
    assert by_hand["data"]["stop_reason"] is None


async def hold(hub: RunningHub, statement: str, held: trio.Event, release: trio.Event) -> None:
    """Keep the rows of a statement locked until `release`."""
    token = trio.lowlevel.current_trio_token()
    let_go = Latch()

    async def work(conn: Connection) -> None:
        async with conn.transaction():
            await conn.execute(statement)
            token.run_sync_soon(held.set)
            await let_go.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_with_owner, hub.dsn, work)
        await release.wait()
        let_go.set()


class Latch:
    """Set in one thread, awaited in another's event loop."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    async def wait(self) -> None:
        while not self._set:
            await asyncio.sleep(0.01)


async def waiting(hub: RunningHub, count: int) -> None:
    """Until so many statements wait for a lock."""
    with trio.fail_after(10):
        while (
            len(await hub.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"))
            < count
        ):
            await trio.sleep(0.02)


@pytest.mark.parametrize("first", ["close", "stop"])
async def test_a_stop_and_a_close_that_wait_for_each_other(hub: RunningHub, field: Field, boss: Person, first: str) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    session = await only_session(boss)
    held, release = trio.Event(), trio.Event()
    answers = []

    async def close() -> None:
        answers.append(await boss.post(f"/api/v1/sessions/{session['session_id']}/close", {"reason": WHY, "stop_meter_wh": 3000}))

    async def stop() -> None:
        await stop_16(field, station, transaction, meter_wh=5000)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, hub, "SELECT FROM sessions FOR UPDATE", held, release)
        await held.wait()
        for number, act in enumerate((close, stop) if first == "close" else (stop, close)):
            nursery.start_soon(act)
            await waiting(hub, number + 1)
        release.set()
    now = await only_session(boss)
    assert (now["status"], now["energy_wh"]) == ("completed", 4000), "the station's own stop counts in any order"
    rows = await corrections(boss, session)
    if first == "close":
        assert answers[0].status_code == 200
        assert [row["cause"] for row in rows] == ["close", "StopTransaction"]
        assert rows[1]["changes"]["stop_meter_wh"] == [3000, 5000]
    else:
        assert answers[0].status_code == 409
        assert rows == []


async def test_stops_and_closes_in_any_order(hub: RunningHub, field: Field, boss: Person) -> None:
    """Nobody loses: each session ends completed with its stop; a close before it is traced, a close after it refused."""
    station_ids = [await field.connect("north", f"CP-{number}") for number in range(12)]
    transactions = [await field.start("north", station) for station in station_ids]
    sessions_ = {s["transaction_id"]: s for s in (await boss.get("/api/v1/sessions")).json()["items"]}
    statuses: dict[str, list[int]] = {transaction: [] for transaction in transactions}

    async def close(transaction: str, reason: str) -> None:
        path = f"/api/v1/sessions/{sessions_[transaction]['session_id']}/close"
        answer = await boss.post(path, {"reason": reason, "stop_meter_wh": 3000})
        statuses[transaction].append(answer.status_code)

    async with trio.open_nursery() as nursery:
        for station, transaction in zip(station_ids, transactions, strict=True):
            for reason in ("a", "b"):
                nursery.start_soon(close, transaction, reason)
            nursery.start_soon(lambda s=station, t=transaction: stop_16(field, s, t, meter_wh=5000))  # type: ignore[misc]  # bound at once
    for transaction, answered in statuses.items():
        session = (await boss.get(f"/api/v1/sessions/{sessions_[transaction]['session_id']}")).json()
        assert (session["status"], session["stop_meter_wh"], session["energy_wh"]) == ("completed", 5000, 4000)
        assert set(answered) <= {200, 409}
        causes = [row["cause"] for row in await corrections(boss, session)]
        assert causes == (["close", "StopTransaction"] if 200 in answered else []), "two equal closes are one"
        own = [e for e in await published(boss, "session.ended") if e["session_id"] == session["session_id"]]
        assert len(own) == (2 if 200 in answered else 1)
