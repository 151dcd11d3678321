"""OCPP 2.1, part 2, functional block R: DER control.

DER are distributed energy resources: what feeds the grid, such as the battery of a vehicle.
"""

from typing import Annotated

from msgspec import field

from schemas.annotations import DateTimeString, Items, Text
from schemas.ocpp21.datatypes import (
    DERCurveGetType,
    DERCurveType,
    EnterServiceGetType,
    EnterServiceType,
    FixedPFGetType,
    FixedPFType,
    FixedVarGetType,
    FixedVarType,
    FreqDroopGetType,
    FreqDroopType,
    GradientGetType,
    GradientType,
    LimitMaxDischargeGetType,
    LimitMaxDischargeType,
    StatusInfoType,
)
from schemas.ocpp21.enums import DERControlEnumType, DERControlStatusEnumType, GridEventFaultEnumType
from schemas.structs import ExtensibleObject


class ClearDERControlRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Remove default or scheduled DER controls by type and/or id. CSMS to station."""

    is_default: bool  # default or scheduled ones
    control_type: DERControlEnumType | None = None  # absent = all types
    control_id: Annotated[str, Text(max=36)] | None = None  # absent = all of the type


class ClearDERControlResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ClearDERControlRequest."""

    status: DERControlStatusEnumType
    status_info: StatusInfoType | None = None


class GetDERControlRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask for DER settings; they come in ReportDERControl with the same requestId. NotFound if none. CSMS to station."""

    request_id: int  # echoed
    is_default: bool | None = None  # absent = both kinds
    control_type: DERControlEnumType | None = None  # filter
    control_id: Annotated[str, Text(max=36)] | None = None  # filter


class GetDERControlResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetDERControlRequest."""

    status: DERControlStatusEnumType
    status_info: StatusInfoType | None = None


class NotifyDERAlarmRequest(ExtensibleObject, frozen=True, kw_only=True):
    """A grid fault hit (or left) a DER control. Station to CSMS."""

    control_type: DERControlEnumType
    timestamp: DateTimeString
    grid_event_fault: GridEventFaultEnumType | None = None  # cause
    alarm_ended: bool | None = None  # true = over
    extra_info: Annotated[str, Text(max=200)] | None = None  # from the EV


class NotifyDERAlarmResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to NotifyDERAlarmRequest."""


class NotifyDERStartStopRequest(ExtensibleObject, frozen=True, kw_only=True):
    """A scheduled DER control began or ended. Station to CSMS."""

    control_id: Annotated[str, Text(max=36)]  # as in SetDERControl
    started: bool  # false = ended
    timestamp: DateTimeString
    superseded_ids: Annotated[list[Annotated[str, Text(max=36)]], Items(min=1, max=24)] | None = None  # controls pushed aside


class NotifyDERStartStopResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to NotifyDERStartStopRequest."""


class ReportDERControlRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Part of a DER settings report. Station to CSMS."""

    request_id: int  # from GetDERControl
    curve: Annotated[list[DERCurveGetType], Items(min=1, max=24)] | None = None
    enter_service: Annotated[list[EnterServiceGetType], Items(min=1, max=24)] | None = None
    fixed_pf_absorb: Annotated[list[FixedPFGetType], Items(min=1, max=24)] | None = field(default=None, name="fixedPFAbsorb")
    fixed_pf_inject: Annotated[list[FixedPFGetType], Items(min=1, max=24)] | None = field(default=None, name="fixedPFInject")
    fixed_var: Annotated[list[FixedVarGetType], Items(min=1, max=24)] | None = None
    freq_droop: Annotated[list[FreqDroopGetType], Items(min=1, max=24)] | None = None
    gradient: Annotated[list[GradientGetType], Items(min=1, max=24)] | None = None
    limit_max_discharge: Annotated[list[LimitMaxDischargeGetType], Items(min=1, max=24)] | None = None
    tbc: bool | None = None  # more parts follow (default false)


class ReportDERControlResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ReportDERControlRequest."""


class SetDERControlRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Install a default or scheduled DER control; exactly one settings field, matching controlType. CSMS to station."""

    is_default: bool  # default (always on) or scheduled
    control_id: Annotated[str, Text(max=36)]  # unique id
    control_type: DERControlEnumType
    curve: DERCurveType | None = None  # for the curve types
    enter_service: EnterServiceType | None = None
    fixed_pf_absorb: FixedPFType | None = field(default=None, name="fixedPFAbsorb")
    fixed_pf_inject: FixedPFType | None = field(default=None, name="fixedPFInject")
    fixed_var: FixedVarType | None = None
    freq_droop: FreqDroopType | None = None
    gradient: GradientType | None = None
    limit_max_discharge: LimitMaxDischargeType | None = None


class SetDERControlResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SetDERControlRequest."""

    status: DERControlStatusEnumType
    status_info: StatusInfoType | None = None
    superseded_ids: Annotated[list[Annotated[str, Text(max=36)]], Items(min=1, max=24)] | None = None  # controls pushed aside
