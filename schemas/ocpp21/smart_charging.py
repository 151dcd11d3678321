"""OCPP 2.1, part 2, functional block K: smart charging."""

from typing import Annotated

from schemas.annotations import DateTimeString, Items, Range, Text
from schemas.ocpp21.datatypes import (
    ChargingLimitType,
    ChargingNeedsType,
    ChargingProfileCriterionType,
    ChargingProfileType,
    ChargingScheduleType,
    ChargingScheduleUpdateType,
    ClearChargingProfileType,
    CompositeScheduleType,
    StatusInfoType,
)
from schemas.ocpp21.enums import NotifyEVChargingNeedsStatusEnumType, PriorityChargingStatusEnumType
from schemas.ocpp201.enums import (
    ChargingProfileStatusEnumType,
    ChargingRateUnitEnumType,
    ClearChargingProfileStatusEnumType,
    GenericStatusEnumType,
    GetChargingProfileStatusEnumType,
)
from schemas.structs import ExtensibleObject


class ClearChargingProfileRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Remove profiles by id or filter. CSMS to station."""

    charging_profile_id: int | None = None  # this one
    charging_profile_criteria: ClearChargingProfileType | None = None  # or all that match


class ClearChargingProfileResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ClearChargingProfileRequest."""

    status: ClearChargingProfileStatusEnumType
    status_info: StatusInfoType | None = None


class ClearedChargingLimitRequest(ExtensibleObject, frozen=True, kw_only=True):
    """An external limit has been lifted. Station to CSMS."""

    charging_limit_source: Annotated[str, Text(max=20)]  # standard: EMS, Other, SO, CSO
    evse_id: Annotated[int, Range(min=0)] | None = None  # absent/0 = station


class GetChargingProfilesRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask which profiles are installed. CSMS to station."""

    request_id: int  # echoed in the reports
    charging_profile: ChargingProfileCriterionType
    evse_id: Annotated[int, Range(min=0)] | None = None  # 0 = grid connection only; absent = all


class GetChargingProfilesResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetChargingProfilesRequest."""

    status: GetChargingProfileStatusEnumType
    status_info: StatusInfoType | None = None


class GetCompositeScheduleRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask for the effective schedule of an EVSE or the grid connection. CSMS to station."""

    duration: int  # s from receipt
    evse_id: Annotated[int, Range(min=0)]  # 0 = grid connection
    charging_rate_unit: ChargingRateUnitEnumType | None = None  # force unit


class GetCompositeScheduleResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetCompositeScheduleRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
    schedule: CompositeScheduleType | None = None


class NotifyChargingLimitRequest(ExtensibleObject, frozen=True, kw_only=True):
    """An external system set a limit. Station to CSMS."""

    charging_limit: ChargingLimitType
    charging_schedule: Annotated[list[ChargingScheduleType], Items(min=1)] | None = None
    evse_id: Annotated[int, Range(min=0)] | None = None  # absent = station


class NotifyEVChargingNeedsRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Needs the EV stated over ISO 15118. Station to CSMS."""

    charging_needs: ChargingNeedsType
    evse_id: Annotated[int, Range(min=1)]  # >0
    max_schedule_tuples: Annotated[int, Range(min=0)] | None = None  # schedules/entries the EV can take
    timestamp: DateTimeString | None = None  # if reported late


class NotifyEVChargingNeedsResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to NotifyEVChargingNeedsRequest."""

    status: NotifyEVChargingNeedsStatusEnumType
    status_info: StatusInfoType | None = None


class NotifyEVChargingScheduleRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Schedule the EV chose over ISO 15118. Station to CSMS."""

    time_base: DateTimeString  # periods count from here
    charging_schedule: ChargingScheduleType  # EV's plan
    evse_id: Annotated[int, Range(min=1)]  # >0
    selected_charging_schedule_id: Annotated[int, Range(min=0)] | None = None  # schedule the EV took
    power_tolerance_acceptance: bool | None = None  # from the EV


class NotifyEVChargingScheduleResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to NotifyEVChargingScheduleRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None


class ReportChargingProfilesRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Part of a profile report. Station to CSMS."""

    request_id: int  # from GetChargingProfiles
    charging_limit_source: Annotated[str, Text(max=20)]  # standard: EMS, Other, SO, CSO
    charging_profile: Annotated[list[ChargingProfileType], Items(min=1)]
    evse_id: Annotated[int, Range(min=0)]  # 0 = station
    tbc: bool | None = None  # more parts follow (default false)


class SetChargingProfileRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Install or replace one profile. CSMS to station."""

    evse_id: Annotated[int, Range(min=0)]  # 0 = station (or default for all EVSEs)
    charging_profile: ChargingProfileType


class SetChargingProfileResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SetChargingProfileRequest."""

    status: ChargingProfileStatusEnumType
    status_info: StatusInfoType | None = None


class NotifyPriorityChargingRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Priority charging switched on or off for a transaction. Station to CSMS."""

    transaction_id: Annotated[str, Text(max=36)]
    activated: bool  # false = ended


class NotifyPriorityChargingResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to NotifyPriorityChargingRequest."""


class PullDynamicScheduleUpdateRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Station asks for new limits/setpoints of a Dynamic profile (every dynUpdateInterval s). Station to CSMS."""

    charging_profile_id: int  # Dynamic profile


class PullDynamicScheduleUpdateResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to PullDynamicScheduleUpdateRequest."""

    status: ChargingProfileStatusEnumType
    schedule_update: ChargingScheduleUpdateType | None = None  # if Accepted
    status_info: StatusInfoType | None = None


class UpdateDynamicScheduleRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Push new limits/setpoints into a Dynamic profile. CSMS to station."""

    charging_profile_id: int  # Dynamic profile
    schedule_update: ChargingScheduleUpdateType


class UpdateDynamicScheduleResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to UpdateDynamicScheduleRequest."""

    status: ChargingProfileStatusEnumType
    status_info: StatusInfoType | None = None


class UsePriorityChargingRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Switch priority charging of a transaction on/off. NoProfile if no PriorityCharging profile is installed. CSMS to station."""

    transaction_id: Annotated[str, Text(max=36)]
    activate: bool  # on/off


class UsePriorityChargingResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to UsePriorityChargingRequest."""

    status: PriorityChargingStatusEnumType
    status_info: StatusInfoType | None = None
