"""Certification cases of block G, availability, OCPP 2.0.1."""

from __future__ import annotations

from typing import Any

from tests.conformance.ocpp201.playing import ChargingStation
from tests.conformance.scene import at

EVSE = {"evse": {"id": 1}}
CONNECTOR = {"evse": {"id": 1, "connectorId": 1}}
STATION: dict[str, Any] = {}


def _change(station: ChargingStation, kind: str, which: dict[str, Any], status: str = "Accepted") -> None:
    names: dict[str, int] = {}
    if "evse" in which:
        names["evse_id"] = which["evse"]["id"]
        names |= {"connector_id": 1} if "connectorId" in which["evse"] else {}
    order = station.order("change_availability", type=kind.lower(), **names)
    station.takes(order, "ChangeAvailability", {"operationalStatus": kind, **which}, {"status": status})


def _taken_out(station: ChargingStation, which: dict[str, Any]) -> None:
    _change(station, "Inoperative", which)
    station.status("Unavailable")


def _put_back(station: ChargingStation, which: dict[str, Any]) -> None:
    _taken_out(station, which)
    _change(station, "Operative", which)
    station.status("Available")


def _after_the_transaction(station: ChargingStation, which: dict[str, Any]) -> None:
    transaction = station.charging()
    _change(station, "Inoperative", which, "Scheduled")
    assert transaction.session()["status"] == "active"
    transaction.ended("StopAuthorized", "Local", token=station.card)
    station.status("Unavailable")


def test_tc_g_03_evse_out_of_service(station: ChargingStation) -> None:
    _taken_out(station, EVSE)


def test_tc_g_04_evse_into_service(station: ChargingStation) -> None:
    _put_back(station, EVSE)


def test_tc_g_05_station_out_of_service(station: ChargingStation) -> None:
    _taken_out(station, STATION)


def test_tc_g_06_station_into_service(station: ChargingStation) -> None:
    _put_back(station, STATION)


def test_tc_g_07_connector_out_of_service(station: ChargingStation) -> None:
    _taken_out(station, CONNECTOR)


def test_tc_g_08_connector_into_service(station: ChargingStation) -> None:
    _put_back(station, CONNECTOR)


def test_tc_g_11_evse_while_charging(station: ChargingStation) -> None:
    _after_the_transaction(station, EVSE)


def test_tc_g_14_station_while_charging(station: ChargingStation) -> None:
    _after_the_transaction(station, STATION)


def test_tc_g_17_connector_while_charging(station: ChargingStation) -> None:
    _after_the_transaction(station, CONNECTOR)


def test_tc_g_20_lock_failure(station: ChargingStation) -> None:
    assert station.authorize(station.card)["status"] == "Accepted"
    failure = {
        "eventId": 1,
        "timestamp": at(),
        "trigger": "Delta",
        "actualValue": "true",
        "eventNotificationType": "HardWiredNotification",
        "component": {"name": "ConnectorPlugRetentionLock", "evse": {"id": 1, "connectorId": 1}},
        "variable": {"name": "Problem"},
    }
    station.tells("NotifyEvent", {"generatedAt": at(), "seqNo": 0, "eventData": [failure]})
    (event,) = station.events("device_event")
    assert event["eventData"] == [failure]
    assert station.has_no_session()
