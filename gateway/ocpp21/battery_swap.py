"""BatterySwap: batteries were put in or taken out, or nobody took them (S01 to S04)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21.battery_swap import BatterySwapRequest


def handle(
    context: StationContext,
    request: BatterySwapRequest,
    payload: bytes,
) -> Effect:
    """The standard gives no way to refuse it."""
    return record(context, "battery_swap", payload, reference=request.request_id, caused_by=("RequestBatterySwap",))
