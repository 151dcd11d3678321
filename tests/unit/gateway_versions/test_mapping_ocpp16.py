"""OCPP 1.6: each message to its operation, each outcome to its answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from csms.domain.decisions import AuthorizationStatus, Decision
from csms.domain.operations import (
    Authorize,
    Booted,
    BootStation,
    RecordMeterValues,
    RecordStationEvent,
    Registration,
    ReportConnectorStatus,
    Started,
    StartTransaction,
    StationTime,
    Stopped,
    StopTransaction,
)
from gateway.effects import Commit, Effect, Reply
from gateway.ocpp16 import VERSION
from tests.unit.gateway_versions.messages import OCPP16
from tests.unit.gateway_versions.support import NOW_TEXT, Station, answered, committed, payload_of

NOON = StationTime(datetime(2025, 6, 1, 12, tzinfo=UTC), "2025-06-01T12:00:00Z")


def handle(action: str, **changes: Any) -> Effect:
    """The effect of the example message; a change to None leaves that member out."""
    message = {key: value for key, value in (OCPP16[action] | changes).items() if value is not None}
    return VERSION.handle(Station("ocpp1.6"), action, payload_of(message))


def test_boot_notification() -> None:
    effect = handle(
        "BootNotification",
        chargePointSerialNumber="S1",
        chargeBoxSerialNumber="B1",
        firmwareVersion="1.2",
        iccid="8931",
        imsi="262",
        meterType="M",
        meterSerialNumber="MS",
    )
    assert committed(effect, BootStation) == BootStation(
        tenant_id=3,
        station_id=14,
        epoch=5,
        ocpp_version="ocpp1.6",
        vendor="Acme",
        model="Box",
        serial_number="S1",
        firmware_version="1.2",
        iccid="8931",
        imsi="262",
        meter_type="M",
        meter_serial="MS",
    )


def test_boot_notification_takes_the_box_serial_number_for_want_of_another() -> None:
    assert committed(handle("BootNotification", chargeBoxSerialNumber="B1"), BootStation).serial_number == "B1"


@pytest.mark.parametrize(
    ("registration", "status"),
    [("accepted", "Accepted"), ("pending", "Pending"), ("rejected", "Rejected"), ("unknown", "Pending")],
)
def test_boot_notification_answer(registration: Registration, status: str) -> None:
    outcome = Booted(registration=registration, interval=90)
    assert answered("ocpp1.6", "BootNotification", handle("BootNotification"), outcome) == {
        "status": status,
        "currentTime": NOW_TEXT,
        "interval": 90,
    }


def test_heartbeat_is_answered_at_once() -> None:
    effect = handle("Heartbeat")
    assert isinstance(effect, Reply)
    assert answered("ocpp1.6", "Heartbeat", effect) == {"currentTime": NOW_TEXT}


def test_status_notification() -> None:
    effect = handle("StatusNotification")
    assert committed(effect, ReportConnectorStatus) == ReportConnectorStatus(
        tenant_id=3,
        station_id=14,
        evse_id=2,
        connector_id=2,
        status="Charging",
        time=NOON,
        error_code="OtherError",
        info="i",
        vendor_id="v",
        vendor_error_code="E1",
    )
    assert answered("ocpp1.6", "StatusNotification", effect) == {}


def test_status_notification_of_the_charge_point_without_a_time() -> None:
    operation = committed(handle("StatusNotification", connectorId=0, timestamp=None), ReportConnectorStatus)
    assert (operation.evse_id, operation.connector_id, operation.time) == (0, 0, None)


def test_status_notification_of_an_impossible_connector_is_kept_and_answered() -> None:
    effect = handle("StatusNotification", connectorId=-1)
    operation = committed(effect, RecordStationEvent)
    assert operation.type == "suspect_status"
    assert json.loads(operation.data)["connectorId"] == -1
    assert answered("ocpp1.6", "StatusNotification", effect) == {}


def test_authorize() -> None:
    effect = handle("Authorize")
    assert committed(effect, Authorize) == Authorize(tenant_id=3, station_id=14, id_token="DEADBEEF", token_type=None)
    assert isinstance(effect, Commit)
    assert effect.hold == "authorize"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("Accepted", "Accepted"),
        ("Blocked", "Blocked"),
        ("Expired", "Expired"),
        ("Invalid", "Invalid"),
        ("Unknown", "Invalid"),
        ("ConcurrentTx", "ConcurrentTx"),
        ("NoCredit", "Blocked"),
        ("NotAllowedTypeEVSE", "Invalid"),
        ("NotAtThisLocation", "Invalid"),
        ("NotAtThisTime", "Invalid"),
    ],
)
def test_authorize_answer(status: AuthorizationStatus, told: str) -> None:
    """The reason is for the operator alone."""
    decision = Decision(status=status, reason="because", language="de")
    assert answered("ocpp1.6", "Authorize", handle("Authorize"), decision) == {"idTagInfo": {"status": told}}


def test_id_tag_info_has_expiry_in_utc_and_group() -> None:
    decision = Decision(
        status="Accepted",
        expires_at=datetime(2026, 1, 1, 1, 0, 0, 999_999, timezone(timedelta(hours=2))),
        group_id_token="G" * 20,
    )
    assert answered("ocpp1.6", "Authorize", handle("Authorize"), decision) == {
        "idTagInfo": {"status": "Accepted", "expiryDate": "2025-12-31T23:00:00.999Z", "parentIdTag": "G" * 20}
    }


def test_a_group_too_long_for_an_id_tag_is_left_out() -> None:
    decision = Decision(status="Accepted", group_id_token="G" * 21)
    assert answered("ocpp1.6", "Authorize", handle("Authorize"), decision) == {"idTagInfo": {"status": "Accepted"}}


def test_start_transaction() -> None:
    effect = handle("StartTransaction")
    assert committed(effect, StartTransaction) == StartTransaction(
        tenant_id=3,
        station_id=14,
        evse_id=2,
        connector_id=2,
        id_token="DEADBEEF",
        time=NOON,
        meter_start_wh=1000,
        reservation_id=8,
    )
    outcome = Started(transaction_id=2**31 - 1, decision=Decision(status="Unknown"))
    assert answered("ocpp1.6", "StartTransaction", effect, outcome) == {
        "transactionId": 2**31 - 1,
        "idTagInfo": {"status": "Invalid"},
    }


def test_start_transaction_with_nonsense_is_kept_as_suspect() -> None:
    operation = committed(handle("StartTransaction", connectorId=-3, timestamp="2222-01-01T00:00:00Z"), StartTransaction)
    assert (operation.evse_id, operation.connector_id, operation.suspect) == (0, 0, True)
    assert operation.time == StationTime(None, "2222-01-01T00:00:00Z", True)


def test_stop_transaction() -> None:
    message = OCPP16["StopTransaction"] | {
        "transactionData": [
            {
                "timestamp": "2025-06-01T12:00:00Z",
                "sampledValue": [
                    {"value": "1000", "context": "Transaction.Begin"},
                    {"value": "2000", "context": "Transaction.End"},
                ],
            }
        ]
    }
    payload = payload_of(message)
    effect = VERSION.handle(Station("ocpp1.6"), "StopTransaction", payload)
    operation = committed(effect, StopTransaction)
    assert operation.transaction_ref == "77"
    assert operation.time.ts == datetime(2025, 6, 1, 13, tzinfo=UTC)
    assert operation.meter_stop_wh == 2000
    assert operation.payload == payload
    assert operation.id_token == "DEADBEEF"
    assert operation.reason == "Remote"
    assert [(reading.context, reading.values) for reading in operation.readings] == [(1, ["1000"]), (2, ["2000"])]
    assert not operation.suspect
    outcome = Stopped(decision=Decision(status="Blocked", group_id_token="G"))
    assert answered("ocpp1.6", "StopTransaction", effect, outcome) == {"idTagInfo": {"status": "Blocked", "parentIdTag": "G"}}


def test_stop_transaction_without_reason_and_token() -> None:
    effect = handle("StopTransaction", reason=None, idTag=None, transactionId=-1)
    operation = committed(effect, StopTransaction)
    assert (operation.reason, operation.id_token, operation.transaction_ref) == ("Local", None, "-1")
    assert operation.readings == []
    assert answered("ocpp1.6", "StopTransaction", effect, Stopped(decision=None)) == {}


def test_stop_transaction_with_a_zoneless_reading_is_suspect() -> None:
    data = [{"timestamp": "2025-06-01T12:00:00", "sampledValue": [{"value": "1"}]}]
    operation = committed(handle("StopTransaction", transactionData=data), StopTransaction)
    assert operation.suspect
    assert operation.readings[0].ts == NOON.ts


def test_meter_values_keeps_the_array_as_received() -> None:
    array = b'[ {"timestamp":"2025-06-01T12:00:00Z" ,"sampledValue":[{"value":"1.50"}]} ]'
    effect = VERSION.handle(Station("ocpp1.6"), "MeterValues", b'{"connectorId":1,"transactionId":77, "meterValue":' + array + b"}")
    operation = committed(effect, RecordMeterValues)
    assert operation.payload == array
    assert (operation.evse_id, operation.connector_id, operation.transaction_ref) == (1, 1, "77")
    assert [reading.values for reading in operation.readings] == [["1.50"]]
    assert not operation.suspect
    assert answered("ocpp1.6", "MeterValues", effect) == {}


@pytest.mark.parametrize(
    ("connector", "transaction", "place", "ref", "suspect"),
    [
        (1, None, 1, None, False),
        (0, None, 0, None, False),
        (0, 77, 0, None, False),
        (1, -1, 1, "-1", False),
        (1, 0, 1, "0", False),
        (-2, 77, 0, "77", True),
    ],
)
def test_meter_values_belong_to(connector: int, transaction: int | None, place: int, ref: str | None, suspect: bool) -> None:
    operation = committed(handle("MeterValues", connectorId=connector, transactionId=transaction), RecordMeterValues)
    assert (operation.evse_id, operation.connector_id) == (place, place)
    assert operation.transaction_ref == ref
    assert operation.suspect is suspect


@pytest.mark.parametrize(
    ("action", "kind", "time", "reference", "caused_by"),
    [
        ("FirmwareStatusNotification", "firmware_status", None, None, ()),
        ("SignedFirmwareStatusNotification", "firmware_status", None, "9", ("SignedUpdateFirmware",)),
        ("DiagnosticsStatusNotification", "diagnostics_status", None, None, ()),
        ("LogStatusNotification", "log_status", None, "4", ("GetLog",)),
        ("SecurityEventNotification", "security_event", NOON, None, ()),
    ],
)
def test_station_events(
    action: str, kind: str, time: StationTime | None, reference: str | None, caused_by: tuple[str, ...]
) -> None:
    effect = handle(action)
    assert committed(effect, RecordStationEvent) == RecordStationEvent(
        tenant_id=3,
        station_id=14,
        type=kind,
        data=payload_of(OCPP16[action]),
        time=time,
        reference=reference,
        caused_by=caused_by,
    )
    assert answered("ocpp1.6", action, effect) == {}


@pytest.mark.parametrize("action", ["LogStatusNotification", "SignedFirmwareStatusNotification"])
def test_a_status_without_request_id_is_tied_to_nothing(action: str) -> None:
    assert committed(handle(action, requestId=None), RecordStationEvent).reference is None


def test_a_certificate_request_is_kept_and_rejected() -> None:
    effect = handle("SignCertificate")
    operation = committed(effect, RecordStationEvent)
    assert (operation.type, operation.data) == ("sign_certificate", payload_of(OCPP16["SignCertificate"]))
    assert answered("ocpp1.6", "SignCertificate", effect) == {"status": "Rejected"}


def test_data_transfer_of_an_unknown_vendor_is_kept_and_said_so() -> None:
    effect = handle("DataTransfer")
    operation = committed(effect, RecordStationEvent)
    assert (operation.type, operation.data) == ("data_transfer", payload_of(OCPP16["DataTransfer"]))
    assert answered("ocpp1.6", "DataTransfer", effect) == {"status": "UnknownVendorId"}
