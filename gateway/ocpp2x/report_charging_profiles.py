"""ReportChargingProfiles: a part of the list of installed charging profiles (K09)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import smart_charging as ocpp21
from schemas.ocpp201 import smart_charging as ocpp201


def handle(
    context: StationContext,
    request: ocpp201.ReportChargingProfilesRequest | ocpp21.ReportChargingProfilesRequest,
    payload: bytes,
) -> Effect:
    """Kept part by part; `tbc` tells whether another one comes."""
    return record(context, "charging_profiles", payload, reference=request.request_id, caused_by=("GetChargingProfiles",))
