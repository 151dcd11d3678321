"""NotifyDERAlarm: a fault of the grid met a control of distributed energy resources, or is over (R05)."""

from __future__ import annotations

from csms.domain.times import parse_station_time
from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21.der_control import NotifyDERAlarmRequest


def handle(
    context: StationContext,
    request: NotifyDERAlarmRequest,
    payload: bytes,
) -> Effect:
    """Dated by when the station saw it."""
    return record(context, "der_alarm", payload, parse_station_time(request.timestamp))
