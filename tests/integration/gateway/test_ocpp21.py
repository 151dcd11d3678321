"""OCPP 2.1 on the wire: SEND and CALLRESULTERROR, which are never answered (rules F4, F7, ocpp-j-rules section 10)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from csms.domain.operations import RecordStreamValues
from gateway import metrics
from gateway.streams import BURST, BYTES_PER_TOKEN, STREAMS_REMEMBERED, UNDER_WAY, StreamTraffic
from tests.integration.gateway.site import BOOT_201, Site, running

V21 = ("ocpp2.1",)
OPEN = {"constantStreamData": {"id": 7, "variableMonitoringId": 3, "params": {"interval": 1}}}


def send(number: int = 0, stream: int = 7, text: str = "230.1") -> list[Any]:
    """A SEND; the number makes its content its own."""
    values = {"id": stream, "pending": number, "basetime": "2026-01-01T00:00:00Z", "data": [{"t": 0, "v": text}]}
    return [6, f"s{number}", "NotifyPeriodicEventStream", values]


def outcome(kind: str) -> float:
    return float(metrics.SENDS.labels(kind)._value.get())


async def events(site: Site, kind: str) -> list[dict[str, Any]]:
    rows = await site.rows("SELECT data::text FROM station_events WHERE type = $1 ORDER BY event_id", kind)
    return [json.loads(row["data"]) for row in rows]


async def until(site: Site, kind: str, count: int) -> list[dict[str, Any]]:
    with trio.fail_after(5):
        while len(found := await events(site, kind)) < count:
            await trio.sleep(0.02)
    return found


async def test_values_are_stored_once_the_stream_is_open(database: str) -> None:
    async with running(database) as site, site.station(versions=V21) as station:
        await station.boot()
        not_open = outcome("stream_not_open")
        await station.send(send(0))
        assert (await station.call("OpenPeriodicEventStream", OPEN))[2] == {"status": "Accepted"}
        await station.send(send(1))
        await station.send(send(2))
        assert [data["pending"] for data in await until(site, "event_stream", 2)] == [1, 2]
        assert outcome("stream_not_open") == not_open + 1
        assert await station.silent(0.1)


async def test_an_open_stream_outlives_its_connection(database: str) -> None:
    async with running(database) as site:
        async with site.station(versions=V21) as station:
            await station.boot()
            await station.call("OpenPeriodicEventStream", OPEN)
        async with site.station(versions=V21) as station:
            await station.send(send(1))
            await until(site, "event_stream", 1)


async def test_nothing_is_taken_before_the_boot_is_accepted(database: str) -> None:
    async with running(database) as site:
        await site.tenant(onboarding="pending")
        async with site.station(versions=V21) as station:
            assert (await station.call("BootNotification", BOOT_201))[2]["status"] == "Pending"
            frame = await station.call("OpenPeriodicEventStream", OPEN)
            assert (frame[0], frame[2]) == (4, "SecurityError")
            gate = outcome("gate")
            await station.send(send(1))
            assert (await station.call("Heartbeat", {}))[2] == "SecurityError"
            assert outcome("gate") == gate + 1
            assert not [op for op in site.ledger.submitted if isinstance(op, RecordStreamValues)]


async def test_a_flood_is_dropped_and_disturbs_nothing_else(database: str) -> None:
    async with running(database) as site, site.station(versions=V21) as station:
        await station.boot()
        await station.call("OpenPeriodicEventStream", OPEN)
        site.ledger.held = True
        busy, quota = outcome("store_busy"), outcome("quota")
        for number in range(int(BURST) + 40):
            await station.send(send(number))
        await station.send([2, "after", "Heartbeat", {}])
        assert (await station.receive())[1] == "after"
        assert len(site.ledger.waiting) == UNDER_WAY
        assert outcome("quota") > quota
        assert outcome("store_busy") > busy
        site.ledger.release()
        await until(site, "event_stream", UNDER_WAY)


async def test_while_the_ledger_is_full_values_are_dropped(database: str) -> None:
    async with running(database) as site, site.station(versions=V21) as station, site.station("CP2") as other:
        await station.boot()
        await other.boot()
        await station.call("OpenPeriodicEventStream", OPEN)
        site.ledger.full = True
        await other.send([2, "x", "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}])
        await trio.sleep(0.1)
        busy = outcome("store_busy")
        await station.send(send(1))
        await station.call("Heartbeat", {})
        assert outcome("store_busy") == busy + 1
        site.ledger.full = False
        assert (await other.receive())[1] == "x"
        assert await events(site, "event_stream") == []


@pytest.mark.parametrize("known", [True, False])
async def test_an_answer_that_was_not_understood_is_told_to_an_operator(database: str, known: bool) -> None:
    async with running(database) as site, site.station(versions=V21) as station:
        await station.boot()
        await station.call("OpenPeriodicEventStream", OPEN, "q1")
        message_id = "q1" if known else "nobody"
        await station.send([5, message_id, "TypeConstraintViolation", "status is odd", {"path": "/status"}])
        (told,) = await until(site, "answer_not_understood", 1)
        assert told == {
            "messageId": message_id,
            "errorCode": "TypeConstraintViolation",
            "errorDescription": "status is odd",
            "errorDetails": {"path": "/status"},
        } | ({"answer": {"status": "Accepted"}} if known else {})
        assert await station.silent(0.1)


async def test_a_flood_of_errors_is_counted_and_not_stored(database: str) -> None:
    async with running(database) as site, site.station(versions=V21) as station:
        await station.boot()
        before = metrics.RESULT_ERRORS._value.get()
        for number in range(50):
            await station.send([5, f"m{number}", "GenericError", "", {}])
        await station.call("Heartbeat", {})
        assert metrics.RESULT_ERRORS._value.get() == before + 50
        await until(site, "answer_not_understood", 10)
        assert len(await events(site, "answer_not_understood")) <= 11


async def test_commands_go_out_in_the_words_of_2_1(database: str) -> None:
    async with running(database) as site, site.station(versions=V21) as station:
        await station.boot()
        command_id = await site.order("CP1", "remote_start", {"id_token": "t" * 200, "token_type": "VIN", "evse_id": 1})
        frame = await station.receive()
        assert frame[2] == "RequestStartTransaction"
        assert frame[3]["idToken"] == {"idToken": "t" * 200, "type": "VIN"}
        row = await site.command(command_id)
        assert (row["action"], row["reference"]) == ("RequestStartTransaction", str(frame[3]["remoteStartId"]))


async def test_other_versions_have_no_send(database: str) -> None:
    async with running(database) as site, site.station(versions=("ocpp1.6",)) as station:
        await station.boot()
        await station.send(send(1))
        assert (await station.call("Heartbeat", {}))[0] == 3
        assert not [op for op in site.ledger.submitted if isinstance(op, RecordStreamValues)]


def test_each_stream_has_its_own_quota_and_gets_it_back() -> None:
    traffic = StreamTraffic()
    assert [traffic.allows(1, 10, 0.0) for _ in range(int(BURST) + 1)].count(True) == BURST
    assert traffic.allows(2, 10, 0.0)
    assert not traffic.allows(1, 10, 0.4)
    assert traffic.allows(1, 10, 0.5)
    assert not traffic.allows(3, int(BURST) * BYTES_PER_TOKEN, 0.0), "large messages cost more"


def test_stream_ids_that_are_made_up_do_not_make_new_quotas() -> None:
    traffic = StreamTraffic()
    assert all(traffic.allows(number, 10, 0.0) for number in range(STREAMS_REMEMBERED))
    assert not traffic.allows(STREAMS_REMEMBERED, 10, 0.0)
    assert traffic.allows(STREAMS_REMEMBERED, 10, BURST), "those of idle streams are forgotten"
