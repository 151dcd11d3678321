"""Certification cases of block B, provisioning, OCPP 2.0.1."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.conformance.ocpp201.playing import ACCEPTED, OCPP201, ChargingStation
from tests.conformance.scene import PENDING, Scene, at
from tests.conformance.wire import Wire

BOOT = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V", "serialNumber": "S", "firmwareVersion": "1"}}
INTERVAL = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
OFFLINE = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "OfflineThreshold"}}


def test_tc_b_01_cold_boot_accepted(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    station = ChargingStation(play, play.connect())
    answer = station.call("BootNotification", BOOT)
    assert answer.keys() == {"status", "currentTime", "interval"}
    assert (answer["status"], answer["interval"] > 0) == ("Accepted", True)
    assert abs(datetime.fromisoformat(answer["currentTime"]) - datetime.now(UTC)) < timedelta(seconds=10)
    station.status("Available")
    assert station.call("Heartbeat", {}).keys() == {"currentTime"}
    record = station.record()
    assert (record["vendor"], record["model"], record["serial_number"], record["firmware_version"]) == ("V", "M", "S", "1")
    assert (record["registration"], record["boot_reason"]) == ("accepted", "PowerUp")


def _pending(scene: Callable[[str], Scene]) -> ChargingStation:
    play = scene(OCPP201)
    station = ChargingStation(play, play.connect(tenant=PENDING), PENDING)
    answer = station.call("BootNotification", BOOT)
    assert (answer["status"], answer["interval"] > 0) == ("Pending", True)
    return station


def test_tc_b_02_cold_boot_pending(scene: Callable[[str], Scene]) -> None:
    station = _pending(scene)
    _set(station, [(INTERVAL, "120")])
    _get(station, [(INTERVAL, "120")])
    station.api.call("PATCH", f"/chargepoints/{station.identity}", {"registration": "accepted"})
    order = station.order("trigger_message", message="BootNotification")
    station.takes(order, "TriggerMessage", {"requestedMessage": "BootNotification"}, ACCEPTED)
    assert station.call("BootNotification", {**BOOT, "reason": "Triggered"})["status"] == "Accepted"
    station.status("Available")
    assert station.record()["registration"] == "accepted"


def test_tc_b_30_security_error_while_pending(scene: Callable[[str], Scene]) -> None:
    station = _pending(scene)
    status = {"timestamp": at(), "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
    answer = station.station.exchange("StatusNotification", status)
    assert (answer[0], answer[2]) == (4, "SecurityError")
    assert station.record()["connectors"] == []


def test_tc_b_31_trigger_a_boot_while_pending(scene: Callable[[str], Scene]) -> None:
    station = _pending(scene)
    order = station.order("trigger_message", message="BootNotification")
    station.takes(order, "TriggerMessage", {"requestedMessage": "BootNotification"}, ACCEPTED)
    assert station.call("BootNotification", {**BOOT, "reason": "Triggered"})["status"] == "Pending"


def _names(wanted: list[tuple[dict[str, Any], str]]) -> list[dict[str, str]]:
    return [{"component": name["component"]["name"], "variable": name["variable"]["name"]} for name, _ in wanted]


def _get(station: ChargingStation, wanted: list[tuple[dict[str, Any], str]]) -> None:
    results = [{**name, "attributeStatus": "Accepted", "attributeValue": value} for name, value in wanted]
    order = station.order("get_variables", variables=_names(wanted))
    payload = {"getVariableData": [name for name, _ in wanted]}
    station.takes(order, "GetVariables", payload, {"getVariableResult": results})


def _set(station: ChargingStation, wanted: list[tuple[dict[str, Any], str]]) -> None:
    data = [{**name, "attributeValue": value} for name, value in wanted]
    variables = [{**name, "value": value} for name, (_, value) in zip(_names(wanted), wanted, strict=True)]
    results = [{**name, "attributeStatus": "Accepted"} for name, _ in wanted]
    order = station.order("set_variables", variables=variables)
    station.takes(order, "SetVariables", {"setVariableData": data}, {"setVariableResult": results})


def test_tc_b_06_get_one_variable(station: ChargingStation) -> None:
    _get(station, [(INTERVAL, "300")])


def test_tc_b_07_get_several_variables(station: ChargingStation) -> None:
    _get(station, [(INTERVAL, "300"), (OFFLINE, "60")])


def test_tc_b_09_set_one_variable(station: ChargingStation) -> None:
    _set(station, [(INTERVAL, "60")])


def test_tc_b_10_set_several_variables(station: ChargingStation) -> None:
    _set(station, [(INTERVAL, "60"), (OFFLINE, "120")])


def _report(station: ChargingStation, request_id: int, parts: list[list[tuple[dict[str, Any], str]]]) -> None:
    """A report in parts; its variables are recorded."""
    for number, part in enumerate(parts):
        data = [
            {
                **name,
                "variableAttribute": [{"type": "Actual", "value": value, "mutability": "ReadWrite"}],
                "variableCharacteristics": {"dataType": "integer", "supportsMonitoring": False},
            }
            for name, value in part
        ]
        more = {"tbc": True} if number < len(parts) - 1 else {}
        part_of = {"requestId": request_id, "generatedAt": at(), "seqNo": number, "reportData": data, **more}
        station.tells("NotifyReport", part_of)
    wanted = {(name["component"]["name"], name["variable"]["name"]): value for part in parts for name, value in part}
    assert {name: station.variables().get(name) for name in wanted} == wanted


def _base_report(station: ChargingStation, base: str) -> None:
    order = station.order("get_base_report", report_base=base, request_id=12)
    station.takes(order, "GetBaseReport", {"requestId": 12, "reportBase": base}, ACCEPTED)
    _report(station, 12, [[(INTERVAL, "300")], [(OFFLINE, "60")]])


def test_tc_b_12_configuration_inventory(station: ChargingStation) -> None:
    _base_report(station, "ConfigurationInventory")


def test_tc_b_13_full_inventory(station: ChargingStation) -> None:
    _base_report(station, "FullInventory")


def test_tc_b_14_summary_inventory(station: ChargingStation) -> None:
    _base_report(station, "SummaryInventory")


def test_tc_b_18_custom_report(station: ChargingStation) -> None:
    criteria = {"requestId": 18, "componentCriteria": ["Active", "Problem"]}
    station.ordered("GetReport", criteria, ACCEPTED)
    _report(station, 18, [[(INTERVAL, "300")]])
    station.ordered("GetReport", {"requestId": 19, "componentVariable": [INTERVAL]}, ACCEPTED)
    _report(station, 19, [[(INTERVAL, "301")]])
    nothing = {"requestId": 20, "componentCriteria": ["Problem"]}
    station.ordered("GetReport", nothing, {"status": "EmptyResultSet"}, "rejected")


def _reset(station: ChargingStation, kind: str, status: str = "Accepted", evse: int | None = None) -> None:
    which = {} if evse is None else {"evse_id": evse}
    order = station.order("reset", type="hard" if kind == "Immediate" else "soft", **which)
    payload = {"type": kind} if evse is None else {"type": kind, "evseId": evse}
    station.takes(order, "Reset", payload, {"status": status})


def test_tc_b_20_reset_without_transaction(station: ChargingStation) -> None:
    _reset(station, "OnIdle")
    station.reboot("RemoteReset")
    station.status("Available")


def test_tc_b_21_reset_on_idle_while_charging(station: ChargingStation) -> None:
    transaction = station.charging()
    _reset(station, "OnIdle", "Scheduled")
    assert transaction.session()["status"] == "active"
    transaction.ended("StopAuthorized", "Local", token=station.card)
    station.reboot("ScheduledReset")


def test_tc_b_22_reset_immediately_while_charging(station: ChargingStation) -> None:
    transaction = station.charging()
    _reset(station, "Immediate")
    transaction.ended("ResetCommand", "ImmediateReset")
    station.reboot("RemoteReset")


def test_tc_b_25_reset_one_evse(station: ChargingStation) -> None:
    _reset(station, "OnIdle", evse=1)
    station.status("Unavailable")
    station.status("Available")


def test_tc_b_26_reset_one_evse_on_idle_while_charging(station: ChargingStation) -> None:
    transaction = station.charging()
    _reset(station, "OnIdle", "Scheduled", evse=1)
    transaction.ended("StopAuthorized", "Local", token=station.card)
    station.status("Available")


def test_tc_b_27_reset_one_evse_immediately_while_charging(station: ChargingStation) -> None:
    transaction = station.charging()
    _reset(station, "Immediate", evse=1)
    transaction.ended("ResetCommand", "ImmediateReset")
    station.status("Available")


PROFILE = {
    "configurationSlot": 2,
    "connectionData": {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": "wss://csms.example.test/ocpp",
        "messageTimeout": 30,
        "securityProfile": 2,
        "ocppInterface": "Wired0",
    },
}


def test_tc_b_42_set_network_profile(station: ChargingStation) -> None:
    station.ordered("SetNetworkProfile", PROFILE, ACCEPTED)


def test_tc_b_44_set_network_profile_failed(station: ChargingStation) -> None:
    station.ordered("SetNetworkProfile", PROFILE, {"status": "Failed"}, "rejected")


def test_tc_b_58_subprotocol_validation(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    wire = Wire.connect(play.server.ocpp_port, f"/ocpp/{play.identity()}", "ocpp9.9, ocpp2.0.1, ocpp1.6")
    assert wire.subprotocol == "ocpp2.0.1"
    wire.close()
    unknown = Wire.connect(play.server.ocpp_port, f"/ocpp/{play.identity()}", "ocpp9.9")
    assert unknown.subprotocol is None
    unknown.closed_with()
    unknown.close()
