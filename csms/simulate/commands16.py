"""What a 1.6 charge point does when the central system asks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from csms.simulate import limits16, reservations16
from csms.simulate.dialect import Orders
from csms.simulate.message import Message
from csms.simulate.serving import Command, Reply, command
from schemas.ocpp16.core import (
    ChangeAvailabilityRequest,
    ChangeAvailabilityResponse,
    ChangeConfigurationRequest,
    ChangeConfigurationResponse,
    ClearCacheRequest,
    ClearCacheResponse,
    DataTransferRequest,
    DataTransferResponse,
    GetConfigurationRequest,
    GetConfigurationResponse,
    HeartbeatRequest,
    RemoteStartTransactionRequest,
    RemoteStartTransactionResponse,
    RemoteStopTransactionRequest,
    RemoteStopTransactionResponse,
    ResetRequest,
    ResetResponse,
    UnlockConnectorRequest,
    UnlockConnectorResponse,
)
from schemas.ocpp16.datatypes import KeyValue
from schemas.ocpp16.firmware_management import (
    DiagnosticsStatusNotificationRequest,
    FirmwareStatusNotificationRequest,
)
from schemas.ocpp16.local_auth_list import (
    GetLocalListVersionRequest,
    GetLocalListVersionResponse,
    SendLocalListRequest,
    SendLocalListResponse,
)
from schemas.ocpp16.remote_trigger import TriggerMessageRequest, TriggerMessageResponse


def _remote_start(orders: Orders, request: RemoteStartTransactionRequest) -> Reply:
    begin = orders.remote_start(request.connector_id, request.id_tag, None)
    return RemoteStartTransactionResponse(status="Accepted" if begin else "Rejected"), begin


def _remote_stop(orders: Orders, request: RemoteStopTransactionRequest) -> Reply:
    running = orders.transaction(lambda transaction: transaction.transaction_id == request.transaction_id)
    if running is None:
        return RemoteStopTransactionResponse(status="Rejected"), None
    return RemoteStopTransactionResponse(status="Accepted"), lambda: running.order_stop("remote")


def _reset(orders: Orders, request: ResetRequest) -> Reply:
    return ResetResponse(status="Accepted"), lambda: orders.restart("soft_reset" if request.type == "Soft" else "hard_reset")


def _unlock(orders: Orders, request: UnlockConnectorRequest) -> Reply:
    if request.connector_id not in orders.evse_ids():
        return UnlockConnectorResponse(status="NotSupported"), None
    running = orders.transaction_at(request.connector_id)
    return UnlockConnectorResponse(status="Unlocked"), None if running is None else lambda: running.order_stop("unlock")


def _change_availability(orders: Orders, request: ChangeAvailabilityRequest) -> Reply:
    if request.connector_id and request.connector_id not in orders.evse_ids():
        return ChangeAvailabilityResponse(status="Rejected"), None
    at_once = orders.set_available(request.connector_id or None, available=request.type == "Operative")
    return ChangeAvailabilityResponse(status="Accepted" if at_once else "Scheduled"), None


def _get_configuration(orders: Orders, request: GetConfigurationRequest) -> Reply:
    if not request.key:
        known = [variable for variable in orders.configuration if variable.key is not None]
        unknown = []
    else:
        known = [variable for key in request.key if (variable := orders.configuration.by_key(key)) is not None]
        unknown = [key for key in request.key if orders.configuration.by_key(key) is None]
    return GetConfigurationResponse(
        configuration_key=[
            KeyValue(key=variable.key, readonly=variable.readonly, value=variable.value)
            for variable in known
            if variable.key is not None
        ],
        unknown_key=unknown or None,
    ), None


def _change_configuration(orders: Orders, request: ChangeConfigurationRequest) -> Reply:
    variable = orders.configuration.by_key(request.key)
    if variable is None:
        return ChangeConfigurationResponse(status="NotSupported"), None
    written = orders.configuration.write(variable, request.value)
    return ChangeConfigurationResponse(status="Accepted" if written else "Rejected"), None


def _clear_cache(orders: Orders, request: ClearCacheRequest) -> Reply:
    return ClearCacheResponse(status="Accepted"), None


def _send_local_list(orders: Orders, request: SendLocalListRequest) -> Reply:
    if not orders.configuration.switched_on("LocalAuthListEnabled"):
        return SendLocalListResponse(status="NotSupported"), None
    items = [(item.id_tag, item.id_tag_info) for item in request.local_authorization_list or ()]
    return SendLocalListResponse(status=orders.local_list.update(request.list_version, request.update_type, items)), None


def _get_local_list_version(orders: Orders, request: GetLocalListVersionRequest) -> Reply:
    return GetLocalListVersionResponse(list_version=orders.local_list.version), None


def _data_transfer(orders: Orders, request: DataTransferRequest) -> Reply:
    return DataTransferResponse(status="UnknownVendorId"), None


def _trigger(orders: Orders, request: TriggerMessageRequest) -> Reply:
    connector = request.connector_id
    if connector is not None and connector not in orders.evse_ids():
        return TriggerMessageResponse(status="Rejected"), None
    accepted = TriggerMessageResponse(status="Accepted")
    match request.requested_message:
        case "BootNotification":
            return accepted, orders.boot_again
        case "Heartbeat":
            return accepted, lambda: orders.send(partial(Message, "Heartbeat", HeartbeatRequest()))
        case "StatusNotification":
            return accepted, lambda: orders.send_states(connector)
        case "MeterValues":
            return accepted, lambda: orders.send_meter_values(connector)
        case "FirmwareStatusNotification":
            firmware = FirmwareStatusNotificationRequest(status="Idle")
            return accepted, lambda: orders.send(partial(Message, "FirmwareStatusNotification", firmware))
        case "DiagnosticsStatusNotification":
            diagnostics = DiagnosticsStatusNotificationRequest(status="Idle")
            return accepted, lambda: orders.send(partial(Message, "DiagnosticsStatusNotification", diagnostics))


COMMANDS: Final[Mapping[str, Command]] = {
    "RemoteStartTransaction": command(RemoteStartTransactionRequest, _remote_start),
    "RemoteStopTransaction": command(RemoteStopTransactionRequest, _remote_stop),
    "Reset": command(ResetRequest, _reset),
    "UnlockConnector": command(UnlockConnectorRequest, _unlock),
    "ChangeAvailability": command(ChangeAvailabilityRequest, _change_availability),
    "GetConfiguration": command(GetConfigurationRequest, _get_configuration),
    "ChangeConfiguration": command(ChangeConfigurationRequest, _change_configuration),
    "ClearCache": command(ClearCacheRequest, _clear_cache),
    "SendLocalList": command(SendLocalListRequest, _send_local_list),
    "GetLocalListVersion": command(GetLocalListVersionRequest, _get_local_list_version),
    "DataTransfer": command(DataTransferRequest, _data_transfer),
    "TriggerMessage": command(TriggerMessageRequest, _trigger),
    **reservations16.COMMANDS,
    **limits16.COMMANDS,
}
