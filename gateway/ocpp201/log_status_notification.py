"""LogStatusNotification: progress of a log upload (N01)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp201.diagnostics import LogStatusNotificationRequest


def handle(context: StationContext, _request: LogStatusNotificationRequest, payload: bytes) -> Effect:
    """The requestId inside names the GetLog it belongs to."""
    return record(context, "log_status", payload)
