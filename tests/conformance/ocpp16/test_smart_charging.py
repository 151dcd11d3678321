"""Certification cases of smart charging, OCPP 1.6."""

from __future__ import annotations

from typing import Any

from tests.conformance.ocpp16.playing import ChargePoint
from tests.conformance.scene import at

ACCEPTED = {"status": "Accepted"}
SCHEDULE = {
    "duration": 86400,
    "chargingRateUnit": "A",
    "chargingSchedulePeriod": [
        {"startPeriod": 0, "limit": 6.0, "numberPhases": 3},
        {"startPeriod": 3600, "limit": 16.0, "numberPhases": 3},
    ],
    "minChargingRate": 6.0,
}


def _profile(purpose: str, **more: object) -> dict[str, Any]:
    return {
        "chargingProfileId": 100,
        "stackLevel": 1,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {**SCHEDULE, "startSchedule": at()},
        **more,
    }


def test_tc_056_default_profile(point: ChargePoint) -> None:
    request = {"connectorId": 1, "csChargingProfiles": _profile("TxDefaultProfile", validFrom=at(), validTo=at(86400))}
    point.ordered("SetChargingProfile", request, ACCEPTED)


def test_tc_057_transaction_profile(point: ChargePoint) -> None:
    transaction = point.charging(point.card)
    request = {"connectorId": 1, "csChargingProfiles": _profile("TxProfile", transactionId=transaction)}
    point.ordered("SetChargingProfile", request, ACCEPTED)
    limit = [{"start": 0, "limit": 6}, {"start": 60, "limit": 10.5}]
    order = point.order("set_charging_profile", transaction_id=str(transaction), evse_id=1, unit="A", periods=limit, duration_s=90)
    number = order.payload["csChargingProfiles"]["chargingProfileId"]
    told = {
        "chargingProfileId": number,
        "transactionId": transaction,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "duration": 90,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}, {"startPeriod": 60, "limit": 10.5}],
        },
    }
    point.takes(order, "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": told}, ACCEPTED)
    order = point.order("clear_charging_profile", transaction_id=str(transaction))
    point.takes(order, "ClearChargingProfile", {"id": number}, ACCEPTED)
    point.ended(transaction, "Local", point.card)


def test_tc_066_composite_schedule(point: ChargePoint) -> None:
    request = {"connectorId": 1, "csChargingProfiles": _profile("TxDefaultProfile")}
    point.ordered("SetChargingProfile", request, ACCEPTED)
    schedule = {"status": "Accepted", "connectorId": 1, "scheduleStart": at(), "chargingSchedule": SCHEDULE}
    point.ordered("GetCompositeSchedule", {"connectorId": 1, "duration": 300, "chargingRateUnit": "A"}, schedule)


def test_tc_067_clear_charging_profile(point: ChargePoint) -> None:
    point.ordered("ClearChargingProfile", {"id": 100}, ACCEPTED)
    criteria = {"connectorId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}
    point.ordered("ClearChargingProfile", criteria, ACCEPTED)
    point.ordered("ClearChargingProfile", {"id": 101}, {"status": "Unknown"}, "rejected")
