"""What reservations have in common in OCPP 2.0.1 and 2.1."""

from __future__ import annotations

from uuid import UUID

from csms.domain import commands as domain
from gateway.common.routing import Call
from gateway.versions import UnsupportedCommand
from schemas.ocpp201.reservation import CancelReservationRequest


def cancel_reservation(command: domain.CancelReservation, _command_id: UUID) -> Call:
    return "CancelReservation", CancelReservationRequest(reservation_id=command.reservation_id)


def check_reservation(command: domain.ReserveNow) -> None:
    """Raises UnsupportedCommand for a place that 2.x cannot name: it reserves an EVSE, or one with a type of connector."""
    if command.connector_id is not None:
        raise UnsupportedCommand("OCPP 2.x reserves an EVSE: give evse_id instead of connector_id")
    if command.evse_id is not None and command.connector_type is not None:
        raise UnsupportedCommand("OCPP 2.x reserves an EVSE or a type of connector: give evse_id or connector_type")
