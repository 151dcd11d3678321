"""Certification cases of block N, monitoring, OCPP 2.0.1."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.conformance.ocpp201.playing import ACCEPTED, ChargingStation
from tests.conformance.scene import at

VOLTAGE = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "ACVoltage"}}
POWER = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}
STATION = {"component": {"name": "ChargingStation"}}
_ids = count(500)


def _report(station: ChargingStation, **asked: object) -> None:
    """Ask for monitors; the report comes in two parts that are tied to the order."""
    request_id = next(_ids)
    command = station.ordered("GetMonitoringReport", {"requestId": request_id, **asked}, ACCEPTED)
    monitoring = [{"id": 1, "transaction": False, "value": 250.0, "type": "UpperThreshold", "severity": 5}]
    parts: list[dict[str, Any]] = [
        {
            "requestId": request_id,
            "seqNo": number,
            "generatedAt": at(),
            "monitor": [{**variable, "variableMonitoring": monitoring}],
            **({"tbc": True} if number == 0 else {}),
        }
        for number, variable in enumerate((VOLTAGE, POWER))
    ]
    for part in parts:
        station.tells("NotifyMonitoringReport", part)
    assert station.events("monitoring_report", command) == parts


def test_tc_n_01_report_by_criteria(station: ChargingStation) -> None:
    _report(station, monitoringCriteria=["ThresholdMonitoring", "DeltaMonitoring"])


def test_tc_n_02_report_by_component_and_variable(station: ChargingStation) -> None:
    _report(station, componentVariable=[VOLTAGE])


def test_tc_n_03_report_by_criteria_and_component(station: ChargingStation) -> None:
    _report(station, monitoringCriteria=["ThresholdMonitoring"], componentVariable=[STATION])


def test_tc_n_47_report_all(station: ChargingStation) -> None:
    _report(station)


def test_tc_n_60_report_by_criteria_and_list(station: ChargingStation) -> None:
    _report(station, monitoringCriteria=["PeriodicMonitoring"], componentVariable=[VOLTAGE, POWER])


def test_tc_n_05_monitoring_base(station: ChargingStation) -> None:
    station.ordered("SetMonitoringBase", {"monitoringBase": "FactoryDefault"}, ACCEPTED)


def _set(station: ChargingStation, monitors: list[tuple[dict[str, Any], str, float]]) -> None:
    data = [{**variable, "value": value, "type": kind, "severity": 4} for variable, kind, value in monitors]
    results = [
        {**variable, "id": number, "status": "Accepted", "type": kind, "severity": 4}
        for number, (variable, kind, _) in enumerate(monitors, 1)
    ]
    station.ordered("SetVariableMonitoring", {"setMonitoringData": data}, {"setMonitoringResult": results})


def test_tc_n_08_one_monitor(station: ChargingStation) -> None:
    _set(station, [(VOLTAGE, "UpperThreshold", 250.0)])


def test_tc_n_09_several_monitors(station: ChargingStation) -> None:
    _set(station, [(VOLTAGE, "UpperThreshold", 250.0), (VOLTAGE, "LowerThreshold", 200.0), (POWER, "Delta", 500.0)])


def test_tc_n_16_monitoring_level(station: ChargingStation) -> None:
    station.ordered("SetMonitoringLevel", {"severity": 4}, ACCEPTED)


def test_tc_n_17_monitoring_level_out_of_range(station: ChargingStation) -> None:
    station.ordered("SetMonitoringLevel", {"severity": 10}, {"status": "Rejected"}, "rejected")


def test_tc_n_44_clear_monitoring_rejected(station: ChargingStation) -> None:
    results = {"clearMonitoringResult": [{"id": 1, "status": "Rejected"}]}
    station.ordered("ClearVariableMonitoring", {"id": [1]}, results, "rejected")


def _alert(station: ChargingStation, trigger: str, notification: str, **more: object) -> None:
    """The station tells an event; it is kept as it was told."""
    event = {
        "eventId": next(_ids),
        "timestamp": at(),
        "trigger": trigger,
        "actualValue": "251.5",
        "eventNotificationType": notification,
        **VOLTAGE,
        **more,
    }
    told = {"generatedAt": at(), "seqNo": 0, "eventData": [event]}
    station.tells("NotifyEvent", told)
    assert station.events("device_event")[-1] == told


def test_tc_n_21_hard_wired_alert(station: ChargingStation) -> None:
    _alert(station, "Alerting", "HardWiredMonitor", variableMonitoringId=3)


def test_tc_n_24_periodic_event(station: ChargingStation) -> None:
    _set(station, [(VOLTAGE, "Periodic", 10.0)])
    for _ in range(2):
        _alert(station, "Periodic", "CustomMonitor", variableMonitoringId=1)
    assert len(station.events("device_event")) == 2


def test_tc_n_48_alert_of_a_write_only_variable(station: ChargingStation) -> None:
    _alert(station, "Delta", "CustomMonitor", actualValue="", variableMonitoringId=1)


def test_tc_n_49_threshold_cleared_after_a_reboot(station: ChargingStation) -> None:
    _set(station, [(VOLTAGE, "UpperThreshold", 250.0)])
    _alert(station, "Alerting", "CustomMonitor", variableMonitoringId=1)
    station.reboot("PowerUp")
    _alert(station, "Alerting", "CustomMonitor", actualValue="230.0", cleared=True, variableMonitoringId=1)


def test_tc_n_50_periodic_alert(station: ChargingStation) -> None:
    _set(station, [(VOLTAGE, "PeriodicClockAligned", 900.0)])
    _alert(station, "Periodic", "CustomMonitor", variableMonitoringId=1)
