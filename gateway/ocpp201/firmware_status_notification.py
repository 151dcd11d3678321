"""FirmwareStatusNotification: progress of a firmware update (L01, L02)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp201.firmware_management import FirmwareStatusNotificationRequest


def handle(context: StationContext, _request: FirmwareStatusNotificationRequest, payload: bytes) -> Effect:
    """The requestId inside names the UpdateFirmware it belongs to."""
    return record(context, "firmware_status", payload)
