"""Certification cases of block K, smart charging, OCPP 2.0.1."""

from __future__ import annotations

from typing import Any

from tests.conformance.ocpp201.playing import ACCEPTED, ChargingStation
from tests.conformance.scene import at


def _schedule(number: int = 1, limit: float = 10.0, unit: str = "A") -> dict[str, Any]:
    periods = [{"startPeriod": 0, "limit": limit, "numberPhases": 3}, {"startPeriod": 3600, "limit": limit / 2}]
    return {"id": number, "startSchedule": at(), "duration": 7200, "chargingRateUnit": unit, "chargingSchedulePeriod": periods}


def _period(limit: float) -> dict[str, Any]:
    return {"startPeriod": 0, "limit": limit, "numberPhases": 3}


def _profile(purpose: str, number: int = 1, kind: str = "Absolute", **more: object) -> dict[str, Any]:
    return {
        "id": number,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": [_schedule(number)],
        **more,
    }


def _set(station: ChargingStation, evse: int, profile: dict[str, Any], answer: dict[str, Any] = ACCEPTED) -> None:
    outcome = "accepted" if answer["status"] == "Accepted" else "rejected"
    station.ordered("SetChargingProfile", {"evseId": evse, "chargingProfile": profile}, answer, outcome)


def test_tc_k_01_default_profile_of_one_evse(station: ChargingStation) -> None:
    _set(station, 1, _profile("TxDefaultProfile", validFrom=at(), validTo=at(86400)))


def test_tc_k_02_transaction_profile_without_transaction(station: ChargingStation) -> None:
    reason = {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
    _set(station, 1, _profile("TxProfile", transactionId="no-such-transaction"), reason)


def test_tc_k_03_station_max_profile(station: ChargingStation) -> None:
    _set(station, 0, _profile("ChargingStationMaxProfile"))


def test_tc_k_04_replace_a_profile(station: ChargingStation) -> None:
    _set(station, 1, _profile("TxDefaultProfile"))
    _set(station, 1, _profile("TxDefaultProfile", chargingSchedule=[_schedule(limit=6.0)]))


def test_tc_k_05_clear_by_id(station: ChargingStation) -> None:
    _set(station, 1, _profile("TxDefaultProfile"))
    station.ordered("ClearChargingProfile", {"chargingProfileId": 1}, ACCEPTED)


def test_tc_k_06_clear_by_stack_level_and_purpose(station: ChargingStation) -> None:
    _set(station, 1, _profile("TxDefaultProfile"))
    criteria = {"stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile"}
    station.ordered("ClearChargingProfile", {"chargingProfileCriteria": criteria}, ACCEPTED)


def test_tc_k_08_clear_where_there_is_none(station: ChargingStation) -> None:
    station.ordered("ClearChargingProfile", {"chargingProfileId": 9}, {"status": "Unknown"}, "rejected")


def test_tc_k_10_default_profile_of_all(station: ChargingStation) -> None:
    _set(station, 0, _profile("TxDefaultProfile"))


def test_tc_k_15_not_supported(station: ChargingStation) -> None:
    order = station.scene.order(
        station.station, "SetChargingProfile", {"evseId": 1, "chargingProfile": _profile("TxDefaultProfile")}
    )
    station.station.send([4, order.call[1], "NotSupported", "no smart charging", {}])
    command = order.ordered.result(10)
    assert command["status"] == "failed"
    assert "NotSupported" in command["error"]


def test_tc_k_19_recurring_profile(station: ChargingStation) -> None:
    _set(station, 1, _profile("TxDefaultProfile", kind="Recurring", recurrencyKind="Daily"))


def _get(station: ChargingStation, criteria: dict[str, Any], evse: int | None = None, found: tuple[int, ...] = (1, 1)) -> None:
    """Ask for profiles; those that match come in one part for each of the EVSEs `found`, tied to the order."""
    payload: dict[str, Any] = {"requestId": 40, "chargingProfile": criteria}
    if evse is not None:
        payload["evseId"] = evse
    command = station.ordered("GetChargingProfiles", payload, ACCEPTED)
    purpose = criteria.get("chargingProfilePurpose", "TxDefaultProfile")
    parts: list[dict[str, Any]] = [
        {
            "requestId": 40,
            "chargingLimitSource": "CSO",
            "evseId": reported,
            "chargingProfile": [_profile(purpose, number)],
            **({"tbc": True} if number < len(found) else {}),
        }
        for number, reported in enumerate(found, 1)
    ]
    for part in parts:
        station.tells("ReportChargingProfiles", part)
    assert station.events("charging_profiles", command) == parts


def test_tc_k_29_profiles_of_the_station(station: ChargingStation) -> None:
    _get(station, {"chargingProfilePurpose": "ChargingStationMaxProfile"}, 0, found=(0,))


def test_tc_k_30_profiles_of_one_evse(station: ChargingStation) -> None:
    _get(station, {"chargingProfilePurpose": "TxDefaultProfile"}, 1)


def test_tc_k_31_profiles_of_any_evse(station: ChargingStation) -> None:
    _get(station, {"chargingProfilePurpose": "TxDefaultProfile"}, found=(0, 1))


def test_tc_k_32_profiles_by_id(station: ChargingStation) -> None:
    _get(station, {"chargingProfileId": [1, 2]})


def test_tc_k_33_profiles_by_evse_and_stack_level(station: ChargingStation) -> None:
    _get(station, {"stackLevel": 0}, 1)


def test_tc_k_34_profiles_by_evse_and_source(station: ChargingStation) -> None:
    _get(station, {"chargingLimitSource": ["CSO"]}, 1)


def test_tc_k_35_profiles_by_evse_and_purpose(station: ChargingStation) -> None:
    _get(station, {"chargingProfilePurpose": "TxDefaultProfile"}, 1)


def test_tc_k_36_profiles_by_evse_purpose_and_stack_level(station: ChargingStation) -> None:
    _get(station, {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0}, 1)


def test_tc_k_37_remote_start_with_profile(station: ChargingStation) -> None:
    token = {"idToken": station.card, "type": "ISO14443"}
    request = {"idToken": token, "remoteStartId": 37, "evseId": 1, "chargingProfile": _profile("TxProfile")}
    station.ordered("RequestStartTransaction", request, ACCEPTED)
    transaction = station.transaction()
    transaction.started("RemoteStart", token=station.card, remoteStartId=37)
    assert transaction.session()["remote_start_id"] == 37
    transaction.ended("StopAuthorized", "Local", token=station.card)


def _composite(station: ChargingStation, evse: int) -> None:
    schedule = {
        "evseId": evse,
        "duration": 300,
        "scheduleStart": at(),
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}],
    }
    payload = {"evseId": evse, "duration": 300, "chargingRateUnit": "A"}
    station.ordered("GetCompositeSchedule", payload, {"status": "Accepted", "schedule": schedule})


