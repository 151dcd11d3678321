"""Charging profiles of a 1.6 charge point."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from csms.simulate.dialect import Orders
from csms.simulate.limits import profile_of
from csms.simulate.profiles import MOST_PERIODS, MOST_STACK_LEVEL, Profile, Purpose
from csms.simulate.serving import Command, Reply, command
from csms.simulate.timeline import wire_time
from schemas.ocpp16.datatypes import ChargingSchedule, ChargingSchedulePeriod
from schemas.ocpp16.smart_charging import (
    ClearChargingProfileRequest,
    ClearChargingProfileResponse,
    GetCompositeScheduleRequest,
    GetCompositeScheduleResponse,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
)

_PURPOSES: Final[dict[str, Purpose]] = {
    "ChargePointMaxProfile": "max",
    "TxDefaultProfile": "default",
    "TxProfile": "transaction",
}


def _set(orders: Orders, request: SetChargingProfileRequest) -> Reply:
    rejected = SetChargingProfileResponse(status="Rejected")
    told = request.cs_charging_profiles
    purpose = _PURPOSES[told.charging_profile_purpose]
    connector, running = request.connector_id, orders.transaction_at(request.connector_id)
    if connector and connector not in orders.evse_ids():
        return rejected, None
    if purpose == "max" and connector:
        return rejected, None
    if purpose == "transaction" and (running is None or told.transaction_id not in (None, running.transaction_id)):
        return rejected, None
    if told.stack_level > MOST_STACK_LEVEL or len(told.charging_schedule.charging_schedule_period) > MOST_PERIODS:
        return rejected, None
    transaction = running.reference if running is not None and purpose == "transaction" else None
    profile = profile_of(told.charging_profile_id, connector, purpose, told, told.charging_schedule, transaction)
    if not orders.profiles.has_room(profile):
        return rejected, None
    orders.profiles.put(profile)
    return SetChargingProfileResponse(status="Accepted"), orders.limits_changed


def _clear(orders: Orders, request: ClearChargingProfileRequest) -> Reply:
    def fits(profile: Profile) -> bool:
        if request.id is not None:
            return profile.profile_id == request.id
        purpose = request.charging_profile_purpose
        return (
            request.connector_id in (None, profile.evse_id)
            and (purpose is None or _PURPOSES[purpose] == profile.purpose)
            and request.stack_level in (None, profile.stack_level)
        )

    found = orders.profiles.clear(fits)
    return ClearChargingProfileResponse(status="Accepted" if found else "Unknown"), orders.limits_changed


def _composite(orders: Orders, request: GetCompositeScheduleRequest) -> Reply:
    unit = request.charging_rate_unit or "W"
    if request.connector_id and request.connector_id not in orders.evse_ids():
        return GetCompositeScheduleResponse(status="Rejected"), None
    now = orders.now()
    periods = [
        ChargingSchedulePeriod(start_period=start, limit=Decimal(str(limit)))
        for start, limit in orders.composite(request.connector_id, request.duration, unit)
    ]
    return GetCompositeScheduleResponse(
        status="Accepted",
        connector_id=request.connector_id,
        schedule_start=wire_time(now),
        charging_schedule=ChargingSchedule(charging_rate_unit=unit, charging_schedule_period=periods, duration=request.duration),
    ), None


COMMANDS: Final[Mapping[str, Command]] = {
    "SetChargingProfile": command(SetChargingProfileRequest, _set),
    "ClearChargingProfile": command(ClearChargingProfileRequest, _clear),
    "GetCompositeSchedule": command(GetCompositeScheduleRequest, _composite),
}
