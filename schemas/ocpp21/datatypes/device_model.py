"""Datatypes of OCPP 2.1, part 2: the device model, its monitoring and display messages."""

from decimal import Decimal
from typing import Annotated

from schemas.annotations import DateTimeString, Items, Range, Text
from schemas.ocpp21.datatypes.common import EVSEType, MessageContentType, StatusInfoType
from schemas.ocpp21.datatypes.event_stream import PeriodicEventStreamParamsType
from schemas.ocpp21.enums import MessageStateEnumType, MonitorEnumType
from schemas.ocpp201.datatypes import VariableAttributeType, VariableType
from schemas.ocpp201.enums import (
    AttributeEnumType,
    ClearMonitoringStatusEnumType,
    DataEnumType,
    EventNotificationEnumType,
    EventTriggerEnumType,
    GetVariableStatusEnumType,
    MessagePriorityEnumType,
    SetMonitoringStatusEnumType,
    SetVariableStatusEnumType,
)
from schemas.structs import ExtensibleObject


class ClearMonitoringResultType(ExtensibleObject, frozen=True, kw_only=True):
    """What became of the removal of one monitor."""

    status: ClearMonitoringStatusEnumType
    id: Annotated[int, Range(min=0)]
    status_info: StatusInfoType | None = None


class ComponentType(ExtensibleObject, frozen=True, kw_only=True):
    """A component of the device model.  Component, evse, instance, variable and its instance are the key; names compare
    case-insensitively.
    """

    name: Annotated[str, Text(max=50)]  # standard name if there is one
    evse: EVSEType | None = None  # location; absent = station level
    instance: Annotated[str, Text(max=50)] | None = None  # which one of several


class ComponentVariableType(ExtensibleObject, frozen=True, kw_only=True):
    """A component, or one variable of it."""

    component: ComponentType
    variable: VariableType | None = None


class EventDataType(ExtensibleObject, frozen=True, kw_only=True):
    """One event; several may share a NotifyEvent."""

    event_id: Annotated[int, Range(min=0)]
    timestamp: DateTimeString
    trigger: EventTriggerEnumType
    actual_value: Annotated[str, Text(max=2500)]  # value as text
    component: ComponentType
    event_notification_type: EventNotificationEnumType
    variable: VariableType
    cause: Annotated[int, Range(min=0)] | None = None  # eventId that led to this one
    tech_code: Annotated[str, Text(max=50)] | None = None
    tech_info: Annotated[str, Text(max=500)] | None = None
    cleared: bool | None = None  # condition is over
    transaction_id: Annotated[str, Text(max=36)] | None = None
    variable_monitoring_id: Annotated[int, Range(min=0)] | None = None  # monitor that fired
    severity: Annotated[int, Range(min=0)] | None = None  # of the monitor


class GetVariableDataType(ExtensibleObject, frozen=True, kw_only=True):
    """The attribute to read."""

    component: ComponentType
    variable: VariableType
    attribute_type: AttributeEnumType | None = None  # absent = Actual


class GetVariableResultType(ExtensibleObject, frozen=True, kw_only=True):
    """One attribute read, or why it could not be."""

    attribute_status: GetVariableStatusEnumType
    component: ComponentType
    variable: VariableType
    attribute_status_info: StatusInfoType | None = None
    attribute_type: AttributeEnumType | None = None  # absent = Actual
    attribute_value: Annotated[str, Text(max=2500)] | None = None  # only if Accepted; max ReportingValueSize


class MessageInfoType(ExtensibleObject, frozen=True, kw_only=True):
    """A display message with its place and time."""

    id: Annotated[int, Range(min=0)]  # message id >= 0
    priority: MessagePriorityEnumType
    message: MessageContentType
    display: ComponentType | None = None  # which display component
    state: MessageStateEnumType | None = None  # absent = any state
    start_date_time: DateTimeString | None = None  # absent = now
    end_date_time: DateTimeString | None = None  # removed afterwards
    transaction_id: Annotated[str, Text(max=36)] | None = None  # removed when that transaction ends
    message_extra: Annotated[list[MessageContentType], Items(min=1, max=4)] | None = None  # other languages


class VariableMonitoringType(ExtensibleObject, frozen=True, kw_only=True):
    """A monitor of a variable.  Severity: 0 Danger, 1 HardwareFailure, 2 SystemFailure, 3 Critical, 4 Error, 5 Alert, 6
    Warning, 7 Notice, 8 Informational, 9 Debug.
    """

    id: Annotated[int, Range(min=0)]
    transaction: bool  # only during transactions
    value: Decimal  # threshold, delta or s
    type: MonitorEnumType
    severity: Annotated[int, Range(min=0)]  # 0 Danger .. 9 Debug
    event_notification_type: EventNotificationEnumType


class MonitoringDataType(ExtensibleObject, frozen=True, kw_only=True):
    """The monitors of one variable."""

    component: ComponentType
    variable: VariableType
    variable_monitoring: Annotated[list[VariableMonitoringType], Items(min=1)]


class VariableCharacteristicsType(ExtensibleObject, frozen=True, kw_only=True):
    """Type, unit and limits of a variable; the same for all its attributes."""

    data_type: DataEnumType
    supports_monitoring: bool
    unit: Annotated[str, Text(max=16)] | None = None
    min_limit: Decimal | None = None
    max_limit: Decimal | None = None  # maximum, or maximum length of text
    values_list: Annotated[str, Text(max=1000)] | None = None  # allowed values, comma-separated
    max_elements: Annotated[int, Range(min=1)] | None = None  # max entries of a list value


class ReportDataType(ExtensibleObject, frozen=True, kw_only=True):
    """One variable of the device model, with all it has."""

    component: ComponentType
    variable: VariableType
    variable_attribute: Annotated[list[VariableAttributeType], Items(min=1, max=4)]
    variable_characteristics: VariableCharacteristicsType | None = None


class SetMonitoringDataType(ExtensibleObject, frozen=True, kw_only=True):
    """A monitor to set; severities as in VariableMonitoringType."""

    value: Decimal  # threshold, delta, or s for periodic kinds
    type: MonitorEnumType
    severity: Annotated[int, Range(min=0)]  # 0..9
    component: ComponentType
    variable: VariableType
    id: Annotated[int, Range(min=0)] | None = None  # only to replace an existing monitor
    transaction: bool | None = None  # only active during a transaction (default false)
    periodic_event_stream: PeriodicEventStreamParamsType | None = None  # use a stream


class SetMonitoringResultType(ExtensibleObject, frozen=True, kw_only=True):
    """What became of the setting of one monitor."""

    status: SetMonitoringStatusEnumType
    type: MonitorEnumType
    component: ComponentType
    variable: VariableType
    severity: Annotated[int, Range(min=0)]  # echo
    id: Annotated[int, Range(min=0)] | None = None  # given if Accepted
    status_info: StatusInfoType | None = None


class SetVariableDataType(ExtensibleObject, frozen=True, kw_only=True):
    """The attribute to write."""

    attribute_value: Annotated[str, Text(max=2500)]  # text; max ConfigurationValueSize
    component: ComponentType
    variable: VariableType
    attribute_type: AttributeEnumType | None = None  # absent = Actual


class SetVariableResultType(ExtensibleObject, frozen=True, kw_only=True):
    """What became of the writing of one attribute."""

    attribute_status: SetVariableStatusEnumType
    component: ComponentType
    variable: VariableType
    attribute_type: AttributeEnumType | None = None  # absent = Actual
    attribute_status_info: StatusInfoType | None = None
