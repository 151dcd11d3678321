"""NotifyPeriodicEventStream: values of a monitor in a stream (N15); a SEND, which is never answered."""

from __future__ import annotations

from csms.domain.operations import RecordStreamValues
from csms.domain.times import parse_station_time
from gateway.versions import StationContext
from schemas.ocpp21.event_stream import NotifyPeriodicEventStreamRequest


def handle(context: StationContext, request: NotifyPeriodicEventStreamRequest, payload: bytes) -> RecordStreamValues:
    """Dated by its first value."""
    return RecordStreamValues(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        stream_id=request.id,
        data=payload,
        time=parse_station_time(request.basetime),
    )
