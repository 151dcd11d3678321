"""Domain commands as OCPP 2.1 messages."""

from __future__ import annotations

from typing import Final, get_args
from uuid import UUID

from csms.domain import commands as domain
from gateway.common.answers import rfc3339
from gateway.common.routing import Call, CommandTable
from gateway.ocpp2x.commands import SHARED, check_start, check_trigger, evse_of, number_of
from gateway.ocpp2x.reservations import check_reservation
from gateway.versions import UnsupportedCommand
from schemas.ocpp21.datatypes import EVSEType, IdTokenType
from schemas.ocpp21.enums import MessageTriggerEnumType
from schemas.ocpp21.remote_control import RequestStartTransactionRequest, TriggerMessageRequest
from schemas.ocpp21.reservation import ReserveNowRequest

_TRIGGERS: Final[dict[str, MessageTriggerEnumType]] = {
    # what CustomTrigger stands for needs a second word, which only a raw command has
    name: name
    for name in get_args(MessageTriggerEnumType)
    if name != "CustomTrigger"
}


def remote_start(command: domain.RemoteStart, command_id: UUID) -> Call:
    """The type of a token is open text in 2.1."""
    check_start(command)
    return "RequestStartTransaction", RequestStartTransactionRequest(
        id_token=IdTokenType(id_token=command.id_token, type=command.token_type),
        remote_start_id=number_of(command_id),
        evse_id=command.evse_id,
    )


def trigger_message(command: domain.TriggerMessage, _command_id: UUID) -> Call:
    message = _TRIGGERS.get(command.message)
    if message is None:
        raise UnsupportedCommand(f"OCPP 2.1 cannot trigger {command.message!r}; message is one of {', '.join(sorted(_TRIGGERS))}")
    check_trigger(command)
    meant = evse_of(command.evse_id, command.connector_id)
    evse = None if meant is None else EVSEType(id=meant.id, connector_id=meant.connector_id)
    return "TriggerMessage", TriggerMessageRequest(requested_message=message, evse=evse)


def reserve_now(command: domain.ReserveNow, _command_id: UUID) -> Call:
    """The types of tokens and connectors are open text in 2.1. The group is one of ours, so its token is of type Central."""
    check_reservation(command)
    group = command.group_id_token
    return "ReserveNow", ReserveNowRequest(
        id=command.reservation_id,
        expiry_date_time=rfc3339(command.expires_at),
        id_token=IdTokenType(id_token=command.id_token, type=command.token_type),
        connector_type=command.connector_type,
        evse_id=command.evse_id,
        group_id_token=None if group is None else IdTokenType(id_token=group, type="Central"),
    )


COMMANDS: Final[CommandTable] = {
    **SHARED,
    domain.RemoteStart: remote_start,
    domain.TriggerMessage: trigger_message,
    domain.ReserveNow: reserve_now,
}
