"""LogStatusNotification (security extension): progress of a log upload."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp16.security import LogStatusNotificationRequest


def handle(context: StationContext, request: LogStatusNotificationRequest, payload: bytes) -> Effect:
    """Without requestId it is the answer to a trigger while no upload is going on."""
    return record(context, "log_status", payload, reference=request.request_id, caused_by=("GetLog",))
