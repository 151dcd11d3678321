"""What follows a command is tied to it by the id that both name; streams of values of OCPP 2.1 stations."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from csms.clock import SystemClock, SystemIds
from csms.domain.operations import (
    ClaimCommand,
    CloseEventStream,
    Connected,
    DeviceVariable,
    FinishCommand,
    OpenEventStream,
    RecordDeviceEvents,
    RecordStationEvent,
    RecordStreamValues,
    ReportConnectorStatus,
    StoreDeviceReport,
)
from csms.domain.times import parse_station_time
from csms.store.ledger_commands import OWN_OPEN_MAX
from csms.store.ledger_streams import STREAMS_MAX
from tests.integration.ledger.conftest import Bench

NOON = parse_station_time("2026-03-01T12:00:00Z")


async def sent(bench: Bench, station: Connected, action: str, reference: str | None, status: str | None = None) -> UUID:
    """A command that was sent, and answered when `status` says how."""
    command_id = SystemIds(SystemClock()).uuid7()
    await bench.owner(
        "INSERT INTO commands (tenant_id, command_id, station_id, action, parameters, requested_by, expires_at) "
        f"VALUES (1, '{command_id}', {station.station_id}, '{action}', '{{}}', 'test', now() + interval '1 min')"
    )
    key: dict[str, Any] = {"tenant_id": 1, "station_id": station.station_id, "command_id": command_id}
    assert await bench.ledger.commit(ClaimCommand(**key, epoch=station.epoch, action=action, reference=reference))
    if status is not None:
        assert await bench.ledger.commit(FinishCommand(**key, status=status))
    return command_id


async def reported(
    bench: Bench, station: Connected, reference: str | None, caused_by: tuple[str, ...] = ("GetLog",)
) -> UUID | None:
    """The command that a new event of the station is tied to."""
    await bench.ledger.commit(
        RecordStationEvent(
            tenant_id=1,
            station_id=station.station_id,
            type="log_status",
            data=b'{"status":"Uploading"}',
            reference=reference,
            caused_by=caused_by,
        )
    )
    (event, *_) = await bench.rows("SELECT command_id FROM station_events ORDER BY event_id DESC")
    return event["command_id"]


async def test_an_event_is_tied_to_the_newest_command_of_its_station_with_its_id(bench: Bench) -> None:
    station, other = await bench.connect("S1"), await bench.connect("S2")
    assert await reported(bench, station, "5") is None
    first = await sent(bench, station, "GetLog", "5", "accepted")
    assert await reported(bench, station, "5") == first
    second = await sent(bench, station, "GetLog", "5")
    assert await reported(bench, station, "5") == second, "before the answer, too (rule T8)"
    assert await reported(bench, other, "5") is None, "ids are the station's"
    assert await reported(bench, station, "6") is None
    assert await reported(bench, station, None) is None
    assert await reported(bench, station, "5", ("GetReport",)) is None, "another kind of request has ids of its own"
    assert await reported(bench, station, "5", ("GetReport", "GetLog")) == second


async def test_a_refused_command_causes_nothing_while_there_is_another(bench: Bench) -> None:
    station = await bench.connect("S1")
    taken = await sent(bench, station, "GetLog", "5", "accepted")
    refused = await sent(bench, station, "GetLog", "5", "rejected")
    assert await reported(bench, station, "5") == taken
    alone = await sent(bench, station, "GetLog", "6", "rejected")
    assert await reported(bench, station, "6") == alone
    assert refused != alone


async def test_the_published_event_names_the_command(bench: Bench) -> None:
    station = await bench.connect("S1")
    command_id = await sent(bench, station, "GetLog", "5")
    await reported(bench, station, "5")
    await reported(bench, station, "6")
    published = await bench.rows("SELECT data::text FROM outbox WHERE type = 'station.log_status' ORDER BY id")
    assert [json.loads(row["data"]) for row in published] == [
        {"status": "Uploading", "command_id": str(command_id)},
        {"status": "Uploading"},
    ]


async def test_a_part_of_a_device_report_is_an_event_of_its_command(bench: Bench) -> None:
    station = await bench.connect("S1")
    command_id = await sent(bench, station, "GetBaseReport", "9", "accepted")
    part = StoreDeviceReport(
        tenant_id=1,
        station_id=station.station_id,
        request_id=9,
        seq_no=0,
        to_be_continued=True,
        variables=[DeviceVariable("EVSE", "Power", value="11000")],
        time=NOON,
        reference="9",
        caused_by=("GetBaseReport", "GetReport"),
    )
    for _ in range(2):  # the second is a repeat with another message id
        await bench.ledger.commit(part)
    (event,) = await bench.rows("SELECT type, command_id, event_time, data::text FROM station_events")
    assert (event["type"], event["command_id"], event["event_time"]) == ("device_report", command_id, NOON.ts)
    told = {"request_id": 9, "seq_no": 0, "to_be_continued": True, "variables": 1}
    assert json.loads(event["data"]) == told
    (published,) = await bench.rows("SELECT data::text FROM outbox WHERE type = 'station.device_report'")
    assert json.loads(published["data"]) == told | {"command_id": str(command_id)}
    assert len(await bench.rows("SELECT 1 FROM device_variables")) == 1


async def opened(bench: Bench, station: Connected, stream_id: int) -> bool:
    outcome: bool = await bench.ledger.commit(
        OpenEventStream(tenant_id=1, station_id=station.station_id, stream_id=stream_id, variable_monitoring_id=3, data=b'{"id":1}')
    )
    return outcome


async def values(bench: Bench, station: Connected, stream_id: int, data: bytes = b'{"data":[]}') -> bool:
    outcome: bool = await bench.ledger.commit(
        RecordStreamValues(tenant_id=1, station_id=station.station_id, stream_id=stream_id, data=data, time=NOON)
    )
    return outcome


async def test_a_stream_takes_values_from_its_opening_to_its_end(bench: Bench) -> None:
    station, other = await bench.connect("S1"), await bench.connect("S2")
    assert not await values(bench, station, 1)
    assert await opened(bench, station, 1)
    assert await values(bench, station, 1, b'{"data":[1]}')
    assert not await values(bench, station, 2)
    assert not await values(bench, other, 1)
    await bench.ledger.commit(CloseEventStream(tenant_id=1, station_id=station.station_id, stream_id=1, data=b'{"id":1}'))
    assert not await values(bench, station, 1, b'{"data":[2]}')
    rows = await bench.rows("SELECT type FROM station_events ORDER BY event_id")
    assert [row["type"] for row in rows] == ["event_stream_opened", "event_stream", "event_stream_closed"]
    assert [
        json.loads(row["data"]) for row in await bench.rows("SELECT data::text FROM station_events WHERE type = 'event_stream'")
    ] == [{"data": [1]}]


async def test_a_station_has_a_bounded_number_of_streams(bench: Bench) -> None:
    station, other = await bench.connect("S1"), await bench.connect("S2")
    for stream_id in range(STREAMS_MAX):
        assert await opened(bench, station, stream_id)
    assert not await opened(bench, station, STREAMS_MAX)
    assert await opened(bench, station, 0), "one that is open already may be opened again"
    assert await opened(bench, other, STREAMS_MAX)
    (row,) = await bench.rows("SELECT count(*) AS streams FROM event_streams WHERE station_id = $1", station.station_id)
    assert row["streams"] == STREAMS_MAX
    # those from before its last boot make room for new ones
    await bench.owner("UPDATE event_streams SET opened_at = opened_at - interval '1 h' WHERE stream_id < 10")
    await bench.owner(f"UPDATE stations SET booted_at = now() - interval '1 min' WHERE station_id = {station.station_id}")
    assert await opened(bench, station, STREAMS_MAX)
    rows = await bench.rows("SELECT stream_id FROM event_streams WHERE station_id = $1", station.station_id)
    assert {row["stream_id"] for row in rows} == set(range(10, STREAMS_MAX + 1))


async def test_a_long_token_of_ocpp_2_1_is_kept_as_unknown(bench: Bench) -> None:
    await bench.owner("UPDATE tenants SET unknown_tokens = 'accept'")
    station = await bench.connect("S1")
    await bench.event(station.station_id, "Started", 0, "2026-03-01T10:00:00Z", id_token="t" * 255, token_type="VIN")
    (session,) = await bench.rows("SELECT id_token FROM sessions")
    assert session["id_token"] == "t" * 255


async def test_states_in_device_events_are_those_of_the_connectors(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    statuses = [
        ReportConnectorStatus(tenant_id=1, station_id=station, evse_id=evse, connector_id=1, status=status, time=NOON)
        for evse, status in ((1, "Available"), (2, "Faulted"))
    ]
    await bench.ledger.commit(
        RecordDeviceEvents(tenant_id=1, station_id=station, type="device_event", data=b"{}", time=NOON, statuses=statuses)
    )
    rows = await bench.rows("SELECT evse_id, status FROM connectors ORDER BY evse_id")
    assert [(row["evse_id"], row["status"]) for row in rows] == [(1, "Available"), (2, "Faulted")]
    assert [row["type"] for row in await bench.rows("SELECT type FROM station_events")] == ["device_event"]
    published = await bench.rows("SELECT type FROM outbox WHERE type LIKE 'station.%' ORDER BY id")
    assert [row["type"] for row in published if row["type"] not in ("station.connected", "station.online")] == [
        "station.status",
        "station.status",
        "station.device_event",
    ]


async def questions(bench: Bench) -> list[dict[str, Any]]:
    return await bench.rows(
        "SELECT action, parameters::text, status, requested_by, session_id FROM commands WHERE requested_by LIKE 'system:%'"
    )


async def test_a_station_is_asked_once_for_what_is_missing_of_an_ended_transaction(bench: Bench) -> None:
    """Rule Y8; without gaps there is nothing to ask."""
    station = (await bench.connect("S1")).station_id
    for kind, seq_no in (("Started", 0), ("Updated", 1), ("Ended", 2)):
        await bench.event(station, kind, seq_no, f"2026-03-01T10:0{seq_no}:00Z", transaction_ref="whole")
    assert await questions(bench) == []
    await bench.event(station, "Started", 0, "2026-03-01T11:00:00Z", transaction_ref="gap")
    await bench.event(station, "Updated", 2, "2026-03-01T11:02:00Z", transaction_ref="gap")
    assert await questions(bench) == [], "while it goes on, what is missing may still come"
    for _ in range(2):
        await bench.event(station, "Ended", 3, "2026-03-01T11:03:00Z", transaction_ref="gap")
    (session,) = await bench.rows("SELECT session_id FROM sessions WHERE transaction_ref = 'gap'")
    (question,) = await questions(bench)
    assert (question["action"], json.loads(question["parameters"])) == ("GetTransactionStatus", {"transactionId": "gap"})
    assert (question["status"], question["session_id"]) == ("queued", session["session_id"])


async def test_a_replayed_end_asks_nothing_and_a_flood_of_ends_asks_little(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.event(station, "Ended", 7, "2026-03-01T11:03:00Z", transaction_ref="old", replayed=True)
    assert await questions(bench) == []
    for number in range(OWN_OPEN_MAX + 5):
        await bench.event(station, "Ended", 7, "2026-03-01T11:03:00Z", transaction_ref=f"t{number}")
    assert len(await questions(bench)) == OWN_OPEN_MAX
