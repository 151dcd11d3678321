"""Reservations in the ledger's transaction: used, ended by their stations, answered."""

from __future__ import annotations

from collections.abc import Sequence

from csms.domain.reservations import Answer, End, Use
from csms.store.pool import Connection
from csms.store.queries import reservations as queries


class ReservationStatements:
    connection: Connection

    async def note_uses(self, uses: Sequence[Use]) -> None:
        await queries.note_uses(self.connection, uses)

    async def note_ends(self, ends: Sequence[End]) -> None:
        await queries.note_ends(self.connection, ends)

    async def note_answers(self, answers: Sequence[Answer]) -> None:
        await queries.note_answers(self.connection, answers)
