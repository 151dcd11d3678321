"""Charging profiles of a 2.0.1 charging station."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from csms.simulate.dialect import Orders
from csms.simulate.limits import profile_of
from csms.simulate.profiles import MOST_PERIODS, MOST_STACK_LEVEL, Profile, Purpose
from csms.simulate.serving import Command, Reply, command
from csms.simulate.timeline import wire_time
from schemas.ocpp201.datatypes import (
    ChargingProfileType,
    ChargingSchedulePeriodType,
    CompositeScheduleType,
    StatusInfoType,
)
from schemas.ocpp201.smart_charging import (
    ClearChargingProfileRequest,
    ClearChargingProfileResponse,
    GetCompositeScheduleRequest,
    GetCompositeScheduleResponse,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
)

_PURPOSES: Final[dict[str, Purpose]] = {
    "ChargingStationMaxProfile": "max",
    "TxDefaultProfile": "default",
    "TxProfile": "transaction",
}


def _set(orders: Orders, request: SetChargingProfileRequest) -> Reply:
    told = request.charging_profile
    why = _fault(orders, request.evse_id, told)
    if why is not None:
        return _refused(why)
    purpose = _PURPOSES[told.charging_profile_purpose]
    profile = profile_of(told.id, request.evse_id, purpose, told, told.charging_schedule[0], told.transaction_id)
    if orders.profiles.twin(profile) is not None:
        return _refused("DuplicateProfile")
    if not orders.profiles.has_room(profile):
        return _refused("TooManyProfiles")
    orders.profiles.put(profile)
    return SetChargingProfileResponse(status="Accepted"), orders.limits_changed


def _refused(why: str) -> Reply:
    return SetChargingProfileResponse(status="Rejected", status_info=StatusInfoType(reason_code=why)), None


def _fault(orders: Orders, evse_id: int, told: ChargingProfileType) -> str | None:
    """What is wrong with a profile, in a word of the standard."""
    purpose = _PURPOSES.get(told.charging_profile_purpose)
    if purpose is None or (purpose == "max" and (evse_id or told.charging_profile_kind == "Relative")):
        return "InvalidProfile"
    if evse_id and evse_id not in orders.evse_ids():
        return "UnknownEvse"
    running = orders.transaction_at(evse_id)
    if purpose == "transaction" and (running is None or running.reference != told.transaction_id):
        return "TxNotFound"
    if told.stack_level > MOST_STACK_LEVEL:
        return "InvalidStackLevel"
    schedule = told.charging_schedule[0]
    relative = told.charging_profile_kind == "Relative"
    if relative != (schedule.start_schedule is None) or len(schedule.charging_schedule_period) > MOST_PERIODS:
        return "InvalidSchedule"
    return None


def _clear(orders: Orders, request: ClearChargingProfileRequest) -> Reply:
    def fits(profile: Profile) -> bool:
        if request.charging_profile_id is not None:
            return profile.profile_id == request.charging_profile_id
        wanted = request.charging_profile_criteria
        if wanted is None:
            return True
        purpose = wanted.charging_profile_purpose
        return (
            wanted.evse_id in (None, profile.evse_id)
            and (purpose is None or _PURPOSES.get(purpose) == profile.purpose)
            and wanted.stack_level in (None, profile.stack_level)
        )

    found = orders.profiles.clear(fits)
    return ClearChargingProfileResponse(status="Accepted" if found else "Unknown"), orders.limits_changed


def _composite(orders: Orders, request: GetCompositeScheduleRequest) -> Reply:
    unit = request.charging_rate_unit or "W"
    if request.evse_id and request.evse_id not in orders.evse_ids():
        return GetCompositeScheduleResponse(status="Rejected"), None
    now = orders.now()
    periods = [
        ChargingSchedulePeriodType(start_period=start, limit=Decimal(str(limit)))
        for start, limit in orders.composite(request.evse_id, request.duration, unit)
    ]
    schedule = CompositeScheduleType(
        charging_schedule_period=periods,
        evse_id=request.evse_id,
        duration=request.duration,
        schedule_start=wire_time(now),
        charging_rate_unit=unit,
    )
    return GetCompositeScheduleResponse(status="Accepted", schedule=schedule), None


COMMANDS: Final[Mapping[str, Command]] = {
    "SetChargingProfile": command(SetChargingProfileRequest, _set),
    "ClearChargingProfile": command(ClearChargingProfileRequest, _clear),
    "GetCompositeSchedule": command(GetCompositeScheduleRequest, _composite),
}
