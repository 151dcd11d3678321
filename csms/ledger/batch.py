"""One group commit: operations of different stations, applied by kind, each kind with set-based statements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from csms.domain.operations import (
    Authorize,
    BootStation,
    ClaimCommand,
    CloseEventStream,
    ConnectStation,
    CountRelaxations,
    DisconnectStation,
    FinishCommand,
    OpenEventStream,
    Operation,
    QuarantineFrame,
    ReconcileSessions,
    RecordDeviceEvents,
    RecordMeterValues,
    RecordStationEvent,
    RecordStreamValues,
    RecordTransactionEvent,
    ReportConnectorStatus,
    SeeStations,
    StartTransaction,
    StopTransaction,
    StoreDeviceReport,
)
from csms.ledger import (
    apply_commands,
    apply_meter_values,
    apply_notices,
    apply_ocpp16_transactions,
    apply_quarantine,
    apply_reconciliation,
    apply_stations,
    apply_streams,
    apply_tokens,
    apply_transaction_events,
)
from csms.ledger.context import BatchContext
from csms.ledger.port import LedgerTransaction

Apply = Callable[[LedgerTransaction, BatchContext, Sequence[Any]], Awaitable[Sequence[Any]]]

# In this order in every transaction, so that two group commits take their locks alike: stations, then sessions, then the rest.
_APPLY: Final[dict[type[Operation], Apply]] = {
    ConnectStation: apply_stations.connect,
    DisconnectStation: apply_stations.disconnect,
    SeeStations: apply_stations.see,
    BootStation: apply_stations.boot,
    ReportConnectorStatus: apply_stations.report_status,
    RecordDeviceEvents: apply_notices.record_device_events,
    StartTransaction: apply_ocpp16_transactions.start,
    StopTransaction: apply_ocpp16_transactions.stop,
    RecordTransactionEvent: apply_transaction_events.record,
    RecordMeterValues: apply_meter_values.record,
    Authorize: apply_tokens.authorize,
    RecordStationEvent: apply_notices.record_station_event,
    StoreDeviceReport: apply_notices.store_device_report,
    OpenEventStream: apply_streams.open_streams,
    CloseEventStream: apply_streams.close_streams,
    RecordStreamValues: apply_streams.record,
    QuarantineFrame: apply_quarantine.quarantine,
    CountRelaxations: apply_quarantine.count,
    ClaimCommand: apply_commands.claim,
    FinishCommand: apply_commands.finish,
    ReconcileSessions: apply_reconciliation.reconcile,
}


_LOCKING: Final = frozenset({ConnectStation, DisconnectStation, BootStation, StartTransaction, RecordTransactionEvent})
"""Kinds that lock the rows of their stations."""


async def apply_batch(tx: LedgerTransaction, context: BatchContext, operations: Sequence[Operation]) -> list[Any]:
    """Apply all operations; the outcomes are in their order, and hold once the transaction has committed."""
    by_kind: dict[type[Operation], list[int]] = {}
    for index, operation in enumerate(operations):
        by_kind.setdefault(type(operation), []).append(index)
    if len(_LOCKING & by_kind.keys()) > 1 or not by_kind.keys().isdisjoint((ConnectStation, DisconnectStation)):
        # All at once and in the order of their keys, not kind by kind: when stations come back by hundreds, two processes hold
        # messages of the same ones, and would wait for each other.
        await context.lock_stations(
            tx, {(op.tenant_id, op.station_id) for op in operations if type(op) in _LOCKING and op.station_id}
        )
    outcomes: list[Any] = [None] * len(operations)
    for kind, apply in _APPLY.items():
        indexes = by_kind.get(kind)
        if indexes is None:
            continue
        results = await apply(tx, context, [operations[i] for i in indexes])
        for index, result in zip(indexes, results, strict=True):
            outcomes[index] = result
    apply_quarantine.collect(context, operations)
    await context.write_out(tx)
    return outcomes
