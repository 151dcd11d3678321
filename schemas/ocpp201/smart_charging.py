"""OCPP 2.0.1 edition 3, part 2, functional block K: smart charging."""

from typing import Annotated

from schemas.annotations import DateTimeString, Items
from schemas.ocpp201.datatypes import (
    ChargingLimitType,
    ChargingNeedsType,
    ChargingProfileCriterionType,
    ChargingProfileType,
    ChargingScheduleType,
    ClearChargingProfileType,
    CompositeScheduleType,
    StatusInfoType,
)
from schemas.ocpp201.enums import (
    ChargingLimitSourceEnumType,
    ChargingProfileStatusEnumType,
    ChargingRateUnitEnumType,
    ClearChargingProfileStatusEnumType,
    GenericStatusEnumType,
    GetChargingProfileStatusEnumType,
    NotifyEVChargingNeedsStatusEnumType,
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

    charging_limit_source: ChargingLimitSourceEnumType
    evse_id: int | None = None  # absent/0 = station


class ClearedChargingLimitResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ClearedChargingLimitRequest."""


class GetChargingProfilesRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask which profiles are installed. CSMS to station."""

    request_id: int  # echoed in the reports
    charging_profile: ChargingProfileCriterionType
    evse_id: int | None = None  # 0 = grid connection only; absent = all


class GetChargingProfilesResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetChargingProfilesRequest."""

    status: GetChargingProfileStatusEnumType
    status_info: StatusInfoType | None = None


class GetCompositeScheduleRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask for the effective schedule of an EVSE or the grid connection. CSMS to station."""

    duration: int  # s from receipt
    evse_id: int  # 0 = grid connection
    charging_rate_unit: ChargingRateUnitEnumType | None = None  # force unit


class GetCompositeScheduleResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetCompositeScheduleRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
    schedule: CompositeScheduleType | None = None


class NotifyChargingLimitRequest(ExtensibleObject, frozen=True, kw_only=True):
    """An external system set a limit. Station to CSMS."""

    charging_limit: ChargingLimitType
    # the limit as schedule, if configured
    charging_schedule: Annotated[list[ChargingScheduleType], Items(min=1)] | None = None
    evse_id: int | None = None  # absent = station


class NotifyChargingLimitResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to NotifyChargingLimitRequest."""


class NotifyEVChargingNeedsRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Needs the EV stated over ISO 15118. Station to CSMS."""

    charging_needs: ChargingNeedsType
    evse_id: int  # >0
    max_schedule_tuples: int | None = None  # schedules/entries the EV can take


class NotifyEVChargingNeedsResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to NotifyEVChargingNeedsRequest."""

    status: NotifyEVChargingNeedsStatusEnumType
    status_info: StatusInfoType | None = None


class NotifyEVChargingScheduleRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Schedule the EV chose over ISO 15118. Station to CSMS."""

    time_base: DateTimeString  # periods count from here
    charging_schedule: ChargingScheduleType  # EV's plan
    evse_id: int  # >0


class NotifyEVChargingScheduleResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to NotifyEVChargingScheduleRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None


class ReportChargingProfilesRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Part of a profile report. Station to CSMS."""

    request_id: int  # from GetChargingProfiles
    charging_limit_source: ChargingLimitSourceEnumType
    charging_profile: Annotated[list[ChargingProfileType], Items(min=1)]
    evse_id: int  # 0 = station
    tbc: bool | None = None  # more parts follow (default false)


class ReportChargingProfilesResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ReportChargingProfilesRequest."""


class SetChargingProfileRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Install or replace one profile. CSMS to station."""

    evse_id: int  # 0 = station (or default for all EVSEs)
    charging_profile: ChargingProfileType


class SetChargingProfileResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SetChargingProfileRequest."""

    status: ChargingProfileStatusEnumType
    status_info: StatusInfoType | None = None
