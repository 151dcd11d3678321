"""Counts what was forgiven to messages that are answered without an operation of their own."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from csms.domain.operations import CountRelaxations
from csms.domain.tolerance import Relaxation
from gateway.station import StationKey
from gateway.submission import Submission

_MOST_KINDS: Final = 50

_Counts = dict[Relaxation, int]


class RelaxationCounter:
    """One operation per station is under way at most; what comes meanwhile is added up for the next.

    So a station that sends such messages fast, or while the store is away, does not fill the ledger.
    """

    def __init__(self, submission: Submission) -> None:
        self._submission = submission
        # stations with an operation under way, and what has come since
        self._waiting: dict[StationKey, _Counts] = {}

    def count(self, station: StationKey, relaxations: tuple[Relaxation, ...]) -> None:
        waiting = self._waiting.get(station)
        if waiting is None:
            self._waiting[station] = {}
            self._submit(station, relaxations)
            return
        for relaxation in relaxations:
            # a few kinds of fault per station; what would be more is told together with the last of them
            if relaxation in waiting or len(waiting) < _MOST_KINDS:
                waiting[relaxation] = waiting.get(relaxation, 0) + 1
            else:
                waiting[next(reversed(waiting))] += 1

    def _submit(self, station: StationKey, relaxations: tuple[Relaxation, ...]) -> None:
        operation = CountRelaxations(tenant_id=station[0], station_id=station[1], relaxations=relaxations)
        self._submission.submit(operation, partial(self._done, station))

    def _done(self, station: StationKey, outcome: object) -> None:
        waiting = self._waiting.pop(station)
        if waiting:
            self._waiting[station] = {}
            self._submit(station, tuple(msgspec.structs.replace(r, times=times) for r, times in waiting.items()))
