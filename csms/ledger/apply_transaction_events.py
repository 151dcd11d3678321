"""OCPP 2.x TransactionEvent (rules Y1 to Y13)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

import msgspec

from csms.domain.decisions import Decision
from csms.domain.folding import begins_new_incarnation, fold_event
from csms.domain.operations import EventRecorded, RecordTransactionEvent
from csms.domain.reservations import Use
from csms.domain.session_state import SessionState
from csms.domain.times import is_live
from csms.ledger.apply_costs import final_costs
from csms.ledger.apply_tokens import decide_tokens
from csms.ledger.context import RESUMPTION, BatchContext
from csms.ledger.encoding import encode
from csms.ledger.port import LedgerTransaction, RefKey
from csms.ledger.rows import EventRow, SampleRow
from csms.ledger.session_events import publish_ended, publish_started, publish_updated
from csms.ledger.weighing import TokenQuestion


class _Answer(msgspec.Struct, omit_defaults=True):
    decision: Decision | None = None
    total_cost: Decimal | None = None


def event_digest(op: RecordTransactionEvent) -> bytes:
    """What makes two events with one seqNo the same event (rule Y6); `offline` may differ in a repeat."""
    return hashlib.sha256(encode((op.type, op.time.text, op.trigger_reason))).digest()


async def record(tx: LedgerTransaction, context: BatchContext, ops: Sequence[RecordTransactionEvent]) -> list[EventRecorded]:
    sessions = await _locked_sessions(tx, context, ops)
    stored = await _events_of_the_same_number(tx, ops, sessions)

    outcomes: dict[int, EventRecorded] = {}
    fresh: list[int] = []
    for index, op in enumerate(ops):
        session = sessions.get((op.tenant_id, op.station_id, op.transaction_ref))
        events = [] if session is None else stored.get((session.tenant_id, session.session_id, op.seq_no), [])
        same = next((e for e in events if e.digest == event_digest(op)), None)
        if same is None:
            fresh.append(index)
        else:
            told = msgspec.json.decode(same.answer, type=_Answer)
            outcomes[index] = EventRecorded(told.decision, told.total_cost)

    new_ids = {index: context.ids.uuid7() for index in fresh if _makes_session(sessions, ops[index])}
    with_token = [index for index in fresh if ops[index].id_token is not None]
    questions = [_question(context, ops[index], sessions, new_ids.get(index)) for index in with_token]
    decisions = iter(await decide_tokens(tx, context, questions))
    created: list[SessionState] = []
    changed: list[SessionState] = []
    resumed: list[SessionState] = []
    ended: dict[int, tuple[RecordTransactionEvent, SessionState, EventRow]] = {}
    for index in fresh:
        op = ops[index]
        decision = next(decisions) if op.id_token is not None else None
        session = sessions.get((op.tenant_id, op.station_id, op.transaction_ref))
        events = [] if session is None else stored.get((session.tenant_id, session.session_id, op.seq_no), [])
        if session is None or index in new_ids:
            incarnation = 0 if session is None else session.incarnation + 1
            session = SessionState(
                op.tenant_id, new_ids[index], op.station_id, op.ocpp_version, op.transaction_ref, incarnation=incarnation
            )
            if incarnation:
                session.flag("reused_id")
            events = []
            created.append(session)
        else:
            context.corrections.watch(session, "TransactionEvent")
            changed.append(session)
        if op.replayed:
            session.flag("replayed")
        _keep_event(context, session, op, decision, conflict=bool(events))
        if op.reservation_id is not None:
            context.reservation_uses.append(Use(op.tenant_id, op.station_id, op.reservation_id, session.session_id))
        if _is_resumed(context, op, session):
            resumed.append(session)
        outcomes[index] = EventRecorded(decision)
        if op.type == "Ended" and not events:
            ended[index] = (op, session, context.events[-1])
    if ended:
        costs = await final_costs(tx, context, [(op, session) for op, session, _ in ended.values()])
        for index, (_, session, event) in ended.items():
            cost = outcomes[index].total_cost = costs.get(session.session_id)
            event.answer = encode(_Answer(outcomes[index].decision, cost))
    if created:
        linked = await tx.link_remote_starts(created)
        for session in created:
            session.command_id = linked.get(session.session_id)
        await tx.insert_sessions(created)
    if changed:
        unlinked = [s for s in changed if s.command_id is None and s.remote_start_id is not None]
        if unlinked:
            linked = await tx.link_remote_starts(unlinked)
            for session in unlinked:
                session.command_id = linked.get(session.session_id)
        await tx.update_sessions(changed)
    if resumed:
        profiles = await tx.tx_profiles(resumed)
        for session in resumed:
            for profile in profiles.get((session.tenant_id, session.session_id), ()):
                action = "SetChargingProfile" if profile.command is None else None
                context.order(session, action, profile.payload, RESUMPTION, command=profile.command)
    return [outcomes[index] for index in range(len(ops))]


def _makes_session(sessions: Mapping[RefKey, SessionState], op: RecordTransactionEvent) -> bool:
    session = sessions.get((op.tenant_id, op.station_id, op.transaction_ref))
    return session is None or begins_new_incarnation(session, op)


def _question(
    context: BatchContext, op: RecordTransactionEvent, sessions: Mapping[RefKey, SessionState], new_id: UUID | None
) -> TokenQuestion:
    """The first token of a session is the one that it begins with, whatever event it comes in; the cable may have been there
    before the card."""
    session = sessions.get((op.tenant_id, op.station_id, op.transaction_ref))
    session_id = new_id or (None if session is None else session.session_id)
    begins = new_id is not None or session is None or session.id_token is None
    return TokenQuestion(
        op.tenant_id,
        op.station_id,
        op.id_token or "",
        op.token_type,
        "begin" if begins else "go_on",
        op.type == "Started" or (begins and op.type == "Updated"),
        op.evse_id if op.evse_id is not None or session is None or new_id is not None else session.evse_id,
        op.transaction_ref,
        session_id,
        op.external,
        is_live(op.time, context.now) and not op.replayed,
    )


async def _locked_sessions(
    tx: LedgerTransaction, context: BatchContext, ops: Sequence[RecordTransactionEvent]
) -> dict[RefKey, SessionState]:
    """The sessions of the events, as far as there are any, with their rows locked.

    Where one may have to be made its station is locked first, so that two processes that see a new transaction take turns.
    """
    refs = {(op.tenant_id, op.station_id, op.transaction_ref) for op in ops}
    going_on = {(op.tenant_id, op.station_id, op.transaction_ref) for op in ops if op.type != "Started"}
    known = context.known_sessions.find(going_on).keys()
    await context.lock_stations(tx, {(tenant_id, station_id) for tenant_id, station_id, _ in refs - known})
    sessions = await tx.sessions_by_ref(refs)
    if gone := known - sessions.keys():
        await context.lock_stations(tx, {(tenant_id, station_id) for tenant_id, station_id, _ in gone})
        sessions |= await tx.sessions_by_ref(gone)
    context.looked_up_sessions |= {key: sessions[key].session_id for key in (going_on & sessions.keys()) - known}
    return sessions


async def _events_of_the_same_number(
    tx: LedgerTransaction, ops: Sequence[RecordTransactionEvent], sessions: Mapping[RefKey, SessionState]
) -> dict[tuple[int, UUID, int], list[EventRow]]:
    """Stored events with the sequence numbers of these ones; mostly there are none, because a number is the highest so far."""
    asked = set()
    for op in ops:
        session = sessions.get((op.tenant_id, op.station_id, op.transaction_ref))
        if session is not None and session.last_seq is not None and op.seq_no <= session.last_seq:
            asked.add((session.tenant_id, session.session_id, op.seq_no))
    return await tx.events_at(asked) if asked else {}


def _is_resumed(context: BatchContext, op: RecordTransactionEvent, session: SessionState) -> bool:
    """It goes on after a reboot, so that its station may have lost its charging profile (rule Y12, E17.FR.15)."""
    return op.trigger_reason == "TxResumed" and session.status == "active" and not op.replayed and is_live(op.time, context.now)


def _keep_event(
    context: BatchContext, session: SessionState, op: RecordTransactionEvent, decision: Decision | None, *, conflict: bool
) -> None:
    fold_event(session, op, decision, conflict=conflict)
    context.samples.extend(SampleRow(op.tenant_id, session.session_id, reading) for reading in op.readings)
    context.events.append(
        EventRow(
            op.tenant_id,
            session.session_id,
            op.seq_no,
            event_digest(op),
            op.type,
            op.time.ts,
            op.time.text,
            op.trigger_reason,
            op.offline,
            conflict,
            op.details,
            encode(_Answer(decision)),
        )
    )
    if op.type == "Ended" and "missing_events" in session.flags and not op.replayed:
        context.ask_for_queue(session)
    publish = {"Started": publish_started, "Ended": publish_ended}.get(op.type, publish_updated)
    # in conflict with what is stored it begins and ends nothing
    (publish_updated if conflict else publish)(context, session)
