"""StatusNotification: the state of a connector."""

from __future__ import annotations

from csms.domain.operations import ReportConnectorStatus
from csms.domain.times import parse_station_time
from gateway.common.answers import empty_answer
from gateway.common.station_events import record
from gateway.effects import Commit, Effect
from gateway.versions import StationContext
from schemas.ocpp21 import availability as ocpp21
from schemas.ocpp201 import availability as ocpp201


def handle(
    context: StationContext,
    request: ocpp201.StatusNotificationRequest | ocpp21.StatusNotificationRequest,
    payload: bytes,
) -> Effect:
    """An EVSE or connector below 0 cannot exist: kept as an event of the station and answered normally."""
    time = parse_station_time(request.timestamp)
    if request.evse_id < 0 or request.connector_id < 0:
        return record(context, "suspect_status", payload, time)
    operation = ReportConnectorStatus(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        evse_id=request.evse_id,
        connector_id=request.connector_id,
        status=request.connector_status,
        time=time,
    )
    return Commit(operation=operation, answer=empty_answer)
