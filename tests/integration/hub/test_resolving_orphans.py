"""Orphans: the sessions they may belong to, and their way through a gateway into one of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from csms.secret import RootSecret
from tests.integration.gateway.site import Site, Station, running
from tests.integration.hub.harness import Person, RunningHub, running_hub

WHY = "the station forgot its transaction over a reboot"
VALUES = [{"timestamp": "2026-01-01T00:30:00Z", "sampledValue": [{"value": "1.25", "unit": "kWh"}]}]


@asynccontextmanager
async def with_hub(site: Site, secret: RootSecret) -> AsyncIterator[RunningHub]:
    async with trio.open_nursery() as nursery, running_hub(site.dsn, secret, nursery, bus=site.bus) as hub:
        yield hub


async def start(
    station: Station, *, tag: str = "TAG", at: str = "2026-01-01T00:00:00Z", meter: int = 1000, connector: int = 1
) -> int:
    frame = await station.call("StartTransaction", {"connectorId": connector, "idTag": tag, "meterStart": meter, "timestamp": at})
    return int(frame[2]["transactionId"])


async def stop(station: Station, transaction: int, *, meter: int = 5000, at: str = "2026-01-01T01:00:00Z", **more: Any) -> None:
    message = {"transactionId": transaction, "meterStop": meter, "timestamp": at, **more}
    assert (await station.call("StopTransaction", message))[0] == 3


async def orphans(person: Person, **filters: str) -> list[dict[str, Any]]:
    answer = await person.get("/api/v1/quarantine", params={"reason": "orphan", **filters})
    return list(answer.json()["items"])


async def session_of(person: Person, transaction: int) -> dict[str, Any]:
    sessions = (await person.get("/api/v1/sessions")).json()["items"]
    (found,) = [session for session in sessions if session["transaction_id"] == str(transaction)]
    return dict(found)


async def attach(person: Person, message: dict[str, Any], session: dict[str, Any], **more: Any) -> Any:
    body = {"session_id": session["session_id"], "reason": WHY}
    return await person.post(f"/api/v1/quarantine/{message['quarantine_id']}/attach", body | more)


async def test_an_orphaned_stop_is_attached(database: str, root_secret: RootSecret) -> None:
    async with running(database) as site, site.station() as station, with_hub(site, root_secret) as hub:
        admin = await hub.admin()
        operator = await hub.make_user(admin, "operator")
        await station.boot()
        transaction = await start(station)
        await stop(station, 0, reason="PowerLoss")
        (message,) = await orphans(operator, resolved="false")
        session = await session_of(operator, transaction)
        assert session["status"] == "active"
        taken = await attach(operator, message, session)
        assert taken.status_code == 200, taken.text
        body = taken.json()
        assert (body["session_id"], body["attach_reason"]) == (session["session_id"], WHY)
        assert (body["resolution"], body["resolved_by"], body["replay_by"]) == (
            "replayed",
            f"user:{operator.email}",
            body["resolved_by"],
        )
        assert body["replay_payload"] == json.loads(message["payload"]) | {"transactionId": transaction}
        ended = await session_of(operator, transaction)
        assert (ended["status"], ended["energy_wh"], ended["stop_reason"]) == ("completed", 4000, "PowerLoss")
        assert "replayed" in ended["flags"]
        # the same order again, and another one
        again = await attach(operator, message, session, reason="did it work?")
        assert (again.status_code, again.json()) == (200, body)
        transaction_2 = await start(station, at="2026-01-02T00:00:00Z")
        other = await session_of(operator, transaction_2)
        assert (await attach(operator, message, other)).status_code == 409
        assert (await session_of(operator, transaction_2))["status"] == "active"
        (kept,) = await orphans(operator, resolved="true")
        assert (kept["session_id"], kept["attach_reason"]) == (session["session_id"], WHY)
        assert await orphans(operator, resolved="false") == []
        # the station finds it again after all: the same stop
        await stop(station, transaction, reason="PowerLoss")
        assert await session_of(operator, transaction) == ended


async def test_a_stop_attached_to_a_closed_session_is_a_correction(database: str, root_secret: RootSecret) -> None:
    async with running(database) as site, site.station() as station, with_hub(site, root_secret) as hub:
        admin = await hub.admin()
        await station.boot()
        transaction = await start(station)
        session = await session_of(admin, transaction)
        path = f"/api/v1/sessions/{session['session_id']}"
        assert (await admin.post(f"{path}/close", {"reason": WHY, "stop_meter_wh": 3000})).json()["energy_wh"] == 2000
        await stop(station, 0)
        (message,) = await orphans(admin)
        assert (await attach(admin, message, session)).status_code == 200
        details = (await admin.get(path)).json()
        assert (details["status"], details["energy_wh"], details["corrections"]) == ("completed", 4000, 2)
        assert details["first_billed"]["energy_wh"] == 2000
        _, late = (await admin.get(f"{path}/corrections")).json()["items"]
        assert (late["cause"], late["changes"]["energy_wh"]) == ("StopTransaction", [2000, 4000])
        # one more orphan of the same session contradicts it: the first bills until somebody decides
        await stop(station, 0, meter=5500)
        (second,) = await orphans(admin, resolved="false")
        assert (await attach(admin, second, session)).status_code == 200
        (event,) = (await admin.get(f"{path}/events", params={"conflict": "true"})).json()["items"]
        resolved = await admin.post(f"{path}/conflicts/{event['event_id']}/resolve", {"use": "other", "reason": WHY})
        assert (resolved.json()["energy_wh"], resolved.json()["flags"].count("conflict")) == (4500, 0)


async def test_orphaned_readings_are_attached(database: str, root_secret: RootSecret) -> None:
    async with running(database) as site, site.station() as station, with_hub(site, root_secret) as hub:
        admin = await hub.admin()
        await station.boot()
        transaction = await start(station)
        assert (await station.call("MeterValues", {"connectorId": 1, "transactionId": 4711, "meterValue": VALUES}))[0] == 3
        (message,) = await orphans(admin)
        session = await session_of(admin, transaction)
        assert (await attach(admin, message, session)).status_code == 200
        assert (await session_of(admin, transaction))["energy_wh"] == 250
        samples = (await admin.get(f"/api/v1/sessions/{session['session_id']}/samples")).json()["items"]
        assert [sample["value"] for sample in samples] == [1.25]


async def test_an_event_of_2_0_1_is_attached(database: str, root_secret: RootSecret) -> None:
    async with running(database) as site, site.station(versions=["ocpp2.0.1"]) as station, with_hub(site, root_secret) as hub:
        admin = await hub.admin()
        await station.boot()
        common = {"triggerReason": "Authorized", "evse": {"id": 1, "connectorId": 1}}
        begun = {
            "eventType": "Started",
            "seqNo": 0,
            "timestamp": "2026-01-01T00:00:00Z",
            "transactionInfo": {"transactionId": "T1"},
        }
        ended = {"eventType": "Ended", "seqNo": 1, "timestamp": "2026-01-01T01:00:00Z"}
        assert (await station.call("TransactionEvent", begun | common))[0] == 3
        broken = {"transactionId": 7, "stoppedReason": "PowerLoss"}
        assert (await station.call("TransactionEvent", ended | common | {"transactionInfo": broken}))[0] == 4
        (message,) = (await admin.get("/api/v1/quarantine")).json()["items"]
        (session,) = (await admin.get("/api/v1/sessions")).json()["items"]
        (candidate,) = (await admin.get(f"/api/v1/quarantine/{message['quarantine_id']}/candidates")).json()["items"]
        assert (candidate["session"], candidate["fits"]) == (session, ["time", "stop_missing", "connector"])
        assert (await attach(admin, message, session)).status_code == 200
        (now,) = (await admin.get("/api/v1/sessions")).json()["items"]
        assert (now["status"], now["stop_reason"], now["stop_time"]) == ("completed", "PowerLoss", "2026-01-01T01:00:00Z")


async def test_candidates_best_first(database: str, root_secret: RootSecret) -> None:
    async with (
        running(database) as site,
        site.station() as station,
        site.station("CP2") as other,
        with_hub(site, root_secret) as hub,
    ):
        admin = await hub.admin()
        await station.boot()
        await other.boot()
        settled = await start(station, at="2026-01-01T00:00:00Z")
        await stop(station, settled, meter=2000, at="2026-01-01T00:20:00Z")
        wrong_token = await start(station, tag="OTHER", at="2026-01-01T00:25:00Z", meter=2000, connector=2)
        right = await start(station, at="2026-01-01T00:30:00Z", meter=2000)
        too_late = await start(station, at="2026-01-01T09:00:00Z", meter=9000)
        await start(other, at="2026-01-01T00:30:00Z", meter=2000)
        await stop(station, 0, meter=5000, at="2026-01-01T01:00:00Z", idTag="tag")
        (message,) = await orphans(admin)
        path = f"/api/v1/quarantine/{message['quarantine_id']}/candidates"
        found = (await admin.get(path)).json()
        assert found["next_cursor"] is None
        ranked = [(int(c["session"]["transaction_id"]), c["fits"], c["contradicts"]) for c in found["items"]]
        assert ranked == [
            (right, ["time", "stop_missing", "meter", "id_tag"], []),
            (wrong_token, ["time", "stop_missing", "meter"], ["id_tag"]),
            (too_late, ["stop_missing", "id_tag"], ["time", "meter"]),
            (settled, ["id_tag"], ["time", "stop_missing", "meter"]),
        ]
        assert len((await admin.get(path, params={"limit": 2})).json()["items"]) == 2
        for limit in ("0", "51", "x"):
            assert (await admin.get(path, params={"limit": limit})).status_code == 422
        # a message that names no transaction
        await station.call(
            "StartTransaction", {"connectorId": 1, "idTag": "T", "meterStart": "x", "timestamp": "2026-01-01T00:00:00Z"}
        )
        (broken,) = (await admin.get("/api/v1/quarantine", params={"reason": "schema"})).json()["items"]
        answer = await admin.get(f"/api/v1/quarantine/{broken['quarantine_id']}/candidates")
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:open-csms:problem:not-attachable")
        refused = await attach(admin, broken, found["items"][0]["session"])
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:open-csms:problem:not-attachable")


async def test_what_cannot_be_attached(database: str, root_secret: RootSecret) -> None:
    async with (
        running(database) as site,
        site.station() as station,
        site.station("CP2") as other,
        with_hub(site, root_secret) as hub,
    ):
        admin = await hub.admin()
        south = await hub.make_tenant(admin, "south")
        viewer = await hub.make_user(admin, "viewer")
        await station.boot()
        await other.boot()
        await start(station)
        of_another = await start(other)
        await stop(station, 0)
        (message,) = await orphans(admin)
        path = f"/api/v1/quarantine/{message['quarantine_id']}/attach"
        mine = (await admin.get("/api/v1/sessions", params={"charge_point_id": "CP1"})).json()["items"][0]
        # another station's, another tenant's, nobody's: the same answer
        theirs = await session_of(admin, of_another)
        await site.execute("INSERT INTO stations (tenant_id, identity) SELECT tenant_id, 'SOUTH' FROM tenants WHERE slug = 'south'")
        await site.execute(
            "INSERT INTO sessions (tenant_id, session_id, station_id, ocpp_version, transaction_ref) "
            "SELECT s.tenant_id, gen_random_uuid(), s.station_id, 'ocpp1.6', '77' FROM stations s WHERE s.identity = 'SOUTH'"
        )
        (foreign,) = (await south.get("/api/v1/sessions")).json()["items"]
        nobody = {"session_id": "00000000-0000-0000-0000-000000000000"}
        answers = [await attach(admin, message, session) for session in (theirs, foreign, nobody)]
        assert {answer.content for answer in answers} == {answers[0].content}
        assert (answers[0].status_code, answers[0].json()["errors"][0]["field"]) == (422, "session_id")
        assert (await attach(south, message, mine)).status_code == 404
        assert (await attach(viewer, message, mine)).status_code == 403
        for body, field in (
            ({"session_id": mine["session_id"]}, "reason"),
            ({"session_id": mine["session_id"], "reason": " "}, "reason"),
            ({"session_id": "x", "reason": WHY}, "session_id"),
            ({"reason": WHY}, "session_id"),
        ):
            refused = await admin.post(path, body)
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
        # another version's session, and one whose id was used again
        await site.execute("UPDATE sessions SET ocpp_version = 'ocpp2.0.1' WHERE session_id = $1", mine["session_id"])
        assert "message is of ocpp1.6" in (await attach(admin, message, mine)).json()["errors"][0]["message"]
        await site.execute("UPDATE sessions SET ocpp_version = 'ocpp1.6' WHERE session_id = $1", mine["session_id"])
        await site.execute(
            "INSERT INTO sessions (tenant_id, session_id, station_id, ocpp_version, transaction_ref, incarnation) "
            "SELECT tenant_id, gen_random_uuid(), station_id, ocpp_version, transaction_ref, 1 FROM sessions WHERE session_id = $1",
            mine["session_id"],
        )
        assert "used again" in (await attach(admin, message, mine)).json()["errors"][0]["message"]
        (untouched,) = await orphans(admin, resolved="false")
        assert (untouched["session_id"], untouched["replay_at"]) == (None, None)
        # discarded instead, with a reason, and listed as that
        blank = await admin.post(f"/api/v1/quarantine/{message['quarantine_id']}/resolve", {"resolution": " "})
        assert (blank.status_code, blank.json()["errors"][0]["field"]) == (422, "resolution")
        done = await admin.post(f"/api/v1/quarantine/{message['quarantine_id']}/resolve", {"resolution": "a test of the installer"})
        assert done.status_code == 200
        (listed,) = await orphans(admin, resolved="true")
        assert (listed["resolution"], listed["session_id"]) == ("a test of the installer", None)
        assert (await attach(admin, message, mine)).status_code in (409, 422)


async def test_an_order_that_is_under_way_is_joined_by_the_same_one_only(database: str, root_secret: RootSecret) -> None:
    async with running(database) as site, site.station() as station, with_hub(site, root_secret) as hub:
        admin = await hub.admin()
        await station.boot()
        transaction = await start(station)
        second = await start(station, connector=2)
        await stop(station, 0)
        (message,) = await orphans(admin)
        session, other = await session_of(admin, transaction), await session_of(admin, second)
        path = f"/api/v1/quarantine/{message['quarantine_id']}"
        body = {"session_id": session["session_id"], "reason": WHY}
        site.ledger.held = True
        waiting = await admin.post(f"{path}/attach", body, params={"wait": 0})
        assert (waiting.status_code, waiting.headers["location"]) == (202, path)
        assert (await attach(admin, message, other)).status_code == 409
        assert (await admin.post(f"{path}/replay", {})).status_code == 409
        answers = []

        async def join() -> None:
            answers.append(await admin.post(f"{path}/attach", body))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(join)
            nursery.start_soon(join)
            await trio.sleep(0.3)
            site.ledger.release()
        assert [answer.status_code for answer in answers] == [200, 200]
        assert (await session_of(admin, transaction))["status"] == "completed"
        assert (await session_of(admin, second))["status"] == "active"
