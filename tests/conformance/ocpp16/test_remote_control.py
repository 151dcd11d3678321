"""Certification cases of remote start and stop, reset, unlock and triggered messages, OCPP 1.6."""

from __future__ import annotations

import pytest

from tests.conformance.ocpp16.playing import ChargePoint
from tests.conformance.scene import at

ACCEPTED = {"status": "Accepted"}
REJECTED = {"status": "Rejected"}
PROFILE = {
    "chargingProfileId": 7,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}]},
}


def _remote_start(point: ChargePoint, answer: dict[str, str], outcome: str = "accepted") -> None:
    order = point.order("remote_start", id_token=point.card, connector_id=1)
    point.takes(order, "RemoteStartTransaction", {"idTag": point.card, "connectorId": 1}, answer, outcome)


def _remote_session(point: ChargePoint) -> int:
    assert point.authorize(point.card)["status"] == "Accepted"
    transaction = point.start(point.card)
    point.status(1, "Charging")
    session = point.session()
    assert (session["id_tag"], session["status"]) == (point.card, "active")
    assert session["command_id"] is not None
    return transaction


def test_tc_010_remote_start_cable_first(point: ChargePoint) -> None:
    point.status(1, "Preparing")
    _remote_start(point, ACCEPTED)
    transaction = _remote_session(point)
    point.ended(transaction, "Local", point.card)


def test_tc_011_1_remote_start_first(point: ChargePoint) -> None:
    _remote_start(point, ACCEPTED)
    point.status(1, "Preparing")
    transaction = _remote_session(point)
    point.ended(transaction, "Local", point.card)


def test_tc_011_2_remote_start_time_out(point: ChargePoint) -> None:
    _remote_start(point, ACCEPTED)
    assert point.authorize(point.card)["status"] == "Accepted"
    point.status(1, "Preparing")
    point.status(1, "Available")
    assert point.has_no_session()


def test_tc_012_remote_stop(point: ChargePoint) -> None:
    transaction = point.charging(point.card)
    order = point.order("remote_stop", transaction_id=str(transaction))
    point.takes(order, "RemoteStopTransaction", {"transactionId": transaction}, ACCEPTED)
    point.ended(transaction, "Remote")


def test_tc_026_remote_start_rejected(point: ChargePoint) -> None:
    _remote_start(point, REJECTED, "rejected")
    assert point.has_no_session()


def test_tc_028_remote_stop_rejected(point: ChargePoint) -> None:
    transaction = point.charging(point.card)
    order = point.order("remote_stop", transaction_id=str(transaction))
    point.takes(order, "RemoteStopTransaction", {"transactionId": transaction}, REJECTED, "rejected")
    assert point.session()["status"] == "active"


def test_tc_059_remote_start_with_charging_profile(point: ChargePoint) -> None:
    point.status(1, "Preparing")
    payload = {"idTag": point.card, "connectorId": 1, "chargingProfile": PROFILE}
    point.ordered("RemoteStartTransaction", payload, ACCEPTED)
    transaction = point.start(point.card)
    point.ended(transaction, "Local", point.card)


def _reset(point: ChargePoint, kind: str, reason: str) -> None:
    transaction = point.charging(point.card)
    point.takes(point.order("reset", type=kind.lower()), "Reset", {"type": kind}, ACCEPTED)
    point.stop(transaction, reason)
    booted = point.record()["booted_at"]
    point.reboot()
    point.status(1, "Available")
    assert point.record()["booted_at"] > booted


def test_tc_013_hard_reset(point: ChargePoint) -> None:
    _reset(point, "Hard", "HardReset")


def test_tc_014_soft_reset(point: ChargePoint) -> None:
    _reset(point, "Soft", "SoftReset")


def _unlock(point: ChargePoint, status: str, outcome: str, connector: int = 1) -> None:
    order = point.order("unlock_connector", connector_id=connector)
    point.takes(order, "UnlockConnector", {"connectorId": connector}, {"status": status}, outcome)


def test_tc_017_1_unlock_without_session(point: ChargePoint) -> None:
    _unlock(point, "Unlocked", "accepted")
    assert point.has_no_session()


def test_tc_017_2_unlock_fixed_cable(point: ChargePoint) -> None:
    _unlock(point, "NotSupported", "rejected")
    assert point.has_no_session()


def test_tc_018_1_unlock_while_charging(point: ChargePoint) -> None:
    transaction = point.charging(point.card)
    _unlock(point, "Unlocked", "accepted")
    point.ended(transaction, "UnlockCommand")


def test_tc_030_unlock_failure(point: ChargePoint) -> None:
    _unlock(point, "UnlockFailed", "rejected")


def test_tc_031_unlock_unknown_connector(point: ChargePoint) -> None:
    _unlock(point, "NotSupported", "rejected", connector=9)


def test_tc_054_trigger_message(point: ChargePoint) -> None:
    def trigger(message: str) -> None:
        point.takes(point.order("trigger_message", message=message), "TriggerMessage", {"requestedMessage": message}, ACCEPTED)

    trigger("MeterValues")
    reading = {"timestamp": at(), "sampledValue": [{"value": "12", "context": "Trigger"}]}
    assert point.call("MeterValues", {"connectorId": 1, "meterValue": [reading]}) == {}
    trigger("Heartbeat")
    assert "currentTime" in point.call("Heartbeat", {})
    trigger("StatusNotification")
    point.status(1, "Unavailable")
    trigger("DiagnosticsStatusNotification")
    assert point.call("DiagnosticsStatusNotification", {"status": "Idle"}) == {}
    assert point.events("diagnostics_status") == [{"status": "Idle"}]
    trigger("FirmwareStatusNotification")
    assert point.call("FirmwareStatusNotification", {"status": "Idle"}) == {}
    assert point.events("firmware_status") == [{"status": "Idle"}]
    trigger("BootNotification")
    assert point.scene.boot(point.station) == "Accepted"
    (kept,) = point.scene.rows(
        "SELECT count(*) FROM station_samples JOIN stations USING (tenant_id, station_id) WHERE identity = $1", point.identity
    )
    assert kept["count"] == 1


@pytest.mark.parametrize("status", ["Rejected", "NotImplemented"])
def test_tc_055_trigger_message_rejected(point: ChargePoint, status: str) -> None:
    order = point.order("trigger_message", message="MeterValues")
    point.takes(order, "TriggerMessage", {"requestedMessage": "MeterValues"}, {"status": status}, "rejected")
