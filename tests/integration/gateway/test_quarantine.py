"""The quarantine: bounded per station, replayed by any gateway, idempotent, also while the station is away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
import pytest
import trio

from csms.domain.operations import QuarantineFrame, StartTransaction
from csms.quarantine import AlreadyResolved, QuarantineService, ReplayUnderWay, UnknownMessage
from csms.secret import RootSecret
from csms.store.queries.quarantine import QuarantinedMessageDetails
from tests.integration.gateway.rules import add_rule
from tests.integration.gateway.site import BOOT_16, Site, running
from tests.integration.hub.harness import RunningHub, running_hub

START: dict[str, Any] = {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}
STOP: dict[str, Any] = {"transactionId": 4711, "meterStop": 500, "timestamp": "2026-01-01T01:00:00Z"}


def service(site: Site) -> QuarantineService:
    return QuarantineService(site.store.hub, site.bus, site.services.ids)


async def kept(site: Site) -> list[UUID]:
    return [row["quarantine_id"] for row in await site.rows("SELECT quarantine_id FROM quarantine ORDER BY quarantine_id")]


async def replay(site: Site, quarantine_id: UUID, payload: Any = None) -> QuarantinedMessageDetails:
    text = None if payload is None else json.dumps(payload).encode()
    return await service(site).replay(1, quarantine_id, payload=text, by="olga", wait_s=10)


def error(message: QuarantinedMessageDetails) -> dict[str, Any]:
    assert message.replay_error is not None
    assert message.resolved_at is None
    return dict(msgspec.json.decode(message.replay_error))


async def sessions(site: Site) -> list[dict[str, Any]]:
    return await site.rows("SELECT * FROM sessions ORDER BY session_id")


async def usage(site: Site) -> list[tuple[Any, ...]]:
    """(messages, bytes, refused)"""
    return [
        tuple(row.values()) for row in await site.rows("SELECT messages, bytes, refused FROM quarantine_usage ORDER BY station_id")
    ]


async def test_a_start_that_the_gate_refused_is_replayed_after_acceptance(database: str) -> None:
    async with running(database) as site:
        await site.tenant(onboarding="pending")
        async with site.station() as station:
            assert (await station.call("BootNotification", BOOT_16))[2]["status"] == "Pending"
            assert (await station.call("StartTransaction", START))[2] == "SecurityError"
        (quarantine_id,) = await kept(site)
        refused = await replay(site, quarantine_id)
        assert (error(refused)["kind"], await sessions(site)) == ("gate", [])
        await site.execute("UPDATE stations SET registration = 'accepted', admission = 'accept'")
        # the station is away
        taken = await replay(site, quarantine_id)
        (session,) = await sessions(site)
        assert (taken.resolution, taken.resolved_by, taken.replay_by) == ("replayed", "olga", "olga")
        assert taken.answer is not None
        answer = msgspec.json.decode(taken.answer)
        assert str(answer["transactionId"]) == session["transaction_ref"]
        assert (session["status"], "replayed" in session["flags"]) == ("active", True)
        assert await usage(site) == [(0, 0, 0)]
        with pytest.raises(AlreadyResolved):
            await replay(site, quarantine_id)
        # the station repeats it after all: the same session, the same answer
        async with site.station() as station:
            assert (await station.call("StartTransaction", START))[2] == answer
        assert len(await sessions(site)) == 1


async def test_replayed_twice_is_one_session(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        await site.tenant(validation="strict")
        for extra in (1, 2):
            assert (await station.call("StartTransaction", START | {"x": extra}))[0] == 4
        await add_rule(site, path="/x")
        answers = [(await replay(site, quarantine_id)).answer for quarantine_id in await kept(site)]
        assert answers[0] == answers[1] is not None
        # as if the process had died between the commit and the note of it
        await site.execute("UPDATE quarantine SET resolved_at = NULL, resolution = NULL, replay_finished_at = NULL, answer = NULL")
        await site.execute("UPDATE quarantine_usage SET messages = 2")
        await site.execute("UPDATE quarantine SET replay_claimed_at = now() - interval '61 s'")
        await site.bus.publish("quarantine.replays", b"")
        with trio.fail_after(10):
            while len(await site.rows("SELECT 1 FROM quarantine WHERE resolution = 'replayed'")) < 2:
                await trio.sleep(0.05)
        assert len(await sessions(site)) == 1


async def test_a_whole_transaction_comes_from_quarantine(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        await station.call("StartTransaction", START | {"meterStart": "0"})
        (start_id,) = await kept(site)
        started = await replay(site, start_id, START)
        assert msgspec.json.decode(started.replay_payload or b"") == START
        transaction_id = msgspec.json.decode(started.answer or b"")["transactionId"]
        values = [{"timestamp": "2026-01-01T00:30:00Z", "sampledValue": [{"value": "250"}]}]
        metered = {"connectorId": 1, "transactionId": "one", "meterValue": values}
        assert (await station.call("MeterValues", metered))[0] == 4
        assert (await station.call("StopTransaction", STOP))[0] == 3, "an orphan is answered normally"
        _, meter_id, stop_id = await kept(site)
        still_lost = await replay(site, stop_id)
        assert error(still_lost)["kind"] == "orphan"
        assert len(await kept(site)) == 3
        for _ in range(2):
            assert (await replay(site, meter_id, metered | {"transactionId": transaction_id})).resolution == "replayed"
            await site.execute("UPDATE quarantine SET resolved_at = NULL WHERE quarantine_id = $1", meter_id)
        assert (await replay(site, stop_id, STOP | {"transactionId": transaction_id})).resolution == "replayed"
        (session,) = await sessions(site)
        assert (session["status"], session["energy_wh"]) == ("completed", 500)
        assert len(await site.rows("SELECT 1 FROM samples")) == 1
        assert session["flags"].count("replayed") == 1


async def test_orphaned_readings_are_replayed_as_they_are_kept(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        assert (await station.call("MeterValues", {"connectorId": 1, "transactionId": 4711, "meterValue": VALUES}))[0] == 3
        (quarantine_id,) = await kept(site)
        assert error(await replay(site, quarantine_id))["kind"] == "orphan"
        started = (await station.call("StartTransaction", START))[2]
        await site.execute("UPDATE sessions SET transaction_ref = '4711'")
        assert (await replay(site, quarantine_id)).resolution == "replayed"
        (session,) = await sessions(site)
        assert (started["transactionId"] > 0, session["flags"]) == (True, ["unauthorized", "replayed"])
        assert len(await site.rows("SELECT 1 FROM samples")) == 1


async def test_an_event_of_2_0_1_is_replayed(database: str) -> None:
    event = {
        "eventType": "Started",
        "timestamp": "2026-01-01T00:00:00Z",
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "T1"},
    }
    async with running(database) as site, site.station(versions=["ocpp2.0.1"]) as station:
        await station.boot()
        assert (await station.call("TransactionEvent", event | {"seqNo": "zero"}))[0] == 4
        (quarantine_id,) = await kept(site)
        assert error(await replay(site, quarantine_id, event | {"seqNo": 1.5}))["path"] == "/seqNo"
        assert (await replay(site, quarantine_id, event)).answer == msgspec.Raw(b"{}")
        (session,) = await sessions(site)
        assert (session["transaction_ref"], "replayed" in session["flags"]) == ("T1", True)


async def test_a_hopeless_message_says_why_and_stays(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        await station.call("StartTransaction", START | {"meterStart": "five"})
        (quarantine_id,) = await kept(site)
        told = error(await replay(site, quarantine_id))
        assert (told["kind"], told["code"], told["path"], told["rule"]) == (
            "schema",
            "TypeConstraintViolation",
            "/meterStart",
            "type",
        )
        told = error(await replay(site, quarantine_id, ["no object"]))
        assert (told["path"], told["rule"]) == ("", "type")
        with pytest.raises(UnknownMessage):
            await replay(site, site.services.ids.uuid7())
        assert len(await site.rows("SELECT 1 FROM quarantine WHERE resolved_at IS NULL")) == 1


async def test_an_order_is_carried_out_once_and_found_without_the_bus(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        await station.call("StartTransaction", START | {"meterStart": "five"})
        (quarantine_id,) = await kept(site)
        site.ledger.held = True
        waiting = await service(site).replay(1, quarantine_id, payload=json.dumps(START).encode(), by="olga", wait_s=0)
        assert (waiting.replay_finished_at, waiting.resolved_at) == (None, None)
        with pytest.raises(ReplayUnderWay):
            await replay(site, quarantine_id)
        site.ledger.release()
        with trio.fail_after(10):
            while not await site.rows("SELECT 1 FROM quarantine WHERE resolved_at IS NOT NULL"):
                await trio.sleep(0.05)
        assert len(await sessions(site)) == 1
        # an order whose poke was lost
        await station.call("StartTransaction", START | {"meterStart": "six"})
        await site.execute(
            "UPDATE quarantine SET replay_id = gen_random_uuid(), replay_at = now(), replay_by = 'olga' WHERE resolved_at IS NULL"
        )
        with trio.fail_after(10):
            while not await site.rows("SELECT 1 FROM quarantine WHERE replay_error IS NOT NULL"):
                await trio.sleep(0.05)


async def test_of_several_gateways_one_carries_an_order_out(database: str) -> None:
    async with running(database) as one, running(database) as two:
        async with one.station() as station:
            await station.boot()
            for number in range(6):
                await station.call("StartTransaction", START | {"meterStart": str(number)})
        await one.execute(
            "UPDATE quarantine SET replay_id = gen_random_uuid(), replay_at = now(), replay_by = 'olga', replay_payload = $1",
            json.dumps(START).encode(),
        )
        async with trio.open_nursery() as nursery:
            for site in (one, two):
                nursery.start_soon(site.bus.publish, "quarantine.replays", b"")
        with trio.fail_after(10):
            while len(await one.rows("SELECT 1 FROM quarantine WHERE resolution = 'replayed'")) < 6:
                await trio.sleep(0.05)
        done = [op for site in (one, two) for op in site.ledger.submitted if isinstance(op, StartTransaction)]
        assert len(done) == 6
        assert len(await sessions(one)) == 1


async def test_a_full_quarantine_counts_and_tells(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csms.store.ledger_quarantine.MESSAGES_MAX", 10)
    async with running(database) as site, site.station() as station, site.station("CP2") as other:
        await station.boot()
        await other.boot()
        for number in range(7):
            assert (await station.call("StartTransaction", START | {"x": number}))[0] == 3
        assert await usage(site) == [(5, await _bytes(site), 0)], "what is taken anyway leaves room for the rest"
        bad = {"connectorId": 1, "meterValue": "none"}
        for number in range(7):
            assert (await station.call("MeterValues", bad | {"transactionId": number}))[0] == 4
        assert await usage(site) == [(9, await _bytes(site), 3)], "readings leave room for starts and stops"
        assert (await station.call("StartTransaction", START | {"meterStart": "x"}))[0] == 4
        assert (await station.call("StartTransaction", START | {"meterStart": "y"}))[0] == 4
        assert await usage(site) == [(10, await _bytes(site), 4)]
        assert (await other.call("StartTransaction", START | {"meterStart": "x"}))[0] == 4, "its own room"
        events = await site.rows("SELECT data FROM outbox WHERE type = 'station.quarantine_full'")
        assert len(events) == 1, "told once an hour"
        # what is known is counted where it is, full or not
        await station.call("StartTransaction", START | {"meterStart": "x"})
        assert [row["times"] for row in await site.rows("SELECT times FROM quarantine WHERE times > 1")] == [2]
        # what is resolved makes room
        (first, *_) = await kept(site)
        assert (await replay(site, first, START)).resolution == "replayed"
        assert (await station.call("StartTransaction", START | {"meterStart": "z"}))[0] == 4
        assert [row[0] for row in await usage(site)] == [10, 1]


VALUES = [{"timestamp": "2026-01-01T00:30:00Z", "sampledValue": [{"value": "250"}]}]


async def _bytes(site: Site) -> int:
    (row,) = await site.rows("SELECT sum(octet_length(payload)) AS size FROM quarantine")
    return int(row["size"])


async def test_a_quarantine_full_of_bytes(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csms.store.ledger_quarantine.BYTES_MAX", 1000)
    async with running(database) as site, site.station() as station:
        await station.boot()
        for number in range(3):
            await station.call("StartTransaction", START | {"meterStart": "x" * 300 + str(number)})
        ((messages, size, refused),) = await usage(site)
        assert (messages, refused) == (2, 1)
        assert size < 1000


async def test_several_stations_in_one_commit(database: str) -> None:
    async with running(database) as site:
        for number in range(3):
            await site.add_station(f"S{number}")
        operations = [
            QuarantineFrame(
                tenant_id=1,
                station_id=row["station_id"],
                ocpp_version="ocpp1.6",
                action="StartTransaction",
                reason="schema",
                payload=b"same",
            )
            for row in await site.rows("SELECT station_id FROM stations ORDER BY 1")
        ]
        async with trio.open_nursery() as nursery:
            for operation in operations + operations:
                nursery.start_soon(site.ledger.behind.commit, operation)
        assert [row["times"] for row in await site.rows("SELECT times FROM quarantine")] == [2, 2, 2]
        assert await usage(site) == [(1, 4, 0)] * 3


@asynccontextmanager
async def with_hub(site: Site, secret: RootSecret) -> AsyncIterator[RunningHub]:
    async with trio.open_nursery() as nursery, running_hub(site.dsn, secret, nursery, bus=site.bus) as hub:
        yield hub


async def test_over_http(database: str, root_secret: RootSecret) -> None:
    async with running(database) as site, site.station() as station, with_hub(site, root_secret) as hub:
        admin = await hub.admin()
        assert (await admin.put("/api/v1/tenants/default/config", {"validation": "strict"})).json()["validation"] == "strict"
        await station.boot()
        await site.tenant()
        assert (await station.call("StartTransaction", START | {"x": 1}))[0] == 4
        (message,) = (await admin.get("/api/v1/quarantine", params={"resolved": "false"})).json()["items"]
        path = f"/api/v1/quarantine/{message['quarantine_id']}"
        refused = await admin.post(f"{path}/replay", None)
        assert refused.status_code == 422
        problem = refused.json()
        assert problem["type"] == "urn:open-csms:problem:not-replayable"
        assert problem["errors"] == [{"field": "payload/x", "message": "additionalProperties: /x: unknown field"}]
        made = await admin.post("/api/v1/tolerance-rules", {"vendor": "VENDOR", "effect": "spare", "path": "/x", "note": "why"})
        assert made.status_code == 201, made.text
        await site.tenant()
        taken = await admin.post(f"{path}/replay", {})
        assert taken.status_code == 200, taken.text
        assert taken.json()["resolution"] == "replayed"
        assert taken.json()["payload_json"] == START | {"x": 1}
        assert taken.json()["answer"]["transactionId"] > 0
        assert (await admin.post(f"{path}/replay", {})).status_code == 409
        assert (await admin.post(f"{path}/resolve", {"resolution": "x"})).status_code == 409
        (counted,) = (await admin.get("/api/v1/chargepoints/CP1/relaxations")).json()["items"]
        assert (counted["path"], counted["cause"], counted["rule_id"]) == ("/x", "rule", made.json()["rule_id"])
        # what cannot be helped is closed by hand
        assert (await station.call("StartTransaction", START | {"meterStart": "x"}))[0] == 4
        (other,) = (await admin.get("/api/v1/quarantine", params={"resolved": "false"})).json()["items"]
        closed = await admin.post(f"/api/v1/quarantine/{other['quarantine_id']}/resolve", {"resolution": "billed by hand"})
        assert (closed.json()["resolution"], closed.json()["resolved_by"]) == ("billed by hand", taken.json()["resolved_by"])
        assert (await admin.get("/api/v1/quarantine", params={"resolved": "false"})).json()["items"] == []
        assert len((await admin.get("/api/v1/quarantine", params={"charge_point_id": "CP1"})).json()["items"]) == 2
        for payload in ("text", [1], 5):
            assert (await admin.post(f"{path}/replay", {"payload": payload})).status_code == 422
        assert (await admin.delete(f"/api/v1/tolerance-rules/{made.json()['rule_id']}")).status_code == 204
        assert (await admin.get("/api/v1/tolerance-rules")).json()["items"] == []
