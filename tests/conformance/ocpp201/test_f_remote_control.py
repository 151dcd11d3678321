"""Certification cases of block F, remote control, OCPP 2.0.1."""

from __future__ import annotations

from typing import Any

from tests.conformance.ocpp201.playing import ACCEPTED, ChargingStation, Transaction
from tests.conformance.scene import at


def _remote_start(station: ChargingStation, **answer: str) -> int:
    """Order a remote start; gives its remoteStartId."""
    order = station.order("remote_start", id_token=station.card, evse_id=1)
    start_id: int = order.payload["remoteStartId"]
    payload = {"idToken": {"idToken": station.card, "type": "ISO14443"}, "remoteStartId": start_id, "evseId": 1}
    station.takes(order, "RequestStartTransaction", payload, {**ACCEPTED, **answer})
    return start_id


def _tied(transaction: Transaction, start_id: int) -> None:
    session = transaction.session()
    assert (session["remote_start_id"], session["id_tag"]) == (start_id, transaction.station.card)
    assert session["command_id"] is not None


def test_tc_f_01_remote_start_cable_first(station: ChargingStation) -> None:
    station.status("Occupied")
    transaction = station.transaction()
    transaction.started("CablePluggedIn", state="EVConnected")
    start_id = _remote_start(station, transactionId=transaction.id)
    transaction.updated("RemoteStart", token=station.card, remoteStartId=start_id)
    transaction.updated("ChargingStateChanged", state="Charging")
    _tied(transaction, start_id)
    transaction.ended("StopAuthorized", "Local", token=station.card)


def test_tc_f_02_remote_start_first_authorized_first(station: ChargingStation) -> None:
    start_id = _remote_start(station)
    assert station.authorize(station.card)["status"] == "Accepted"
    transaction = station.transaction()
    transaction.started("RemoteStart", token=station.card, evse=False, remoteStartId=start_id)
    transaction.updated("CablePluggedIn", state="EVConnected")
    _tied(transaction, start_id)


def test_tc_f_03_remote_start_first_not_authorized_first(station: ChargingStation) -> None:
    start_id = _remote_start(station)
    transaction = station.transaction()
    transaction.started("RemoteStart", token=station.card, evse=False, remoteStartId=start_id)
    _tied(transaction, start_id)


def test_tc_f_04_remote_start_first_no_cable(station: ChargingStation) -> None:
    start_id = _remote_start(station)
    transaction = station.transaction()
    transaction.started("RemoteStart", token=station.card, evse=False, remoteStartId=start_id)
    _tied(transaction, start_id)
    transaction.ended("EVConnectTimeout", "Timeout", evse=False)


def test_tc_f_06_remote_unlock(station: ChargingStation) -> None:
    order = station.order("unlock_connector", evse_id=1, connector_id=1)
    station.takes(order, "UnlockConnector", {"evseId": 1, "connectorId": 1}, {"status": "Unlocked"})
    assert station.has_no_session()


def _trigger(station: ChargingStation, message: str, evse: dict[str, int] | None = None, status: str = "Accepted") -> None:
    names = {} if evse is None else {"evse_id": evse["id"], **({"connector_id": 1} if "connectorId" in evse else {})}
    order = station.order("trigger_message", message=message, **names)
    payload: dict[str, Any] = {"requestedMessage": message}
    if evse is not None:
        payload["evse"] = evse
    station.takes(order, "TriggerMessage", payload, {"status": status}, "accepted" if status == "Accepted" else "rejected")


def _meter_values(station: ChargingStation, *evses: int) -> None:
    for evse in evses:
        reading = {"timestamp": at(), "sampledValue": [{"value": 1.5, "context": "Trigger"}]}
        station.tells("MeterValues", {"evseId": evse, "meterValue": [reading]})
    rows = station.scene.rows(
        "SELECT evse_id FROM station_samples JOIN stations USING (tenant_id, station_id) WHERE identity = $1", station.identity
    )
    assert sorted(row["evse_id"] for row in rows) == list(evses)


def test_tc_f_11_trigger_meter_values_of_one_evse(station: ChargingStation) -> None:
    _trigger(station, "MeterValues", {"id": 1})
    _meter_values(station, 1)


def test_tc_f_12_trigger_meter_values_of_all(station: ChargingStation) -> None:
    _trigger(station, "MeterValues")
    _meter_values(station, 1, 2)


def test_tc_f_13_trigger_transaction_event_of_one_evse(station: ChargingStation) -> None:
    transaction = station.charging()
    _trigger(station, "TransactionEvent", {"id": 1})
    transaction.updated("Trigger", samples=transaction.register("Trigger"))
    assert transaction.session()["last_meter_wh"] == transaction.meter


def test_tc_f_14_trigger_transaction_event_of_all(station: ChargingStation) -> None:
    transactions = [station.charging(f"{station.card}-{evse}", evse) for evse in (1, 2)]
    _trigger(station, "TransactionEvent")
    for transaction in transactions:
        transaction.updated("Trigger", samples=transaction.register("Trigger"))
        assert transaction.session()["last_meter_wh"] == transaction.meter


def test_tc_f_15_trigger_log_status(station: ChargingStation) -> None:
    _trigger(station, "LogStatusNotification")
    station.tells("LogStatusNotification", {"status": "Idle"})
    assert station.events("log_status") == [{"status": "Idle"}]


def test_tc_f_18_trigger_firmware_status(station: ChargingStation) -> None:
    _trigger(station, "FirmwareStatusNotification")
    station.tells("FirmwareStatusNotification", {"status": "Idle"})
    assert station.events("firmware_status") == [{"status": "Idle"}]


def test_tc_f_20_trigger_heartbeat(station: ChargingStation) -> None:
    _trigger(station, "Heartbeat")
    assert station.call("Heartbeat", {}).keys() == {"currentTime"}


def test_tc_f_23_trigger_status_available(station: ChargingStation) -> None:
    _trigger(station, "StatusNotification", {"id": 1, "connectorId": 1})
    station.status("Available")


def test_tc_f_24_trigger_status_occupied(station: ChargingStation) -> None:
    _trigger(station, "StatusNotification", {"id": 1, "connectorId": 1})
    station.status("Occupied")


def test_tc_f_27_trigger_not_implemented(station: ChargingStation) -> None:
    _trigger(station, "SignV2GCertificate", status="NotImplemented")
