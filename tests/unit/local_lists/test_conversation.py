"""Whatever a station has and whatever goes wrong: in the end it has the list that it ought to have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.local_lists.changes import MOST_BYTES, Limits, apply, changes_between, first_portion
from csms.local_lists.content import EMPTY, Content, Entry, decode_content
from csms.local_lists.conversation import LARGEST_VERSION, AskVersion, Conversation, End, Known, Send
from csms.local_lists.messages import Dialect, dialect_of, limits_of, send_list, size_of, version_told, what_became
from tests.unit.local_lists.model import ModelStation, Store, entry, visit

_EXPIRIES = st.sampled_from([None, datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 5, 5, 12, 30, tzinfo=UTC)])


@st.composite
def contents(draw: st.DrawFn, dialect: Dialect = "1.6") -> Content:
    numbers = draw(st.sets(st.integers(0, 30), max_size=25))
    kinds = st.just(None) if dialect == "1.6" else st.sampled_from(["ISO14443", "eMAID"])
    cased = st.sampled_from(["TAG{:05}", "tag{:05}"])
    return Content(
        Entry(draw(cased).format(n), draw(kinds), draw(_EXPIRIES), draw(st.sampled_from([None, "FLEET"]))) for n in numbers
    )


_LIMITS = st.builds(Limits, st.integers(1, 12), st.sampled_from([1, 120, 400, MOST_BYTES]))


@given(contents("2.x"), contents("2.x"), _LIMITS)
def test_portions_lead_from_any_list_to_any_other(old: Content, new: Content, limits: Limits) -> None:
    content, steps = old, 0
    while changes := changes_between(content, new):
        portion = first_portion(changes, limits, lambda change: size_of("2.x", change))
        assert portion == changes[: len(portion)]
        assert 1 <= len(portion) <= limits.items
        content, steps = apply(content, portion), steps + 1
        assert len(changes_between(content, new)) == len(changes) - len(portion)
        assert steps <= 100
    assert content == new
    assert content.digest == new.digest
    assert decode_content(new.encoded) == new


@given(st.data(), st.sampled_from(["1.6", "2.x"]))
def test_a_station_gets_there_whatever_goes_wrong(data: st.DataObject, dialect: Dialect) -> None:
    station = ModelStation(dialect)
    if data.draw(st.booleans(), label="somebody else's list"):
        station.version = data.draw(st.sampled_from([1, 5, LARGEST_VERSION]))
        station.entries = {"other": {}}
    store = Store()
    limits = data.draw(_LIMITS)
    bad = st.sampled_from(["fine", "fine", "refused", "lost", "answer_lost", "forgets", "meddled"])
    for _ in range(data.draw(st.integers(0, 6))):
        wanted = data.draw(contents(dialect))
        fates: Iterator[Any] = iter(data.draw(st.lists(bad, max_size=6)))
        visit(station, store, wanted, limits, fates, full=data.draw(st.booleans()))
        if data.draw(st.booleans(), label="a new connection"):
            store.asked = False
    wanted = data.draw(contents(dialect))
    end, _ = visit(station, store, wanted, limits, iter(()))
    assert end == End("in_sync")
    assert station.holds(wanted)
    assert store.known.content == wanted
    assert (store.known.version, store.known.sent_version) == (station.version, None)
    assert visit(station, store, wanted, limits, iter(())) == (End("in_sync"), 0), "nothing is sent twice"


def test_one_token_more_is_one_small_message() -> None:
    station, store = ModelStation("1.6"), Store()
    old = Content(entry(n) for n in range(1000))
    assert visit(station, store, old, Limits(), iter(())) == (End("in_sync"), 10)
    more = apply(old, changes_between(EMPTY, Content([entry(5000)])))
    assert visit(station, store, more, Limits(), iter(())) == (End("in_sync"), 1)
    assert len(station.entries) == 1001
    assert station.version == 11


def test_what_is_blocked_leaves_before_anything_is_put_in() -> None:
    old, new = Content(entry(n) for n in range(5)), Content(entry(n) for n in range(4, 9))
    changes = changes_between(old, new)
    assert [change.entry is None for change in changes] == [True] * 4 + [False] * 4


def _talk(known: Known, wanted: Content, *, asked: bool = False) -> Conversation:
    return Conversation(known, wanted, Limits(), lambda change: 50, asked=asked)


def test_a_crash_between_sent_and_answered_is_cleared_up_by_the_version() -> None:
    a, b = Content([entry(1)]), Content([entry(1), entry(2)])
    in_flight = Known(7, a, 8, 8, b)
    for told, expected in ((8, b), (7, a), (3, None)):
        talk = _talk(in_flight, b, asked=True)
        assert isinstance(talk.next_step(), AskVersion), "what is in flight must be asked for on any connection"
        talk.told_version(told)
        assert talk.known.content == expected
        step = talk.next_step()
        if told == 8:
            assert step == End("in_sync")
        else:
            assert isinstance(step, Send)
            assert step.version == 9, "8 may still arrive"
            assert step.update == ("Differential" if told == 7 else "Full")


def test_a_differential_that_is_refused_is_followed_by_the_whole_list_and_then_by_rest() -> None:
    talk = _talk(Known(7, Content([entry(1)]), 7), Content([entry(2)]), asked=True)
    updates = []
    while isinstance(step := talk.next_step(), Send):
        updates.append(step.update)
        talk.answered("refused", "VersionMismatch")
    assert updates == ["Differential", "Full"]
    assert step == End("failed", "VersionMismatch")


@pytest.mark.parametrize(
    ("result", "error", "taken"),
    [
        ('{"status":"Accepted"}', None, "taken"),
        ('{"status":"Failed"}', None, "refused"),
        ('{"status":"VersionMismatch"}', None, "refused"),
        ('{"status":"NotSupported"}', None, "unsupported"),
        (None, "NotImplemented: no such action", "unsupported"),
        (None, "NotSupported", "unsupported"),
        (None, "OccurenceConstraintViolation: too many", "refused"),
        ("[]", None, "refused"),
    ],
)
def test_what_answers_mean(result: str | None, error: str | None, taken: str) -> None:
    assert what_became(result, error)[0] == taken


@pytest.mark.parametrize(
    ("result", "version"),
    [
        ('{"listVersion":7}', 7),
        ('{"versionNumber":0}', 0),
        ('{"listVersion":-1}', -1),
        ('{"listVersion":-2}', None),
        ('{"listVersion":2147483648}', None),
        ('{"listVersion":1e30}', None),
        ('{"listVersion":"7"}', None),
        ("{}", None),
        ("[]", None),
    ],
)
def test_what_a_version_may_be(result: str, version: int | None) -> None:
    assert version_told(result) == version


def test_a_station_that_keeps_no_lists_is_left_alone() -> None:
    talk = _talk(Known(), Content([entry(1)]))
    talk.told_version(-1)
    assert isinstance(end := talk.next_step(), End)
    assert end.outcome == "unsupported"
    talk = _talk(Known(), Content([entry(1)]), asked=True)
    assert isinstance(talk.next_step(), Send)
    talk.answered("unsupported", "NotSupported")
    assert talk.next_step() == End("unsupported", "NotSupported")


def test_an_empty_list_is_not_sent_to_who_has_none() -> None:
    talk = _talk(Known(), EMPTY)
    talk.told_version(0)
    assert talk.next_step() == End("in_sync")


def test_versions_begin_anew_with_a_whole_list_before_they_overflow() -> None:
    talk = _talk(Known(LARGEST_VERSION, Content([entry(1)]), LARGEST_VERSION), Content([entry(2)]), asked=True)
    step = talk.next_step()
    assert isinstance(step, Send)
    assert (step.update, step.version) == ("Full", 1)


def test_messages_stay_below_what_a_station_takes() -> None:
    wanted = Content(Entry(f"{n:036}", "ISO14443", datetime(2027, 1, 1, tzinfo=UTC), "G" * 36, "de") for n in range(300))
    limits = limits_of("2.x", 1000, 4000)
    talk = Conversation(Known(), wanted, limits, lambda change: size_of("2.x", change))
    talk.told_version(0)
    count = 0
    while isinstance(step := talk.next_step(), Send):
        assert len(send_list("2.x", step.version, step.update, step.changes).payload) <= 4000
        talk.answered("taken", "Accepted")
        count += 1
    assert step == End("in_sync")
    assert count > 10
    assert dialect_of("ocpp2.1") == dialect_of("ocpp2.0.1") == "2.x"
