"""What the ledger remembers of sessions between group commits."""

from __future__ import annotations

from uuid import UUID

from csms.ledger.known_sessions import MOST_OF_A_STATION, MOST_STATIONS, KnownSessions

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_finds_what_was_learnt_and_nothing_else() -> None:
    known = KnownSessions()
    known.learn({(1, 7, "100"): ONE, (1, 8, "100"): OTHER})
    assert known.find([(1, 7, "100"), (2, 7, "100"), (1, 7, "101"), (1, 8, "100")]) == {(1, 7, "100"): ONE, (1, 8, "100"): OTHER}


def test_forgets_a_station_and_no_other() -> None:
    known = KnownSessions()
    known.learn({(1, 7, "100"): ONE, (1, 8, "100"): OTHER})
    known.forget([(1, 7), (1, 99)])
    assert known.find([(1, 7, "100"), (1, 8, "100")]) == {(1, 8, "100"): OTHER}


def test_is_bounded_for_a_station_and_for_all() -> None:
    known = KnownSessions()
    keys = [(1, 7, str(number)) for number in range(3 * MOST_OF_A_STATION)]
    for key in keys:
        known.learn({key: ONE})
    assert len(known.find(keys)) <= MOST_OF_A_STATION
    assert known.find(keys[-1:]) == {keys[-1]: ONE}
    stations = [(1, number, "1") for number in range(MOST_STATIONS + 10)]
    for key in stations:
        known.learn({key: ONE})
    assert len(known.find(stations)) <= MOST_STATIONS
    assert known.find(stations[-1:]) == {stations[-1]: ONE}
