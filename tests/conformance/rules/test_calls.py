"""One CALL at a time in each direction, and time-outs (T1 to T10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import trio

from csms.domain.operations import FinishCommand, ReportConnectorStatus
from tests.conformance.rules.playing import (
    OCPP16,
    OCPP21,
    OCPP201,
    TOKEN,
    answer,
    at,
    boot,
    booted,
    each_2x,
    each_version,
    event,
    start,
    status,
    tell,
    transaction_message,
    until,
)
from tests.conformance.scene import Scene
from tests.integration.gateway.site import Site, running

ACCEPTED = {"status": "Accepted"}


async def clear_cache(site: Site, identity: str = "CP1") -> Any:
    return await site.order(identity, None, {}, action="ClearCache")


@each_version
async def test_t1_the_second_call_leaves_when_the_first_is_answered(database: str, version: str) -> None:
    async with booted(database, version) as (site, station), site.station("CP2", versions=[version]) as other:
        await other.boot()
        for _ in range(2):
            await clear_cache(site)
        first = await station.receive()
        assert await station.silent()
        await clear_cache(site, "CP2")
        await answer(other, await other.receive(1), ACCEPTED)
        await answer(station, first, ACCEPTED)
        assert (await station.receive())[1] != first[1]


async def test_t1_a_send_is_taken_while_our_call_waits(database: str) -> None:
    async with booted(database, OCPP21) as (site, station):
        stream = {"id": 7, "params": {"interval": 5, "values": 10}, "variableMonitoringId": 1}
        assert await tell(station, "OpenPeriodicEventStream", {"constantStreamData": stream}) == ACCEPTED
        await clear_cache(site)
        call = await station.receive()
        values = {"id": 7, "pending": 0, "basetime": at(), "data": [{"t": 0, "v": "1"}]}
        await station.send([6, "s1", "NotifyPeriodicEventStream", values])

        async def stored() -> bool:
            return bool(await site.rows("SELECT 1 FROM station_events WHERE type = 'event_stream'"))

        await until(stored)
        assert await station.silent(0.1), "there is no answer to it"
        await answer(station, call, ACCEPTED)


@each_version
async def test_t2_calls_of_both_directions_cross(database: str, version: str) -> None:
    action, message = transaction_message(version)
    async with booted(database, version) as (site, station):
        command_id = await clear_cache(site)
        ours = await station.receive()
        for _ in range(10):
            await tell(station, "Heartbeat", {})
        await tell(station, action, message)
        # and the other way round: our CALL ends while theirs waits for the store
        site.ledger.held = True
        await station.send([2, "held", "StatusNotification", status(version)])
        await answer(station, ours, ACCEPTED)

        async def both_wait() -> bool:
            # signs of life may wait there as well
            return {FinishCommand, ReportConnectorStatus} <= {type(operation) for operation, _ in site.ledger.waiting}

        await until(both_wait)
        site.ledger.release()
        assert (await station.receive())[1] == "held"
        await site.command(command_id, until="accepted")


@each_version
async def test_t3_what_comes_at_once_is_answered_in_order(database: str, version: str) -> None:
    async with booted(database, version) as (_, station):
        action, message = transaction_message(version)
        calls = [("Heartbeat", {}), ("StatusNotification", status(version)), (action, message), ("DataTransfer", {"vendorId": "v"})]
        for number in range(80):
            await station.send([2, f"n{number}", *calls[number % len(calls)]])
        assert [(await station.receive())[:2] for _ in range(80)] == [[3, f"n{number}"] for number in range(80)]


@each_version
async def test_t4_the_slot_is_free_after_the_time_out(database: str, version: str) -> None:
    async with booted(database, version, call_timeout_s=1) as (site, station):
        first, second = await clear_cache(site), await clear_cache(site)
        assert (await station.receive())[1] == str(first)
        assert (await station.receive(3))[1] == str(second)
        await site.command(first, until="timed_out")


async def test_t4_a_station_may_have_a_time_out_of_its_own(database: str) -> None:
    async with running(database, call_timeout_s=1) as site:
        for identity in ("CP1", "CP2"):
            async with site.station(identity) as station:
                await station.boot()
        await site.execute("UPDATE stations SET call_timeout_s = 300 WHERE identity = 'CP1'")
        async with site.station("CP1") as patient, site.station("CP2") as other:
            orders = []
            for identity, station in (("CP1", patient), ("CP2", other)):
                await station.call("Heartbeat", {})
                orders.append(await clear_cache(site, identity))
                call = await station.receive()
                if identity == "CP1":
                    kept = call
            await site.command(orders[1], until="timed_out")
            await trio.sleep(0.5)
            assert (await site.command(orders[0]))["status"] == "sent"
            await answer(patient, kept, ACCEPTED)
            await site.command(orders[0], until="accepted")


def test_t4_an_operator_sets_the_time_out_of_a_station(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP16)
    identity = play.station().identity
    path = f"/chargepoints/{identity}"
    assert play.api.get(path)["call_timeout_s"] is None
    assert play.api.call("PATCH", path, {"call_timeout_s": 300})["call_timeout_s"] == 300
    for wrong in (4, 301, "60"):
        play.api.call("PATCH", path, {"call_timeout_s": wrong}, expect=(422,))
    station = play.connect(identity)
    station.call("Heartbeat", {})
    order = play.order(station, "ClearCache", {})
    with pytest.raises(TimeoutError):
        order.ordered.result(3)  # the server's own time-out is shorter
    assert order.answer(ACCEPTED)["status"] == "accepted"
    assert play.api.call("PATCH", path, {"call_timeout_s": None})["call_timeout_s"] is None


@each_version
async def test_t5_a_second_answer_and_one_to_nothing_change_nothing(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        first, second = await clear_cache(site), await clear_cache(site)
        call = await station.receive()
        await answer(station, call, ACCEPTED)
        assert (await station.receive())[1] == str(second)
        await answer(station, call, {"status": "Rejected"})
        await station.send([3, "nobody asked", {"status": "Rejected"}])
        await station.send([4, call[1], "GenericError", "", {}])
        await tell(station, "Heartbeat", {})
        assert (await site.command(first, until="accepted"))["status"] == "accepted"
        assert (await site.command(second))["status"] == "sent"


@each_version
async def test_t6_an_unsafe_command_is_not_repeated_after_a_cut(database: str, version: str) -> None:
    async with running(database, call_timeout_s=1) as site:
        async with site.station(versions=[version]) as station:
            await station.boot()
            order = await site.order("CP1", "reset", {"type": "hard"})
            assert (await station.receive())[2] == "Reset"
        async with site.station(versions=[version]) as station:
            await station.boot()
            await site.command(order, until="unknown")
            assert await station.silent(0.3)


def test_t7_more_commands_than_can_wait_are_refused(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    station = play.station()
    play.api.call("PATCH", f"/chargepoints/{station.identity}", {"call_timeout_s": 300})
    station = play.station(station.identity)
    path = f"/chargepoints/{station.identity}/commands"
    order = {"action": "ClearCache", "payload": {}}
    orders = [play.api.call("POST", path, order, expect=(202,), wait=0) for _ in range(100)]
    assert "too many" in play.api.call("POST", path, order, expect=(429,), wait=0)["detail"]
    for wanted in orders[:3]:
        call = station.receive()
        assert call[1] == wanted["command_id"], "they leave in the order of the orders"
        station.send([3, call[1], ACCEPTED])


@each_2x
async def test_t8_the_answer_leaves_before_the_call_that_it_causes(database: str, version: str) -> None:
    async with booted(database, version) as (_, station):
        await station.send([2, "end", "TransactionEvent", event("Ended", 7)])
        assert (await station.receive())[:2] == [3, "end"]
        assert (await station.receive())[2] == "GetTransactionStatus"


@each_version
async def test_t8_a_triggered_message_may_overtake_the_answer_to_its_trigger(database: str, version: str) -> None:
    async with running(database) as site:
        await site.add_station("CP1", admission="pending")
        async with site.station(versions=[version]) as station:
            assert (await tell(station, "BootNotification", boot(version)))["status"] == "Pending"
            order = await site.order("CP1", None, {"requestedMessage": "StatusNotification"}, action="TriggerMessage")
            trigger = await station.receive()
            assert await tell(station, "StatusNotification", status(version)) == {}
            await answer(station, trigger, ACCEPTED)
            await site.command(order, until="accepted")


@each_version
async def test_t9_no_call_waits_for_what_the_station_has_not_answered(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await clear_cache(site)
        unanswered = await station.receive()
        token = {"idTag": "TAG"} if version == OCPP16 else {"idToken": TOKEN}
        calls = [transaction_message(version), ("Authorize", token), ("BootNotification", boot(version))]
        if version == OCPP16:
            transaction = (await tell(station, "StartTransaction", start(connectorId=2)))["transactionId"]
            calls.append(("StopTransaction", {"transactionId": transaction, "meterStop": 5, "timestamp": at()}))
        else:
            calls.append(("TransactionEvent", event("Ended", 9, tx="T-2")))
        for action, message in calls:
            with trio.fail_after(5):
                await tell(station, action, message)
        await answer(station, unanswered, ACCEPTED)


@each_version
async def test_t10_what_follows_names_its_command_or_none(database: str, version: str) -> None:
    def told(request_id: int) -> dict[str, Any]:
        return {"status": "Uploaded", "requestId": request_id}

    async with booted(database, version) as (site, station):
        log = {"logType": "SecurityLog", "requestId": 41, "log": {"remoteLocation": "https://files.example.test/log"}}
        command_id = await site.order("CP1", None, log, action="GetLog")
        await answer(station, await station.receive(), ACCEPTED)
        await site.command(command_id, until="accepted")
        for request_id in (41, 99):
            assert await tell(station, "LogStatusNotification", told(request_id)) == {}
        rows = await site.rows("SELECT data, command_id FROM station_events WHERE type = 'log_status' ORDER BY recorded_at")
        assert [(json.loads(row["data"])["requestId"], row["command_id"]) for row in rows] == [(41, command_id), (99, None)]