def test_tc_k_43_composite_schedule_of_one_evse(station: ChargingStation) -> None:
    _set(station, 1, _profile("TxDefaultProfile"))
    _composite(station, 1)


def test_tc_k_44_composite_schedule_of_the_station(station: ChargingStation) -> None:
    _set(station, 0, _profile("ChargingStationMaxProfile"))
    _composite(station, 0)


def _limited(station: ChargingStation) -> None:
    limit = {
        "evseId": 1,
        "chargingLimit": {"chargingLimitSource": "EMS", "isGridCritical": False},
        "chargingSchedule": [_schedule()],
    }
    station.tells("NotifyChargingLimit", limit)
    assert station.events("charging_limit") == [limit]


def _released(station: ChargingStation) -> None:
    cleared = {"chargingLimitSource": "EMS", "evseId": 1}
    station.tells("ClearedChargingLimit", cleared)
    assert station.events("cleared_charging_limit") == [cleared]


def test_tc_k_48_external_limit_set(station: ChargingStation) -> None:
    _limited(station)


def test_tc_k_50_external_limit_released(station: ChargingStation) -> None:
    _limited(station)
    _released(station)


def test_tc_k_51_external_limit_released_while_charging(station: ChargingStation) -> None:
    transaction = station.charging()
    _limited(station)
    transaction.updated("ChargingRateChanged")
    _released(station)
    transaction.updated("ChargingRateChanged")
    assert transaction.session()["status"] == "active"


def test_tc_k_52_external_limit_reported(station: ChargingStation) -> None:
    _limited(station)
    payload = {"requestId": 52, "chargingProfile": {"chargingProfilePurpose": "ChargingStationExternalConstraints"}}
    command = station.ordered("GetChargingProfiles", payload, ACCEPTED)
    report = {
        "requestId": 52,
        "chargingLimitSource": "EMS",
        "evseId": 1,
        "chargingProfile": [_profile("ChargingStationExternalConstraints", -1)],
    }
    station.tells("ReportChargingProfiles", report)
    assert station.events("charging_profiles", command) == [report]


def test_tc_k_58_renegotiation_by_the_csms(station: ChargingStation) -> None:
    transaction = station.charging()
    wanted = {"energyAmount": 40000, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 400}
    needs = {
        "evseId": 1,
        "maxScheduleTuples": 3,
        "chargingNeeds": {"requestedEnergyTransfer": "AC_three_phase", "acChargingParameters": wanted},
    }
    station.call("NotifyEVChargingNeeds", needs)
    assert station.events("ev_charging_needs") == [needs]
    # several schedules may be offered only to a vehicle that told its needs
    schedules = [_schedule(1), _schedule(2, 8.0)]
    _set(station, 1, _profile("TxProfile", transactionId=transaction.id, chargingSchedule=schedules))
    chosen = {"timeBase": at(), "evseId": 1, "chargingSchedule": schedules[1]}
    assert station.call("NotifyEVChargingSchedule", chosen) == ACCEPTED
    assert station.events("ev_charging_schedule") == [chosen]
    transaction.updated("ChargingRateChanged", state="Charging")


def test_tc_k_60_transaction_profile_while_charging(station: ChargingStation) -> None:
    transaction = station.charging()
    periods = [{"start": 0, "limit": 10.5, "phases": 3}]
    order = station.order("set_charging_profile", transaction_id=transaction.id, evse_id=1, unit="A", periods=periods)
    number = order.payload["chargingProfile"]["id"]
    schedule = {"id": number, "chargingRateUnit": "A", "chargingSchedulePeriod": [_period(10.5)]}
    profile = _profile("TxProfile", number, "Relative", transactionId=transaction.id, chargingSchedule=[schedule])
    station.takes(order, "SetChargingProfile", {"evseId": 1, "chargingProfile": profile}, ACCEPTED)
    transaction.updated("ChargingRateChanged")
    order = station.order("clear_charging_profile", transaction_id=transaction.id)
    station.takes(order, "ClearChargingProfile", {"chargingProfileId": number}, ACCEPTED)
    transaction.ended("StopAuthorized", "Local", token=station.card)


def test_tc_k_70_several_profiles(station: ChargingStation) -> None:
    transaction = station.charging()
    _set(station, 0, _profile("ChargingStationMaxProfile", 1))
    _set(station, 1, _profile("TxDefaultProfile", 2))
    _set(station, 1, _profile("TxProfile", 3, transactionId=transaction.id))
    duplicate = {"status": "Rejected", "statusInfo": {"reasonCode": "DuplicateProfile"}}
    _set(station, 1, _profile("TxProfile", 4, transactionId=transaction.id), duplicate)
