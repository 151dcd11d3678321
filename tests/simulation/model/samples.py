"""Meter readings: as csms.store.ledger_samples does it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from decimal import Decimal

import msgspec

from csms.domain.metering import Reading
from csms.ledger.port import SessionKey
from csms.ledger.rows import MeterUpdate, SampleRow, StationSampleRow
from csms.store.ledger_samples import LONGEST_INTERNED, SHAPES_MAX, Shape
from tests.simulation.model.rows import Outbox, Sample, Session
from tests.simulation.model.statements import Statements, statement


class SampleStatements(Statements):
    @statement
    async def insert_samples(self, rows: Sequence[SampleRow]) -> list[SampleRow]:
        interned = await self._intern((row.tenant_id, row.reading.shape) for row in rows)
        added: list[tuple[SessionKey, Sample]] = []
        for row in rows:
            key = (row.tenant_id, row.session_id)
            sample = _sample(row.reading, interned[row.tenant_id, row.reading.shape])
            # the rows of one statement do not see each other
            if not any(_same(sample, stored) for _, (_, stored) in self.tx.group("samples", key)):
                added.append((key, sample))
        for key, sample in added:
            # rows of their own: two transactions may add to the same session at once
            self.tx.put("samples", (*key, self.tx.tables.next_value("sample")), (key, sample))
        fresh = {session_id for (_, session_id), _ in added}
        news = [(row, row.update) for row in rows if row.update is not None and row.session_id in fresh]
        unmoved = [row for row, update in news if not await self._move(row, update) and None not in (update.wh, row.reading.ts)]
        for row, update in news:
            self.publish(
                Outbox(
                    row.tenant_id,
                    "session.meter_values",
                    update.station_id,
                    row.session_id,
                    row.reading.ts,
                    update.event,
                    self.tx.number,
                )
            )
        return unmoved

    async def _move(self, row: SampleRow, update: MeterUpdate) -> bool:
        at = row.reading.ts

        def fits(session: Session) -> bool:
            last = session.state.last_meter_time
            return (
                session.state.station_id == update.station_id
                and session.state.status == "active"
                and update.wh is not None
                and (last is None or (at is not None and min(last, session.updated_at) <= at))
            )

        session: Session | None = await self.tx.to_update("sessions", (row.tenant_id, row.session_id), fits)
        if session is None or update.wh is None:
            return False
        state = session.state = copy(session.state)
        state.last_meter_wh, state.last_meter_time = update.wh, at
        state.energy_wh = None if state.start_meter_wh is None else update.wh - state.start_meter_wh
        session.updated_at = self.tx.now
        self.tx.put("sessions", (row.tenant_id, row.session_id), session)
        return True

    @statement
    async def insert_station_samples(self, rows: Sequence[StationSampleRow]) -> None:
        interned = await self._intern((row.tenant_id, row.reading.shape) for row in rows)
        added: list[tuple[int, int, int, Sample]] = []
        for row in rows:
            place = (row.tenant_id, row.station_id, row.evse_id)
            sample = _sample(row.reading, interned[row.tenant_id, row.reading.shape])
            if not any(_same(sample, stored) for _, (*_, stored) in self.tx.group("station_samples", place)):
                added.append((*place, sample))
        for new in added:
            self.tx.put("station_samples", self.tx.tables.next_value("station_sample"), new)

    async def _intern(self, shapes: Iterable[tuple[int, Shape]]) -> dict[tuple[int, Shape], bool]:
        """Which of them have an id of their own; new ones get one, as long as there is room."""
        texts = {key: msgspec.json.encode(key[1]).decode() for key in shapes}
        missing = sorted({(key[0], text) for key, text in texts.items() if len(text) <= LONGEST_INTERNED})
        full = {tenant_id for tenant_id, _ in missing if len(self.tx.group("sample_shapes", tenant_id)) >= SHAPES_MAX}
        for tenant_id, text in missing:
            if tenant_id not in full and self.tx.get("sample_shapes", (tenant_id, text)) is None:
                await self.tx.insert("sample_shapes", (tenant_id, text), True)
        await self.tx.end_statement()
        return {key: self.tx.get("sample_shapes", (key[0], text)) is not None for key, text in texts.items()}

    def publish(self, row: Outbox) -> None:
        self.tx.put("outbox", self.tx.tables.next_value("outbox"), row)


def _same(one: Sample, other: Sample) -> bool:
    """A repeat; without a time nothing is."""
    return (
        one.ts is not None
        and one.ts == other.ts
        and (one.context, one.shape, one.interned, one.values) == (other.context, other.shape, other.interned, other.values)
    )


def _sample(reading: Reading, interned: bool) -> Sample:
    return Sample(
        reading.ts,
        reading.ts_text,
        reading.context,
        reading.shape,
        interned,
        tuple(Decimal(value) if value else None for value in reading.values),
        None if reading.texts is None else tuple(reading.texts),
    )
