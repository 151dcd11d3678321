"""OCPP 2.1, part 2, functional block B: provisioning."""

from typing import Annotated

from schemas.annotations import DateTimeString, Items, Range
from schemas.ocpp21.datatypes import (
    ComponentVariableType,
    GetVariableDataType,
    GetVariableResultType,
    NetworkConnectionProfileType,
    ReportDataType,
    SetVariableDataType,
    SetVariableResultType,
    StatusInfoType,
)
from schemas.ocpp21.enums import ResetEnumType
from schemas.ocpp201.enums import (
    ComponentCriterionEnumType,
    GenericDeviceModelStatusEnumType,
    RegistrationStatusEnumType,
    ResetStatusEnumType,
    SetNetworkProfileStatusEnumType,
)
from schemas.structs import ExtensibleObject


class BootNotificationResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to BootNotificationRequest."""

    current_time: DateTimeString  # CSMS clock, UTC
    interval: int  # s; Accepted: heartbeat interval, else earliest retry (0 = station picks)
    status: RegistrationStatusEnumType
    status_info: StatusInfoType | None = None


class GetBaseReportResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetBaseReportRequest."""

    status: GenericDeviceModelStatusEnumType
    status_info: StatusInfoType | None = None


class GetReportRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask for a filtered device-model report. CSMS to station."""

    request_id: int  # echoed
    component_variable: Annotated[list[ComponentVariableType], Items(min=1)] | None = None
    component_criteria: Annotated[list[ComponentCriterionEnumType], Items(min=1, max=4)] | None = None  # filter (OR)


class GetReportResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetReportRequest."""

    status: GenericDeviceModelStatusEnumType
    status_info: StatusInfoType | None = None


class GetVariablesRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Read variable attributes. CSMS to station."""

    get_variable_data: Annotated[list[GetVariableDataType], Items(min=1)]  # max ItemsPerMessage(GetVariables)


class GetVariablesResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetVariablesRequest."""

    get_variable_result: Annotated[list[GetVariableResultType], Items(min=1)]  # one per request entry


class NotifyReportRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Part of a device-model report. Station to CSMS."""

    request_id: int  # from GetBaseReport/GetReport
    generated_at: DateTimeString  # when this part was made
    seq_no: Annotated[int, Range(min=0)]  # 0 for the first part
    report_data: Annotated[list[ReportDataType], Items(min=1)] | None = None
    tbc: bool | None = None  # more parts follow (default false)


class ResetRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Restart station or one EVSE. CSMS to station."""

    type: ResetEnumType
    evse_id: Annotated[int, Range(min=0)] | None = None  # absent = whole station


class ResetResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ResetRequest."""

    status: ResetStatusEnumType
    status_info: StatusInfoType | None = None


class SetNetworkProfileRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Store a connection profile in a slot. CSMS to station."""

    configuration_slot: int
    connection_data: NetworkConnectionProfileType


class SetNetworkProfileResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SetNetworkProfileRequest."""

    status: SetNetworkProfileStatusEnumType
    status_info: StatusInfoType | None = None


class SetVariablesRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Write variable attributes. CSMS to station."""

    set_variable_data: Annotated[list[SetVariableDataType], Items(min=1)]  # max ItemsPerMessage(SetVariables)


class SetVariablesResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SetVariablesRequest."""

    set_variable_result: Annotated[list[SetVariableResultType], Items(min=1)]  # one per request entry
