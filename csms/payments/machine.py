"""How a payment goes on (pure).

A payment is kept as it is before anything is asked of a provider or a station, and what comes of it is kept afterwards. So whoever
finds a payment knows from it alone what to do next, and may do it again: `next_step` says what, the functions below say what
follows from its outcome. They give the payment as it was where an outcome does not fit it (any more).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

import msgspec

State = Literal[
    "created",
    "authorizing",
    "authorized",
    "starting",
    "charging",
    "capturing",
    "captured",
    "releasing",
    "released",
    "declined",
    "failed",
]
FINAL: Final = frozenset({"captured", "released", "declined", "failed"})
"""Nothing is held any more; only what was captured may still be given back."""

Step = Literal["begin", "authorize", "start", "watch_start", "watch_session", "capture", "release", "refund"]

AUTHORIZE_FOR: Final = timedelta(minutes=15)
"""How long the payer, and a provider that cannot be reached, have until the payment is given up."""
START_WITHIN: Final = timedelta(minutes=5)
HOLD_FOR: Final = timedelta(days=7)
"""How long a bill is waited for: holds on cards do not last much longer."""

PENDING_EVERY: Final = timedelta(seconds=3)
START_EVERY: Final = timedelta(seconds=2)
SESSION_EVERY: Final = timedelta(seconds=60)
"""A bill pokes; this is for what has none."""
_FIRST_PAUSE: Final = timedelta(seconds=2)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_MOST_DOUBLINGS: Final = 20
_LONGEST_TEXT: Final = 300
_NOTHING: Final = Decimal(0)


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """One payment. Amounts in `currency`.

    `amount`: what is to be held; `due`: what the newest bill comes to, None: there is none yet; `capturing`, `refunding`: what is
    being captured or given back, kept from before the first try so that every try asks for the same; `refunds`: how many times
    a refund has ended; `settled_due`: the bill that the account was squared with. `reason`: why it ended as it did; `flag`: why a
    person has to look at it; `failure`: why the last try of the step failed. `deadline`: until when the state may last;
    `attempts`: tries of the present step that failed.
    """

    payment_id: UUID
    state: State
    currency: str
    amount: Decimal
    created_at: datetime
    redirect_url: str | None = None
    provider_reference: str | None = None
    token_id: UUID | None = None
    id_token: str | None = None
    command_id: UUID | None = None
    session_id: UUID | None = None
    due: Decimal | None = None
    settled_due: Decimal | None = None
    capturing: Decimal | None = None
    captured: Decimal = _NOTHING
    refunding: Decimal | None = None
    refunds: int = 0
    refunded: Decimal = _NOTHING
    reason: str | None = None
    flag: str | None = None
    failure: str | None = None
    attempts: int = 0
    deadline: datetime | None = None

    @property
    def kept(self) -> Decimal:
        """What of the payer's money is ours."""
        return self.captured - self.refunded


_STEPS: Final[dict[State, Step]] = {
    "created": "begin",
    "authorizing": "authorize",
    "authorized": "start",
    "starting": "watch_start",
    "charging": "watch_session",
    "capturing": "capture",
    "releasing": "release",
}


def next_step(payment: Payment) -> Step | None:
    """What is to be done next; None: nothing, unless another bill comes."""
    if payment.refunding is not None:
        return "refund"
    return _STEPS.get(payment.state)


def idempotency_key(payment: Payment, step: Step) -> str:
    """The key of a step that a provider is asked for."""
    return f"{payment.payment_id}:{step}" + (f":{payment.refunds + 1}" if step == "refund" else "")


def next_try(payment: Payment, now: datetime) -> datetime | None:
    """When to take the next step; None: never, unless something happens."""
    if next_step(payment) is None:
        return None
    if payment.attempts:
        pause: timedelta = _FIRST_PAUSE * 2 ** min(payment.attempts - 1, _MOST_DOUBLINGS)
        return now + min(pause, _LONGEST_PAUSE)
    if payment.state == "authorizing" and payment.redirect_url is not None:
        return now + PENDING_EVERY
    if payment.state == "starting":
        return now + START_EVERY
    if payment.state == "charging":
        return now + SESSION_EVERY
    return now


def begin(payment: Payment, now: datetime) -> Payment:
    """The provider is going to be asked."""
    return _move(payment, ("created",), "authorizing", deadline=now + AUTHORIZE_FOR)


def pending(payment: Payment, redirect_url: str, provider_reference: str | None) -> Payment:
    """The payer has to act."""
    if payment.state != "authorizing":
        return payment
    known = payment.provider_reference if provider_reference is None else provider_reference
    return _succeeded(msgspec.structs.replace(payment, redirect_url=redirect_url, provider_reference=known))


def authorized(payment: Payment, provider_reference: str, now: datetime) -> Payment:
    """The amount is held."""
    return _move(
        payment, ("authorizing",), "authorized", provider_reference=provider_reference, redirect_url=None, deadline=now + HOLD_FOR
    )


