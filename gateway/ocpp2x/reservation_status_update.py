"""ReservationStatusUpdate: a reservation ended without being used (H01, H04)."""

from __future__ import annotations

from csms.domain.reservations import UPDATE
from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import reservation as ocpp21
from schemas.ocpp201 import reservation as ocpp201


def handle(
    context: StationContext,
    request: ocpp201.ReservationStatusUpdateRequest | ocpp21.ReservationStatusUpdateRequest,
    payload: bytes,
) -> Effect:
    """Expired or removed; it is named by the id that ReserveNow gave it."""
    return record(context, UPDATE, payload, reference=request.reservation_id, caused_by=("ReserveNow",))
