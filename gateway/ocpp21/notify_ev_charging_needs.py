"""NotifyEVChargingNeeds: what the vehicle wants (K15, K17, K20)."""

from __future__ import annotations

from csms.domain.times import parse_station_time
from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21.smart_charging import NotifyEVChargingNeedsRequest, NotifyEVChargingNeedsResponse
from schemas.wire import encode


def handle(context: StationContext, request: NotifyEVChargingNeedsRequest, payload: bytes) -> Effect:
    """Accepted and Processing would announce a charging profile, and none will come: the station charges by those it has.

    2.1 has a status for that. Rejected would refuse the kind of energy transfer and could end the transaction.
    """
    time = None if request.timestamp is None else parse_station_time(request.timestamp)
    return record(context, "ev_charging_needs", payload, time, _answer)


def _answer(_outcome: None) -> bytes:
    return encode(NotifyEVChargingNeedsResponse(status="NoChargingProfile"))
