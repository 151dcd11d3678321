"""Domain commands as OCPP 2.1 messages."""

from __future__ import annotations

from typing import Final, get_args
from uuid import UUID

from csms.domain import commands as domain
from gateway.common.routing import Call, CommandTable
from gateway.ocpp2x.commands import SHARED, check_start, check_trigger, evse_of, number_of
from gateway.versions import UnsupportedCommand
from schemas.ocpp21.datatypes import EVSEType, IdTokenType
from schemas.ocpp21.enums import MessageTriggerEnumType
from schemas.ocpp21.remote_control import RequestStartTransactionRequest, TriggerMessageRequest

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


COMMANDS: Final[CommandTable] = {
    **SHARED,
    domain.RemoteStart: remote_start,
    domain.TriggerMessage: trigger_message,
}