def declined(payment: Payment, why: str) -> Payment:
    """The provider said no to the present step."""
    if payment.refunding is not None:
        return msgspec.structs.replace(
            _succeeded(payment),
            refunding=None,
            refunds=payment.refunds + 1,
            flag=_text(f"{payment.refunding} could not be refunded: {why}"),
        )
    if payment.state == "authorizing":
        return _move(payment, ("authorizing",), "declined", reason=_text(why), redirect_url=None, deadline=None)
    if payment.state in ("capturing", "releasing"):
        what = f"{payment.capturing} could not be captured" if payment.state == "capturing" else "the hold could not be released"
        return _move(payment, (payment.state,), "failed", reason=_text(why), flag=_text(f"{what}: {why}"), deadline=None)
    return payment


def unavailable(payment: Payment, why: str, now: datetime) -> Payment:
    """The present step has no outcome. An authorization is not waited for for ever; all that follows is."""
    failed = msgspec.structs.replace(payment, attempts=payment.attempts + 1, failure=_text(why))
    if payment.state == "authorizing" and is_over(payment, now):
        return give_up(failed, "the provider gave no answer in time")
    return failed


def is_over(payment: Payment, now: datetime) -> bool:
    """Has the state lasted as long as it may?"""
    return payment.deadline is not None and now >= payment.deadline


def started(payment: Payment, token_id: UUID, id_token: str, command_id: UUID, now: datetime) -> Payment:
    """The station is going to be told to start, with this token."""
    return _move(
        payment,
        ("authorized",),
        "starting",
        token_id=token_id,
        id_token=id_token,
        command_id=command_id,
        deadline=now + START_WITHIN,
    )


def session_began(payment: Payment, session_id: UUID, now: datetime) -> Payment:
    """A session uses the token."""
    return _move(payment, ("starting",), "charging", session_id=session_id, deadline=now + HOLD_FOR)


def give_up(payment: Payment, reason: str, *, flag: str | None = None) -> Payment:
    """What is held, or perhaps is, goes back. `flag`: if a person has to look at it."""
    return _move(
        payment,
        ("authorizing", "authorized", "starting", "charging"),
        "releasing",
        reason=_text(reason),
        flag=payment.flag if flag is None else _text(flag),
        redirect_url=None,
        deadline=None,
    )


def billed(payment: Payment, due: Decimal) -> Payment:
    """The newest bill of the session comes to `due`, with all taxes. May be told any number of times, and changes with a
    correction."""
    if payment.state == "charging":
        known = msgspec.structs.replace(payment, due=due)
        amount = min(due, payment.amount)
        if amount <= 0:
            return give_up(known, "nothing to pay")
        return _move(known, ("charging",), "capturing", capturing=amount, deadline=None)
    if due == payment.due:
        return payment
    if payment.state in ("releasing", "released") and due > 0:
        flag = f"{due} {payment.currency} are due, but the hold was released"
        return msgspec.structs.replace(payment, due=due, flag=flag)
    return _square(msgspec.structs.replace(payment, due=due))


def captured(payment: Payment) -> Payment:
    """What was to be captured is."""
    if payment.state != "capturing" or payment.capturing is None:
        return payment
    return _square(_move(payment, ("capturing",), "captured", captured=payment.capturing, capturing=None))


def released(payment: Payment) -> Payment:
    """Nothing is held any more."""
    return _move(payment, ("releasing",), "released")


def refunded(payment: Payment) -> Payment:
    """What was to be given back is."""
    if payment.refunding is None:
        return payment
    return _square(
        msgspec.structs.replace(
            _succeeded(payment), refunded=payment.refunded + payment.refunding, refunding=None, refunds=payment.refunds + 1
        )
    )


def _square(payment: Payment) -> Payment:
    """Bring what is kept in line with the bill: too much goes back, too little is a person's business, because nothing may be
    captured beyond what the payer has agreed to."""
    due = payment.due
    if payment.state != "captured" or payment.refunding is not None or due is None or due == payment.settled_due:
        return payment
    squared = msgspec.structs.replace(payment, settled_due=due)
    if payment.kept > max(due, _NOTHING):
        return msgspec.structs.replace(squared, refunding=payment.kept - max(due, _NOTHING))
    if payment.kept < due:
        flag = f"{due} {payment.currency} are due, of which {payment.kept} could be taken"
        return msgspec.structs.replace(squared, flag=flag)
    return squared


def _move(payment: Payment, before: tuple[State, ...], after: State, **changes: object) -> Payment:
    if payment.state not in before:
        return payment
    return msgspec.structs.replace(_succeeded(payment), state=after, **changes)


def _succeeded(payment: Payment) -> Payment:
    return msgspec.structs.replace(payment, attempts=0, failure=None)


def _text(text: str) -> str:
    return text[:_LONGEST_TEXT]
