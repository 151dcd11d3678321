"""NotifySettlement: how the payment of an ad hoc charge was settled (C20 to C22)."""

from __future__ import annotations

from csms.domain.times import parse_station_time
from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21.authorization import NotifySettlementRequest


def handle(
    context: StationContext,
    request: NotifySettlementRequest,
    payload: bytes,
) -> Effect:
    """No receipt of ours is named in the answer: there is none."""
    return record(context, "settlement", payload, parse_station_time(request.settlement_time))
