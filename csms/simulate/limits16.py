"""Charging profiles of a 1.6 charge point."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from csms.simulate.dialect import Orders
from csms.simulate.profiles import MOST_PERIODS, MOST_STACK_LEVEL, Period, Profile, Purpose
from csms.simulate.serving import Command, Reply, command
from csms.simulate.timeline import read_time, wire_time
from schemas.ocpp16.datatypes import ChargingProfile, ChargingSchedule, ChargingSchedulePeriod
from schemas.ocpp16.smart_charging import (
    ClearChargingProfileRequest,
    ClearChargingProfileResponse,
    GetCompositeScheduleRequest,
    GetCompositeScheduleResponse,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
)

PURPOSES: Final[dict[str, Purpose]] = {
    "ChargePointMaxProfile": "max",
    "TxDefaultProfile": "default",
    "TxProfile": "transaction",
}
CYCLES: Final = {"Daily": 86_400, "Weekly": 604_800}


def _set(orders: Orders, request: SetChargingProfileRequest) -> Reply:
    rejected = SetChargingProfileResponse(status="Rejected")
    told = request.cs_charging_profiles
    purpose = PURPOSES[told.charging_profile_purpose]
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
    profile = _profile(told, connector, purpose, transaction)
    if not orders.profiles.has_room(profile):
        return rejected, None
    orders.profiles.put(profile)
    return SetChargingProfileResponse(status="Accepted"), orders.limits_changed


def _profile(told: ChargingProfile, evse_id: int, purpose: Purpose, transaction: str | None) -> Profile:
    schedule = told.charging_schedule
    absolute = told.charging_profile_kind != "Relative" and schedule.start_schedule is not None
    return Profile(
        told.charging_profile_id,
        evse_id,
        purpose,
        told.stack_level,
        schedule.charging_rate_unit,
        tuple(Period(p.start_period, float(p.limit), p.number_phases or 3) for p in schedule.charging_schedule_period),
        transaction=transaction,
        start=read_time(schedule.start_schedule) if absolute and schedule.start_schedule else None,
        duration=schedule.duration,
        recurs=CYCLES.get(told.recurrency_kind or "") if told.charging_profile_kind == "Recurring" else None,
        valid_from=None if told.valid_from is None else read_time(told.valid_from),
        valid_to=None if told.valid_to is None else read_time(told.valid_to),
    )


def _clear(orders: Orders, request: ClearChargingProfileRequest) -> Reply:
    def fits(profile: Profile) -> bool:
        if request.id is not None:
            return profile.profile_id == request.id
        purpose = request.charging_profile_purpose
        return (
            request.connector_id in (None, profile.evse_id)
            and (purpose is None or PURPOSES[purpose] == profile.purpose)
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
