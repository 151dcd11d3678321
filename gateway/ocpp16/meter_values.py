"""MeterValues: readings of a connector, or of the main meter (rule X10)."""

from __future__ import annotations

from csms.domain.operations import RecordMeterValues
from gateway.common.answers import empty_answer
from gateway.common.metered import Metered
from gateway.effects import Commit, Effect
from gateway.versions import StationContext
from schemas.ocpp16.core import MeterValuesRequest


def handle(context: StationContext, message: tuple[MeterValuesRequest, Metered], payload: bytes) -> Effect:
    """Without a transaction, or for connector 0, the readings belong to the station; below 0 they are suspect."""
    request, metered = message
    connector = max(request.connector_id, 0)
    in_transaction = request.transaction_id is not None and request.connector_id != 0
    operation = RecordMeterValues(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        evse_id=connector,
        connector_id=connector,
        readings=metered.readings,
        payload=metered.text,
        transaction_ref=str(request.transaction_id) if in_transaction else None,
        suspect=metered.suspect or request.connector_id < 0,
    )
    return Commit(operation=operation, answer=empty_answer)
