"""OCPP 1.6 StartTransaction and StopTransaction (rules X1 to X11)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

import msgspec

from csms.domain.decisions import Decision
from csms.domain.folding import START_SEQ, STOP_SEQ, fold_start, fold_stop, supersede
from csms.domain.metering import Reading
from csms.domain.operations import Orphaned, Started, StartTransaction, Stopped, StopTransaction
from csms.domain.reservations import Use
from csms.domain.session_state import SessionState
from csms.domain.times import CLOCKLESS_BEFORE, is_live
from csms.ledger.apply_tokens import decide_tokens
from csms.ledger.context import BatchContext
from csms.ledger.encoding import encode
from csms.ledger.orphans import keep_orphan, match_unanswered
from csms.ledger.port import LedgerTransaction
from csms.ledger.rows import EventRow, SampleRow
from csms.ledger.session_events import publish_ended, publish_started
from csms.ledger.weighing import TokenQuestion


class _StartAnswer(msgspec.Struct):
    transaction_id: int
    decision: Decision


class _StopAnswer(msgspec.Struct, omit_defaults=True):
    decision: Decision | None = None


def start_key(op: StartTransaction) -> bytes:
    """What makes a start the same start (rule X3), whatever its message id."""
    content = (op.evse_id, op.connector_id, op.id_token.lower(), op.time.text, op.meter_start_wh)
    return hashlib.sha256(encode(content)).digest()


def stop_digest(op: StopTransaction) -> bytes:
    """What makes a stop the same stop (rule X7)."""
    return hashlib.sha256(encode((op.meter_stop_wh, op.time.text))).digest()


async def start(tx: LedgerTransaction, context: BatchContext, ops: Sequence[StartTransaction]) -> list[Started]:
    # the row lock makes two processes that hold a repeat each take turns
    await context.lock_stations(tx, {(op.tenant_id, op.station_id) for op in ops})
    keys = [(op.tenant_id, op.station_id, start_key(op)) for op in ops]
    known = await tx.sessions_by_start_key(set(keys))
    outcomes: dict[int, Started] = {}
    first_answers = await tx.events_at({(s.tenant_id, s.session_id, START_SEQ) for s in known.values()}) if known else {}
    for index, (op, key) in enumerate(zip(ops, keys, strict=True)):
        session = known.get(key)
        if session is None or _is_new_of_clockless(session, op):
            continue
        stored = first_answers.get((session.tenant_id, session.session_id, START_SEQ))
        outcomes[index] = _past_answer(session) if stored is None else _stored_answer(stored[0])
    fresh = [index for index in range(len(ops)) if index not in outcomes]
    if fresh:
        outcomes.update(zip(fresh, await _begin(tx, context, [ops[i] for i in fresh]), strict=True))
    return [outcomes[index] for index in range(len(ops))]


def _stored_answer(event: EventRow) -> Started:
    answer = msgspec.json.decode(event.answer, type=_StartAnswer)
    return Started(answer.transaction_id, answer.decision)


def _past_answer(session: SessionState) -> Started:
    """What was answered as far as the session knows it: its events are past their retention."""
    decision = {
        "status": session.authorization_status or "Unknown",
        "group_id_token": session.group_id_token,
        "reason": session.authorization_reason,
    }
    return Started(int(session.transaction_ref), msgspec.convert(decision, Decision))


def _is_new_of_clockless(session: SessionState, op: StartTransaction) -> bool:
    """Equal content is no proof of a repeat where the clock counts from 1970 (rule X3)."""
    over = session.ended_seq is not None or "reconciled" in session.flags
    return over and (op.time.ts is None or op.time.ts < CLOCKLESS_BEFORE)


async def _begin(tx: LedgerTransaction, context: BatchContext, ops: Sequence[StartTransaction]) -> list[Started]:
    session_ids = [context.ids.uuid7() for _ in ops]
    decisions = await decide_tokens(
        tx,
        context,
        [
            TokenQuestion(
                op.tenant_id,
                op.station_id,
                op.id_token,
                None,
                "begin",
                True,
                op.evse_id,
                session_id=session_id,
                external=op.external,
                live=is_live(op.time, context.now) and not op.replayed,
            )
            for op, session_id in zip(ops, session_ids, strict=True)
        ],
    )
    open_sessions = await tx.open_sessions({(op.tenant_id, op.station_id) for op in ops})
    transaction_ids = await context.transaction_ids.take(tx, len(ops))
    superseded: list[SessionState] = []
    sessions: list[SessionState] = []
    for op, session_id, decision, transaction_id in zip(ops, session_ids, decisions, transaction_ids, strict=True):
        for other in open_sessions.get((op.tenant_id, op.station_id), ()):
            if other.connector_id == op.connector_id:
                supersede(other)
                superseded.append(other)
                publish_ended(context, other)
        session = SessionState(op.tenant_id, session_id, op.station_id, "ocpp1.6", str(transaction_id), start_key=start_key(op))
        fold_start(session, op, decision)
        if op.replayed:
            session.flag("replayed")
        sessions.append(session)
        if op.reservation_id is not None:
            context.reservation_uses.append(Use(op.tenant_id, op.station_id, op.reservation_id, session_id))
        context.events.append(
            EventRow(
                op.tenant_id,
                session.session_id,
                START_SEQ,
                session.start_key or b"",
                "StartTransaction",
                op.time.ts,
                op.time.text,
                None,
                False,
                False,
                encode(
                    {
                        "connectorId": op.connector_id,
                        "idTag": op.id_token,
                        "meterStart": op.meter_start_wh,
                        "timestamp": op.time.text,
                        "reservationId": op.reservation_id,
                    }
                ),
                encode(_StartAnswer(transaction_id, decision)),
            )
        )
    linked = await tx.link_remote_starts(sessions)
    for session in sessions:
        session.command_id = linked.get(session.session_id)
        publish_started(context, session)
    if superseded:
        await tx.update_sessions(superseded)
    await tx.insert_sessions(sessions)
    return [Started(number, decision) for number, decision in zip(transaction_ids, decisions, strict=True)]


async def stop(tx: LedgerTransaction, context: BatchContext, ops: Sequence[StopTransaction]) -> list[Stopped | Orphaned]:
    by_ref = await tx.sessions_by_ref({(op.tenant_id, op.station_id, op.transaction_ref) for op in ops})
    lost = [op for op in ops if (op.tenant_id, op.station_id, op.transaction_ref) not in by_ref]
    elsewhere = await tx.refs_elsewhere({(op.tenant_id, op.station_id, op.transaction_ref) for op in lost}) if lost else set()
    unanswered = [op for op in lost if op.transaction_ref == "-1"]
    candidates = await tx.open_sessions({(op.tenant_id, op.station_id) for op in unanswered}) if unanswered else {}

    found: list[SessionState | None] = []
    for op in ops:
        session = by_ref.get((op.tenant_id, op.station_id, op.transaction_ref))
        if session is None and op.transaction_ref == "-1":
            session = match_unanswered(candidates.get((op.tenant_id, op.station_id), ()), None, op.id_token, op.time.ts)
        found.append(session)
    stored = await tx.events_at({(s.tenant_id, s.session_id, STOP_SEQ) for s in found if s is not None})
    decisions = iter(
        await decide_tokens(
            tx,
            context,
            [
                TokenQuestion(
                    op.tenant_id,
                    op.station_id,
                    op.id_token,
                    None,
                    "go_on",
                    session_id=None if session is None else session.session_id,
                    external=op.external,
                )
                for op, session in zip(ops, found, strict=True)
                if op.id_token is not None
            ],
        )
    )
    changed = []
    outcomes: list[Stopped | Orphaned] = []
    for op, session in zip(ops, found, strict=True):
        decision = next(decisions) if op.id_token is not None else None
        if session is None and op.replayed:
            outcomes.append(Orphaned())
            continue
        if session is None:
            keep_orphan(
                context,
                op,
                "ocpp1.6",
                "StopTransaction",
                op.payload,
                foreign=(op.tenant_id, op.station_id, op.transaction_ref) in elsewhere,
            )
            outcomes.append(Stopped(decision))
            continue
        digest = stop_digest(op)
        events = stored.get((session.tenant_id, session.session_id, STOP_SEQ), [])
        same = next((e for e in events if e.digest == digest), None)
        if same is not None:
            outcomes.append(Stopped(msgspec.json.decode(same.answer, type=_StopAnswer).decision))
            continue
        context.corrections.watch(session, "StopTransaction")
        if op.replayed:
            session.flag("replayed")
        conflict = bool(events)
        if conflict:
            # the first one bills (rule X7)
            session.flag("conflict")
        else:
            fold_stop(session, op)
            publish_ended(context, session)
        changed.append(session)
        _keep_readings(context, session.tenant_id, session.session_id, op.readings)
        context.events.append(
            EventRow(
                op.tenant_id,
                session.session_id,
                STOP_SEQ,
                digest,
                "StopTransaction",
                op.time.ts,
                op.time.text,
                None,
                False,
                conflict,
                op.payload,
                encode(_StopAnswer(decision)),
            )
        )
        outcomes.append(Stopped(decision))
    if changed:
        await tx.update_sessions(changed)
    return outcomes


def _keep_readings(context: BatchContext, tenant_id: int, session_id: UUID, readings: Sequence[Reading]) -> None:
    context.samples.extend(SampleRow(tenant_id, session_id, reading) for reading in readings)
