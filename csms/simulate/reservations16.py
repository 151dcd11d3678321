"""Reservations of a 1.6 charge point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from csms.simulate.dialect import Orders
from csms.simulate.reservations import Reserved
from csms.simulate.serving import Command, Reply, command
from csms.simulate.timeline import read_time
from schemas.ocpp16.reservation import (
    CancelReservationRequest,
    CancelReservationResponse,
    ReserveNowRequest,
    ReserveNowResponse,
)


def _reserve_now(orders: Orders, request: ReserveNowRequest) -> Reply:
    reserved = Reserved(request.reservation_id, request.id_tag, read_time(request.expiry_date))
    return ReserveNowResponse(status=orders.reserve(request.connector_id or None, reserved)), None


def _cancel(orders: Orders, request: CancelReservationRequest) -> Reply:
    return CancelReservationResponse(status="Accepted" if orders.cancel_reservation(request.reservation_id) else "Rejected"), None


COMMANDS: Final[Mapping[str, Command]] = {
    "ReserveNow": command(ReserveNowRequest, _reserve_now),
    "CancelReservation": command(CancelReservationRequest, _cancel),
}
