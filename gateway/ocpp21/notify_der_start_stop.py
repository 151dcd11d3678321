"""NotifyDERStartStop: a scheduled control of distributed energy resources began or ended (R04)."""

from __future__ import annotations

from csms.domain.times import parse_station_time
from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21.der_control import NotifyDERStartStopRequest


def handle(
    context: StationContext,
    request: NotifyDERStartStopRequest,
    payload: bytes,
) -> Effect:
    """The control is named by the id that SetDERControl gave it."""
    return record(
        context,
        "der_start_stop",
        payload,
        parse_station_time(request.timestamp),
        reference=request.control_id,
        caused_by=("SetDERControl",),
    )
