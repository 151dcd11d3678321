"""Heartbeat: a sign of life that sets the station's clock."""

from __future__ import annotations

from gateway.common.answers import rfc3339
from gateway.effects import Effect, Reply
from gateway.versions import StationContext
from schemas.ocpp201.availability import HeartbeatRequest, HeartbeatResponse
from schemas.wire import encode


def handle(context: StationContext, _request: HeartbeatRequest, _payload: bytes) -> Effect:
    """Answered at once; the connection notes the sign of life."""
    return Reply(payload=encode(HeartbeatResponse(current_time=rfc3339(context.clock.now()))))
