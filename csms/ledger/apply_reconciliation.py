"""Sessions whose end is in doubt: asked about after boots, cuts and silence, closed when their station forgot them (rule Y8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from csms.domain.folding import close_without_stop, thinned_out
from csms.domain.operations import FinishCommand, ReconcileSessions, ReportConnectorStatus
from csms.domain.session_state import SessionState
from csms.domain.times import is_live
from csms.ledger.context import QUESTION, BatchContext
from csms.ledger.port import LedgerTransaction, SessionKey
from csms.ledger.rows import FinishedCommand
from csms.ledger.session_events import publish_ended

AT_ONCE: Final = 100
"""Sessions that one look takes up: a whole network that comes back is asked little by little."""
UNHEARD_AGAIN: Final = timedelta(minutes=1)
"""How long after a question that nobody answered the next one may follow."""
_UNHEARD: Final = frozenset({"timed_out", "unknown", "expired"})
_FREE: Final = frozenset({"Available", "Preparing", "Reserved"})
"""States of an OCPP 1.6 connector on which no transaction runs."""


class _TransactionStatus(msgspec.Struct, rename="camel"):
    """The answer to GetTransactionStatus."""

    messages_in_queue: bool
    ongoing_indicator: bool | None = None


_read_status = msgspec.json.Decoder(_TransactionStatus).decode


async def reconcile(tx: LedgerTransaction, context: BatchContext, ops: Sequence[ReconcileSessions]) -> list[None]:
    for op in ops:
        silence, settle = timedelta(seconds=op.silence_s), timedelta(seconds=op.settle_s)
        given_up = await tx.forlorn_sessions(timedelta(seconds=op.give_up_s), AT_ONCE)
        for session in given_up:
            close_without_stop(session, "given_up")
            publish_ended(context, session)
        if given_up:
            await tx.update_sessions(given_up)
        for session in await tx.silent_sessions(op.process_id, silence=silence, settle=settle, limit=AT_ONCE):
            _ask(context, session)
    return [None] * len(ops)


def _ask(context: BatchContext, session: SessionState) -> None:
    if session.status != "active" and "missing_events" not in session.flags:
        context.ask_again[session.tenant_id, session.session_id] = None
    elif session.ocpp_version != "ocpp1.6":
        context.ask_for_queue(session)
    else:
        # 1.6 cannot be asked about a transaction: the states of its connector and its meter tell (rule Y8)
        for message in ("MeterValues", "StatusNotification"):
            context.ask(session, "TriggerMessage", {"requestedMessage": message, "connectorId": session.connector_id})


async def answered(
    tx: LedgerTransaction, context: BatchContext, ops: Sequence[FinishCommand], finished: Sequence[FinishedCommand | None]
) -> None:
    """Stations have answered our questions."""
    answers: dict[SessionKey, _TransactionStatus] = {}
    for op, command in zip(ops, finished, strict=True):
        if command is None or command.requested_by != QUESTION or command.session_id is None:
            continue
        key = (op.tenant_id, command.session_id)
        if op.status in _UNHEARD:
            context.ask_again[key] = context.now + UNHEARD_AGAIN
        elif op.status == "accepted" and op.result is not None and command.action == "GetTransactionStatus":
            answers[key] = _read_status(op.result)
    if not answers:
        return
    changed = []
    for key, session in (await tx.sessions_by_id(answers)).items():
        answer = answers[key]
        if answer.messages_in_queue or (answer.ongoing_indicator and session.status == "active"):
            continue  # it comes, or goes on: asked again when it stays silent
        if session.status == "active":
            close_without_stop(session, "reconciled")
            publish_ended(context, session)
        elif "missing_events" in session.flags:
            if not thinned_out(session):
                session.flag("events_lost")
            context.ask_again[key] = None
        else:
            continue
        changed.append(session)
    if changed:
        await tx.update_sessions(changed)


async def connectors_told(tx: LedgerTransaction, context: BatchContext, ops: Sequence[ReportConnectorStatus]) -> None:
    """OCPP 1.6: an asked station says that nothing runs on the connector of a session."""
    free = {
        (op.tenant_id, op.station_id, op.connector_id)
        for op in ops
        if op.connector_id and op.status in _FREE and is_live(op.time, context.now)
    }
    if not free:
        return
    forgotten = await tx.asked_on_connectors(free)
    for session in forgotten:
        close_without_stop(session, "reconciled")
        publish_ended(context, session)
    if forgotten:
        await tx.update_sessions(forgotten)
