"""Commands: claimed before their frame leaves, finished once."""

from __future__ import annotations

from collections.abc import Sequence

from csms.domain.operations import ClaimCommand, FinishCommand
from csms.domain.reservations import ORDERS, answer_of
from csms.ledger import apply_reconciliation
from csms.ledger.context import BatchContext
from csms.ledger.port import LedgerTransaction


async def claim(tx: LedgerTransaction, context: BatchContext, ops: Sequence[ClaimCommand]) -> list[bool]:
    return await tx.claim_commands(ops)


async def finish(tx: LedgerTransaction, context: BatchContext, ops: Sequence[FinishCommand]) -> list[bool]:
    finished = await tx.finish_commands(ops)
    await apply_reconciliation.answered(tx, context, ops, finished)
    for op, command in zip(ops, finished, strict=True):
        if command is not None:
            context.publish(
                "command.finished",
                op.tenant_id,
                op.station_id,
                {"command_id": op.command_id, "status": op.status, "error": op.error},
                occurred_at=context.now,
            )
            if command.command in ORDERS:
                answer = answer_of(op.tenant_id, op.station_id, op.command_id, command.command, op.status, op.result, op.error)
                context.reservation_answers.append(answer)
    return [command is not None for command in finished]
