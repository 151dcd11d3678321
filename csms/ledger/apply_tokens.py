"""Authorization inside a group commit: the decision is stored in the commit that it belongs to (design 3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from csms.domain.authorization import Verdict
from csms.domain.decisions import Decision
from csms.domain.operations import Authorize
from csms.domain.token_identity import canonical, lookup_key
from csms.ledger.context import BatchContext
from csms.ledger.port import LedgerTransaction
from csms.ledger.refusals import Refusal
from csms.ledger.rows import TokenUse
from csms.ledger.weighing import TokenQuestion, Weighing
from csms.qr_tokens import TYPE as TYPE_OF_QR

TYPE_OF_UNTYPED: Final = "ISO14443"
"""What a token seen by OCPP 1.6, which knows no types, is kept as when nobody entered it."""

LONGEST_TOKEN: Final = 255
"""Characters of an id token (OCPP 2.1; earlier versions have shorter ones)."""

_KEY_CODE: Final = "KeyCode"
"""A type of token that is a password: it is in no event."""


async def authorize(tx: LedgerTransaction, context: BatchContext, ops: Sequence[Authorize]) -> list[Decision]:
    questions = [TokenQuestion(op.tenant_id, op.station_id, op.id_token, op.token_type, external=op.external) for op in ops]
    return await decide_tokens(tx, context, questions)


async def answer(tx: LedgerTransaction, context: BatchContext, ops: Sequence[Authorize]) -> list[Decision] | None:
    """The same as `authorize` without writing anything; None: something has to be written, a refusal that operators are told of or
    a token that is kept as unknown."""
    questions = [TokenQuestion(op.tenant_id, op.station_id, op.id_token, op.token_type, external=op.external) for op in ops]
    weighing = await Weighing.prepare(tx, context.tenants, context.now, questions)
    if _unknown_to_keep(context, questions, weighing):
        return None
    decisions = []
    for question in questions:
        by_code = _refused_by_code(context, question)
        verdict = Verdict(by_code, None, ()) if by_code else _known_code(context, question, weighing.judge(question))
        _tell_refusal(context, question, verdict)
        decisions.append(verdict.decision)
    return None if context.outbox else decisions


async def decide_tokens(tx: LedgerTransaction, context: BatchContext, questions: Sequence[TokenQuestion]) -> list[Decision]:
    """Answer all questions together; tokens nobody knows are kept where the tenant accepts them, single-use tokens are used up by
    the session that begins with them, and operators are told of refusals."""
    by_code = [_refused_by_code(context, question) for question in questions]
    asked = [question for question, decision in zip(questions, by_code, strict=True) if decision is None]
    weighed = iter(await _weigh(tx, context, asked)) if asked else iter(())
    decisions = [decision or next(weighed) for decision in by_code]
    for question, decision in zip(questions, by_code, strict=True):
        if decision is not None:
            _tell_refusal(context, question, Verdict(decision, None, ()))
    return decisions


def _refused_by_code(context: BatchContext, question: TokenQuestion) -> Decision | None:
    """The refusal of a dynamic QR code that can be told from the code alone: nothing needs to be looked up for it."""
    if context.qr_codes is None or question.token_type not in (None, TYPE_OF_QR):
        return None
    found = context.qr_codes.verify(question.id_token, question.tenant_id, context.now)
    if found == "forged":
        return Decision("Invalid", reason="not a QR code of this tenant's, or an altered one")
    if found == "expired" and question.purpose == "begin":  # whoever has begun with it may end it
        return Decision("Expired", reason="the time of the QR code is over")
    return None


def _is_code(context: BatchContext, question: TokenQuestion) -> bool:
    codes = context.qr_codes
    return codes is not None and codes.verify(question.id_token, question.tenant_id, context.now) is not None


async def _weigh(tx: LedgerTransaction, context: BatchContext, questions: Sequence[TokenQuestion]) -> list[Decision]:
    """Answer questions from what is known of the tokens."""
    weighing = await Weighing.prepare(tx, context.tenants, context.now, questions)
    verdicts = [weighing.judge(question) for question in questions]
    uses = {index: use for index, question in enumerate(questions) for use in _uses(question, verdicts[index])}
    if uses:
        won = await tx.use_tokens(sorted(uses.values()), context.now)
        lost = [index for index, use in uses.items() if use not in won]
        if lost:
            await weighing.look_again([questions[index] for index in lost])
            for index in lost:
                verdicts[index] = weighing.judge(questions[index])
    unknown = _unknown_to_keep(context, questions, weighing)
    if unknown:
        await tx.add_unknown_tokens(unknown)
    verdicts = [_known_code(context, question, verdict) for question, verdict in zip(questions, verdicts, strict=True)]
    for question, verdict in zip(questions, verdicts, strict=True):
        _tell_refusal(context, question, verdict)
    return [verdict.decision for verdict in verdicts]


def _uses(question: TokenQuestion, verdict: Verdict) -> list[TokenUse]:
    """The single-use token that the session of this question uses up."""
    token, session_id = verdict.token, question.session_id
    if question.purpose != "begin" or token is None or session_id is None or not verdict.decision.accepted:
        return []
    if not token.single_use or token.token_id is None or token.used_by_session_id is not None:
        return []
    return [TokenUse(question.tenant_id, token.token_id, session_id)]


def _known_code(context: BatchContext, question: TokenQuestion, verdict: Verdict) -> Verdict:
    """A code of ours that is not there (any more) is no unknown token, which some tenants take."""
    if verdict.token is not None or context.qr_codes is None or not verdict.decision.accepted:
        return verdict
    found = context.qr_codes.verify(question.id_token, question.tenant_id, context.now)
    if found is None:
        return verdict
    gone = Decision("Expired" if found == "expired" else "Blocked", reason="the QR code is not there any more")
    return Verdict(gone, None, verdict.checks)


def _unknown_to_keep(context: BatchContext, questions: Sequence[TokenQuestion], weighing: Weighing) -> set[tuple[int, str, str]]:
    """(tenant, token, type) of those that nobody knows, where the tenant takes them."""
    unknown: set[tuple[int, str, str]] = set()
    for question in questions:
        tenant = context.tenants.by_id(question.tenant_id)
        accepts = tenant is not None and tenant.unknown_tokens == "accept" and not _is_code(context, question)
        if accepts and not weighing.is_known(question) and 0 < len(question.id_token) <= LONGEST_TOKEN:
            spelling = canonical(question.id_token, question.token_type)
            unknown.add((question.tenant_id, spelling, question.token_type or TYPE_OF_UNTYPED))
    return unknown


def _tell_refusal(context: BatchContext, question: TokenQuestion, verdict: Verdict) -> None:
    decision = verdict.decision
    if decision.accepted or question.purpose == "go_on" or not question.live:
        return
    key = lookup_key(question.id_token, question.token_type)
    refusal = Refusal(question.tenant_id, question.station_id, key, decision.reason or decision.status)
    if refusal in context.refused or not context.refusals.is_new(refusal, context.now):
        return
    context.refused.add(refusal)
    is_secret = _KEY_CODE in (question.token_type, None if verdict.token is None else verdict.token.type)
    context.publish(
        "token.refused",
        question.tenant_id,
        question.station_id,
        {
            "id_tag": None if is_secret else question.id_token,
            "status": decision.status,
            "reason": decision.reason,
            "evse_id": question.evse_id,
        },
        session_id=question.session_id,
        occurred_at=context.now,
    )
