"""Authorization inside a group commit: the decision is stored in the commit that it belongs to (design 3.6)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from csms.domain.authorization import decide
from csms.domain.decisions import Decision
from csms.domain.operations import Authorize
from csms.ledger.context import BatchContext
from csms.ledger.port import LedgerTransaction

TYPE_OF_UNTYPED = "ISO14443"
"""What a token seen by OCPP 1.6, which knows no types, is kept as when nobody entered it."""

LONGEST_TOKEN = 255
"""Characters of an id token (OCPP 2.1; earlier versions have shorter ones)."""


class TokenQuestion(msgspec.Struct, frozen=True):
    """May this token charge at this EVSE? `starting` also asks whether it is in use on another connector (rule X4), by a
    transaction other than `transaction_ref`."""

    tenant_id: int
    station_id: int
    id_token: str
    token_type: str | None
    starting: bool = False
    evse_id: int | None = None
    transaction_ref: str | None = None


async def authorize(tx: LedgerTransaction, context: BatchContext, ops: Sequence[Authorize]) -> list[Decision]:
    return await decide_tokens(tx, context, [TokenQuestion(op.tenant_id, op.station_id, op.id_token, op.token_type) for op in ops])


async def decide_tokens(tx: LedgerTransaction, context: BatchContext, questions: Sequence[TokenQuestion]) -> list[Decision]:
    """Answer all questions with one look-up; tokens nobody knows are kept where the tenant accepts them."""
    if not questions:
        return []
    known = await tx.load_tokens({(q.tenant_id, q.id_token.lower()) for q in questions})
    starting = {(q.tenant_id, q.id_token.lower()) for q in questions if q.starting}
    in_use = await tx.open_token_sessions(starting) if starting else {}
    decisions = []
    unknown: set[tuple[int, str, str]] = set()
    for question in questions:
        key = (question.tenant_id, question.id_token.lower())
        tenant = context.tenants.by_id(question.tenant_id)
        accept_unknown = tenant is not None and tenant.unknown_tokens == "accept"
        here, itself = (question.station_id, question.evse_id), (question.station_id, question.transaction_ref)
        elsewhere = question.starting and any(
            (station, evse) != here and (station, ref) != itself for station, evse, ref in in_use.get(key, ())
        )
        decision = decide(
            known.get(key, ()),
            token_type=question.token_type,
            accept_unknown=accept_unknown,
            busy_elsewhere=elsewhere,
            now=context.now,
        )
        decisions.append(decision)
        if accept_unknown and key not in known and 0 < len(question.id_token) <= LONGEST_TOKEN:
            unknown.add((question.tenant_id, question.id_token, question.token_type or TYPE_OF_UNTYPED))
    if unknown:
        await tx.add_unknown_tokens(unknown)
    return decisions
