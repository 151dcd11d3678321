"""SecurityEventNotification: something happened that concerns security (A04)."""

from __future__ import annotations

from csms.domain.times import parse_station_time
from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp201.security import SecurityEventNotificationRequest


def handle(context: StationContext, request: SecurityEventNotificationRequest, payload: bytes) -> Effect:
    return record(context, "security_event", payload, parse_station_time(request.timestamp))
