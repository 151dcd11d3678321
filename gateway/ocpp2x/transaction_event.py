"""TransactionEvent: start, progress and end of a transaction (rules Y1 to Y13)."""

from __future__ import annotations

from csms.domain.operations import EventRecorded, RecordTransactionEvent
from csms.domain.times import parse_station_time
from gateway.common.answers import EMPTY
from gateway.common.metered import Metered
from gateway.effects import Commit, Effect
from gateway.ocpp2x.answers import id_token_info
from gateway.ocpp2x.tokens import NOT_NEEDED, needs_no_authorization
from gateway.versions import StationContext
from schemas.ocpp21 import transactions as ocpp21
from schemas.ocpp201 import transactions as ocpp201
from schemas.wire import encode

Request = ocpp201.TransactionEventRequest | ocpp21.TransactionEventRequest


def handle(context: StationContext, message: tuple[Request, Metered], payload: bytes) -> Effect:
    """An EVSE or connector below 0 cannot exist: the event is kept without it, as suspect.

    An Ended without a reason was stopped locally.
    """
    request, metered = message
    transaction, evse, token = request.transaction_info, request.evse, request.id_token
    evse_id = None if evse is None else evse.id
    connector_id = None if evse is None else evse.connector_id
    impossible = (evse_id or 0) < 0 or (connector_id or 0) < 0
    unverified = token is not None and needs_no_authorization(token)
    operation = RecordTransactionEvent(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        ocpp_version=context.ocpp_version,
        type=request.event_type,
        transaction_ref=transaction.transaction_id,
        seq_no=request.seq_no,
        time=parse_station_time(request.timestamp),
        trigger_reason=request.trigger_reason,
        details=metered.rest,
        payload=payload,
        offline=request.offline or False,
        evse_id=None if impossible else evse_id,
        connector_id=None if impossible else connector_id,
        id_token=None if token is None or unverified else token.id_token,
        token_type=None if token is None else token.type,
        charging_state=transaction.charging_state,
        stopped_reason=transaction.stopped_reason or ("Local" if request.event_type == "Ended" else None),
        remote_start_id=transaction.remote_start_id,
        reservation_id=request.reservation_id,
        readings=metered.readings,
        suspect=metered.suspect or impossible,
    )
    return Commit(operation=operation, answer=_answer_unverified if unverified else _answer)


def _answer(outcome: EventRecorded) -> bytes:
    decision, total_cost = outcome.decision, outcome.total_cost
    if decision is None and total_cost is None:
        return EMPTY
    info = None if decision is None else id_token_info(decision)
    return encode(ocpp201.TransactionEventResponse(total_cost=total_cost, id_token_info=info))


def _answer_unverified(outcome: EventRecorded) -> bytes:
    return encode(ocpp201.TransactionEventResponse(total_cost=outcome.total_cost, id_token_info=NOT_NEEDED))
