"""Folding of 2.x events: the order of arrival never matters (rule Y7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from csms.domain.folding import fold_event
from csms.domain.metering import Channel, Reading
from csms.domain.operations import RecordTransactionEvent, StationTime
from csms.domain.session_state import SessionState

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = ("Started", "Updated", "Ended")


def event(seq_no: int, kind: str, wh: int | None) -> RecordTransactionEvent:
    ts = BEGIN + timedelta(minutes=seq_no)
    readings = [] if wh is None else [Reading(ts, None, 0, (Channel(),), [str(wh)])]
    return RecordTransactionEvent(
        tenant_id=1,
        station_id=1,
        ocpp_version="ocpp2.0.1",
        type=kind,  # type: ignore[arg-type]  # one of KINDS
        transaction_ref="t",
        seq_no=seq_no,
        time=StationTime(ts, ts.isoformat()),
        trigger_reason="MeterValuePeriodic",
        details=b"{}",
        payload=b"{}",
        readings=readings,
    )


def folded(events: list[RecordTransactionEvent]) -> SessionState:
    session = SessionState(1, UUID(int=1), 1, "ocpp2.0.1", "t")
    for one in events:
        fold_event(session, one, None, conflict=False)
    session.flags = sorted(session.flags)
    return session


@st.composite
def transactions(draw: st.DrawFn) -> tuple[list[RecordTransactionEvent], list[RecordTransactionEvent]]:
    first = draw(st.integers(0, 500))
    increments = draw(st.lists(st.integers(0, 5000), min_size=2, max_size=12))
    register = 0
    events = []
    for offset, increment in enumerate(increments):
        register += increment
        kind = "Started" if offset == 0 else "Ended" if offset == len(increments) - 1 else "Updated"
        events.append(event(first + offset, kind, register if draw(st.booleans()) else None))
    return events, draw(st.permutations(events))


@given(transactions())
def test_any_order_of_arrival_gives_the_same_session(
    made: tuple[list[RecordTransactionEvent], list[RecordTransactionEvent]],
) -> None:
    in_order, shuffled = made
    assert folded(shuffled) == folded(in_order)


@given(transactions())
def test_energy_is_the_last_register_minus_the_first(
    made: tuple[list[RecordTransactionEvent], list[RecordTransactionEvent]],
) -> None:
    in_order, shuffled = made
    registers = [int(r.values[0]) for e in in_order for r in e.readings]
    expected = registers[-1] - registers[0] if registers else None
    assert folded(shuffled).energy_wh == expected


@given(transactions(), st.data())
def test_a_missing_number_is_noticed(
    made: tuple[list[RecordTransactionEvent], list[RecordTransactionEvent]], data: st.DataObject
) -> None:
    in_order, _ = made
    assert "missing_events" not in folded(in_order).flags
    dropped = data.draw(st.integers(0, len(in_order) - 2))
    kept = in_order[:dropped] + in_order[dropped + 1 :]
    assert "missing_events" in folded(kept).flags
