"""SignedFirmwareStatusNotification (security extension): progress of a signed firmware update."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp16.security import SignedFirmwareStatusNotificationRequest


def handle(context: StationContext, request: SignedFirmwareStatusNotificationRequest, payload: bytes) -> Effect:
    """Unsigned updates report under the same kind of event, without a requestId."""
    return record(context, "firmware_status", payload, reference=request.request_id, caused_by=("SignedUpdateFirmware",))
