"""StartTransaction: energy flows; the answer hands out the transaction id (rules X1 to X4)."""

from __future__ import annotations

from csms.domain.operations import Started, StartTransaction
from csms.domain.times import parse_station_time
from gateway.effects import Commit, Effect
from gateway.ocpp16.answers import id_tag_info
from gateway.versions import StationContext
from schemas.ocpp16.core import StartTransactionRequest, StartTransactionResponse
from schemas.wire import encode


def handle(context: StationContext, request: StartTransactionRequest, _payload: bytes) -> Effect:
    """A connector below 0 cannot exist: the start is kept for the charge point as a whole, as suspect."""
    connector = max(request.connector_id, 0)
    operation = StartTransaction(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        evse_id=connector,
        connector_id=connector,
        id_token=request.id_tag,
        time=parse_station_time(request.timestamp),
        meter_start_wh=request.meter_start,
        reservation_id=request.reservation_id,
        suspect=request.connector_id < 0,
    )
    return Commit(operation=operation, answer=_answer)


def _answer(outcome: Started) -> bytes:
    return encode(StartTransactionResponse(transaction_id=outcome.transaction_id, id_tag_info=id_tag_info(outcome.decision)))
