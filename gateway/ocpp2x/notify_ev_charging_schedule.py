"""NotifyEVChargingSchedule: what the vehicle plans to draw (K15 to K17)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import smart_charging as ocpp21
from schemas.ocpp201 import smart_charging as ocpp201
from schemas.wire import encode


def handle(
    context: StationContext,
    _request: ocpp201.NotifyEVChargingScheduleRequest | ocpp21.NotifyEVChargingScheduleRequest,
    payload: bytes,
) -> Effect:
    """Rejected would announce a new profile. This system plans no limits that the schedule could break, so it has no objection."""
    return record(context, "ev_charging_schedule", payload, answer=_answer)


def _answer(_outcome: None) -> bytes:
    return encode(ocpp201.NotifyEVChargingScheduleResponse(status="Accepted"))
