"""OCPP 2.1, part 2, functional block N: diagnostics."""

from typing import Annotated

from schemas.annotations import DateTimeString, Items, Range, Text
from schemas.ocpp21.datatypes import (
    ClearMonitoringResultType,
    ComponentVariableType,
    EventDataType,
    IdTokenType,
    LogParametersType,
    MonitoringDataType,
    SetMonitoringDataType,
    SetMonitoringResultType,
    StatusInfoType,
)
from schemas.ocpp21.enums import LogEnumType
from schemas.ocpp201.datatypes import CertificateHashDataType
from schemas.ocpp201.enums import (
    CustomerInformationStatusEnumType,
    GenericDeviceModelStatusEnumType,
    GenericStatusEnumType,
    LogStatusEnumType,
    MonitoringCriterionEnumType,
    UploadLogStatusEnumType,
)
from schemas.structs import ExtensibleObject


class ClearVariableMonitoringRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Remove monitors by id. CSMS to station."""

    id: Annotated[list[Annotated[int, Range(min=0)]], Items(min=1)]  # monitor ids


class ClearVariableMonitoringResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ClearVariableMonitoringRequest."""

    clear_monitoring_result: Annotated[list[ClearMonitoringResultType], Items(min=1)]  # one per id


class CustomerInformationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Report and/or erase stored data about a customer. CSMS to station."""

    request_id: Annotated[int, Range(min=0)]  # echoed in the report
    report: bool  # send the data
    clear: bool  # erase the data
    customer_certificate: CertificateHashDataType | None = None  # selector
    id_token: IdTokenType | None = None  # selector
    customer_identifier: Annotated[str, Text(max=64)] | None = None  # custom id (exactly one of the three selectors)


class CustomerInformationResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to CustomerInformationRequest."""

    status: CustomerInformationStatusEnumType
    status_info: StatusInfoType | None = None


class GetLogRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask for upload of a log. CSMS to station."""

    log: LogParametersType
    log_type: LogEnumType
    request_id: int  # echoed in status messages
    retries: Annotated[int, Range(min=0)] | None = None  # upload tries
    retry_interval: int | None = None  # s


class GetLogResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetLogRequest."""

    status: LogStatusEnumType
    status_info: StatusInfoType | None = None
    filename: Annotated[str, Text(max=255)] | None = None  # absent if nothing there


class GetMonitoringReportRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask which monitors are set. CSMS to station."""

    request_id: int  # echoed
    component_variable: Annotated[list[ComponentVariableType], Items(min=1)] | None = None  # filter
    monitoring_criteria: Annotated[list[MonitoringCriterionEnumType], Items(min=1, max=3)] | None = None


class GetMonitoringReportResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetMonitoringReportRequest."""

    status: GenericDeviceModelStatusEnumType
    status_info: StatusInfoType | None = None


class LogStatusNotificationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Progress of a log upload. Station to CSMS."""

    status: UploadLogStatusEnumType
    request_id: int | None = None  # absent only if triggered while idle
    status_info: StatusInfoType | None = None


class NotifyCustomerInformationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Part of a customer-data report. Station to CSMS."""

    data: Annotated[str, Text(max=512)]  # readable text part
    seq_no: Annotated[int, Range(min=0)]  # 0 for the first part
    generated_at: DateTimeString  # when this part was made
    request_id: Annotated[int, Range(min=0)]  # from CustomerInformation
    tbc: bool | None = None  # more parts follow (default false)


class NotifyEventRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Monitor or hard-wired event(s). Station to CSMS."""

    generated_at: DateTimeString  # when this part was made
    seq_no: Annotated[int, Range(min=0)]  # 0 for the first part
    event_data: Annotated[list[EventDataType], Items(min=1)]
    tbc: bool | None = None  # more parts follow (default false)


class NotifyMonitoringReportRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Part of a monitor report. Station to CSMS."""

    request_id: int  # from GetMonitoringReport
    seq_no: Annotated[int, Range(min=0)]  # 0 for the first part
    generated_at: DateTimeString  # when this part was made
    monitor: Annotated[list[MonitoringDataType], Items(min=1)] | None = None
    tbc: bool | None = None  # more parts follow (default false)


class SetMonitoringBaseResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SetMonitoringBaseRequest."""

    status: GenericDeviceModelStatusEnumType
    status_info: StatusInfoType | None = None


class SetMonitoringLevelRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Choose the severity up to which events are reported. CSMS to station."""

    severity: Annotated[int, Range(min=0)]  # 0..9; report events up to this number


class SetMonitoringLevelResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SetMonitoringLevelRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None


class SetVariableMonitoringRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Create or replace monitors. CSMS to station."""

    set_monitoring_data: Annotated[list[SetMonitoringDataType], Items(min=1)]


class SetVariableMonitoringResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SetVariableMonitoringRequest."""

    set_monitoring_result: Annotated[list[SetMonitoringResultType], Items(min=1)]
