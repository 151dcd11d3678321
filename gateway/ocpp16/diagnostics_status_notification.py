"""DiagnosticsStatusNotification: progress of a diagnostics upload."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp16.firmware_management import DiagnosticsStatusNotificationRequest


def handle(context: StationContext, _request: DiagnosticsStatusNotificationRequest, payload: bytes) -> Effect:
    """Kept as it is; 1.6 names no upload it belongs to."""
    return record(context, "diagnostics_status", payload)
