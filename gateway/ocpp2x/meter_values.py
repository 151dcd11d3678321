"""MeterValues: readings that belong to no transaction (J01); EVSE 0 is the main meter."""

from __future__ import annotations

from csms.domain.operations import RecordMeterValues
from gateway.common.answers import empty_answer
from gateway.common.metered import Metered
from gateway.effects import Commit, Effect
from gateway.versions import StationContext
from schemas.ocpp21 import meter_values as ocpp21
from schemas.ocpp201 import meter_values as ocpp201

Request = ocpp201.MeterValuesRequest | ocpp21.MeterValuesRequest


def handle(context: StationContext, message: tuple[Request, Metered], payload: bytes) -> Effect:
    """An EVSE below 0 cannot exist: the readings are kept for the station as a whole, as suspect."""
    request, metered = message
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
