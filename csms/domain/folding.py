"""How events and readings become a session (design 2, rules X4 to X11 and Y4 to Y12). Pure: rows in, rows changed.

The state machine of a session:

    (first sight) -> active -> completed      a stop came: StopTransaction, or TransactionEvent Ended
                     active -> incomplete     the stop will not come: superseded, forced, or given up
                     incomplete -> completed  it came after all

Nothing reopens a session. What arrives late is merged into it, whatever its state.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from csms.domain.decisions import Decision
from csms.domain.metering import Reading
from csms.domain.operations import RecordTransactionEvent, StartTransaction, StopTransaction
from csms.domain.session_state import SessionState
from csms.domain.times import EARLIEST
from csms.domain.token_identity import canonical

START_SEQ: Final = 0
STOP_SEQ: Final = 1
"""Sequence numbers that the events of an OCPP 1.6 transaction are stored under."""


def fold_start(session: SessionState, op: StartTransaction, decision: Decision) -> None:
    """Begin an OCPP 1.6 session."""
    session.evse_id = op.evse_id
    session.connector_id = op.connector_id
    session.reservation_id = op.reservation_id
    session.start_time, session.start_time_text = op.time.ts, op.time.text
    session.start_meter_wh = session.last_meter_wh = Decimal(op.meter_start_wh)
    session.last_meter_time = op.time.ts
    session.energy_wh = Decimal(0)
    session.first_seq = session.last_seq = session.started_seq = START_SEQ
    session.event_count = 1
    _fold_token(session, op.id_token, None, decision)
    _fold_doubt(session, op)


def fold_stop(session: SessionState, op: StopTransaction) -> None:
    """End an OCPP 1.6 session: energy_wh is meterStop - meterStart."""
    session.status = "completed"
    _stop_has_come(session)
    session.stop_time, session.stop_time_text = op.time.ts, op.time.text
    session.stop_reason = op.reason
    session.stop_meter_wh = session.last_meter_wh = Decimal(op.meter_stop_wh)
    session.last_meter_time = op.time.ts or session.last_meter_time
    session.last_seq = session.ended_seq = STOP_SEQ
    session.event_count = 2
    if session.start_meter_wh is not None:
        session.energy_wh = session.stop_meter_wh - session.start_meter_wh
        if session.energy_wh < 0:
            session.flag("suspect")
    _fold_doubt(session, op)


def supersede(session: SessionState) -> None:
    """Another start on the same connector: the stop of this one is missing (rule X4)."""
    close_without_stop(session, "superseded")


def close_without_stop(session: SessionState, why: str) -> None:
    """The stop will not come: the session ends where it was last known (rule Y8). A stop that comes after all counts.

    `why`, kept as a flag: superseded, reconciled (its station does not know it any more), given_up, closed_by_operator.
    """
    session.status = "incomplete"
    session.flag(why)
    session.flag("stop_missing")
    session.stop_time = session.last_meter_time
    session.stop_meter_wh = session.last_meter_wh


def fold_late_register(session: SessionState, wh: Decimal, ts: datetime) -> None:
    """A reading of the register that came after its OCPP 1.6 session was closed without a stop."""
    if session.status != "incomplete" or (session.last_meter_time is not None and ts < session.last_meter_time):
        return
    session.last_meter_wh = session.stop_meter_wh = wh
    session.last_meter_time = session.stop_time = ts
    if session.start_meter_wh is not None:
        session.energy_wh = wh - session.start_meter_wh


def thinned_out(session: SessionState) -> bool:
    """An ended session whose missing events cost nothing: a station that is short of memory while it is offline may drop events
    between the first and the last (rule Y9), and the last one told the final register."""
    return "offline" in session.flags and session.started_seq is not None and session.last_meter_seq == session.ended_seq


def begins_new_incarnation(session: SessionState, op: RecordTransactionEvent) -> bool:
    """The station uses the id of an ended transaction again (rule Y6)."""
    return (
        op.type == "Started"
        and session.ended_seq is not None
        and op.time.ts is not None
        and session.stop_time is not None
        and op.time.ts > session.stop_time
    )


def fold_event(session: SessionState, op: RecordTransactionEvent, decision: Decision | None, *, conflict: bool) -> None:
    """Merge one TransactionEvent, in whatever order it comes.

    `conflict`: another event with the same seqNo is stored already; this one is kept and marked, and changes no totals.
    """
    if conflict:
        session.flag("conflict")
        return
    newest = session.last_seq is None or op.seq_no >= session.last_seq
    session.event_count += 1
    session.first_seq = op.seq_no if session.first_seq is None else min(session.first_seq, op.seq_no)
    session.last_seq = op.seq_no if session.last_seq is None else max(session.last_seq, op.seq_no)
    if op.type == "Started":
        session.started_seq = op.seq_no
    if op.type == "Started" or (
        session.started_seq is None and (session.start_time is None or _before(op.time.ts, session.start_time))
    ):
        session.start_time, session.start_time_text = op.time.ts, op.time.text
    if op.evse_id is not None:
        session.evse_id = op.evse_id
        session.connector_id = op.connector_id if op.connector_id is not None else session.connector_id
    if op.remote_start_id is not None:
        session.remote_start_id = op.remote_start_id
    if op.reservation_id is not None:
        session.reservation_id = op.reservation_id
    if op.charging_state is not None and newest:
        session.charging_state = op.charging_state
    if op.id_token is not None and decision is not None and (session.id_token_seq is None or op.seq_no < session.id_token_seq):
        # the token that started pays, not the one that stopped, in whatever order they come (rule Y7)
        session.id_token_seq = op.seq_no
        session.flags = [f for f in session.flags if f != "unauthorized"]
        _fold_token(session, op.id_token, op.token_type, decision)
    if op.offline:
        session.flag("offline")
    known_until = session.last_meter_time
    _fold_readings(session, op.seq_no, op.readings)
    later = session.last_meter_time is not None and (known_until is None or session.last_meter_time > known_until)
    if session.status == "incomplete" and later:
        # closed without its stop: what came after tells more of its end
        session.stop_meter_wh, session.stop_time = session.last_meter_wh, session.last_meter_time
    if op.type == "Ended":
        session.status = "completed"
        _stop_has_come(session)
        session.stop_time, session.stop_time_text = op.time.ts, op.time.text
        session.stop_reason = op.stopped_reason or "Local"
        session.ended_seq = op.seq_no
    if session.ended_seq is not None:
        session.stop_meter_wh = session.last_meter_wh
        fold_completeness(session)
    _fold_doubt(session, op)


def _stop_has_come(session: SessionState) -> None:
    session.flags = [f for f in session.flags if f != "stop_missing"]


def _fold_token(session: SessionState, id_token: str, token_type: str | None, decision: Decision) -> None:
    session.id_token = canonical(id_token, token_type)
    session.id_token_type = token_type
    session.group_id_token = decision.group_id_token
    session.authorization_status = decision.status
    session.authorization_reason = decision.reason
    if not decision.accepted:
        # energy flowed all the same: the session is kept and marked (design 3.2)
        session.flag("unauthorized")


def _fold_doubt(session: SessionState, op: StartTransaction | StopTransaction | RecordTransactionEvent) -> None:
    if op.suspect or op.time.suspect:
        session.flag("suspect")
    if op.clock_skew:
        session.flag("clock_skew")


def _fold_readings(session: SessionState, seq_no: int, readings: Sequence[Reading]) -> None:
    for reading in readings:
        register = reading.import_register_wh()
        if register is None:
            continue
        ts = reading.ts or EARLIEST
        if session.start_meter_seq is None or (seq_no, ts) < (session.start_meter_seq, session.start_meter_time or EARLIEST):
            session.start_meter_seq, session.start_meter_time, session.start_meter_wh = seq_no, ts, register
        if session.last_meter_seq is None or (seq_no, ts) >= (session.last_meter_seq, session.last_meter_time or EARLIEST):
            session.last_meter_seq, session.last_meter_time, session.last_meter_wh = seq_no, ts, register
    if session.last_meter_wh is not None and session.start_meter_wh is not None:
        session.energy_wh = session.last_meter_wh - session.start_meter_wh
        if session.energy_wh < 0:
            session.flag("suspect")


def fold_completeness(session: SessionState) -> None:
    """Complete = Started, Ended, and every number between (rule Y5)."""
    span = (session.ended_seq or 0) - (session.first_seq or 0) + 1
    whole = session.started_seq is not None and session.event_count >= span
    if whole:
        session.flags = [f for f in session.flags if f != "missing_events"]
    else:
        session.flag("missing_events")


def _before(ts: datetime | None, other: datetime) -> bool:
    return ts is not None and ts < other
