"""Facts of a station that belong to no session."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from csms.domain.operations import Operation, RecordDeviceEvents, RecordStationEvent, StationTime, StoreDeviceReport
from csms.domain.reservations import UPDATE, end_of
from csms.ledger import apply_stations
from csms.ledger.context import BatchContext
from csms.ledger.encoding import encode
from csms.ledger.port import LedgerTransaction
from csms.ledger.rows import StationEventRow


async def record_station_event(tx: LedgerTransaction, context: BatchContext, ops: Sequence[RecordStationEvent]) -> list[None]:
    for op in ops:
        context.station_events.append(station_event(context, op, op.type, op.data, op.time, op.reference, op.caused_by))
        if op.type == UPDATE and (end := end_of(op.tenant_id, op.station_id, op.data)) is not None:
            context.reservation_ends.append(end)
    return [None] * len(ops)


async def record_device_events(tx: LedgerTransaction, context: BatchContext, ops: Sequence[RecordDeviceEvents]) -> list[None]:
    await apply_stations.report_status(tx, context, [status for op in ops for status in op.statuses])
    for op in ops:
        context.station_events.append(station_event(context, op, op.type, op.data, op.time))
    return [None] * len(ops)


async def store_device_report(tx: LedgerTransaction, context: BatchContext, ops: Sequence[StoreDeviceReport]) -> list[None]:
    """The variables have a table of their own; the event tells that a part of the report came, and how large it was."""
    if any(op.variables for op in ops):
        await tx.upsert_device_variables(ops, context.now)
    for op in ops:
        part = {
            "request_id": op.request_id,
            "seq_no": op.seq_no,
            "to_be_continued": op.to_be_continued,
            "variables": len(op.variables),
        }
        context.station_events.append(
            station_event(context, op, "device_report", encode(part), op.time, op.reference, op.caused_by)
        )
    return [None] * len(ops)


def station_event(
    context: BatchContext,
    op: Operation,
    kind: str,
    data: bytes,
    time: StationTime | None = None,
    reference: str | None = None,
    caused_by: tuple[str, ...] = (),
) -> StationEventRow:
    """The row of an event of the operation's station."""
    event_id = context.ids.uuid7()
    # without a time of its own, equal content may well be a second event
    when = str(event_id) if time is None else time.text
    return StationEventRow(
        op.tenant_id,
        event_id,
        op.station_id,
        kind,
        context.now if time is None else time.ts,
        data,
        hashlib.sha256(f"{kind}\0{when}\0".encode() + data).digest(),
        reference,
        caused_by,
    )
