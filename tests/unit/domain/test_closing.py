"""Sessions that end by the word of a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.domain.closing import Closing, End, Refused, close_by_hand, end_as_told
from csms.domain.facts import changes, facts
from csms.domain.session_state import SessionState

START = datetime(2026, 1, 1, 10, tzinfo=UTC)
NOW = START + timedelta(days=1)


def session(version: str = "ocpp1.6", **more: Any) -> SessionState:
    known: dict[str, Any] = {"start_time": START, "start_meter_wh": Decimal(1000), "last_meter_wh": Decimal(1200)}
    return SessionState(1, UUID(int=1), 1, version, "5", **known | more)


def test_it_ends_where_it_was_last_known() -> None:
    made = session(last_meter_time=START + timedelta(minutes=5))
    close_by_hand(made, "closed_by_operator", Closing(), NOW)
    assert (made.status, made.stop_time, made.stop_meter_wh) == ("incomplete", START + timedelta(minutes=5), 1200)
    assert (made.energy_wh, made.flags) == (200, ["closed_by_operator", "stop_missing"])


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"last_meter_time": None}, START),
        ({"last_meter_time": START - timedelta(hours=1)}, START),
        ({"last_meter_time": None, "start_time": None}, NOW),
        ({"last_meter_time": NOW, "start_time": None}, NOW),
    ],
)
def test_when_it_ends_though_little_is_known(known: dict[str, Any], expected: datetime) -> None:
    made = session(**known)
    close_by_hand(made, "closed_by_operator", Closing(), NOW)
    assert made.stop_time == expected


def test_without_any_meter_there_is_no_energy() -> None:
    made = session(start_meter_wh=None, last_meter_wh=None)
    close_by_hand(made, "closed_by_operator", Closing(), NOW)
    assert (made.stop_meter_wh, made.energy_wh) == (None, None)
    made = session(last_meter_wh=None)
    close_by_hand(made, "closed_by_operator", Closing(), NOW)
    assert (made.stop_meter_wh, made.energy_wh) == (1000, 0)


def test_a_clock_that_runs_ahead_may_be_followed_and_no_other_future() -> None:
    ahead = NOW + timedelta(days=2)
    made = session(start_time=ahead)
    close_by_hand(made, "closed_by_operator", Closing(stop_time=ahead), NOW)
    assert made.stop_time == ahead
    with pytest.raises(Refused) as refused:
        close_by_hand(session(), "closed_by_operator", Closing(stop_time=NOW + timedelta(seconds=1)), NOW)
    assert refused.value.field == "stop_time"


@given(
    st.none() | st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.none() | st.decimals(0, 5000, places=1),
    st.booleans(),
    st.sampled_from(["active", "incomplete"]),
    st.none() | st.decimals(0, 5000, places=1),
)
def test_whatever_is_said_the_facts_agree_with_each_other(
    stop_time: datetime | None, meter: Decimal | None, below: bool, status: str, last: Decimal | None
) -> None:
    made = session(status=status, last_meter_wh=last)
    before = facts(made)
    try:
        close_by_hand(made, "closed_by_operator", Closing(stop_time, meter, below), NOW)
    except Refused:
        assert (facts(made), made.flags) == (before, []), "what is refused changes nothing"
        return
    assert made.status == "incomplete"
    assert made.stop_time is not None
    assert stop_time in (None, made.stop_time)
    assert made.stop_time >= START
    assert meter in (None, made.stop_meter_wh)
    assert made.energy_wh == (made.stop_meter_wh or 0) - 1000
    assert ("suspect" in made.flags) == (made.energy_wh < 0)
    # the same again changes nothing
    after = facts(made)
    close_by_hand(made, "closed_by_operator", Closing(stop_time, meter, below), NOW + timedelta(hours=1))
    assert changes(after, facts(made)) == {}
    assert len(set(made.flags)) == len(made.flags)


def test_another_end_takes_the_place_of_the_first() -> None:
    made = session("ocpp2.0.1", started_seq=0, first_seq=0, last_seq=1, event_count=2, flags=["stop_missing", "conflict"])
    end = End(1, START + timedelta(hours=1), "text", "EVDisconnected", Decimal("1500.5"))
    end_as_told(made, end)
    assert (made.status, made.stop_reason, made.energy_wh, made.stop_time_text) == (
        "completed",
        "EVDisconnected",
        Decimal("500.5"),
        "text",
    )
    assert (made.ended_seq, made.last_meter_wh, made.flags) == (1, Decimal("1500.5"), ["conflict"])
    end_as_told(made, End(3, None, "no time", "Local", Decimal(900)))
    assert (made.stop_time, made.last_meter_time) == (None, START + timedelta(hours=1))
    assert made.flags == ["conflict", "suspect", "missing_events"]
