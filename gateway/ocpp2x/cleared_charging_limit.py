"""ClearedChargingLimit: a limit that others had set is lifted (K13)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import smart_charging as ocpp21
from schemas.ocpp201 import smart_charging as ocpp201


def handle(
    context: StationContext,
    _request: ocpp201.ClearedChargingLimitRequest | ocpp21.ClearedChargingLimitRequest,
    payload: bytes,
) -> Effect:
    """Who had set it and for which EVSE is in the message."""
    return record(context, "cleared_charging_limit", payload)
