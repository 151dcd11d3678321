"""NotifyEvent: events of monitors and of the hardware (N07, N08)."""

from __future__ import annotations

from csms.domain.times import parse_station_time
from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import diagnostics as ocpp21
from schemas.ocpp201 import diagnostics as ocpp201


def handle(context: StationContext, request: ocpp201.NotifyEventRequest | ocpp21.NotifyEventRequest, payload: bytes) -> Effect:
    """Kept as one event of the station, dated by when this part of the report was made."""
    return record(context, "device_event", payload, parse_station_time(request.generated_at))
