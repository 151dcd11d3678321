"""What a session has cost, in the answer to the event that ends it (rule Y11): the same price that its CDR will tell.

A session has its tariff from the worker that follows its start (csms.billing). While that is behind, or what is stored of the
session is too much to be priced here, the answer says nothing of the cost, which does not mean that it was free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

import structlog

from csms.billing.session_usage import to_usage
from csms.domain.operations import RecordTransactionEvent
from csms.domain.session_state import SessionState
from csms.ledger.context import BatchContext
from csms.ledger.port import LedgerTransaction
from csms.ledger.rows import PricedSession
from csms.pricing import BadUsage, Pricer
from csms.pricing.exact import to_minor_unit
from csms.store.queries.session_usage import SessionSpan

log = structlog.get_logger()

MOST_READINGS: Final = 2_000
"""Of a session that is priced here, while others wait: some milliseconds."""


async def final_costs(
    tx: LedgerTransaction, context: BatchContext, ended: Sequence[tuple[RecordTransactionEvent, SessionState]]
) -> Mapping[UUID, Decimal]:
    """What these sessions have cost, with VAT, by their ids; not those that have no tariff, or no cost that can be told yet."""
    keys = {(op.tenant_id, session.session_id) for op, session in ended if not op.offline and not op.replayed}
    if not keys:
        return {}
    priced = await tx.priced_sessions(keys, MOST_READINGS)
    costs: dict[UUID, Decimal] = {}
    for op, session in ended:
        found = priced.get((op.tenant_id, session.session_id))
        if found is None:
            continue
        try:
            costs[session.session_id] = _cost(context, found, op, session)
        except BadUsage as error:
            log.info("ledger.no_final_cost", session_id=str(session.session_id), error=str(error))
    return costs


def _cost(context: BatchContext, found: PricedSession, op: RecordTransactionEvent, session: SessionState) -> Decimal:
    span = SessionSpan(
        session.status,
        session.start_time,
        session.stop_time,
        session.start_meter_wh,
        session.stop_meter_wh,
        session.last_meter_time,
        context.now,
        found.time_zone,
        found.reserved_at,
    )
    states = list(found.states)
    if op.charging_state is not None and op.time.ts is not None:
        states = sorted([*states, (op.time.ts, op.charging_state)])
    usage = to_usage(span, [*found.readings, *(reading for reading in op.readings if reading.ts is not None)], states)
    cost = Pricer(found.tariff, found.series).price(usage)
    total = cost.total_cost.excl_vat if cost.total_cost.incl_vat is None else cost.total_cost.incl_vat
    return to_minor_unit(total, cost.currency)
