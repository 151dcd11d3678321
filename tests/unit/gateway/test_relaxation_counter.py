"""Counts of what was forgiven: exact, and never more than one operation per station under way."""

from __future__ import annotations

from typing import Any

from csms.domain.operations import CountRelaxations
from csms.domain.tolerance import Relaxation
from gateway.tolerance.counter import RelaxationCounter


class Waiting:
    """Takes operations and commits them when told."""

    def __init__(self) -> None:
        self.taken: list[tuple[CountRelaxations, Any]] = []

    def submit(self, operation: CountRelaxations, done: Any) -> None:
        self.taken.append((operation, done))


def relaxation(path: str) -> Relaxation:
    return Relaxation("call", "ocpp1.6", "Heartbeat", path, "additionalProperties", "rule")


def test_what_comes_meanwhile_is_added_up() -> None:
    waiting = Waiting()
    counter = RelaxationCounter(waiting)  # type: ignore[arg-type]  # the one method that is used
    for _ in range(3):
        counter.count((1, 1), (relaxation("/a"), relaxation("/b")))
    counter.count((1, 2), (relaxation("/a"),))
    assert [operation.station_id for operation, _ in waiting.taken] == [1, 2]
    waiting.taken[0][1](None)
    assert {(r.path, r.times) for r in waiting.taken[2][0].relaxations} == {("/a", 2), ("/b", 2)}
    waiting.taken[2][1](None)
    assert len(waiting.taken) == 3
    counter.count((1, 1), (relaxation("/a"),))
    assert len(waiting.taken) == 4


def test_what_waits_is_bounded() -> None:
    waiting = Waiting()
    counter = RelaxationCounter(waiting)  # type: ignore[arg-type]  # the one method that is used
    for number in range(1001):
        counter.count((1, 1), (relaxation(f"/{number}"),))
    waiting.taken[0][1](None)
    told = waiting.taken[1][0].relaxations
    assert len(told) == 50
    assert sum(r.times for r in told) == 1000
