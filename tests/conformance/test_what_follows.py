"""What follows a raw command is taken, stored and tied to it by the id that the standard gives both (rule T10)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from schemas.tables import version_table
from tests.conformance.scene import OCPP16, OCPP21, OCPP201, PENDING, Scene, at
from tests.conformance.wire import Station
from tests.unit.schemas.generation import Generator

Path = tuple[str, ...]
Follow = tuple[str, Path, str, Path, str]
"""(command, where its id is, what follows, where it has the id, the type of the event)"""

REQUEST: Final = ("requestId",)

OF_16: Final[tuple[Follow, ...]] = (
    ("GetLog", REQUEST, "LogStatusNotification", REQUEST, "log_status"),
    ("SignedUpdateFirmware", REQUEST, "SignedFirmwareStatusNotification", REQUEST, "firmware_status"),
)
OF_2X: Final[tuple[Follow, ...]] = (
    ("GetBaseReport", REQUEST, "NotifyReport", REQUEST, "device_report"),
    ("GetReport", REQUEST, "NotifyReport", REQUEST, "device_report"),
    ("GetMonitoringReport", REQUEST, "NotifyMonitoringReport", REQUEST, "monitoring_report"),
    ("CustomerInformation", REQUEST, "NotifyCustomerInformation", REQUEST, "customer_information"),
    ("GetDisplayMessages", REQUEST, "NotifyDisplayMessages", REQUEST, "display_messages"),
    ("GetChargingProfiles", REQUEST, "ReportChargingProfiles", REQUEST, "charging_profiles"),
    ("GetLog", REQUEST, "LogStatusNotification", REQUEST, "log_status"),
    ("UpdateFirmware", REQUEST, "FirmwareStatusNotification", REQUEST, "firmware_status"),
    ("PublishFirmware", REQUEST, "PublishFirmwareStatusNotification", REQUEST, "publish_firmware_status"),
    ("ReserveNow", ("id",), "ReservationStatusUpdate", ("reservationId",), "reservation_status"),
)
OF_21: Final[tuple[Follow, ...]] = (
    ("GetDERControl", REQUEST, "ReportDERControl", REQUEST, "der_control"),
    ("SetDERControl", ("controlId",), "NotifyDERStartStop", ("controlId",), "der_start_stop"),
    ("RequestBatterySwap", REQUEST, "BatterySwap", REQUEST, "battery_swap"),
    ("UsePriorityCharging", ("transactionId",), "NotifyPriorityCharging", ("transactionId",), "priority_charging"),
    (
        "SetChargingProfile",
        ("chargingProfile", "id"),
        "PullDynamicScheduleUpdate",
        ("chargingProfileId",),
        "dynamic_schedule_request",
    ),
)
CASES = [
    pytest.param(version, follow, id=f"{version.removeprefix('ocpp')}-{follow[0]}-{follow[2]}")
    for version, follows in ((OCPP16, OF_16), (OCPP201, OF_2X), (OCPP21, OF_2X + OF_21))
    for follow in follows
]


def _message(version: str, action: str, path: Path, identifier: int | str) -> Any:
    """A message with little in it but its id."""
    table = version_table(version)
    row = table["actions"][action]["request"]
    message = Generator(table, random.Random(action), 0.0).value(row)
    holder = message
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = identifier
    return message


def _answer(version: str, action: str) -> Any:
    table = version_table(version)
    response = table["actions"][action]["response"]
    assert response is not None
    answer = Generator(table, random.Random(action), 0.0).value(response)
    return answer | ({"status": "Accepted"} if "status" in answer else {})


def _followed(scene: Scene, station: Station, **filters: str) -> list[Any]:
    items: list[Any] = scene.api.get(f"/chargepoints/{station.identity}/events", **filters)["items"]
    return items


def _command(scene: Scene, station: Station, follow: Follow, identifier: int | str) -> str:
    """Order and answer the command; gives its id."""
    action, path, *_ = follow
    order = scene.order(station, action, _message(scene.version, action, path, identifier))
    command = order.answer(_answer(scene.version, action))
    assert command["status"] == "accepted", command
    return str(command["command_id"])


def _published(scene: Scene, station: Station, kind: str, count: int) -> list[str | None]:
    """The commands named by the events that the tenant's readers got, once there are so many."""
    deadline = time.monotonic() + 5
    while True:
        items = scene.api.get("/events", type=f"station.{kind}", limit=500)["items"]
        found = [item["data"].get("command_id") for item in items if item["charge_point_id"] == station.identity]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


@pytest.mark.parametrize(("version", "follow"), CASES)
def test_what_names_a_command_is_tied_to_the_newest_with_that_id(
    version: str, follow: Follow, scene: Callable[[str], Scene]
) -> None:
    play = scene(version)
    station, other = play.station(), play.station()
    _, path, action, named, kind = follow
    textual = path[-1] in ("controlId", "transactionId")
    identifier: int | str = "id-5" if textual else 5
    _command(play, station, follow, identifier)
    newest = _command(play, station, follow, identifier)
    message = _message(version, action, named, identifier)
    station.call(action, message)
    station.call(action, _message(version, action, named, "id-6" if textual else 6))
    other.call(action, message)
    (event,) = _followed(play, station, command_id=newest)
    assert (event["type"], event["command_id"]) == (kind, newest)
    if kind == "device_report":
        assert event["data"]["request_id"] == identifier
    else:
        assert event["data"] == message
    assert [e["command_id"] for e in _followed(play, station, type=kind)] == [None, newest]
    assert [e["command_id"] for e in _followed(play, other, type=kind)] == [None]
    assert _published(play, station, kind, 2) == [newest, None]


