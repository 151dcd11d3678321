"""Reservations: the hub records them, which has no part in the simulation, so that none is ever found."""

from __future__ import annotations

from collections.abc import Sequence

from csms.domain.reservations import Answer, End, Use
from tests.simulation.model.statements import Statements, statement


class ReservationStatements(Statements):
    @statement
    async def note_uses(self, uses: Sequence[Use]) -> None:
        pass

    @statement
    async def note_ends(self, ends: Sequence[End]) -> None:
        pass

    @statement
    async def note_answers(self, answers: Sequence[Answer]) -> None:
        pass
