"""What a station may do before and after its BootNotification was answered (B1 to B10)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.certificates import Authority
from tests.conformance.rules.playing import (
    OCPP16,
    answer,
    at,
    boot,
    booted,
    each_2x,
    each_version,
    status,
    tell,
    the_session,
    transaction_message,
)
from tests.integration.gateway.site import Site, Station, running

ACCEPTED = {"status": "Accepted"}


def read_something(version: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A CALL of ours that reads, and a right answer to it: (action, payload, answer)."""
    if version == OCPP16:
        return "GetConfiguration", {"key": ["HeartbeatInterval"]}, {"unknownKey": ["HeartbeatInterval"]}
    name = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    result = {"attributeStatus": "Accepted", "attributeValue": "300", **name}
    return "GetVariables", {"getVariableData": [name]}, {"getVariableResult": [result]}


async def refused(station: Station, action: str, message: dict[str, Any]) -> None:
    frame = await station.call(action, message)
    assert (frame[0], frame[2]) == (4, "SecurityError"), frame


async def pending(site: Site, station: Station, version: str) -> None:
    assert (await tell(station, "BootNotification", boot(version)))["status"] == "Pending"


@each_version
async def test_b1_an_accepted_station_that_reconnects_is_served_without_a_boot(
    database: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sweeper.FIRST_CALL_AFTER_S", 0.2)
    async with booted(database, version):
        pass
    async with running(database) as site, site.station(versions=[version]) as station:
        assert await station.silent(0.5), "it must not be asked for a boot"
        assert await tell(station, "StatusNotification", status(version)) == {}


@each_version
async def test_b1_a_boot_on_each_reconnect_ends_no_transaction(database: str, version: str) -> None:
    action, message = transaction_message(version)
    async with booted(database, version) as (site, station):
        await tell(station, action, message)
        for _ in range(2):
            async with site.station(versions=[version]) as again:
                await again.boot()
                assert await again.silent(0.2)
        session = await the_session(site)
        assert (session["status"], session["flags"]) == ("active", [])


@each_version
async def test_b2_the_answer_to_a_boot(database: str, version: str) -> None:
    async with running(database) as site:
        await site.tenant(heartbeat_interval_s=123)
        for admission, told, interval in (("accept", "Accepted", 123), ("pending", "Pending", 60), ("reject", "Rejected", 60)):
            await site.add_station(admission, admission=admission)
            async with site.station(admission, versions=[version]) as station:
                booted = await tell(station, "BootNotification", boot(version))
                assert (booted["status"], booted["interval"]) == (told, interval)
                assert at(-5) < booted["currentTime"] < at(5)
                assert booted["currentTime"].endswith("Z")


@each_version
async def test_b3_before_acceptance_only_what_was_asked_for_passes(database: str, version: str) -> None:
    async with running(database) as site:
        await site.add_station("CP1", admission="pending")
        async with site.station(versions=[version]) as station:
            await refused(station, "Heartbeat", {})
            assert (await station.receive())[2] == "TriggerMessage"  # it never booted here (rule B7)
            await pending(site, station, version)
            for action, message in (("StatusNotification", status(version)), ("Heartbeat", {}), ("Nonsense", {})):
                await refused(station, action, message)


@each_version
async def test_b3_a_triggered_message_passes_once(database: str, version: str) -> None:
    async with running(database) as site:
        await site.add_station("CP1", admission="pending")
        async with site.station(versions=[version]) as station:
            await pending(site, station, version)
            await site.order("CP1", None, {"requestedMessage": "Heartbeat"}, action="TriggerMessage")
            await answer(station, await station.receive(), ACCEPTED)
            await refused(station, "StatusNotification", status(version))
            assert "currentTime" in await tell(station, "Heartbeat", {})
            await refused(station, "Heartbeat", {})


@each_2x
async def test_b3_a_report_that_was_asked_for_passes_to_its_last_part(database: str, version: str) -> None:
    async with running(database) as site:
        await site.add_station("CP1", admission="pending")
        async with site.station(versions=[version]) as station:
            await pending(site, station, version)
            await site.order("CP1", None, {"requestId": 5, "reportBase": "FullInventory"}, action="GetBaseReport")
            await answer(station, await station.receive(), ACCEPTED)
            part = {"requestId": 5, "generatedAt": at()}
            assert await tell(station, "NotifyReport", part | {"seqNo": 0, "tbc": True}) == {}
            assert await tell(station, "NotifyReport", part | {"seqNo": 1}) == {}
            await refused(station, "NotifyReport", part | {"seqNo": 2})


@each_version
async def test_b4_a_pending_station_is_read_but_not_started(database: str, version: str) -> None:
    action, payload, result = read_something(version)
    async with running(database) as site:
        await site.add_station("CP1", admission="pending")
        async with site.station(versions=[version]) as station:
            await pending(site, station, version)
            start = await site.order("CP1", "remote_start", {"id_token": "TAG", "evse_id": 1})
            assert (await site.command(start, until="failed"))["error"] == "station is not accepted yet"
            stop = await site.order("CP1", "remote_stop", {"transaction_id": "1"})
            assert (await site.command(stop, until="failed"))["error"] == "station is not accepted yet"
            read = await site.order("CP1", None, payload, action=action)
            call = await station.receive()
            assert call[2] == action
            await answer(station, call, result)
            await site.command(read, until="accepted")


@each_version
async def test_b5_a_rejected_station_is_sent_nothing(database: str, version: str) -> None:
    action, payload, _ = read_something(version)
    async with running(database) as site:
        await site.add_station("CP1", admission="reject")
        async with site.station(versions=[version]) as station:
            assert (await tell(station, "BootNotification", boot(version)))["status"] == "Rejected"
            command_id = await site.order("CP1", None, payload, action=action)
            assert (await site.command(command_id, until="failed"))["error"] == "station is rejected"
            await refused(station, "Heartbeat", {})
            assert await station.silent(0.2)


@each_version
async def test_b6_transaction_messages_before_acceptance_are_kept(database: str, version: str) -> None:
    action, message = transaction_message(version)
    async with running(database) as site:
        await site.add_station("CP1", admission="pending")
        async with site.station(versions=[version]) as station:
            await pending(site, station, version)
            await refused(station, action, message)
            (kept,) = await site.rows("SELECT action, reason, payload FROM quarantine")
            assert (kept["action"], kept["reason"]) == (action, "gate")
            assert message["timestamp"].encode() in kept["payload"]
            assert await site.rows("SELECT 1 FROM sessions") == []


@each_2x
async def test_b7_a_new_station_that_does_not_boot_is_asked_to_once(database: str, version: str) -> None:
    async with running(database) as site, site.station(versions=[version]) as station:
        await refused(station, "Heartbeat", {})
        asked = await station.receive()
        assert asked[2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
        await answer(station, asked, ACCEPTED)
        await refused(station, "Heartbeat", {})
        assert await station.silent(0.2)
        await station.boot()
        assert "currentTime" in await tell(station, "Heartbeat", {})


@each_2x
async def test_b8_a_boot_with_another_serial_number_than_the_certificate_closes_the_connection(
    database: str, version: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    chain, key = authority.issue("localhost")
    tls = {"ocpp_tls_port": 0, "ocpp_tls_certificate": (chain,), "ocpp_tls_key": (key,), "ocpp_tls_client_ca": authority.file}
    async with running(database, **tls) as site:
        await site.add_station("CP1", certificate_name="SN-1")
        client = authority.client(authority.issue("SN-1"))
        for serial_number in ("SN-2", "sn-1", None):
            async with site.station(versions=[version], tls=client) as station:
                await station.send([2, "b", "BootNotification", with_serial_number(version, serial_number)])
                assert await station.closed() == (1008, "wrong_certificate"), "and without an answer"
        (row,) = await site.rows("SELECT registration, serial_number FROM stations")
        assert (row["registration"], row["serial_number"]) == ("unknown", None)
        events: list[Any] = []
        with trio.fail_after(20):
            while len(events) < 2:  # the connection is closed before they are stored
                events = await site.rows("SELECT data FROM station_events WHERE type = 'wrong_certificate' ORDER BY recorded_at")
                await trio.sleep(0.05)
        assert json.loads(events[0]["data"]) == {"certificate_name": "SN-1", "serial_number": "SN-2"}
        async with site.station(versions=[version], tls=client) as station:
            assert (await tell(station, "BootNotification", with_serial_number(version, "SN-1")))["status"] == "Accepted"


def with_serial_number(version: str, serial_number: str | None) -> dict[str, Any]:
    message = boot(version)
    if serial_number is not None:
        message["chargingStation"] = message["chargingStation"] | {"serialNumber": serial_number}
    return message


@each_version
async def test_b9_in_a_storm_of_boots_an_accepted_station_is_put_off_and_stays_accepted(database: str, version: str) -> None:
    action, message = transaction_message(version)
    async with booted(database, version, boots_per_second=1) as (site, station):
        intervals = set()
        for _ in range(12):
            late = await tell(station, "BootNotification", boot(version))
            if late["status"] == "Accepted":
                continue  # the machine is slow
            assert late["status"] == "Pending"
            assert 60 <= late["interval"] <= 180
            assert late["currentTime"].endswith("Z")
            intervals.add(late["interval"])
        assert len(intervals) > 2, "they come again at different times"
        start = await site.order("CP1", "remote_start", {"id_token": "TAG", "evse_id": 1})
        assert (await site.command(start, until="failed"))["error"] == "station is not accepted yet"
        await tell(station, action, message)
        (row,) = await site.rows("SELECT registration FROM stations")
        assert row["registration"] == "accepted"
        await trio.sleep(1.1)
        await station.boot()
        await site.order("CP1", "remote_start", {"id_token": "TAG", "evse_id": 1})
        assert (await station.receive())[2] in ("RemoteStartTransaction", "RequestStartTransaction")


async def test_b9_a_new_station_in_a_storm_is_no_further_than_before(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sweeper.FIRST_CALL_AFTER_S", 0.2)
    async with running(database, boots_per_second=1) as site, site.station("CP1") as first, site.station("CP2") as second:
        await first.boot()
        assert (await tell(second, "BootNotification", boot(OCPP16)))["status"] == "Pending"
        await refused(second, "Heartbeat", {})
        assert await second.silent(0.5), "nor is it asked to boot at once"
        rows = await site.rows("SELECT identity, registration FROM stations ORDER BY identity")
        assert [row["registration"] for row in rows] == ["accepted", "unknown"]


@each_version
async def test_b10_our_first_call_waits_for_a_silent_station_only_so_long(
    database: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with booted(database, version):
        pass
    monkeypatch.setattr("gateway.sweeper.FIRST_CALL_AFTER_S", 0.6)
    async with running(database) as site, site.station(versions=[version]) as station:
        await site.order("CP1", None, {}, action="ClearCache")
        assert await station.silent(0.3)
        assert (await station.receive(2))[2] == "ClearCache"
