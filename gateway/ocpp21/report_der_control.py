"""ReportDERControl: a part of the list of controls of distributed energy resources (R04)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21.der_control import ReportDERControlRequest


def handle(
    context: StationContext,
    request: ReportDERControlRequest,
    payload: bytes,
) -> Effect:
    """Kept part by part; `tbc` tells whether another one comes."""
    return record(context, "der_control", payload, reference=request.request_id, caused_by=("GetDERControl",))
