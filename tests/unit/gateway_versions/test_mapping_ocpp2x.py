"""OCPP 2.0.1 and 2.1: messages that are kept as events of the station, what they are tied to, and their answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from csms.domain.operations import RecordStationEvent, StationTime
from gateway import ocpp21, ocpp201
from gateway.common.routing import RoutedVersion
from tests.unit.gateway_versions.messages import OCPP21, OCPP201
from tests.unit.gateway_versions.support import Station, answered, committed, payload_of

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
