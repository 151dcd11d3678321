"""FirmwareStatusNotification: progress of a firmware update (L01, L02)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import firmware_management as ocpp21
from schemas.ocpp201 import firmware_management as ocpp201


def handle(
    context: StationContext,
    request: ocpp201.FirmwareStatusNotificationRequest | ocpp21.FirmwareStatusNotificationRequest,
    payload: bytes,
) -> Effect:
    """Without requestId it is the answer to a trigger while no update is going on."""
    return record(context, "firmware_status", payload, reference=request.request_id, caused_by=("UpdateFirmware",))
