"""Certification cases of boot, charging sessions, authorization and offline behaviour, OCPP 1.6."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.conformance.ocpp16.playing import ChargePoint
from tests.conformance.scene import at


def test_tc_001_cold_boot(point: ChargePoint) -> None:
    point.station.wire.close()
    point.station = point.scene.connect(point.identity)
    answer = point.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "1.2"})
    assert answer["status"] == "Accepted"
    assert answer["interval"] > 0
    assert abs(datetime.fromisoformat(answer["currentTime"]) - datetime.now(UTC)) < timedelta(seconds=10)
    for connector in (0, 1, 2):
        point.status(connector, "Available")
    assert answer["currentTime"] <= point.call("Heartbeat", {})["currentTime"]
    record = point.record()
    assert (record["vendor"], record["model"], record["firmware_version"]) == ("V", "M", "1.2")
    assert (record["status"], record["registration"]) == ("online", "accepted")


def test_tc_003_regular_session_plugin_first(point: ChargePoint) -> None:
    transaction = point.charging(point.card)
    point.ended(transaction, "Local", point.card)


def test_tc_004_1_regular_session_identification_first(point: ChargePoint) -> None:
    assert point.authorize(point.card)["status"] == "Accepted"
    point.status(1, "Preparing")
    transaction = point.start(point.card)
    point.status(1, "Charging")
    point.ended(transaction, None, point.card)


def test_tc_004_2_identification_first_connection_time_out(point: ChargePoint) -> None:
    assert point.authorize(point.card)["status"] == "Accepted"
    point.status(1, "Preparing")
    point.status(1, "Available")
    assert point.has_no_session()


def test_tc_005_1_ev_side_disconnected(point: ChargePoint) -> None:
    transaction = point.charging(point.card)
    point.status(1, "SuspendedEV")
    point.ended(transaction, "EVDisconnected")


def test_tc_007_start_with_cached_id(point: ChargePoint) -> None:
    point.status(1, "Preparing")
    transaction = point.start(point.card)
    point.status(1, "Charging")
    assert point.session()["id_tag"] == point.card
    point.ended(transaction, "Local", point.card)


def test_tc_023_1_authorize_invalid(strict_point: ChargePoint) -> None:
    strict_point.status(1, "Preparing")
    assert strict_point.authorize("NOBODY") == {"status": "Invalid"}
    assert strict_point.has_no_session()


def test_tc_023_2_authorize_expired(strict_point: ChargePoint) -> None:
    tag = strict_point.token("EXPIRED", valid_until=at(-3600))
    info = strict_point.authorize(tag)
    assert info["status"] == "Expired"
    assert datetime.fromisoformat(info["expiryDate"]) < datetime.now(UTC)
    assert strict_point.has_no_session()


def test_tc_023_3_authorize_blocked(strict_point: ChargePoint) -> None:
    tag = strict_point.token("BLOCKED", status="blocked")
    assert strict_point.authorize(tag)["status"] == "Blocked"
    assert strict_point.has_no_session()


def test_tc_024_lock_failure(point: ChargePoint) -> None:
    point.status(1, "Preparing")
    assert point.authorize(point.card)["status"] == "Accepted"
    point.status(1, "Faulted", "ConnectorLockFailure")
    assert point.has_no_session()


def test_tc_032_1_power_failure_stops_transactions_after_the_boot(point: ChargePoint) -> None:
    transaction = point.charging(point.card)
    point.reboot()
    assert point.session()["status"] == "active"
    point.stop(transaction, "PowerLoss", when=-5)
    point.status(1, "Available")


def test_tc_037_1_offline_start_valid(strict_point: ChargePoint) -> None:
    tag = strict_point.token("OFFLINE-VALID")
    strict_point.station.wire.close()
    strict_point.station = strict_point.scene.connect(strict_point.identity, tenant=strict_point.tenant)
    transaction = strict_point.start(tag, when=-600)
    strict_point.status(1, "Charging")
    session = strict_point.session()
    assert (session["status"], session["authorization_status"]) == ("active", "Accepted")
    assert datetime.fromisoformat(session["start_time"]) < datetime.now(UTC) - timedelta(seconds=590)
    strict_point.ended(transaction, "Local", tag)


def test_tc_037_3_offline_start_invalid_stops(strict_point: ChargePoint) -> None:
    transaction = strict_point.start("NOBODY", status="Invalid", when=-600)
    assert strict_point.session()["authorization_status"] == "Unknown"
    strict_point.ended(transaction, "DeAuthorized")


def test_tc_039_offline_transaction(strict_point: ChargePoint) -> None:
    tag = strict_point.token("OFFLINE-WHOLE")
    transaction = strict_point.start(tag, when=-7200)
    strict_point.stop(transaction, "Local", tag, when=-3600)
    session = strict_point.session()
    began, ended = (datetime.fromisoformat(session[name]) for name in ("start_time", "stop_time"))
    assert timedelta(seconds=3595) < ended - began < timedelta(seconds=3605)


def test_tc_064_data_transfer_to_a_central_system(point: ChargePoint) -> None:
    request = {"vendorId": "org.example", "messageId": "Diag", "data": "payload"}
    assert point.call("DataTransfer", request) == {"status": "UnknownVendorId"}
    assert point.events("data_transfer") == [request]
