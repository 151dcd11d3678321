"""Domain commands as messages, where OCPP 2.0.1 and 2.1 have the same."""

from __future__ import annotations

from typing import Final, NoReturn
from uuid import UUID

from csms.domain import commands as domain
from gateway.common.routing import Call, CommandTable
from gateway.ocpp2x.charging_profiles import clear_charging_profile, get_composite_schedule, set_charging_profile
from gateway.ocpp2x.reservations import cancel_reservation
from gateway.versions import UnsupportedCommand
from schemas.ocpp201.authorization import ClearCacheRequest
from schemas.ocpp201.availability import ChangeAvailabilityRequest
from schemas.ocpp201.data_transfer import DataTransferRequest
from schemas.ocpp201.datatypes import (
    ComponentType,
    EVSEType,
    GetVariableDataType,
    SetVariableDataType,
    VariableType,
)
from schemas.ocpp201.enums import AttributeEnumType
from schemas.ocpp201.provisioning import GetBaseReportRequest, GetVariablesRequest, ResetRequest, SetVariablesRequest
from schemas.ocpp201.remote_control import (
    RequestStopTransactionRequest,
    UnlockConnectorRequest,
)


def number_of(command_id: UUID) -> int:
    """The remoteStartId or requestId of a command: the last 31 bits of its id, which are random in a UUIDv7.

    Derived, so that whoever knows the command can tell which TransactionEvent or report belongs to it.
    """
    return command_id.int & 0x7FFF_FFFF


def remote_stop(command: domain.RemoteStop, _command_id: UUID) -> Call:
    return "RequestStopTransaction", RequestStopTransactionRequest(transaction_id=command.transaction_id)


def reset(command: domain.Reset, _command_id: UUID) -> Call:
    return "Reset", ResetRequest(type="Immediate" if command.type == "hard" else "OnIdle", evse_id=command.evse_id)


def unlock_connector(command: domain.UnlockConnector, _command_id: UUID) -> Call:
    if command.evse_id is None:
        raise UnsupportedCommand("OCPP 2.x numbers connectors per EVSE: give evse_id as well")
    return "UnlockConnector", UnlockConnectorRequest(evse_id=command.evse_id, connector_id=command.connector_id)


def change_availability(command: domain.ChangeAvailability, _command_id: UUID) -> Call:
    """EVSE 0 is the whole station, connector 0 the whole EVSE; on the wire both are said by leaving them out."""
    return "ChangeAvailability", ChangeAvailabilityRequest(
        operational_status="Operative" if command.type == "operative" else "Inoperative",
        evse=evse_of(command.evse_id or None, command.connector_id or None),
    )


def get_variables(command: domain.GetVariables, _command_id: UUID) -> Call:
    return "GetVariables", GetVariablesRequest(
        get_variable_data=[
            GetVariableDataType(component=_component(name), variable=_variable(name), attribute_type=_attribute_type(name))
            for name in command.variables
        ]
    )


def set_variables(command: domain.SetVariables, _command_id: UUID) -> Call:
    return "SetVariables", SetVariablesRequest(
        set_variable_data=[
            SetVariableDataType(
                attribute_value=wanted.value,
                component=_component(wanted),
                variable=_variable(wanted),
                attribute_type=_attribute_type(wanted),
            )
            for wanted in command.variables
        ]
    )


def get_base_report(command: domain.GetBaseReport, command_id: UUID) -> Call:
    request_id = number_of(command_id) if command.request_id is None else command.request_id
    return "GetBaseReport", GetBaseReportRequest(request_id=request_id, report_base=command.report_base)


def clear_cache(_command: domain.ClearCache, _command_id: UUID) -> Call:
    return "ClearCache", ClearCacheRequest()


def data_transfer(command: domain.DataTransfer, _command_id: UUID) -> Call:
    return "DataTransfer", DataTransferRequest(vendor_id=command.vendor_id, message_id=command.message_id, data=command.data)


def get_configuration(_command: domain.GetConfiguration, _command_id: UUID) -> NoReturn:
    raise UnsupportedCommand("OCPP 2.x has no configuration keys: use get_variables, or get_base_report for all")


def change_configuration(_command: domain.ChangeConfiguration, _command_id: UUID) -> NoReturn:
    raise UnsupportedCommand("OCPP 2.x has no configuration keys: use set_variables")


def check_start(command: domain.RemoteStart) -> None:
    """Raises UnsupportedCommand for a start that names a connector."""
    if command.connector_id is not None:
        raise UnsupportedCommand("OCPP 2.x starts on an EVSE: give evse_id instead of connector_id")


def check_trigger(command: domain.TriggerMessage) -> None:
    """Raises UnsupportedCommand for a StatusNotification of no particular connector."""
    if command.message == "StatusNotification" and command.connector_id is None:
        raise UnsupportedCommand("OCPP 2.x triggers StatusNotification per connector: give evse_id and connector_id")


def evse_of(evse_id: int | None, connector_id: int | None) -> EVSEType | None:
    """The EVSE, or connector, that a command means; None when it names neither.

    Raises UnsupportedCommand for a connector without its EVSE.
    """
    if evse_id is not None:
        return EVSEType(id=evse_id, connector_id=connector_id)
    if connector_id is not None:
        raise UnsupportedCommand("OCPP 2.x numbers connectors per EVSE: give evse_id as well")
    return None


def _component(name: domain.VariableName) -> ComponentType:
    return ComponentType(name=name.component, instance=name.component_instance, evse=evse_of(name.evse_id, name.connector_id))


def _variable(name: domain.VariableName) -> VariableType:
    return VariableType(name=name.variable, instance=name.variable_instance)


def _attribute_type(name: domain.VariableName) -> AttributeEnumType | None:
    """Left out for Actual, its default."""
    return None if name.attribute == "Actual" else name.attribute


SHARED: Final[CommandTable] = {
    domain.RemoteStop: remote_stop,
    domain.Reset: reset,
    domain.UnlockConnector: unlock_connector,
    domain.ChangeAvailability: change_availability,
    domain.GetConfiguration: get_configuration,
    domain.ChangeConfiguration: change_configuration,
    domain.GetVariables: get_variables,
    domain.SetVariables: set_variables,
    domain.GetBaseReport: get_base_report,
    domain.ClearCache: clear_cache,
    domain.DataTransfer: data_transfer,
    domain.CancelReservation: cancel_reservation,
    domain.SetChargingProfile: set_charging_profile,
    domain.ClearChargingProfile: clear_charging_profile,
    domain.GetCompositeSchedule: get_composite_schedule,
}
