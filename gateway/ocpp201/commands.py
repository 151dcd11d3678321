"""Domain commands as OCPP 2.0.1 messages."""

from __future__ import annotations

from typing import Final, get_args
from uuid import UUID

from csms.domain import commands as domain
from gateway.common.answers import rfc3339
from gateway.common.routing import Call, CommandTable
from gateway.ocpp2x.commands import SHARED, check_start, check_trigger, evse_of, number_of
from gateway.ocpp2x.reservations import check_reservation
from gateway.versions import UnsupportedCommand
from schemas.ocpp201.datatypes import IdTokenType
from schemas.ocpp201.enums import ConnectorEnumType, IdTokenEnumType, MessageTriggerEnumType
from schemas.ocpp201.remote_control import RequestStartTransactionRequest, TriggerMessageRequest
from schemas.ocpp201.reservation import ReserveNowRequest

_TOKEN_TYPES: Final[dict[str, IdTokenEnumType]] = {name: name for name in get_args(IdTokenEnumType)}
_TRIGGERS: Final[dict[str, MessageTriggerEnumType]] = {name: name for name in get_args(MessageTriggerEnumType)}
_CONNECTORS: Final[dict[str, ConnectorEnumType]] = {name: name for name in get_args(ConnectorEnumType)}
_MAX_TOKEN: Final = 36


def remote_start(command: domain.RemoteStart, command_id: UUID) -> Call:
    check_start(command)
    return "RequestStartTransaction", RequestStartTransactionRequest(
        id_token=_token(command.id_token, command.token_type),
        remote_start_id=number_of(command_id),
        evse_id=command.evse_id,
    )


def trigger_message(command: domain.TriggerMessage, _command_id: UUID) -> Call:
    message = _TRIGGERS.get(command.message)
    if message is None:
        raise UnsupportedCommand(f"OCPP 2.0.1 cannot trigger {command.message!r}; message is one of {', '.join(sorted(_TRIGGERS))}")
    check_trigger(command)
    return "TriggerMessage", TriggerMessageRequest(requested_message=message, evse=evse_of(command.evse_id, command.connector_id))


def reserve_now(command: domain.ReserveNow, _command_id: UUID) -> Call:
    """The group is one of ours, so its token is of type Central."""
    check_reservation(command)
    connector = None if command.connector_type is None else _CONNECTORS.get(command.connector_type)
    if connector is None and command.connector_type is not None:
        raise UnsupportedCommand(
            f"OCPP 2.0.1 has no connector {command.connector_type!r}; connector_type is one of {', '.join(_CONNECTORS)}"
        )
    return "ReserveNow", ReserveNowRequest(
        id=command.reservation_id,
        expiry_date_time=rfc3339(command.expires_at),
        id_token=_token(command.id_token, command.token_type),
        connector_type=connector,
        evse_id=command.evse_id,
        group_id_token=None if command.group_id_token is None else _token(command.group_id_token, "Central"),
    )


def _token(id_token: str, token_type: str) -> IdTokenType:
    if len(id_token) > _MAX_TOKEN:
        raise UnsupportedCommand(f"OCPP 2.0.1 takes id tokens of at most {_MAX_TOKEN} characters")
    known = _TOKEN_TYPES.get(token_type)
    if known is None:
        raise UnsupportedCommand(f"OCPP 2.0.1 has no token type {token_type!r}; token_type is one of {', '.join(_TOKEN_TYPES)}")
    return IdTokenType(id_token=id_token, type=known)


COMMANDS: Final[CommandTable] = {
    **SHARED,
    domain.RemoteStart: remote_start,
    domain.TriggerMessage: trigger_message,
    domain.ReserveNow: reserve_now,
}
