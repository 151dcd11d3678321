"""OpenPeriodicEventStream: from now on the values of a monitor come in a stream (N11)."""

from __future__ import annotations

from csms.domain.operations import OpenEventStream
from gateway.effects import Commit, Effect
from gateway.versions import StationContext
from schemas.ocpp21.datatypes import StatusInfoType
from schemas.ocpp21.event_stream import OpenPeriodicEventStreamRequest, OpenPeriodicEventStreamResponse
from schemas.wire import encode


def handle(context: StationContext, request: OpenPeriodicEventStreamRequest, payload: bytes) -> Effect:
    """Refused only when the station has too many streams open; it then goes on with NotifyEvent."""
    stream = request.constant_stream_data
    operation = OpenEventStream(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        stream_id=stream.id,
        variable_monitoring_id=stream.variable_monitoring_id,
        data=payload,
    )
    return Commit(operation=operation, answer=_answer)


def _answer(opened: bool) -> bytes:
    if opened:
        return encode(OpenPeriodicEventStreamResponse(status="Accepted"))
    info = StatusInfoType(reason_code="TooManyElements", additional_info="too many streams are open")
    return encode(OpenPeriodicEventStreamResponse(status="Rejected", status_info=info))
