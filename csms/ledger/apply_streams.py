"""Event streams of OCPP 2.1: what comes on one is kept while it is open (ocpp-j-rules section 10).

The ledger applies one operation per station at a time, so the three kinds cannot overtake each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from csms.domain.operations import CloseEventStream, OpenEventStream, RecordStreamValues
from csms.ledger.apply_notices import station_event
from csms.ledger.context import BatchContext
from csms.ledger.port import LedgerTransaction


async def open_streams(tx: LedgerTransaction, context: BatchContext, ops: Sequence[OpenEventStream]) -> list[bool]:
    opened = await tx.open_streams(ops)
    for op, is_open in zip(ops, opened, strict=True):
        kind = "event_stream_opened" if is_open else "event_stream_refused"
        context.station_events.append(station_event(context, op, kind, op.data))
    return opened


async def close_streams(tx: LedgerTransaction, context: BatchContext, ops: Sequence[CloseEventStream]) -> list[None]:
    await tx.close_streams(ops)
    for op in ops:
        context.station_events.append(station_event(context, op, "event_stream_closed", op.data))
    return [None] * len(ops)


async def record(tx: LedgerTransaction, context: BatchContext, ops: Sequence[RecordStreamValues]) -> list[bool]:
    opened = await tx.are_streams_open({(op.tenant_id, op.station_id, op.stream_id) for op in ops})
    outcomes = [(op.tenant_id, op.station_id, op.stream_id) in opened for op in ops]
    for op, is_open in zip(ops, outcomes, strict=True):
        if is_open:
            context.station_events.append(station_event(context, op, "event_stream", op.data, op.time))
    return outcomes