@pytest.mark.parametrize("version", [OCPP201, OCPP21])
def test_the_reports_of_get_base_report_and_of_a_remote_start_are_tied(version: str, scene: Callable[[str], Scene]) -> None:
    """Commands in the product's own terms, whose ids are made up, and a raw remote start whose id is the caller's."""
    play = scene(version)
    station = play.station()
    order = play.command(station, "get_base_report")
    command = order.answer({"status": "Accepted"})
    for number in range(3):
        report = {"requestId": order.payload["requestId"], "generatedAt": at(), "seqNo": number, "tbc": number < 2}
        assert station.call("NotifyReport", report) == {}
    parts = _followed(play, station, command_id=command["command_id"])
    assert [part["data"]["seq_no"] for part in parts] == [2, 1, 0], "newest first"
    assert command["action"] == "GetBaseReport"
    start = {"idToken": {"idToken": "RAW", "type": "Central"}, "remoteStartId": 17, "evseId": 1}
    started = play.order(station, "RequestStartTransaction", start).answer({"status": "Accepted"})
    station.call(
        "TransactionEvent",
        {
            "eventType": "Started",
            "timestamp": at(),
            "triggerReason": "RemoteStart",
            "seqNo": 0,
            "transactionInfo": {"transactionId": "of-raw", "remoteStartId": 17},
            "evse": {"id": 1, "connectorId": 1},
            "idToken": {"idToken": "RAW", "type": "Central"},
        },
    )
    assert play.api.get(f"/commands/{started['command_id']}")["session_id"] is not None


@pytest.mark.parametrize("version", [OCPP201, OCPP21])
def test_while_pending_a_report_that_was_asked_for_passes_and_no_other(version: str, scene: Callable[[str], Scene]) -> None:
    """Rule B3: what GetBaseReport, GetReport and TriggerMessage asked for, and nothing else."""
    play = scene(version)
    station = play.connect(tenant=PENDING)
    assert play.boot(station) == "Pending"
    report = {"generatedAt": at(), "seqNo": 0}
    refused = station.exchange("NotifyReport", {"requestId": 1, **report})
    assert (refused[0], refused[2]) == (4, "SecurityError")
    order = play.order(station, "GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"}, tenant=PENDING)
    assert order.answer({"status": "Accepted"})["status"] == "accepted"
    assert station.call("NotifyReport", {"requestId": 1, **report, "tbc": True}) == {}
    assert station.call("NotifyReport", {"requestId": 1, **report, "seqNo": 1}) == {}
    refused = station.exchange("NotifyReport", {"requestId": 1, **report, "seqNo": 2})
    assert (refused[0], refused[2]) == (4, "SecurityError")
    order = play.order(station, "GetMonitoringReport", {"requestId": 2}, tenant=PENDING)
    assert order.answer({"status": "Accepted"})["status"] == "accepted"
    refused = station.exchange("NotifyMonitoringReport", {"requestId": 2, **report})
    assert (refused[0], refused[2]) == (4, "SecurityError")
    trigger = {"requestedMessage": "SignChargingStationCertificate"}
    assert play.order(station, "TriggerMessage", trigger, tenant=PENDING).answer({"status": "Accepted"})["status"] == "accepted"
    assert station.call("SignCertificate", {"csr": "x"})["status"] == "Rejected"


@pytest.mark.parametrize("version", [OCPP16, OCPP201, OCPP21])
def test_every_message_a_station_may_send_is_answered(version: str, scene: Callable[[str], Scene]) -> None:
    """With the least and with the most it may hold; what is kept as an event shows its fields."""
    play = scene(version)
    station = play.station()
    table = version_table(version)
    kept = 0
    for action, row in table["actions"].items():
        if not row["from_station"] or row["response"] is None:
            continue
        for share in (0.0, 1.0):
            message = Generator(table, random.Random(f"{action}3"), share).value(row["request"])
            if message.get("eventType") == "Ended":  # with gaps, the station would be asked for what is missing
                message["eventType"] = "Started"
            before = {event["event_id"] for event in _followed(play, station)}
            answer = station.exchange(action, message)
            assert answer[0] == 3, (action, message, answer)
            new = [event for event in _followed(play, station) if event["event_id"] not in before]
            fresh = [event for event in new if event["type"] != "clock_skew"]  # the times are made up, and so is the clock
            if fresh and fresh[0]["type"] != "device_report":
                assert fresh[0]["data"] == message, action
                kept += 1
    assert kept > (10 if version == OCPP16 else 30)


def test_events_are_paged(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    station = play.station()
    for number in range(5):
        station.call("SecurityEventNotification", {"type": f"Event{number}", "timestamp": at()})
    deadline = time.monotonic() + 5
    seen: list[str] = []
    cursor: str | None = None
    while time.monotonic() < deadline:
        query: dict[str, Any] = {"limit": 2, "type": "security_event"} | ({} if cursor is None else {"cursor": cursor})
        page = play.api.get(f"/chargepoints/{station.identity}/events", **query)
        seen += [item["data"]["type"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"Event{number}" for number in reversed(range(5))]
