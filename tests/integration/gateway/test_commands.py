"""Commands to stations (design 5, rules T1 to T8, B4 to B7, B10, vectors 27 to 29, 49 to 52, 56)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from csms.commands.ends import TOPIC
from csms.domain.operations import ClaimCommand
from gateway import mailbox
from tests.integration.gateway.site import BOOT_16, BOOT_201, Site, Station, running

STATUS_201 = {"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}


async def answer(station: Station, frame: Any, payload: Any) -> None:
    await station.send([3, frame[1], payload])


async def test_a_command_is_claimed_sent_and_finished(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        command_id = await site.order("CP1", "get_configuration", {"keys": ["HeartbeatInterval"]}, poke=False)
        async with site.bus.subscribe(TOPIC) as told:
            await poke(site, command_id)
            frame = await station.receive()
            assert frame == [2, str(command_id), "GetConfiguration", {"key": ["HeartbeatInterval"]}]
            row = await site.command(command_id)
            assert (row["status"], row["epoch"]) == ("sent", 1), "sent is committed before the frame leaves"
            result = {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}]}
            await answer(station, frame, result)
            with trio.fail_after(5):
                assert await told.receive() == command_id.bytes
        row = await site.command(command_id)
        assert row["status"] == "accepted"
        assert json.loads(row["result"]) == result


@pytest.mark.parametrize(
    ("reply", "status", "error"),
    [
        ([3, None, {"status": "Accepted"}], "accepted", None),
        ([3, None, {"status": "Rejected"}], "rejected", None),
        ([3, None, {"status": 5}], "failed", "/status"),
        ([4, None, "NotSupported", "no such thing", {}], "failed", "NotSupported: no such thing"),
        ([4, None, "VendorWord", "", {}], "failed", "VendorWord"),
    ],
)
async def test_how_answers_end_a_command(database: str, reply: list[Any], status: str, error: str | None) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        command_id = await site.order("CP1", "reset", {"type": "soft"})
        frame = await station.receive()
        assert frame[2:] == ["Reset", {"type": "Soft"}]
        reply[1] = frame[1]
        await station.send(reply)
        row = await site.command(command_id, until=status)
        assert error is None or error in row["error"]
        assert await station.silent(0.1), "an answer is never answered"
        assert (await station.call("Heartbeat", {}))[0] == 3


async def test_two_commands_go_one_after_the_other(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        first = await site.order("CP1", "clear_cache", {})
        second = await site.order("CP1", "reset", {"type": "hard"})
        frame = await station.receive()
        assert frame[1] == str(first)
        assert await station.silent()
        await answer(station, frame, {"status": "Accepted"})
        frame = await station.receive()
        assert frame[1] == str(second)
        await answer(station, frame, {"status": "Accepted"})
        assert (await site.command(second, until="accepted"))["error"] is None


async def test_the_stations_calls_are_answered_while_ours_waits(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        command_id = await site.order("CP1", "clear_cache", {})
        ours = await station.receive()
        for number in range(10):
            await station.send([2, f"n{number}", "Heartbeat", {}])
        assert [(await station.receive())[1] for _ in range(10)] == [f"n{number}" for number in range(10)]
        await answer(station, ours, {"status": "Accepted"})
        await site.command(command_id, until="accepted")


async def test_t2_answers_pass_while_a_call_of_the_station_is_held(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        command_id = await site.order("CP1", "clear_cache", {})
        ours = await station.receive()
        site.ledger.held = True
        await station.send([2, "x", "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}])
        await answer(station, ours, {"status": "Accepted"})
        with trio.fail_after(5):
            while len(site.ledger.waiting) < 2:
                await trio.sleep(0.01)
        site.ledger.release()
        assert (await station.receive())[1] == "x"
        await site.command(command_id, until="accepted")


async def test_t5_a_late_answer_ends_neither_its_own_nor_the_next_command(database: str) -> None:
    async with running(database, call_timeout_s=1) as site, site.station() as station:
        await station.boot()
        first = await site.order("CP1", "clear_cache", {})
        second = await site.order("CP1", "reset", {"type": "hard"})
        late = await station.receive()
        assert (await site.command(first, until="timed_out"))["error"]
        frame = await station.receive()
        assert frame[1] == str(second)
        await answer(station, late, {"status": "Accepted"})
        assert await station.silent(0.2)
        assert (await site.command(second))["status"] == "sent"
        await answer(station, frame, {"status": "Rejected"})
        await site.command(second, until="rejected")
        await answer(station, frame, {"status": "Accepted"})
        assert (await site.command(first))["status"] == "timed_out"
        assert (await site.command(second))["status"] == "rejected"


async def test_a_silent_station_does_not_delay_another(database: str) -> None:
    async with running(database) as site, site.station("A") as silent, site.station("B") as station:
        await silent.boot()
        await station.boot()
        await site.order("A", "clear_cache", {})
        await silent.receive()
        second = await site.order("B", "clear_cache", {})
        await answer(station, await station.receive(1), {"status": "Accepted"})
        await site.command(second, until="accepted")


async def test_t5_an_answer_may_come_on_a_newer_connection(database: str) -> None:
    async with running(database) as site:
        async with site.station() as station:
            await station.boot()
            command_id = await site.order("CP1", "clear_cache", {})
            frame = await station.receive()
        async with site.station() as station:
            await answer(station, frame, {"status": "Accepted"})
            await site.command(command_id, until="accepted")


async def test_t6_a_cut_without_an_answer_ends_as_unknown(database: str) -> None:
    async with running(database, call_timeout_s=1) as site:
        async with site.station() as station:
            await station.boot()
            command_id = await site.order("CP1", "clear_cache", {})
            await station.receive()
        async with site.station() as station:
            await station.call("Heartbeat", {})
            row = await site.command(command_id, until="unknown")
            assert "lost" in row["error"]
            assert await station.silent(0.2), "nothing is repeated by itself"


async def test_a_command_that_waits_in_the_database_is_picked_up_without_a_poke(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        command_id = await site.order("CP1", "clear_cache", {}, poke=False)
        frame = await station.receive(8)
        assert frame[1] == str(command_id)
        await answer(station, frame, {"status": "Accepted"})


async def test_a_command_is_sent_once_however_often_it_is_poked(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        command_id = await site.order("CP1", "clear_cache", {}, poke=False)
        for _ in range(20):
            await poke(site, command_id)
        frame = await station.receive()
        assert await station.silent()
        # until its end is stored; whoever read the row before that and comes later is refused by its claim
        assert sum(isinstance(operation, ClaimCommand) for operation in site.ledger.submitted) == 1
        await answer(station, frame, {"status": "Accepted"})
        await site.command(command_id, until="accepted")
        for _ in range(5):
            await poke(site, command_id)
        assert await station.silent()


@pytest.mark.parametrize(
    "told",
    [
        {"parameters": {"type": "hard"}},
        {"command": "clear_cache"},
        {"command": None, "action": "Reset", "parameters": {"type": "Hard"}},
        {"command": "no_such_command"},
    ],
)
async def test_a_poke_that_tells_something_else_sends_what_was_ordered(
    database: str, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]
) -> None:
    monkeypatch.setattr(mailbox, "TRUTH_SWEEP_S", 0.1)
    async with running(database) as site, site.station() as station:
        await station.boot()
        command_id = await site.order("CP1", "reset", {"type": "soft"}, told=told)
        assert await station.receive() == [2, str(command_id), "Reset", {"type": "Soft"}]


async def test_a_poke_for_a_command_of_another_station_sends_nothing(database: str) -> None:
    async with running(database) as site, site.station() as station, site.station("CP2") as other:
        await station.boot()
        await other.boot()
        command_id = await site.order("CP1", "reset", {"type": "soft"}, poke=False)
        (row,) = await site.rows("SELECT station_id FROM stations WHERE identity = 'CP2'")
        told = {"command": "reset", "parameters": {"type": "soft"}, "expires_at": "2099-01-01T00:00:00Z"}
        body = {"tenant_id": 1, "station_id": row["station_id"], "command_id": str(command_id), "told": told}
        await site.bus.publish(f"gateway.{site.services.process_id}.commands", json.dumps(body).encode())
        assert await other.silent()
        assert (await site.command(command_id))["status"] == "queued"


async def test_t7_an_expired_command_is_not_sent(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        command_id = await site.order("CP1", "clear_cache", {}, ttl=-1)
        await site.command(command_id, until="expired")
        assert await station.silent(0.1)


@pytest.mark.parametrize(
    ("command", "action", "parameters", "error"),
    [
        (None, "Reset", {"type": "Gently"}, "/type"),
        (None, "Reset", {}, "/type"),
        (None, "BootNotification", {}, "BootNotification"),
        (None, "Nonsense", {}, "Nonsense"),
        ("get_variables", None, {"variables": [{"component": "c", "variable": "v"}]}, "variables"),
        ("change_configuration", None, {"key": 5, "value": "x"}, "key"),
    ],
)
async def test_a_wrong_payload_fails_and_sends_nothing(
    database: str, command: str | None, action: str | None, parameters: Any, error: str
) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        command_id = await site.order("CP1", command, parameters, action=action)
        row = await site.command(command_id, until="failed")
        assert error in row["error"]
        assert row["sent_at"] is None
        assert await station.silent(0.1)


async def test_raw_commands(database: str) -> None:
    async with running(database) as site, site.station("CP2", versions=["ocpp2.0.1"]) as station:
        await station.boot()
        command_id = await site.order("CP2", None, {"requestId": 7, "reportBase": "FullInventory"}, action="GetBaseReport")
        frame = await station.receive()
        assert frame[2:] == ["GetBaseReport", {"requestId": 7, "reportBase": "FullInventory"}]
        await answer(station, frame, {"status": "Accepted"})
        await site.command(command_id, until="accepted")


async def test_what_a_pending_station_may_send(database: str) -> None:
    async with running(database) as site:
        await site.add_station("CP1", admission="pending")
        async with site.station(versions=["ocpp2.0.1"]) as station:
            assert (await station.call("BootNotification", BOOT_201))[2]["status"] == "Pending"
            event = {
                "eventType": "Started",
                "timestamp": "2026-01-01T00:00:00Z",
                "triggerReason": "CablePluggedIn",
                "seqNo": 0,
                "transactionInfo": {"transactionId": "T1"},
            }
            assert (await station.call("TransactionEvent", event))[2] == "SecurityError"
            (kept,) = await site.rows("SELECT * FROM quarantine")
            assert (kept["action"], kept["reason"]) == ("TransactionEvent", "gate")
            assert b'"T1"' in kept["payload"]
            assert (await station.call("StatusNotification", STATUS_201))[2] == "SecurityError"
            assert (await station.call("Nonsense", {}))[2] == "SecurityError", "row 9 comes before row 10"
            refused = await site.order("CP1", "remote_start", {"id_token": "TAG"})
            assert (await site.command(refused, until="failed"))["error"] == "station is not accepted yet"
            await site.order("CP1", "trigger_message", {"message": "StatusNotification", "evse_id": 1, "connector_id": 1})
            frame = await station.receive()
            assert frame[2] == "TriggerMessage"
            await answer(station, frame, {"status": "Accepted"})
            assert (await station.call("StatusNotification", STATUS_201))[2] == {}
            assert (await station.call("StatusNotification", STATUS_201))[2] == "SecurityError"


async def test_b7_a_new_station_that_does_not_boot_is_refused_and_asked_to(database: str) -> None:
    async with running(database) as site, site.station() as station:
        assert (await station.call("Heartbeat", {}))[2] == "SecurityError"
        frame = await station.receive()
        assert frame[2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
        await answer(station, frame, {"status": "Accepted"})
        assert (await station.call("Heartbeat", {}))[2] == "SecurityError"
        assert await station.silent(0.2), "it is asked once"
        await station.boot()
        assert (await station.call("Heartbeat", {}))[0] == 3


async def test_b7_a_new_station_that_says_nothing_is_asked_to_boot(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sweeper.FIRST_CALL_AFTER_S", 0.5)
    async with running(database) as site, site.station() as station:
        assert (await station.receive(3))[2] == "TriggerMessage"


async def test_an_accepted_station_that_reconnects_is_served_without_a_boot(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sweeper.FIRST_CALL_AFTER_S", 0.3)
    async with running(database) as site:
        async with site.station() as station:
            await station.boot()
        async with site.station() as station:
            assert await station.silent(0.8), "it must not be asked for a boot"
            status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
            assert (await station.call("StatusNotification", status))[2] == {}
    async with running(database) as site, site.station() as station:
        assert (await station.call("Heartbeat", {}))[0] == 3, "also after a restart of the gateway"


async def test_b10_our_first_call_waits_for_the_first_answer(database: str) -> None:
    async with running(database) as site:
        async with site.station() as station:
            await station.boot()
        async with site.station() as station:
            await site.order("CP1", "clear_cache", {})
            assert await station.silent(0.5)
            await station.send([2, "b", "BootNotification", BOOT_16])
            assert (await station.receive())[0:2] == [3, "b"]
            assert (await station.receive())[2] == "ClearCache"


async def test_an_order_to_disconnect(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        (row,) = await site.rows("SELECT station_id FROM stations")
        body = {"tenant_id": 1, "station_id": row["station_id"], "reason": "password changed"}
        topic = f"gateway.{site.services.process_id}.disconnect"
        await site.bus.publish(topic, b"not json")
        await site.bus.publish(topic, json.dumps(body).encode())
        assert await station.closed() == (1008, "password changed")


async def poke(site: Site, command_id: Any) -> None:
    (row,) = await site.rows("SELECT tenant_id, station_id FROM commands WHERE command_id = $1", command_id)
    body = {**row, "command_id": str(command_id)}
    await site.bus.publish(f"gateway.{site.services.process_id}.commands", json.dumps(body).encode())
