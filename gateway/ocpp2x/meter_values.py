"""MeterValues: readings that belong to no transaction (J01); EVSE 0 is the main meter."""

from __future__ import annotations

from csms.domain.operations import RecordMeterValues
from gateway.common.answers import empty_answer
from gateway.effects import Commit, Effect
from gateway.ocpp2x.metering import METERED
from gateway.versions import StationContext
from schemas.ocpp21 import meter_values as ocpp21
from schemas.ocpp201 import meter_values as ocpp201


def handle(context: StationContext, request: ocpp201.MeterValuesRequest | ocpp21.MeterValuesRequest, payload: bytes) -> Effect:
    """An EVSE below 0 cannot exist: the readings are kept for the station as a whole, as suspect."""
    metered = METERED.take(request.meter_value, payload)
    operation = RecordMeterValues(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        evse_id=max(request.evse_id, 0),
        connector_id=0,
        readings=metered.readings,
        payload=metered.text,
        suspect=metered.suspect or request.evse_id < 0,
    )
    return Commit(operation=operation, answer=empty_answer)
