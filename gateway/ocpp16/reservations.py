"""Reservations as OCPP 1.6 messages: connector n is EVSE n, 0 any of them."""

from __future__ import annotations

from uuid import UUID

from csms.domain import commands as domain
from gateway.common.answers import rfc3339
from gateway.common.routing import Call
from gateway.ocpp16.answers import MAX_ID_TAG
from gateway.ocpp16.connectors import wire_connector
from gateway.versions import UnsupportedCommand
from schemas.ocpp16.reservation import CancelReservationRequest, ReserveNowRequest


def reserve_now(command: domain.ReserveNow, _command_id: UUID) -> Call:
    """A group that is too long to be named is refused: its members would find the connector taken."""
    if command.connector_type is not None:
        raise UnsupportedCommand("OCPP 1.6 reserves a connector, not a type of connector: leave connector_type out")
    for token in (command.id_token, command.group_id_token or ""):
        if len(token) > MAX_ID_TAG:
            raise UnsupportedCommand(f"OCPP 1.6 takes id tokens of at most {MAX_ID_TAG} characters")
    return "ReserveNow", ReserveNowRequest(
        connector_id=wire_connector(command.evse_id, command.connector_id) or 0,
        expiry_date=rfc3339(command.expires_at),
        id_tag=command.id_token,
        reservation_id=command.reservation_id,
        parent_id_tag=command.group_id_token,
    )


def cancel_reservation(command: domain.CancelReservation, _command_id: UUID) -> Call:
    return "CancelReservation", CancelReservationRequest(reservation_id=command.reservation_id)
