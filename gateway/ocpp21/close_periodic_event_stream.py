"""ClosePeriodicEventStream: a stream has ended, and nothing more of it comes (N13)."""

from __future__ import annotations

from csms.domain.operations import CloseEventStream
from gateway.common.answers import empty_answer
from gateway.effects import Commit, Effect
from gateway.versions import StationContext
from schemas.ocpp21.event_stream import ClosePeriodicEventStreamRequest


def handle(context: StationContext, request: ClosePeriodicEventStreamRequest, payload: bytes) -> Effect:
    """A stream that is not open is closed already."""
    operation = CloseEventStream(tenant_id=context.tenant_id, station_id=context.station_id, stream_id=request.id, data=payload)
    return Commit(operation=operation, answer=empty_answer)
