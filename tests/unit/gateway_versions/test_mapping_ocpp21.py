"""What only OCPP 2.1 has: each message to its operation, each outcome to its answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from csms.domain.decisions import Decision
from csms.domain.operations import (
    CloseEventStream,
    EventRecorded,
    OpenEventStream,
    RecordStationEvent,
    RecordStreamValues,
    RecordTransactionEvent,
    StationTime,
)
from gateway.effects import Effect
from gateway.ocpp21 import VERSION
from tests.unit.gateway_versions.messages import OCPP21, STREAM_VALUES
from tests.unit.gateway_versions.support import NOW_TEXT, Station, answered, assert_valid, committed, payload_of

NOON = StationTime(datetime(2025, 6, 1, 12, tzinfo=UTC), "2025-06-01T12:00:00Z")


def handle(action: str, **changes: Any) -> Effect:
    """The effect of the example message; a change to None leaves that member out."""
    message = {key: value for key, value in (OCPP21[action] | changes).items() if value is not None}
    payload = payload_of(message)
    assert_valid("ocpp2.1", action, "request", payload)
    return VERSION.handle(Station("ocpp2.1"), action, payload)


@pytest.mark.parametrize(
    ("action", "kind", "time", "reference", "caused_by"),
    [
        ("BatterySwap", "battery_swap", None, "31", ("RequestBatterySwap",)),
        ("NotifyDERAlarm", "der_alarm", NOON, None, ()),
        ("NotifyDERStartStop", "der_start_stop", NOON, "der-1", ("SetDERControl",)),
        ("NotifyPriorityCharging", "priority_charging", None, "tx-1", ("UsePriorityCharging",)),
        ("NotifySettlement", "settlement", NOON, None, ()),
        ("ReportDERControl", "der_control", None, "32", ("GetDERControl",)),
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
        data=payload_of(OCPP21[action]),
        time=time,
        reference=reference,
        caused_by=caused_by,
    )
    assert answered("ocpp2.1", action, effect) == {}


@pytest.mark.parametrize(("timestamp", "time"), [(None, None), ("2025-06-01T12:00:00Z", NOON)])
def test_charging_needs_are_kept_and_bring_no_profile(timestamp: str | None, time: StationTime | None) -> None:
    effect = handle("NotifyEVChargingNeeds", timestamp=timestamp)
    operation = committed(effect, RecordStationEvent)
    assert (operation.type, operation.time) == ("ev_charging_needs", time)
    assert answered("ocpp2.1", "NotifyEVChargingNeeds", effect) == {"status": "NoChargingProfile"}


@pytest.mark.parametrize("evse", [None, 1])
def test_a_vat_number_is_not_confirmed(evse: int | None) -> None:
    effect = handle("VatNumberValidation", evseId=evse)
    assert committed(effect, RecordStationEvent).type == "vat_number_validation"
    answer = answered("ocpp2.1", "VatNumberValidation", effect)
    assert answer.pop("statusInfo")["reasonCode"] == "UnsupportedRequest"
    assert answer == {"vatNumber": "NL123456789B01", "status": "Rejected"} | ({} if evse is None else {"evseId": evse})


def test_a_dynamic_schedule_gets_no_values() -> None:
    effect = handle("PullDynamicScheduleUpdate")
    operation = committed(effect, RecordStationEvent)
    assert (operation.type, operation.reference, operation.caused_by) == (
        "dynamic_schedule_request",
        "9",
        ("SetChargingProfile",),
    )
    assert answered("ocpp2.1", "PullDynamicScheduleUpdate", effect)["status"] == "Rejected"


def test_the_status_of_each_certificate_could_not_be_had() -> None:
    effect = handle("GetCertificateChainStatus")
    assert committed(effect, RecordStationEvent).type == "certificate_chain_status_request"
    asked = OCPP21["GetCertificateChainStatus"]["certificateStatusRequests"]
    assert answered("ocpp2.1", "GetCertificateChainStatus", effect) == {
        "certificateStatus": [
            {
                "certificateHashData": one["certificateHashData"],
                "source": one["source"],
                "status": "Failed",
                "nextUpdate": NOW_TEXT,
            }
            for one in asked
        ]
    }


def test_a_stream_is_opened_unless_there_are_too_many() -> None:
    effect = handle("OpenPeriodicEventStream")
    payload = payload_of(OCPP21["OpenPeriodicEventStream"])
    assert committed(effect, OpenEventStream) == OpenEventStream(
        tenant_id=3, station_id=14, stream_id=7, variable_monitoring_id=3, data=payload
    )
    assert answered("ocpp2.1", "OpenPeriodicEventStream", effect, True) == {"status": "Accepted"}
    refused = answered("ocpp2.1", "OpenPeriodicEventStream", effect, False)
    assert (refused["status"], refused["statusInfo"]["reasonCode"]) == ("Rejected", "TooManyElements")


def test_a_stream_is_closed() -> None:
    effect = handle("ClosePeriodicEventStream")
    payload = payload_of(OCPP21["ClosePeriodicEventStream"])
    assert committed(effect, CloseEventStream) == CloseEventStream(tenant_id=3, station_id=14, stream_id=7, data=payload)
    assert answered("ocpp2.1", "ClosePeriodicEventStream", effect) == {}


def test_the_values_of_a_stream() -> None:
    payload = payload_of(STREAM_VALUES)
    assert_valid("ocpp2.1", "NotifyPeriodicEventStream", "request", payload)
    assert VERSION.handle_send(Station("ocpp2.1"), "NotifyPeriodicEventStream", payload) == RecordStreamValues(
        tenant_id=3, station_id=14, stream_id=7, data=payload, time=NOON
    )


def test_a_transaction_event_keeps_what_2_1_added() -> None:
    """Tokens of up to 255 characters and of any type; new members stay in the details of the event."""
    long_token = "t" * 255
    effect = handle(
        "TransactionEvent",
        idToken={"idToken": long_token, "type": "VIN"},
        transactionInfo={"transactionId": "tx-1", "tariffId": "night", "operationMode": "CentralSetpoint"},
        evseSleep=False,
        preconditioningStatus="Ready",
    )
    operation = committed(effect, RecordTransactionEvent)
    assert (operation.ocpp_version, operation.id_token, operation.token_type) == ("ocpp2.1", long_token, "VIN")
    for member in (b'"tariffId"', b'"operationMode"', b'"evseSleep"', b'"preconditioningStatus"'):
        assert member in operation.details
    outcome = EventRecorded(decision=Decision(status="Accepted"))
    assert answered("ocpp2.1", "TransactionEvent", effect, outcome) == {"idTokenInfo": {"status": "Accepted"}}


def test_a_signed_value_may_leave_its_method_out() -> None:
    signed = {"signedMeterData": "c2lnbmVk", "encodingMethod": "OCMF"}
    value = {"timestamp": "2025-06-01T12:00:00Z", "sampledValue": [{"value": 12.5, "signedMeterValue": signed}]}
    operation = committed(handle("TransactionEvent", meterValue=[value]), RecordTransactionEvent)
    assert operation.readings[0].texts == [payload_of(signed).decode()]
