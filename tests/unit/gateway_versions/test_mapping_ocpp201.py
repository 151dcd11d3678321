"""OCPP 2.0.1: each message to its operation, each outcome to its answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from csms.domain.decisions import AuthorizationStatus, Decision
from csms.domain.operations import (
    Authorize,
    Booted,
    BootStation,
    DeviceVariable,
    EventRecorded,
    RecordMeterValues,
    RecordStationEvent,
    RecordTransactionEvent,
    Registration,
    ReportConnectorStatus,
    StationTime,
    StoreDeviceReport,
)
from gateway.effects import Commit, Effect, Reply
from gateway.ocpp201 import VERSION
from tests.unit.gateway_versions.messages import OCPP201
from tests.unit.gateway_versions.support import NOW_TEXT, Station, answered, committed, payload_of

NOON = StationTime(datetime(2025, 6, 1, 12, tzinfo=UTC), "2025-06-01T12:00:00Z")
NO_AUTHORIZATION = {"idToken": "", "type": "NoAuthorization"}


def handle(action: str, **changes: Any) -> Effect:
    """The effect of the example message; a change to None leaves that member out."""
    message = {key: value for key, value in (OCPP201[action] | changes).items() if value is not None}
    return VERSION.handle(Station("ocpp2.0.1"), action, payload_of(message))


def test_boot_notification() -> None:
    station = {
        "model": "Box",
        "vendorName": "Acme",
        "serialNumber": "S1",
        "firmwareVersion": "1.2",
        "modem": {"iccid": "8931", "imsi": "262"},
    }
    assert committed(handle("BootNotification", chargingStation=station), BootStation) == BootStation(
        tenant_id=3,
        station_id=14,
        epoch=5,
        ocpp_version="ocpp2.0.1",
        vendor="Acme",
        model="Box",
        serial_number="S1",
        firmware_version="1.2",
        iccid="8931",
        imsi="262",
        reason="PowerUp",
    )


@pytest.mark.parametrize(
    ("registration", "status"),
    [("accepted", "Accepted"), ("pending", "Pending"), ("rejected", "Rejected"), ("unknown", "Pending")],
)
def test_boot_notification_answer(registration: Registration, status: str) -> None:
    outcome = Booted(registration=registration, interval=90)
    assert answered("ocpp2.0.1", "BootNotification", handle("BootNotification"), outcome) == {
        "status": status,
        "currentTime": NOW_TEXT,
        "interval": 90,
    }


def test_heartbeat_is_answered_at_once() -> None:
    effect = handle("Heartbeat", customData={"vendorId": "v", "x": [1]})
    assert isinstance(effect, Reply)
    assert answered("ocpp2.0.1", "Heartbeat", effect) == {"currentTime": NOW_TEXT}


def test_status_notification() -> None:
    effect = handle("StatusNotification")
    assert committed(effect, ReportConnectorStatus) == ReportConnectorStatus(
        tenant_id=3, station_id=14, evse_id=2, connector_id=1, status="Occupied", time=NOON
    )
    assert answered("ocpp2.0.1", "StatusNotification", effect) == {}


@pytest.mark.parametrize("place", [{"evseId": -1}, {"connectorId": -1}])
def test_status_notification_of_an_impossible_place_is_kept_and_answered(place: dict[str, int]) -> None:
    effect = handle("StatusNotification", **place)
    assert committed(effect, RecordStationEvent).type == "suspect_status"
    assert answered("ocpp2.0.1", "StatusNotification", effect) == {}


def test_authorize() -> None:
    effect = handle("Authorize")
    assert committed(effect, Authorize) == Authorize(tenant_id=3, station_id=14, id_token="DEADBEEF", token_type="ISO14443")
    assert isinstance(effect, Commit)
    assert effect.hold == "authorize"


@pytest.mark.parametrize("status", get_args(AuthorizationStatus))
def test_authorize_answer(status: AuthorizationStatus) -> None:
    """The reason is for the operator alone."""
    decision = Decision(status=status, reason="because")
    assert answered("ocpp2.0.1", "Authorize", handle("Authorize"), decision) == {"idTokenInfo": {"status": status}}


def test_the_language_of_the_driver_is_told() -> None:
    decision = Decision(status="Accepted", language="de")
    told = {"idTokenInfo": {"status": "Accepted", "language1": "de"}}
    assert answered("ocpp2.0.1", "Authorize", handle("Authorize"), decision) == told


def test_id_token_info_has_cache_expiry_and_group() -> None:
    decision = Decision(status="Accepted", expires_at=datetime(2026, 1, 1, tzinfo=UTC), group_id_token="G" * 36)
    assert answered("ocpp2.0.1", "Authorize", handle("Authorize"), decision) == {
        "idTokenInfo": {
            "status": "Accepted",
            "cacheExpiryDateTime": "2026-01-01T00:00:00.000Z",
            "groupIdToken": {"idToken": "G" * 36, "type": "Central"},
        }
    }


def test_authorize_without_authorization_needs_no_look_up() -> None:
    effect = handle("Authorize", idToken=NO_AUTHORIZATION)
    assert isinstance(effect, Reply)
    assert answered("ocpp2.0.1", "Authorize", effect) == {"idTokenInfo": {"status": "Accepted"}}


def test_a_named_token_is_looked_up_whatever_its_type() -> None:
    operation = committed(handle("Authorize", idToken={"idToken": "X", "type": "NoAuthorization"}), Authorize)
    assert operation.id_token == "X"


@pytest.mark.parametrize(
    "contract",
    [
        {"certificate": "-----BEGIN CERTIFICATE-----"},
        {
            "iso15118CertificateHashData": [
                {
                    "hashAlgorithm": "SHA256",
                    "issuerNameHash": "a",
                    "issuerKeyHash": "b",
                    "serialNumber": "1",
                    "responderURL": "http://ocsp.example",
                }
            ]
        },
    ],
)
def test_a_contract_that_cannot_be_verified_may_not_charge(contract: dict[str, Any]) -> None:
    effect = handle("Authorize", idToken={"idToken": "DE8AAABCDEF123", "type": "eMAID"}, **contract)
    assert answered("ocpp2.0.1", "Authorize", effect) == {
        "idTokenInfo": {"status": "Invalid"},
        "certificateStatus": "CertChainError",
    }


def test_transaction_event() -> None:
    payload = payload_of(OCPP201["TransactionEvent"])
    effect = VERSION.handle(Station("ocpp2.0.1"), "TransactionEvent", payload)
    operation = committed(effect, RecordTransactionEvent)
    readings, details = operation.readings, operation.details
    assert [reading.values for reading in readings] == [["12.5"]]
    assert json.loads(details) == {key: value for key, value in OCPP201["TransactionEvent"].items() if key != "meterValue"}
    assert operation == RecordTransactionEvent(
        tenant_id=3,
        station_id=14,
        ocpp_version="ocpp2.0.1",
        type="Started",
        transaction_ref="tx-1",
        seq_no=0,
        time=NOON,
        trigger_reason="RemoteStart",
        details=details,
        payload=payload,
        offline=False,
        evse_id=2,
        connector_id=1,
        id_token="DEADBEEF",
        token_type="ISO14443",
        charging_state="Charging",
        stopped_reason=None,
        remote_start_id=12,
        reservation_id=8,
        readings=readings,
    )
    outcome = EventRecorded(decision=Decision(status="Unknown", group_id_token="G"))
    assert answered("ocpp2.0.1", "TransactionEvent", effect, outcome) == {
        "idTokenInfo": {"status": "Unknown", "groupIdToken": {"idToken": "G", "type": "Central"}}
    }


def test_transaction_event_with_the_least() -> None:
    message = {
        "eventType": "Updated",
        "timestamp": "2025-06-01T12:00:00Z",
        "triggerReason": "Trigger",
        "seqNo": 4,
        "transactionInfo": {"transactionId": "tx-1"},
        "offline": True,
        "evse": {"id": 1},
    }
    payload = payload_of(message)
    effect = VERSION.handle(Station("ocpp2.0.1"), "TransactionEvent", payload)
    operation = committed(effect, RecordTransactionEvent)
    assert operation.details == payload
    assert (operation.evse_id, operation.connector_id) == (1, None)
    assert (operation.id_token, operation.token_type, operation.stopped_reason) == (None, None, None)
    assert operation.offline
    assert operation.readings == []
    assert answered("ocpp2.0.1", "TransactionEvent", effect, EventRecorded(decision=None)) == {}


def test_transaction_event_details_keep_the_bytes_of_the_other_members() -> None:
    payload = (
        b'{"eventType":"Updated","timestamp":"2025-06-01T12:00:00Z","triggerReason":"Trigger","seqNo":4,'
        b'"meterValue":[{"timestamp":"2025-06-01T12:00:00Z","sampledValue":[{"value":1.500}]}],'
        b'"transactionInfo":{ "transactionId":"tx-\\u00e9" },"customData":{"vendorId":"v","x":1.500}}'
    )
    operation = committed(VERSION.handle(Station("ocpp2.0.1"), "TransactionEvent", payload), RecordTransactionEvent)
    assert b'{ "transactionId":"tx-\\u00e9" }' in operation.details
    assert b'"x":1.500' in operation.details
    assert "meterValue" not in json.loads(operation.details)
    assert operation.payload == payload


@pytest.mark.parametrize(("reason", "kept"), [(None, "Local"), ("Remote", "Remote")])
def test_transaction_event_ended(reason: str | None, kept: str) -> None:
    info = {"transactionId": "tx-1"} | ({} if reason is None else {"stoppedReason": reason})
    operation = committed(handle("TransactionEvent", eventType="Ended", transactionInfo=info), RecordTransactionEvent)
    assert operation.stopped_reason == kept


def test_transaction_event_without_authorization() -> None:
    effect = handle("TransactionEvent", idToken=NO_AUTHORIZATION)
    operation = committed(effect, RecordTransactionEvent)
    assert (operation.id_token, operation.token_type) == (None, "NoAuthorization")
    assert answered("ocpp2.0.1", "TransactionEvent", effect, EventRecorded(decision=None)) == {
        "idTokenInfo": {"status": "Accepted"}
    }


@pytest.mark.parametrize("evse", [{"id": -1}, {"id": 1, "connectorId": -1}])
def test_transaction_event_at_an_impossible_place_is_suspect(evse: dict[str, int]) -> None:
    operation = committed(handle("TransactionEvent", evse=evse), RecordTransactionEvent)
    assert (operation.evse_id, operation.connector_id, operation.suspect) == (None, None, True)


def test_meter_values() -> None:
    array = b'[{"timestamp":"2025-06-01T12:00:00Z" ,"sampledValue":[{"value":1.50}]}]'
    effect = VERSION.handle(Station("ocpp2.0.1"), "MeterValues", b'{"evseId":2,"meterValue":' + array + b"}")
    operation = committed(effect, RecordMeterValues)
    assert operation.payload == array
    assert (operation.evse_id, operation.connector_id, operation.transaction_ref) == (2, 0, None)
    assert [reading.values for reading in operation.readings] == [["1.50"]]
    assert answered("ocpp2.0.1", "MeterValues", effect) == {}


def test_meter_values_of_an_impossible_evse_are_suspect() -> None:
    operation = committed(handle("MeterValues", evseId=-1), RecordMeterValues)
    assert (operation.evse_id, operation.suspect) == (0, True)


def test_notify_report() -> None:
    effect = handle("NotifyReport")
    operation = committed(effect, StoreDeviceReport)
    about = operation.variables[0].characteristics
    assert json.loads(about) == {"dataType": "decimal", "supportsMonitoring": True, "maxLimit": 22000.0}
    power = {
        "component": "EVSE",
        "component_instance": "left",
        "evse_id": 1,
        "connector_id": 2,
        "variable": "Power",
        "variable_instance": "x",
        "characteristics": about,
    }
    assert operation == StoreDeviceReport(
        tenant_id=3,
        station_id=14,
        request_id=6,
        seq_no=1,
        to_be_continued=True,
        variables=[
            DeviceVariable(**power, attribute="Actual", value="11000", mutability="ReadOnly", persistent=True, constant=False),
            DeviceVariable(**power, attribute="MaxSet", value="22000"),
            DeviceVariable(component="OCPPCommCtrlr", variable="HeartbeatInterval", value="60"),
        ],
        time=NOON,
        reference="6",
        caused_by=("GetBaseReport", "GetReport"),
    )
    assert answered("ocpp2.0.1", "NotifyReport", effect) == {}


def test_notify_report_without_data_and_with_repeats() -> None:
    empty = committed(handle("NotifyReport", reportData=None, tbc=None), StoreDeviceReport)
    assert (empty.variables, empty.to_be_continued) == ([], False)
    entry = OCPP201["NotifyReport"]["reportData"][1]
    later = entry | {"variableAttribute": [{"value": "61"}]}
    twice = committed(handle("NotifyReport", reportData=[entry, later]), StoreDeviceReport)
    assert [variable.value for variable in twice.variables] == ["61"]


def test_data_transfer_of_an_unknown_vendor_is_kept_and_said_so() -> None:
    effect = handle("DataTransfer")
    operation = committed(effect, RecordStationEvent)
    assert (operation.type, operation.data) == ("data_transfer", payload_of(OCPP201["DataTransfer"]))
    assert answered("ocpp2.0.1", "DataTransfer", effect) == {"status": "UnknownVendorId"}


def test_charging_needs_are_kept_and_bring_no_profile() -> None:
    effect = handle("NotifyEVChargingNeeds")
    assert committed(effect, RecordStationEvent).type == "ev_charging_needs"
    answer = answered("ocpp2.0.1", "NotifyEVChargingNeeds", effect)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "UnsupportedRequest")
