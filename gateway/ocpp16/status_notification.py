"""StatusNotification: the state of a connector, or of the charge point (connector 0)."""

from __future__ import annotations

from csms.domain.operations import ReportConnectorStatus
from csms.domain.times import parse_station_time
from gateway.common.answers import empty_answer
from gateway.common.station_events import record
from gateway.effects import Commit, Effect
from gateway.versions import StationContext
from schemas.ocpp16.core import StatusNotificationRequest


def handle(context: StationContext, request: StatusNotificationRequest, payload: bytes) -> Effect:
    """A connector below 0 cannot exist: the message is kept as an event of the station and answered normally."""
    time = None if request.timestamp is None else parse_station_time(request.timestamp)
    if request.connector_id < 0:
        return record(context, "suspect_status", payload, time)
    operation = ReportConnectorStatus(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        evse_id=request.connector_id,
        connector_id=request.connector_id,
        status=request.status,
        time=time,
        error_code=request.error_code,
        info=request.info,
        vendor_id=request.vendor_id,
        vendor_error_code=request.vendor_error_code,
    )
    return Commit(operation=operation, answer=empty_answer)
