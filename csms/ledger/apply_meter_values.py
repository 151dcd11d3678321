"""MeterValues: readings of a session, or of the station itself (rules X5, X6, X10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from csms.domain.metering import Reading
from csms.domain.operations import Orphaned, RecordMeterValues
from csms.ledger.context import BatchContext
from csms.ledger.orphans import keep_orphan, match_unanswered
from csms.ledger.port import LedgerTransaction, RefKey
from csms.ledger.rows import MeterUpdate, SampleRow, StationSampleRow


async def record(tx: LedgerTransaction, context: BatchContext, ops: Sequence[RecordMeterValues]) -> list[Orphaned | None]:
    named = {
        (op.tenant_id, op.station_id, op.transaction_ref): op for op in ops if op.transaction_ref is not None and op.connector_id
    }
    ids = context.known_sessions.find(named)
    if unknown := named.keys() - ids.keys():
        looked_up = await tx.session_ids(unknown)
        context.looked_up_sessions |= looked_up
        ids |= looked_up
    lost = {key: op for key, op in named.items() if key not in ids}
    if lost:
        ids |= await _resolve_lost(tx, context, lost)
    outcomes: list[Orphaned | None] = []
    replayed: set[tuple[int, UUID]] = set()
    for op in ops:
        session_id = None if op.transaction_ref is None else ids.get((op.tenant_id, op.station_id, op.transaction_ref))
        orphaned = op.replayed and session_id is None and op.transaction_ref is not None
        outcomes.append(Orphaned() if orphaned else None)
        if orphaned:
            continue  # it stays in quarantine, with its readings
        if session_id is None:
            context.station_samples.extend(
                StationSampleRow(op.tenant_id, op.station_id, op.evse_id, reading) for reading in op.readings
            )
        else:
            _add_to_session(context, op, session_id)
            if op.replayed:
                replayed.add((op.tenant_id, session_id))
    if replayed:
        await tx.flag_sessions(replayed, "replayed")
    return outcomes


def _add_to_session(context: BatchContext, op: RecordMeterValues, session_id: UUID) -> None:
    if not op.readings:
        return
    newest, wh = _last_register(op.readings)
    event = b'{"transaction_id":"%s","evse_id":%d,"connector_id":%d,"meter_values":%s}' % (
        (op.transaction_ref or "").encode(),
        op.evse_id,
        op.connector_id,
        op.payload,
    )
    update = MeterUpdate(op.station_id, wh, event)
    context.samples.extend(
        [SampleRow(op.tenant_id, session_id, reading, update if reading is newest else None) for reading in op.readings]
    )


def _last_register(readings: Sequence[Reading]) -> tuple[Reading, Decimal | None]:
    """The reading with the newest register; the first one, if none has a register."""
    newest: tuple[Reading, Decimal | None] = (readings[0], None)
    last: datetime | None = None
    for reading in readings:
        wh = reading.import_register_wh()
        if wh is not None and reading.ts is not None and (last is None or reading.ts >= last):
            newest, last = (reading, wh), reading.ts
    return newest


async def _resolve_lost(tx: LedgerTransaction, context: BatchContext, lost: dict[RefKey, RecordMeterValues]) -> dict[RefKey, UUID]:
    """Sessions of messages whose transaction id is unknown here; the others are kept as orphans and as station readings."""
    open_sessions = await tx.open_sessions({(tenant_id, station_id) for tenant_id, station_id, ref in lost if ref == "-1"})
    elsewhere = await tx.refs_elsewhere(lost)
    resolved: dict[RefKey, UUID] = {}
    for key, op in lost.items():
        session = None
        if op.transaction_ref == "-1":
            at = op.readings[0].ts if op.readings else None
            session = match_unanswered(open_sessions.get((op.tenant_id, op.station_id), ()), op.connector_id, None, at)
        if session is None and op.replayed:
            continue
        if session is None:
            keep_orphan(context, op, "ocpp1.6", "MeterValues", _message(op), foreign=key in elsewhere)
        else:
            resolved[key] = session.session_id
    return resolved


def _message(op: RecordMeterValues) -> bytes:
    """The OCPP 1.6 message again, so that it can be taken from quarantine: the operation has all of its members."""
    return b'{"connectorId":%d,"transactionId":%s,"meterValue":%s}' % (
        op.connector_id,
        (op.transaction_ref or "").encode(),
        op.payload,
    )
