"""Certification cases of configuration keys, the authorization cache and the local authorization list, OCPP 1.6."""

from __future__ import annotations

from tests.conformance.ocpp16.playing import ChargePoint
from tests.conformance.scene import at

KEYS = [
    {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
    {"key": "NumberOfConnectors", "readonly": True, "value": "1"},
]
FULL = {
    "listVersion": 1,
    "updateType": "Full",
    "localAuthorizationList": [
        {"idTag": "CARD-1", "idTagInfo": {"status": "Accepted", "parentIdTag": "GROUP", "expiryDate": at(86400)}},
        {"idTag": "CARD-2", "idTagInfo": {"status": "Blocked"}},
    ],
}


def test_tc_019_1_all_configuration_keys(point: ChargePoint) -> None:
    point.takes(point.order("get_configuration"), "GetConfiguration", {}, {"configurationKey": KEYS})


def test_tc_019_2_one_configuration_key(point: ChargePoint) -> None:
    order = point.order("get_configuration", keys=["HeartbeatInterval"])
    point.takes(order, "GetConfiguration", {"key": ["HeartbeatInterval"]}, {"configurationKey": KEYS[:1]})


def _change(point: ChargePoint, key: str, value: str, status: str, outcome: str) -> None:
    order = point.order("change_configuration", key=key, value=value)
    point.takes(order, "ChangeConfiguration", {"key": key, "value": value}, {"status": status}, outcome)


def test_tc_021_change_configuration(point: ChargePoint) -> None:
    _change(point, "MeterValueSampleInterval", "30", "Accepted", "accepted")


def test_tc_040_1_configuration_key_not_supported(point: ChargePoint) -> None:
    _change(point, "NoSuchKey", "1", "NotSupported", "rejected")


def test_tc_040_2_configuration_value_invalid(point: ChargePoint) -> None:
    _change(point, "MeterValueSampleInterval", "-1", "Rejected", "rejected")


def test_tc_061_clear_authorization_cache(point: ChargePoint) -> None:
    point.takes(point.order("clear_cache"), "ClearCache", {}, {"status": "Accepted"})


def test_tc_042_1_local_list_version_not_supported(point: ChargePoint) -> None:
    point.ordered("GetLocalListVersion", {}, {"listVersion": -1})


def test_tc_042_2_local_list_version_empty(point: ChargePoint) -> None:
    point.ordered("GetLocalListVersion", {}, {"listVersion": 0})


def test_tc_043_1_send_local_list_not_supported(point: ChargePoint) -> None:
    point.ordered("SendLocalList", FULL, {"status": "NotSupported"}, "rejected")


def test_tc_043_3_send_local_list_failed(point: ChargePoint) -> None:
    point.ordered("SendLocalList", FULL, {"status": "Failed"}, "rejected")


def test_tc_043_4_send_local_list_full(point: ChargePoint) -> None:
    point.ordered("SendLocalList", FULL, {"status": "Accepted"})
    point.ordered("GetLocalListVersion", {}, {"listVersion": 1})


def test_tc_043_5_send_local_list_differential(point: ChargePoint) -> None:
    point.ordered("SendLocalList", FULL, {"status": "Accepted"})
    change = {"listVersion": 2, "updateType": "Differential", "localAuthorizationList": [{"idTag": "CARD-1"}]}
    point.ordered("SendLocalList", change, {"status": "Accepted"})
    point.ordered("GetLocalListVersion", {}, {"listVersion": 2})
