"""NotifyChargingLimit: somebody else limits the station (K11, K12, K14)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import smart_charging as ocpp21
from schemas.ocpp201 import smart_charging as ocpp201


def handle(
    context: StationContext,
    _request: ocpp201.NotifyChargingLimitRequest | ocpp21.NotifyChargingLimitRequest,
    payload: bytes,
) -> Effect:
    """The limit is kept as told; who plans charging reads it from there."""
    return record(context, "charging_limit", payload)
