"""What the steps of one group commit share: the moment, the tenants, and the rows that are written together at its end."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from csms.clock import Ids
from csms.ledger.port import LedgerTransaction
from csms.ledger.rows import EventRow, MeterUpdate, OutboxRow, QuarantineRow, SampleRow, StationEventRow, StationSampleRow
from csms.ledger.transaction_ids import TransactionIdPool
from csms.tenants import TenantDirectory


class BatchContext:
    """Made anew for every try of a group commit, so that a try that failed leaves nothing behind."""

    def __init__(self, now: datetime, ids: Ids, tenants: TenantDirectory, transaction_ids: TransactionIdPool) -> None:
        self.now = now
        self.ids = ids
        self.tenants = tenants
        self.transaction_ids = transaction_ids
        self.events: list[EventRow] = []
        self.samples: list[SampleRow] = []
        self.meter_updates: list[MeterUpdate] = []
        self.station_samples: list[StationSampleRow] = []
        self.station_events: list[StationEventRow] = []
        self.quarantine: list[QuarantineRow] = []
        self.outbox: list[OutboxRow] = []

    def publish(
        self,
        event_type: str,
        tenant_id: int,
        station_id: int,
        data: dict[str, Any],
        *,
        session_id: UUID | None = None,
        occurred_at: datetime | None = None,
    ) -> None:
        """Write an event to the outbox in this commit (rule D3)."""
        self.outbox.append(OutboxRow(tenant_id, event_type, station_id, session_id, occurred_at, encode(data)))

    async def write_out(self, tx: LedgerTransaction) -> None:
        """Write the collected rows; the last step of the transaction."""
        if self.events:
            await tx.insert_events(self.events)
        if self.samples:
            await tx.insert_samples(self.samples, self.meter_updates)
        if self.station_samples:
            await tx.insert_station_samples(self.station_samples)
        if self.station_events:
            fresh = await tx.insert_station_events(self.station_events)
            for row, is_fresh in zip(self.station_events, fresh, strict=True):
                if is_fresh:
                    self.outbox.append(
                        OutboxRow(row.tenant_id, f"station.{row.type}", row.station_id, None, row.event_time, row.data)
                    )
        if self.quarantine:
            await tx.insert_quarantine(self.quarantine)
        if self.outbox:
            await tx.insert_outbox(self.outbox)


_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def encode(value: Any) -> bytes:
    """JSON for the store: decimals as numbers, stable order."""
    return _ENCODER.encode(value)
