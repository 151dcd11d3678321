"""NotifyEVChargingNeeds: what the vehicle wants (K15, K17)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.ocpp2x.answers import not_supported
from gateway.versions import StationContext
from schemas.ocpp201.smart_charging import NotifyEVChargingNeedsRequest, NotifyEVChargingNeedsResponse
from schemas.wire import encode


def handle(context: StationContext, _request: NotifyEVChargingNeedsRequest, payload: bytes) -> Effect:
    """Accepted and Processing would announce a charging profile, and none will come: the station charges by those it has."""
    return record(context, "ev_charging_needs", payload, answer=_answer)


def _answer(_outcome: None) -> bytes:
    info = not_supported("no charging profile will be sent")
    return encode(NotifyEVChargingNeedsResponse(status="Rejected", status_info=info))
