"""What a 2.0.1 charging station does when the CSMS asks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final, Literal

from csms.simulate import limits201, reservations201
from csms.simulate.configuration import Variable
from csms.simulate.dialect import Orders
from csms.simulate.message import Message
from csms.simulate.serving import Command, Reply, command
from csms.simulate.timeline import wire_time
from schemas.ocpp201.authorization import ClearCacheRequest, ClearCacheResponse
from schemas.ocpp201.availability import ChangeAvailabilityRequest, ChangeAvailabilityResponse, HeartbeatRequest
from schemas.ocpp201.data_transfer import DataTransferRequest, DataTransferResponse
from schemas.ocpp201.datatypes import (
    ComponentType,
    GetVariableDataType,
    GetVariableResultType,
    ReportDataType,
    SetVariableDataType,
    SetVariableResultType,
    VariableAttributeType,
    VariableCharacteristicsType,
    VariableType,
)
from schemas.ocpp201.firmware_management import FirmwareStatusNotificationRequest
from schemas.ocpp201.local_auth_list import (
    GetLocalListVersionRequest,
    GetLocalListVersionResponse,
    SendLocalListRequest,
    SendLocalListResponse,
)
from schemas.ocpp201.provisioning import (
    GetBaseReportRequest,
    GetBaseReportResponse,
    GetVariablesRequest,
    GetVariablesResponse,
    NotifyReportRequest,
    ResetRequest,
    ResetResponse,
    SetVariablesRequest,
    SetVariablesResponse,
)
from schemas.ocpp201.remote_control import (
    RequestStartTransactionRequest,
    RequestStartTransactionResponse,
    RequestStopTransactionRequest,
    RequestStopTransactionResponse,
    TriggerMessageRequest,
    TriggerMessageResponse,
    UnlockConnectorRequest,
    UnlockConnectorResponse,
)
from schemas.ocpp201.transactions import GetTransactionStatusRequest, GetTransactionStatusResponse

_REPORT_PART: Final = 5  # variables in one NotifyReport


def _request_start(orders: Orders, request: RequestStartTransactionRequest) -> Reply:
    token = request.id_token
    begin = orders.remote_start(request.evse_id, token.id_token, request.remote_start_id, token.type)
    return RequestStartTransactionResponse(status="Accepted" if begin else "Rejected"), begin


def _request_stop(orders: Orders, request: RequestStopTransactionRequest) -> Reply:
    running = orders.transaction(lambda transaction: transaction.reference == request.transaction_id)
    if running is None:
        return RequestStopTransactionResponse(status="Rejected"), None
    return RequestStopTransactionResponse(status="Accepted"), lambda: running.order_stop("remote")


def _get_transaction_status(orders: Orders, request: GetTransactionStatusRequest) -> Reply:
    if request.transaction_id is None:
        return GetTransactionStatusResponse(messages_in_queue=orders.undelivered(None)), None
    wanted = request.transaction_id
    running = orders.transaction(lambda transaction: transaction.reference == wanted)
    return GetTransactionStatusResponse(messages_in_queue=orders.undelivered(wanted), ongoing_indicator=running is not None), None


def _reset(orders: Orders, request: ResetRequest) -> Reply:
    if request.evse_id is not None:
        return ResetResponse(status="Rejected"), None
    idle = all(orders.transaction_at(evse_id) is None for evse_id in orders.evse_ids())
    status: Literal["Accepted", "Scheduled"] = "Accepted" if idle or request.type == "Immediate" else "Scheduled"
    return ResetResponse(status=status), lambda: orders.restart("hard_reset" if request.type == "Immediate" else "soft_reset")


def _unlock(orders: Orders, request: UnlockConnectorRequest) -> Reply:
    if request.evse_id not in orders.evse_ids() or request.connector_id != 1:
        return UnlockConnectorResponse(status="UnknownConnector"), None
    if orders.transaction_at(request.evse_id) is not None:
        return UnlockConnectorResponse(status="OngoingAuthorizedTransaction"), None
    return UnlockConnectorResponse(status="Unlocked"), None


def _change_availability(orders: Orders, request: ChangeAvailabilityRequest) -> Reply:
    if request.evse is not None and request.evse.id not in orders.evse_ids():
        return ChangeAvailabilityResponse(status="Rejected"), None
    evse_id = None if request.evse is None else request.evse.id
    at_once = orders.set_available(evse_id, available=request.operational_status == "Operative")
    return ChangeAvailabilityResponse(status="Accepted" if at_once else "Scheduled"), None


def _get_variables(orders: Orders, request: GetVariablesRequest) -> Reply:
    return GetVariablesResponse(get_variable_result=[_read(orders, wanted) for wanted in request.get_variable_data]), None


def _read(orders: Orders, wanted: GetVariableDataType) -> GetVariableResultType:
    status: Literal["Accepted", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"]
    variable = orders.configuration.by_name(wanted.component.name, wanted.variable.name, wanted.variable.instance)
    if variable is None:
        known = orders.configuration.has_component(wanted.component.name)
        status = "UnknownVariable" if known else "UnknownComponent"
    else:
        status = "Accepted" if wanted.attribute_type in (None, "Actual") else "NotSupportedAttributeType"
    return GetVariableResultType(
        attribute_status=status,
        component=wanted.component,
        variable=wanted.variable,
        attribute_type=wanted.attribute_type,
        attribute_value=variable.value if variable is not None and status == "Accepted" else None,
    )


def _set_variables(orders: Orders, request: SetVariablesRequest) -> Reply:
    return SetVariablesResponse(set_variable_result=[_write(orders, wanted) for wanted in request.set_variable_data]), None


def _write(orders: Orders, wanted: SetVariableDataType) -> SetVariableResultType:
    status: Literal["Accepted", "Rejected", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"]
    variable = orders.configuration.by_name(wanted.component.name, wanted.variable.name, wanted.variable.instance)
    if variable is None:
        known = orders.configuration.has_component(wanted.component.name)
        status = "UnknownVariable" if known else "UnknownComponent"
    elif wanted.attribute_type not in (None, "Actual"):
        status = "NotSupportedAttributeType"
    else:
        status = "Accepted" if orders.configuration.write(variable, wanted.attribute_value) else "Rejected"
    return SetVariableResultType(
        attribute_status=status,
        component=wanted.component,
        variable=wanted.variable,
        attribute_type=wanted.attribute_type,
    )


def _get_base_report(orders: Orders, request: GetBaseReportRequest) -> Reply:
    if request.report_base == "SummaryInventory":
        return GetBaseReportResponse(status="NotSupported"), None
    variables = [
        _reported(variable)
        for variable in orders.configuration
        if variable.component is not None and (request.report_base == "FullInventory" or not variable.readonly)
    ]
    parts = [variables[start : start + _REPORT_PART] for start in range(0, len(variables), _REPORT_PART)]

    def send_parts() -> None:
        for number, part in enumerate(parts):
            request_part = NotifyReportRequest(
                request_id=request.request_id,
                generated_at=wire_time(orders.now()),
                seq_no=number,
                report_data=part,
                tbc=number + 1 < len(parts) or None,
            )
            orders.send(partial(Message, "NotifyReport", request_part))

    return GetBaseReportResponse(status="Accepted"), send_parts


def _reported(variable: Variable) -> ReportDataType:
    return ReportDataType(
        component=ComponentType(name=variable.component or ""),
        variable=VariableType(name=variable.variable or "", instance=variable.instance),
        variable_attribute=[
            VariableAttributeType(
                value=variable.value, mutability="ReadOnly" if variable.readonly else "ReadWrite", persistent=True
            )
        ],
        variable_characteristics=VariableCharacteristicsType(data_type=variable.kind, supports_monitoring=False),
    )


def _trigger(orders: Orders, request: TriggerMessageRequest) -> Reply:
    evse_id = None if request.evse is None else request.evse.id
    if evse_id is not None and evse_id not in orders.evse_ids():
        return TriggerMessageResponse(status="Rejected"), None
    accepted = TriggerMessageResponse(status="Accepted")
    match request.requested_message:
        case "BootNotification":
            return accepted, orders.boot_again
        case "Heartbeat":
            return accepted, lambda: orders.send(partial(Message, "Heartbeat", HeartbeatRequest()))
        case "StatusNotification":
            return accepted, lambda: orders.send_states(evse_id)
        case "MeterValues" | "TransactionEvent":
            return accepted, lambda: orders.send_meter_values(evse_id)
        case "FirmwareStatusNotification":
            firmware = FirmwareStatusNotificationRequest(status="Idle")
            return accepted, lambda: orders.send(partial(Message, "FirmwareStatusNotification", firmware))
        case _:
            return TriggerMessageResponse(status="NotImplemented"), None


def _clear_cache(orders: Orders, request: ClearCacheRequest) -> Reply:
    return ClearCacheResponse(status="Accepted"), None


def _send_local_list(orders: Orders, request: SendLocalListRequest) -> Reply:
    if not orders.configuration.switched_on("LocalAuthListEnabled"):
        return SendLocalListResponse(status="Failed"), None
    items = [
        (f"{item.id_token.id_token} {item.id_token.type}", item.id_token_info) for item in request.local_authorization_list or ()
    ]
    return SendLocalListResponse(status=orders.local_list.update(request.version_number, request.update_type, items)), None


def _get_local_list_version(orders: Orders, request: GetLocalListVersionRequest) -> Reply:
    return GetLocalListVersionResponse(version_number=orders.local_list.version), None


def _data_transfer(orders: Orders, request: DataTransferRequest) -> Reply:
    return DataTransferResponse(status="UnknownVendorId"), None


COMMANDS: Final[Mapping[str, Command]] = {
    "RequestStartTransaction": command(RequestStartTransactionRequest, _request_start),
    "RequestStopTransaction": command(RequestStopTransactionRequest, _request_stop),
    "GetTransactionStatus": command(GetTransactionStatusRequest, _get_transaction_status),
    "Reset": command(ResetRequest, _reset),
    "UnlockConnector": command(UnlockConnectorRequest, _unlock),
    "ChangeAvailability": command(ChangeAvailabilityRequest, _change_availability),
    "GetVariables": command(GetVariablesRequest, _get_variables),
    "SetVariables": command(SetVariablesRequest, _set_variables),
    "GetBaseReport": command(GetBaseReportRequest, _get_base_report),
    "TriggerMessage": command(TriggerMessageRequest, _trigger),
    "ClearCache": command(ClearCacheRequest, _clear_cache),
    "SendLocalList": command(SendLocalListRequest, _send_local_list),
    "GetLocalListVersion": command(GetLocalListVersionRequest, _get_local_list_version),
    "DataTransfer": command(DataTransferRequest, _data_transfer),
    **reservations201.COMMANDS,
    **limits201.COMMANDS,
}
