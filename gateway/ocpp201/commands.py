"""Domain commands as OCPP 2.0.1 messages."""

from __future__ import annotations

from typing import Final, get_args
from uuid import UUID

from csms.domain import commands as domain
from gateway.common.routing import Call, CommandTable
from gateway.ocpp2x.commands import SHARED, check_start, check_trigger, evse_of, number_of
from gateway.versions import UnsupportedCommand
from schemas.ocpp201.datatypes import IdTokenType
from schemas.ocpp201.enums import IdTokenEnumType, MessageTriggerEnumType
from schemas.ocpp201.remote_control import RequestStartTransactionRequest, TriggerMessageRequest

_TOKEN_TYPES: Final[dict[str, IdTokenEnumType]] = {name: name for name in get_args(IdTokenEnumType)}
_TRIGGERS: Final[dict[str, MessageTriggerEnumType]] = {name: name for name in get_args(MessageTriggerEnumType)}
_MAX_TOKEN: Final = 36


def remote_start(command: domain.RemoteStart, command_id: UUID) -> Call:
    check_start(command)
    if len(command.id_token) > _MAX_TOKEN:
        raise UnsupportedCommand(f"OCPP 2.0.1 takes id tokens of at most {_MAX_TOKEN} characters")
    token_type = _TOKEN_TYPES.get(command.token_type)
    if token_type is None:
        raise UnsupportedCommand(
            f"OCPP 2.0.1 has no token type {command.token_type!r}; token_type is one of {', '.join(_TOKEN_TYPES)}"
        )
    return "RequestStartTransaction", RequestStartTransactionRequest(
        id_token=IdTokenType(id_token=command.id_token, type=token_type),
        remote_start_id=number_of(command_id),
        evse_id=command.evse_id,
    )


def trigger_message(command: domain.TriggerMessage, _command_id: UUID) -> Call:
    message = _TRIGGERS.get(command.message)
    if message is None:
        raise UnsupportedCommand(f"OCPP 2.0.1 cannot trigger {command.message!r}; message is one of {', '.join(sorted(_TRIGGERS))}")
    check_trigger(command)
    return "TriggerMessage", TriggerMessageRequest(requested_message=message, evse=evse_of(command.evse_id, command.connector_id))


COMMANDS: Final[CommandTable] = {
    **SHARED,
    domain.RemoteStart: remote_start,
    domain.TriggerMessage: trigger_message,
}
