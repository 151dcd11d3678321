"""LogStatusNotification: progress of a log upload (N01)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import diagnostics as ocpp21
from schemas.ocpp201 import diagnostics as ocpp201


def handle(
    context: StationContext,
    request: ocpp201.LogStatusNotificationRequest | ocpp21.LogStatusNotificationRequest,
    payload: bytes,
) -> Effect:
    """Without requestId it is the answer to a trigger while no upload is going on."""
    return record(context, "log_status", payload, reference=request.request_id, caused_by=("GetLog",))
