"""NotifyMonitoringReport: a part of the list of monitors (N02)."""

from __future__ import annotations

from csms.domain.times import parse_station_time
from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import diagnostics as ocpp21
from schemas.ocpp201 import diagnostics as ocpp201


def handle(
    context: StationContext,
    request: ocpp201.NotifyMonitoringReportRequest | ocpp21.NotifyMonitoringReportRequest,
    payload: bytes,
) -> Effect:
    """Kept part by part; `tbc` tells whether another one comes."""
    return record(
        context,
        "monitoring_report",
        payload,
        parse_station_time(request.generated_at),
        reference=request.request_id,
        caused_by=("GetMonitoringReport",),
    )
