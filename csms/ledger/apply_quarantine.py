"""Messages that cannot be taken as they are, and what was forgiven to those that are (ocpp-j-rules section 3)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from csms.domain.operations import CountRelaxations, Operation, QuarantineFrame
from csms.domain.tolerance import Relaxation
from csms.ledger.context import BatchContext
from csms.ledger.port import LedgerTransaction
from csms.ledger.rows import QuarantineRow


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
                op.taken,
            )
        )
    return [None] * len(ops)


async def count(tx: LedgerTransaction, context: BatchContext, ops: Sequence[CountRelaxations]) -> list[None]:
    """Nothing of its own: `collect` counts what any operation brings."""
    return [None] * len(ops)


def collect(context: BatchContext, ops: Sequence[Operation]) -> None:
    """What the messages of this group commit were forgiven, to be written at its end."""
    for op in ops:
        for relaxation in op.relaxations:
            _add(context, (op.tenant_id, op.station_id), relaxation)


def _add(context: BatchContext, station: tuple[int, int], relaxation: Relaxation) -> None:
    key = (*station, relaxation.kind, relaxation.ocpp_version, relaxation.action, relaxation.path, relaxation.rule)
    known = context.relaxations.get(key)
    times = relaxation.times if known is None else known.times + relaxation.times
    context.relaxations[key] = msgspec.structs.replace(relaxation, times=times)
