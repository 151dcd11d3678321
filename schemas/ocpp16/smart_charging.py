"""OCPP 1.6 edition 2, feature profile SmartCharging."""

from schemas.annotations import DateTimeString
from schemas.ocpp16.datatypes import ChargingProfile, ChargingSchedule
from schemas.ocpp16.enums import (
    ChargingProfilePurposeType,
    ChargingProfileStatus,
    ChargingRateUnitType,
    ClearChargingProfileStatus,
    GetCompositeScheduleStatus,
)
from schemas.structs import ClosedObject


class ClearChargingProfileRequest(ClosedObject, frozen=True, kw_only=True):
    """Remove profiles by id or by filter. Central system to charge point."""

    id: int | None = None  # profile id; if given the other fields are ignored
    connector_id: int | None = None  # filter; 0 = charge point level
    charging_profile_purpose: ChargingProfilePurposeType | None = None  # filter
    stack_level: int | None = None  # filter


class ClearChargingProfileResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to ClearChargingProfileRequest."""

    status: ClearChargingProfileStatus


class GetCompositeScheduleRequest(ClosedObject, frozen=True, kw_only=True):
    """Ask for the effective schedule over the coming seconds. Central system to charge point."""

    connector_id: int  # 0 = grid connection of the whole charge point
    duration: int  # s, counted from receipt
    charging_rate_unit: ChargingRateUnitType | None = None  # force A or W


class GetCompositeScheduleResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to GetCompositeScheduleRequest."""

    status: GetCompositeScheduleStatus
    connector_id: int | None = None  # echoes the request
    schedule_start: DateTimeString | None = None  # periods are relative to this; may be absent if Rejected
    charging_schedule: ChargingSchedule | None = None  # may be absent if Rejected; its startSchedule stays absent


class SetChargingProfileRequest(ClosedObject, frozen=True, kw_only=True):
    """Install or replace one charging profile. Central system to charge point."""

    connector_id: int  # 0 for ChargePointMaxProfile; 0 or >0 for TxDefaultProfile; >0 for TxProfile
    cs_charging_profiles: ChargingProfile


class SetChargingProfileResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to SetChargingProfileRequest."""

    status: ChargingProfileStatus
