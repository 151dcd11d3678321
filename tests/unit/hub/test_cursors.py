"""Cursors say where to go on, and nobody else writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.store.queries.samples import SamplePosition
from hub.api.cursors import Cursors
from hub.api.problems import Problem

CURSORS = Cursors(bytes(32))


@given(st.text(), st.tuples(st.integers(-(2**31), 2**31), st.binary(max_size=40)))
def test_what_was_written_is_read(scope: str, position: tuple[int, bytes]) -> None:
    assert CURSORS.read(scope, CURSORS.write(scope, position), tuple[int, bytes]) == position


def test_positions_of_samples() -> None:
    position = SamplePosition(datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC), "", 0, "Energy", "", "Outlet", "Raw")
    assert CURSORS.read("s", CURSORS.write("s", position), SamplePosition) == position
    untimed = SamplePosition(None, "x" * 40, 0, "Energy", "", "Outlet", "Raw")
    assert CURSORS.read("s", CURSORS.write("s", untimed), SamplePosition) == untimed


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_cursor_is_refused(place: int, change: int) -> None:
    good = CURSORS.write("list", "position")
    changed = bytearray(good.encode())
    changed[place % len(changed)] ^= change
    with pytest.raises(Problem):
        CURSORS.read("list", changed.decode("latin-1"), str)


def test_other_lists_and_keys() -> None:
    good = CURSORS.write("list", "position")
    for cursors, scope in ((CURSORS, "other"), (Cursors(b"\1" * 32), "list")):
        with pytest.raises(Problem) as caught:
            cursors.read(scope, good, str)
        assert caught.value.errors[0].field == "cursor"
    assert CURSORS.read("list", None, str) is None
