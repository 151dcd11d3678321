"""Charging profiles as OCPP 1.6 messages: connector n is EVSE n, 0 the charge point."""

from __future__ import annotations

from uuid import UUID

from csms.domain import commands as domain
from gateway.common.answers import rfc3339
from gateway.common.routing import Call
from gateway.ocpp16.transactions import transaction_number
from schemas.ocpp16.datatypes import ChargingProfile, ChargingSchedule, ChargingSchedulePeriod
from schemas.ocpp16.smart_charging import (
    ClearChargingProfileRequest,
    GetCompositeScheduleRequest,
    SetChargingProfileRequest,
)


def set_charging_profile(command: domain.SetChargingProfile, _command_id: UUID) -> Call:
    transaction = command.transaction_id
    return "SetChargingProfile", SetChargingProfileRequest(
        connector_id=command.evse_id or 0,
        cs_charging_profiles=ChargingProfile(
            charging_profile_id=command.profile,
            transaction_id=None if transaction is None else transaction_number(transaction),
            stack_level=command.stack_level,
            charging_profile_purpose=command.purpose,
            charging_profile_kind="Relative" if command.start is None else "Absolute",
            charging_schedule=ChargingSchedule(
                charging_rate_unit=command.unit,
                charging_schedule_period=[
                    ChargingSchedulePeriod(start_period=period.start, limit=period.limit, number_phases=period.phases)
                    for period in command.periods
                ],
                duration=command.duration_s,
                start_schedule=None if command.start is None else rfc3339(command.start),
                min_charging_rate=command.min_rate,
            ),
        ),
    )


def clear_charging_profile(command: domain.ClearChargingProfile, _command_id: UUID) -> Call:
    if command.profile is not None:
        return "ClearChargingProfile", ClearChargingProfileRequest(id=command.profile)
    return "ClearChargingProfile", ClearChargingProfileRequest(
        connector_id=command.evse_id, charging_profile_purpose=command.purpose, stack_level=command.stack_level
    )


def get_composite_schedule(command: domain.GetCompositeSchedule, _command_id: UUID) -> Call:
    return "GetCompositeSchedule", GetCompositeScheduleRequest(
        connector_id=command.evse_id, duration=command.duration_s, charging_rate_unit=command.unit
    )
