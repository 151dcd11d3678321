"""PullDynamicScheduleUpdate: the station asks for new values of a dynamic charging profile (K28, Q04)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.ocpp21.answers import not_supported
from gateway.versions import StationContext
from schemas.ocpp21.smart_charging import PullDynamicScheduleUpdateRequest, PullDynamicScheduleUpdateResponse
from schemas.wire import encode


def handle(context: StationContext, request: PullDynamicScheduleUpdateRequest, payload: bytes) -> Effect:
    """This system works out no values; whoever sent the profile sends new ones with UpdateDynamicSchedule."""
    return record(
        context,
        "dynamic_schedule_request",
        payload,
        answer=_answer,
        reference=request.charging_profile_id,
        caused_by=("SetChargingProfile",),
    )


def _answer(_outcome: None) -> bytes:
    info = not_supported("no values are planned for this profile")
    return encode(PullDynamicScheduleUpdateResponse(status="Rejected", status_info=info))
