"""FirmwareStatusNotification: progress of a firmware update."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp16.firmware_management import FirmwareStatusNotificationRequest


def handle(context: StationContext, _request: FirmwareStatusNotificationRequest, payload: bytes) -> Effect:
    """Kept as it is; 1.6 names no update it belongs to."""
    return record(context, "firmware_status", payload)
