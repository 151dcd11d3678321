"""last_updated of locations, EVSEs and connectors (L2, L5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from csms.roaming.stamping import MOST_PARTS, next_stamp, restate, stamp, stamp_location, with_kept
from schemas.ocpi221.instants import read_instant

T0 = datetime(2026, 1, 1, tzinfo=UTC)
_STAMP = "last_updated"


def location(evses: dict[str, tuple[str, int]], name: str = "Market") -> dict[str, Any]:
    """`evses`: uid -> (status, highest amperage of its connector)."""
    return {
        "id": "l",
        "name": name,
        "evses": [
            {
                "uid": uid,
                "evse_id": f"DE*ABC*E{uid}",
                "status": status,
                "connectors": [{"id": "1", "max_amperage": amperage, _STAMP: "x"}],
                _STAMP: "x",
            }
            for uid, (status, amperage) in evses.items()
        ],
        _STAMP: "x",
    }


def at(part: dict[str, Any]) -> datetime:
    return read_instant(part[_STAMP])[0]


def test_times_are_whole_milliseconds_and_never_stand_still() -> None:
    assert next_stamp(T0 + timedelta(microseconds=1999), None) == T0 + timedelta(milliseconds=1)
    assert next_stamp(T0, T0) == T0 + timedelta(milliseconds=1)
    assert next_stamp(T0, T0 + timedelta(hours=1)) == T0 + timedelta(hours=1, milliseconds=1)  # a clock set back


def test_an_object_keeps_its_time_while_it_is_the_same() -> None:
    first = stamp({"id": "t", "price": 1, _STAMP: "x"}, None, None, T0)
    assert first is not None
    assert stamp({"id": "t", "price": 1.0, _STAMP: "y"}, first.document, first.last_updated, T0 + timedelta(hours=1)) is None
    changed = stamp({"id": "t", _STAMP: "y"}, first.document, first.last_updated, T0)
    assert changed is not None
    assert changed.last_updated > first.last_updated


def test_what_has_changed_is_told_alone_or_as_a_whole() -> None:
    first = stamp_location(location({"a": ("AVAILABLE", 16), "b": ("AVAILABLE", 16)}), None, None, T0)
    assert first is not None
    assert first.parts == ()
    later = T0 + timedelta(seconds=5)
    one = stamp_location(location({"a": ("CHARGING", 16), "b": ("AVAILABLE", 16)}), first.document, first.last_updated, later)
    assert one is not None
    assert one.parts == ("a",)
    assert one.document["evses"][1] == first.document["evses"][1]
    assert one.document["evses"][0]["connectors"] == first.document["evses"][0]["connectors"]
    renamed = stamp_location(location({"a": ("AVAILABLE", 16), "b": ("AVAILABLE", 16)}, "Harbour"), first.document, T0, later)
    assert renamed is not None
    assert (renamed.parts, renamed.document["evses"]) == ((), first.document["evses"])
    gone = stamp_location(location({"b": ("AVAILABLE", 16)}), first.document, T0, later)
    assert gone is not None
    assert gone.parts == ("a",)
    assert {evse["uid"]: evse["status"] for evse in gone.document["evses"]} == {"a": "REMOVED", "b": "AVAILABLE"}
    assert "evse_id" not in gone.document["evses"][1]
    assert stamp_location(location({"b": ("AVAILABLE", 16)}), gone.document, gone.last_updated, later) is None
    many = {str(number): ("AVAILABLE", 16) for number in range(MOST_PARTS + 1)}
    all_of_them = stamp_location(location(many), None, None, T0)
    assert all_of_them is not None
    restated = restate(all_of_them.document, T0, dict.fromkeys(many, "CHARGING"), later)
    assert restated is not None
    assert restated.parts == ()


def test_an_evse_that_cannot_be_made_anew_stays_with_its_status_of_now() -> None:
    first = stamp_location(location({"a": ("AVAILABLE", 16), "b": ("AVAILABLE", 16)}), None, None, T0)
    assert first is not None
    made = with_kept(location({"b": ("AVAILABLE", 16)}), first.document, {"a"}, {"a": "CHARGING"})
    stamped = stamp_location(made, first.document, first.last_updated, T0)
    assert stamped is not None
    assert {evse["uid"]: evse["status"] for evse in stamped.document["evses"]} == {"a": "CHARGING", "b": "AVAILABLE"}


_evses = st.dictionaries(
    st.sampled_from("abcd"), st.tuples(st.sampled_from(["AVAILABLE", "CHARGING", "UNKNOWN"]), st.integers(16, 18)), max_size=4
)


@given(st.lists(st.tuples(_evses, st.sampled_from(["Market", "Harbour"]), st.integers(-5, 5)), min_size=1, max_size=6))
def test_no_time_goes_back_and_none_is_before_what_is_below_it(states: list[tuple[Any, str, int]]) -> None:
    stored: dict[str, Any] | None = None
    stored_at: datetime | None = None
    for evses, name, seconds in states:
        stamped = stamp_location(location(evses, name), stored, stored_at, T0 + timedelta(seconds=seconds))
        if stamped is None:
            continue
        document = stamped.document
        assert stored_at is None or stamped.last_updated > stored_at
        before = {evse["uid"]: evse for evse in (stored or {}).get("evses", ())}
        for evse in document.get("evses", ()):
            assert at(evse) <= at(document)
            assert all(at(connector) <= at(evse) for connector in evse["connectors"])
            known = before.pop(evse["uid"], None)
            assert known in (None, evse) or at(known) < at(evse)
        assert not before  # nothing is ever left out
        stored, stored_at = document, stamped.last_updated
