"""Charging profiles as messages; what a limit needs is the same in OCPP 2.0.1 and 2.1."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from csms.domain import commands as domain
from csms.domain.commands import Purpose
from gateway.common.answers import rfc3339
from gateway.common.routing import Call
from schemas.ocpp201.datatypes import (
    ChargingProfileType,
    ChargingSchedulePeriodType,
    ChargingScheduleType,
    ClearChargingProfileType,
)
from schemas.ocpp201.enums import ChargingProfilePurposeEnumType
from schemas.ocpp201.smart_charging import (
    ClearChargingProfileRequest,
    GetCompositeScheduleRequest,
    SetChargingProfileRequest,
)

_PURPOSES: Final[dict[Purpose, ChargingProfilePurposeEnumType]] = {
    "TxProfile": "TxProfile",
    "TxDefaultProfile": "TxDefaultProfile",
    "ChargePointMaxProfile": "ChargingStationMaxProfile",
}


def set_charging_profile(command: domain.SetChargingProfile, _command_id: UUID) -> Call:
    """One schedule: several are for ISO 15118 only."""
    profile = command.profile
    return "SetChargingProfile", SetChargingProfileRequest(
        evse_id=command.evse_id or 0,
        charging_profile=ChargingProfileType(
            id=profile,
            stack_level=command.stack_level,
            charging_profile_purpose=_PURPOSES[command.purpose],
            charging_profile_kind="Relative" if command.start is None else "Absolute",
            charging_schedule=[
                ChargingScheduleType(
                    id=profile,
                    charging_rate_unit=command.unit,
                    charging_schedule_period=[
                        ChargingSchedulePeriodType(start_period=period.start, limit=period.limit, number_phases=period.phases)
                        for period in command.periods
                    ],
                    start_schedule=None if command.start is None else rfc3339(command.start),
                    duration=command.duration_s,
                    min_charging_rate=command.min_rate,
                )
            ],
            transaction_id=command.transaction_id,
        ),
    )


def clear_charging_profile(command: domain.ClearChargingProfile, _command_id: UUID) -> Call:
    if command.profile is not None:
        return "ClearChargingProfile", ClearChargingProfileRequest(charging_profile_id=command.profile)
    criteria = ClearChargingProfileType(
        evse_id=command.evse_id,
        charging_profile_purpose=None if command.purpose is None else _PURPOSES[command.purpose],
        stack_level=command.stack_level,
    )
    return "ClearChargingProfile", ClearChargingProfileRequest(charging_profile_criteria=criteria)


def get_composite_schedule(command: domain.GetCompositeSchedule, _command_id: UUID) -> Call:
    return "GetCompositeSchedule", GetCompositeScheduleRequest(
        duration=command.duration_s, evse_id=command.evse_id, charging_rate_unit=command.unit
    )
