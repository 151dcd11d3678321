"""Reservations of a 2.0.1 charging station."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from csms.simulate.dialect import Orders
from csms.simulate.reservations import Reserved
from csms.simulate.serving import Command, Reply, command
from csms.simulate.timeline import read_time
from schemas.ocpp201.reservation import (
    CancelReservationRequest,
    CancelReservationResponse,
    ReserveNowRequest,
    ReserveNowResponse,
)


def _reserve_now(orders: Orders, request: ReserveNowRequest) -> Reply:
    if request.connector_type is not None:  # its connectors have no type
        return ReserveNowResponse(status="Rejected"), None
    reserved = Reserved(request.id, request.id_token.id_token, read_time(request.expiry_date_time))
    return ReserveNowResponse(status=orders.reserve(request.evse_id, reserved)), None


def _cancel(orders: Orders, request: CancelReservationRequest) -> Reply:
    return CancelReservationResponse(status="Accepted" if orders.cancel_reservation(request.reservation_id) else "Rejected"), None


COMMANDS: Final[Mapping[str, Command]] = {
    "ReserveNow": command(ReserveNowRequest, _reserve_now),
    "CancelReservation": command(CancelReservationRequest, _cancel),
}
