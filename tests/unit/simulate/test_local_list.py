"""The local list of a simulated station does what the standard says."""

from __future__ import annotations

from csms.simulate.local_list import MOST_PER_MESSAGE, LocalList


def test_whole_lists_and_changes() -> None:
    known = LocalList()
    assert known.update(3, "Full", [("A", 1), ("b", 2)]) == "Accepted"
    assert known.update(3, "Differential", []) == "VersionMismatch"
    assert known.update(4, "Differential", [("a", None), ("C", 3)]) == "Accepted"
    assert (known.version, known.entries) == (4, {"b": 2, "c": 3})
    assert known.update(2, "Full", []) == "Accepted", "a whole list may have any version"
    assert (known.version, known.entries) == (2, {})


def test_what_is_refused_changes_nothing() -> None:
    known = LocalList()
    known.update(1, "Full", [("A", 1)])
    for version, kind, items in (
        (0, "Full", []),
        (2, "Full", [("A", None)]),
        (2, "Differential", [("A", 1), ("a", 2)]),
        (2, "Differential", [(str(n), 1) for n in range(MOST_PER_MESSAGE + 1)]),
    ):
        assert known.update(version, kind, items) == "Failed"  # type: ignore[arg-type]  # of a list of cases
    assert (known.version, known.entries) == (1, {"a": 1})
