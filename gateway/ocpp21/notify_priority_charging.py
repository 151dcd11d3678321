"""NotifyPriorityCharging: priority charging of a transaction began or ended (K21, K22)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21.smart_charging import NotifyPriorityChargingRequest


def handle(
    context: StationContext,
    request: NotifyPriorityChargingRequest,
    payload: bytes,
) -> Effect:
    """Tied to the UsePriorityCharging of that transaction; a driver may have switched it at the station instead."""
    return record(context, "priority_charging", payload, reference=request.transaction_id, caused_by=("UsePriorityCharging",))
