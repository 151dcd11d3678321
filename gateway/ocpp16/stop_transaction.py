"""StopTransaction: the end of a transaction (rules X5 to X8, X11)."""

from __future__ import annotations

from csms.domain.operations import Stopped, StopTransaction
from csms.domain.times import parse_station_time
from gateway.effects import Commit, Effect
from gateway.ocpp16.answers import id_tag_info
from gateway.ocpp16.metering import read_meter_values
from gateway.versions import StationContext
from schemas.ocpp16.core import StopTransactionRequest, StopTransactionResponse
from schemas.wire import encode


def handle(context: StationContext, request: StopTransactionRequest, payload: bytes) -> Effect:
    """An absent reason means Local."""
    readings, suspect = read_meter_values(request.transaction_data or (), payload, [])
    operation = StopTransaction(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        transaction_ref=str(request.transaction_id),
        time=parse_station_time(request.timestamp),
        meter_stop_wh=request.meter_stop,
        payload=payload,
        id_token=request.id_tag,
        reason=request.reason or "Local",
        readings=readings,
        suspect=suspect,
    )
    return Commit(operation=operation, answer=_answer)


def _answer(outcome: Stopped) -> bytes:
    decision = outcome.decision
    return encode(StopTransactionResponse(id_tag_info=None if decision is None else id_tag_info(decision)))
