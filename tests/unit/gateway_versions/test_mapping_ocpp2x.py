"""OCPP 2.0.1 and 2.1: messages that are kept as events of the station, what they are tied to, and their answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from csms.domain.operations import RecordDeviceEvents, RecordStationEvent, ReportConnectorStatus, StationTime
from gateway import ocpp21, ocpp201
from gateway.common.routing import RoutedVersion
from gateway.effects import Effect
from tests.unit.gateway_versions.messages import OCPP21, OCPP201
from tests.unit.gateway_versions.support import Station, answered, assert_valid, committed, payload_of

NOON = StationTime(datetime(2025, 6, 1, 12, tzinfo=UTC), "2025-06-01T12:00:00Z")

versions = pytest.mark.parametrize(
    ("version", "messages"),
    [pytest.param(ocpp201.VERSION, OCPP201, id="2.0.1"), pytest.param(ocpp21.VERSION, OCPP21, id="2.1")],
)


@versions
@pytest.mark.parametrize(
    ("action", "kind", "time", "reference", "caused_by"),
    [
        ("ClearedChargingLimit", "cleared_charging_limit", None, None, ()),
        ("FirmwareStatusNotification", "firmware_status", None, "3", ("UpdateFirmware",)),
        ("LogStatusNotification", "log_status", None, "4", ("GetLog",)),
        ("NotifyChargingLimit", "charging_limit", None, None, ()),
        ("NotifyCustomerInformation", "customer_information", NOON, "21", ("CustomerInformation",)),
        ("NotifyDisplayMessages", "display_messages", None, "22", ("GetDisplayMessages",)),
        ("NotifyEvent", "device_event", NOON, None, ()),
        ("NotifyMonitoringReport", "monitoring_report", NOON, "23", ("GetMonitoringReport",)),
        ("PublishFirmwareStatusNotification", "publish_firmware_status", None, "24", ("PublishFirmware",)),
        ("ReportChargingProfiles", "charging_profiles", None, "25", ("GetChargingProfiles",)),
        ("ReservationStatusUpdate", "reservation_status", None, "26", ("ReserveNow",)),
        ("SecurityEventNotification", "security_event", NOON, None, ()),
    ],
)
def test_station_events(
    version: RoutedVersion,
    messages: dict[str, Any],
    action: str,
    kind: str,
    time: StationTime | None,
    reference: str | None,
    caused_by: tuple[str, ...],
) -> None:
    payload = payload_of(messages[action])
    effect = version.handle(Station(version.name), action, payload)
    assert committed(effect, RecordStationEvent) == RecordStationEvent(
        tenant_id=3, station_id=14, type=kind, data=payload, time=time, reference=reference, caused_by=caused_by
    )
    assert answered(version.name, action, effect) == {}


@versions
@pytest.mark.parametrize("action", ["FirmwareStatusNotification", "LogStatusNotification", "PublishFirmwareStatusNotification"])
def test_a_status_without_request_id_is_tied_to_nothing(version: RoutedVersion, messages: dict[str, Any], action: str) -> None:
    message = {name: value for name, value in messages[action].items() if name != "requestId"}
    effect = version.handle(Station(version.name), action, payload_of(message))
    assert committed(effect, RecordStationEvent).reference is None


UNSUPPORTED = "UnsupportedRequest"


@versions
@pytest.mark.parametrize(
    ("action", "kind", "answer"),
    [
        ("Get15118EVCertificate", "ev_certificate_request", {"status": "Failed", "exiResponse": ""}),
        ("GetCertificateStatus", "certificate_status_request", {"status": "Failed"}),
        ("SignCertificate", "sign_certificate", {"status": "Rejected"}),
    ],
)
def test_what_cannot_be_done_is_kept_and_said_so(
    version: RoutedVersion, messages: dict[str, Any], action: str, kind: str, answer: dict[str, Any]
) -> None:
    payload = payload_of(messages[action])
    effect = version.handle(Station(version.name), action, payload)
    operation = committed(effect, RecordStationEvent)
    assert (operation.type, operation.data) == (kind, payload)
    given = answered(version.name, action, effect)
    assert given.pop("statusInfo")["reasonCode"] == UNSUPPORTED
    assert given == answer


@versions
def test_a_planned_schedule_breaks_no_limit_of_ours(version: RoutedVersion, messages: dict[str, Any]) -> None:
    effect = version.handle(Station(version.name), "NotifyEVChargingSchedule", payload_of(messages["NotifyEVChargingSchedule"]))
    assert committed(effect, RecordStationEvent).type == "ev_charging_schedule"
    assert answered(version.name, "NotifyEVChargingSchedule", effect) == {"status": "Accepted"}


def _state(status: str, *, component: str = "Connector", variable: str = "AvailabilityState", **evse: int) -> dict[str, Any]:
    return {
        "eventId": 1,
        "timestamp": "2025-06-01T12:00:00Z",
        "trigger": "Delta",
        "actualValue": status,
        "component": {"name": component, **({"evse": evse} if evse else {})},
        "eventNotificationType": "HardWiredNotification",
        "variable": {"name": variable},
    }


def _notify(version: RoutedVersion, *events: dict[str, Any]) -> tuple[bytes, Effect]:
    payload = payload_of({"generatedAt": "2025-06-01T12:00:00Z", "seqNo": 0, "eventData": list(events)})
    assert_valid(version.name, "NotifyEvent", "request", payload)
    return payload, version.handle(Station(version.name), "NotifyEvent", payload)


@versions
def test_states_of_connectors_in_events_are_statuses(version: RoutedVersion, messages: dict[str, Any]) -> None:
    """The last one of each connector."""
    payload, effect = _notify(
        version,
        _state("Available", id=1, connectorId=1),
        _state("Faulted", id=1, connectorId=2),
        _state("Occupied", id=1, connectorId=1, component="connector", variable="availabilityState"),
    )
    assert committed(effect, RecordDeviceEvents) == RecordDeviceEvents(
        tenant_id=3,
        station_id=14,
        type="device_event",
        data=payload,
        time=NOON,
        statuses=[
            ReportConnectorStatus(tenant_id=3, station_id=14, evse_id=1, connector_id=2, status="Faulted", time=NOON),
            ReportConnectorStatus(tenant_id=3, station_id=14, evse_id=1, connector_id=1, status="Occupied", time=NOON),
        ],
    )
    assert answered(version.name, "NotifyEvent", effect) == {}


@versions
@pytest.mark.parametrize(
    "event",
    [
        _state("Available", id=1),
        _state("Available"),
        _state("available", id=1, connectorId=1),
        _state("Available", component="EVSE", id=1, connectorId=1),
        _state("Available", variable="Available", id=1, connectorId=1),
    ],
)
def test_other_events_change_no_connector(version: RoutedVersion, messages: dict[str, Any], event: dict[str, Any]) -> None:
    assert committed(_notify(version, event)[1], RecordStationEvent).type == "device_event"


def test_one_message_tells_a_bounded_number_of_states() -> None:
    effect = _notify(ocpp201.VERSION, *(_state("Available", id=number, connectorId=1) for number in range(150)))[1]
    statuses = committed(effect, RecordDeviceEvents).statuses
    assert [status.evse_id for status in statuses] == list(range(50, 150))
