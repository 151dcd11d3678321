"""Facts of a station that belong to no session, and what must not be lost."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from csms.domain.operations import QuarantineFrame, RecordStationEvent, StoreDeviceReport
from csms.ledger.context import BatchContext
from csms.ledger.port import LedgerTransaction
from csms.ledger.rows import QuarantineRow, StationEventRow


async def record_station_event(tx: LedgerTransaction, context: BatchContext, ops: Sequence[RecordStationEvent]) -> list[None]:
    for op in ops:
        event_id = context.ids.uuid7()
        # without a time of its own, equal content may well be a second event
        when = str(event_id) if op.time is None else op.time.text
        context.station_events.append(
            StationEventRow(
                op.tenant_id,
                event_id,
                op.station_id,
                op.type,
                context.now if op.time is None else op.time.ts,
                op.data,
                hashlib.sha256(f"{op.type}\0{when}\0".encode() + op.data).digest(),
            )
        )
    return [None] * len(ops)


async def store_device_report(tx: LedgerTransaction, context: BatchContext, ops: Sequence[StoreDeviceReport]) -> list[None]:
    if any(op.variables for op in ops):
        await tx.upsert_device_variables(ops, context.now)
    for op in ops:
        context.publish(
            "station.device_report",
            op.tenant_id,
            op.station_id,
            {
                "request_id": op.request_id,
                "seq_no": op.seq_no,
                "to_be_continued": op.to_be_continued,
                "variables": len(op.variables),
            },
            occurred_at=context.now,
        )
    return [None] * len(ops)


async def quarantine(tx: LedgerTransaction, context: BatchContext, ops: Sequence[QuarantineFrame]) -> list[None]:
    for op in ops:
        context.quarantine.append(
            QuarantineRow(
                op.tenant_id,
                context.ids.uuid7(),
                op.station_id,
                op.ocpp_version,
                op.action,
                op.reason,
                op.error_code,
                op.path,
                op.rule,
                op.payload,
                hashlib.sha256(op.action.encode() + b"\0" + op.payload).digest(),
            )
        )
    return [None] * len(ops)
