"""Certification cases of block P, data transfer, and of customData, OCPP 2.0.1."""

from __future__ import annotations

from typing import Any

from tests.conformance.ocpp201.playing import ChargingStation
from tests.conformance.scene import at

CUSTOM: dict[str, Any] = {"vendorId": "org.example", "anything": [1, {"at": "all"}]}


def test_tc_p_02_data_transfer_of_an_unknown_vendor(station: ChargingStation) -> None:
    request = {"vendorId": "org.example", "messageId": "Diag", "data": {"any": ["json", 1]}}
    assert station.call("DataTransfer", request) == {"status": "UnknownVendorId"}
    assert station.events("data_transfer") == [request]


def test_tc_p_03_custom_data_is_taken_anywhere(station: ChargingStation) -> None:
    boot = {
        "reason": "PowerUp",
        "chargingStation": {"model": "M", "vendorName": "V", "customData": CUSTOM},
        "customData": CUSTOM,
    }
    assert station.call("BootNotification", boot)["status"] == "Accepted"
    event = {
        "eventType": "Started",
        "timestamp": at(),
        "triggerReason": "CablePluggedIn",
        "seqNo": 0,
        "transactionInfo": {"transactionId": f"custom-{station.identity}", "customData": CUSTOM},
        "evse": {"id": 1, "customData": CUSTOM},
        "meterValue": [{"timestamp": at(), "sampledValue": [{"value": 7, "customData": CUSTOM}], "customData": CUSTOM}],
        "customData": CUSTOM,
    }
    station.tells("TransactionEvent", event)
    session = station.session()
    assert (session["status"], session["start_meter_wh"]) == ("active", 7)
    station.ordered("ClearCache", {}, {"status": "Accepted", "customData": CUSTOM})
