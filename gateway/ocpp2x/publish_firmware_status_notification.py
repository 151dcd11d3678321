"""PublishFirmwareStatusNotification: progress of a local controller that publishes firmware (L03)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import firmware_management as ocpp21
from schemas.ocpp201 import firmware_management as ocpp201


def handle(
    context: StationContext,
    request: ocpp201.PublishFirmwareStatusNotificationRequest | ocpp21.PublishFirmwareStatusNotificationRequest,
    payload: bytes,
) -> Effect:
    """Published carries the addresses to name in UpdateFirmware."""
    return record(context, "publish_firmware_status", payload, reference=request.request_id, caused_by=("PublishFirmware",))
