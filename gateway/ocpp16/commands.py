"""Domain commands as OCPP 1.6 messages."""

from __future__ import annotations

from typing import Final, NoReturn, get_args
from uuid import UUID

from csms.domain import commands as domain
from gateway.common.routing import Call, CommandTable
from gateway.ocpp16.answers import MAX_ID_TAG
from gateway.ocpp16.charging_profiles import clear_charging_profile, get_composite_schedule, set_charging_profile
from gateway.ocpp16.connectors import wire_connector
from gateway.ocpp16.reservations import cancel_reservation, reserve_now
from gateway.ocpp16.transactions import transaction_number
from gateway.versions import UnsupportedCommand
from schemas.ocpp16.core import (
    ChangeAvailabilityRequest,
    ChangeConfigurationRequest,
    ClearCacheRequest,
    DataTransferRequest,
    GetConfigurationRequest,
    RemoteStartTransactionRequest,
    RemoteStopTransactionRequest,
    ResetRequest,
    UnlockConnectorRequest,
)
from schemas.ocpp16.enums import MessageTrigger, MessageTriggerEnumType
from schemas.ocpp16.remote_trigger import TriggerMessageRequest
from schemas.ocpp16.security import ExtendedTriggerMessageRequest

_TRIGGERS: Final[dict[str, MessageTrigger]] = {name: name for name in get_args(MessageTrigger)}
_EXTENDED_TRIGGERS: Final[dict[str, MessageTriggerEnumType]] = {name: name for name in get_args(MessageTriggerEnumType)}


def remote_start(command: domain.RemoteStart, _command_id: UUID) -> Call:
    """1.6 has no id of its own for a remote start: the start that follows is matched by token, connector and time."""
    if len(command.id_token) > MAX_ID_TAG:
        raise UnsupportedCommand(f"OCPP 1.6 takes id tokens of at most {MAX_ID_TAG} characters")
    return "RemoteStartTransaction", RemoteStartTransactionRequest(
        id_tag=command.id_token, connector_id=wire_connector(command.evse_id, command.connector_id)
    )


def remote_stop(command: domain.RemoteStop, _command_id: UUID) -> Call:
    return "RemoteStopTransaction", RemoteStopTransactionRequest(transaction_id=transaction_number(command.transaction_id))


def reset(command: domain.Reset, _command_id: UUID) -> Call:
    if command.evse_id is not None:
        raise UnsupportedCommand("OCPP 1.6 resets the whole charge point: leave evse_id out")
    return "Reset", ResetRequest(type="Hard" if command.type == "hard" else "Soft")


def unlock_connector(command: domain.UnlockConnector, _command_id: UUID) -> Call:
    # the first connector of EVSE n, which is what 2.x calls it and the command's default, is connector n
    first_of_evse = command.evse_id is not None and command.connector_id == 1
    connector = command.evse_id if first_of_evse else wire_connector(command.evse_id, command.connector_id)
    return "UnlockConnector", UnlockConnectorRequest(connector_id=connector or command.connector_id)


def change_availability(command: domain.ChangeAvailability, _command_id: UUID) -> Call:
    connector = wire_connector(command.evse_id, command.connector_id)
    return "ChangeAvailability", ChangeAvailabilityRequest(
        connector_id=connector or 0, type="Operative" if command.type == "operative" else "Inoperative"
    )


def get_configuration(command: domain.GetConfiguration, _command_id: UUID) -> Call:
    return "GetConfiguration", GetConfigurationRequest(key=command.keys or None)


def change_configuration(command: domain.ChangeConfiguration, _command_id: UUID) -> Call:
    return "ChangeConfiguration", ChangeConfigurationRequest(key=command.key, value=command.value)


def trigger_message(command: domain.TriggerMessage, _command_id: UUID) -> Call:
    """What only the security extension can trigger goes out as its ExtendedTriggerMessage."""
    connector = wire_connector(command.evse_id, command.connector_id)
    message = _TRIGGERS.get(command.message)
    if message is not None:
        return "TriggerMessage", TriggerMessageRequest(requested_message=message, connector_id=connector)
    extended = _EXTENDED_TRIGGERS.get(command.message)
    if extended is not None:
        return "ExtendedTriggerMessage", ExtendedTriggerMessageRequest(requested_message=extended, connector_id=connector)
    known = ", ".join(sorted({*_TRIGGERS, *_EXTENDED_TRIGGERS}))
    raise UnsupportedCommand(f"OCPP 1.6 cannot trigger {command.message!r}; message is one of {known}")


def clear_cache(_command: domain.ClearCache, _command_id: UUID) -> Call:
    return "ClearCache", ClearCacheRequest()


def data_transfer(command: domain.DataTransfer, _command_id: UUID) -> Call:
    if command.data is not None and not isinstance(command.data, str):
        raise UnsupportedCommand("OCPP 1.6 transfers text: give data as a string")
    return "DataTransfer", DataTransferRequest(vendor_id=command.vendor_id, message_id=command.message_id, data=command.data)


def get_variables(_command: domain.GetVariables, _command_id: UUID) -> NoReturn:
    raise UnsupportedCommand("OCPP 1.6 has no variables: use get_configuration")


def set_variables(_command: domain.SetVariables, _command_id: UUID) -> NoReturn:
    raise UnsupportedCommand("OCPP 1.6 has no variables: use change_configuration")


def get_base_report(_command: domain.GetBaseReport, _command_id: UUID) -> NoReturn:
    raise UnsupportedCommand("OCPP 1.6 has no reports: use get_configuration without keys")


COMMANDS: Final[CommandTable] = {
    domain.RemoteStart: remote_start,
    domain.RemoteStop: remote_stop,
    domain.Reset: reset,
    domain.UnlockConnector: unlock_connector,
    domain.ChangeAvailability: change_availability,
    domain.GetConfiguration: get_configuration,
    domain.ChangeConfiguration: change_configuration,
    domain.GetVariables: get_variables,
    domain.SetVariables: set_variables,
    domain.GetBaseReport: get_base_report,
    domain.TriggerMessage: trigger_message,
    domain.ClearCache: clear_cache,
    domain.DataTransfer: data_transfer,
    domain.ReserveNow: reserve_now,
    domain.CancelReservation: cancel_reservation,
    domain.SetChargingProfile: set_charging_profile,
    domain.ClearChargingProfile: clear_charging_profile,
    domain.GetCompositeSchedule: get_composite_schedule,
}
