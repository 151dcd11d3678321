"""Meter readings: as csms.store.ledger_samples does it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from decimal import Decimal
from uuid import UUID

from csms.domain.metering import Reading
from csms.ledger.rows import MeterUpdate, SampleRow, StationSampleRow
from tests.simulation.model.rows import Outbox, Sample
from tests.simulation.model.statements import Statements


class SampleStatements(Statements):
    async def insert_samples(self, rows: Sequence[SampleRow], updates: Sequence[MeterUpdate]) -> None:
        await self.step("insert_samples")
        fresh: set[UUID] = set()
        added: dict[tuple[int, UUID], list[Sample]] = {}
        for row in rows:
            key = (row.tenant_id, row.session_id)
            sample = _sample(row.reading)
            # the rows of one statement do not see each other
            if sample.ts is None or sample not in self._stored(key):
                added.setdefault(key, []).append(sample)
                fresh.add(row.session_id)
        for key, samples in added.items():
            for sample in samples:
                # rows of their own: two transactions may add to the same session at once
                self.tx.put("samples", (*key, self.tx.tables.next_value("sample")), (key, sample))
        news = [update for update in updates if update.session_id in fresh]
        for update in news:
            await self._move(update)
        for update in news:
            self.publish(
                Outbox(
                    update.tenant_id,
                    "session.meter_values",
                    update.station_id,
                    update.session_id,
                    update.ts,
                    update.event,
                    self.tx.number,
                )
            )

    def _stored(self, key: tuple[int, UUID]) -> list[Sample]:
        return [sample for session, sample in self.tx.rows("samples") if session == key]

    async def _move(self, update: MeterUpdate) -> None:
        if update.wh is None or update.ts is None:
            return
        session = self.tx.get("sessions", (update.tenant_id, update.session_id))
        if session is None or session.state.station_id != update.station_id or session.state.status != "active":
            return
        session = await self.tx.locked("sessions", (update.tenant_id, update.session_id))
        if session is None or session.state.status != "active":
            return
        last = session.state.last_meter_time
        if last is not None and min(last, session.updated_at) > update.ts:
            return
        state = session.state = copy(session.state)
        state.last_meter_wh, state.last_meter_time = update.wh, update.ts
        state.energy_wh = None if state.start_meter_wh is None else update.wh - state.start_meter_wh
        session.updated_at = self.tx.now
        self.tx.put("sessions", (update.tenant_id, update.session_id), session)

    async def insert_station_samples(self, rows: Sequence[StationSampleRow]) -> None:
        await self.step("insert_station_samples")
        stored = list(self.tx.rows("station_samples"))
        for row in rows:
            sample = (row.tenant_id, row.station_id, row.evse_id, _sample(row.reading))
            if sample[3].ts is None or sample not in stored:
                self.tx.put("station_samples", self.tx.tables.next_value("station_sample"), sample)

    def publish(self, row: Outbox) -> None:
        self.tx.put("outbox", self.tx.tables.next_value("outbox"), row)


def _sample(reading: Reading) -> Sample:
    return Sample(
        reading.ts,
        reading.ts_text,
        reading.context,
        reading.shape,
        tuple(Decimal(value) if value else None for value in reading.values),
        None if reading.texts is None else tuple(reading.texts),
    )
