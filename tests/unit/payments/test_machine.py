"""Payments whatever happens: any answers of the provider in any order, crashes between any two steps, bills that come again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from csms.payments import machine
from csms.payments.machine import FINAL, Payment

ID = UUID(int=7)
TOKEN = UUID(int=8)
SESSION = UUID(int=9)
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
cents = st.integers(0, 6000).map(lambda value: Decimal(value) / 100)
# a call has its effect and is answered; has it, and the answer is lost; or has none
fates = st.sampled_from(["answered", "answered", "lost", "failed"])


class Account:
    """A provider that keeps its promises, and what it did."""

    def __init__(self, amount: Decimal) -> None:
        self.amount = amount
        self.state = "none"
        self.captured: list[Decimal] = []
        self.refunded: list[Decimal] = []
        self.answers: dict[str, tuple[tuple[Any, ...], bool]] = {}

    def once(self, key: str, what: tuple[Any, ...], allowed: bool, refuses: bool) -> bool:
        """Does it; False: declined. The same key means the same call for ever."""
        if key in self.answers:
            said, done = self.answers[key]
            assert said == what, "a key was used for two different calls"
            return done
        done = allowed and not refuses
        self.answers[key] = (what, done)
        if done:
            operation, amount = what
            if operation == "capture":
                self.captured.append(amount)
                self.state = "captured"
            elif operation == "refund":
                self.refunded.append(amount)
            else:
                self.state = "released"
        return done


class Life(RuleBasedStateMachine):
    """The worker: it knows what was kept, and nothing else."""

    @initialize(hold=st.integers(100, 5000).map(lambda value: Decimal(value) / 100), refuses=st.booleans())
    def begin(self, hold: Decimal, refuses: bool) -> None:
        self.now = NOW
        self.kept = Payment(payment_id=ID, state="created", currency="EUR", amount=hold, created_at=NOW)
        self.account = Account(hold)
        self.bill: Decimal | None = None
        self.token_used = False
        self.withdrawn = False
        self.refuses = refuses
        self.over = False

    # -- what the world does

    @rule(minutes=st.integers(1, 2000))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @precondition(lambda self: self.kept.state == "starting" and not self.withdrawn)
    @rule()
    def a_session_begins(self) -> None:
        self.token_used = True

    @precondition(lambda self: self.token_used)
    @rule(due=cents)
    def a_bill_comes(self, due: Decimal) -> None:
        self.bill = due

    # -- what the worker does; `keeps` False: it crashes before it could keep what came of it

    @rule(fate=fates, keeps=st.booleans(), says=st.sampled_from(["yes", "yes", "yes", "pending", "no"]))
    def takes_a_step(self, fate: str, keeps: bool, says: str) -> None:
        after = self.step(fate, says)
        if keeps:
            self.keep(after)

    @rule(says=st.sampled_from(["yes", "no"]))
    def is_taken_up_twice(self, says: str) -> None:
        """Two processes take the same step; what the second one finds out is not kept."""
        first, second = self.step("answered", says), self.step("answered", says)
        self.keep(first)
        assert second.state == first.state

    def keep(self, after: Payment) -> None:
        before = self.kept
        assert before.state not in FINAL or after.state == before.state, "what has ended began again"
        self.kept = after

    def step(self, fate: str, says: str) -> Payment:
        payment = self.kept
        step = machine.next_step(payment)
        if step is None or step == "watch_session":
            return payment if self.bill is None else machine.billed(payment, self.bill)
        if step == "begin":
            return machine.begin(payment, self.now)
        if step == "start":
            return machine.started(payment, TOKEN, "PAY", UUID(int=10), self.now)
        if step == "watch_start":
            if self.token_used:
                return machine.session_began(payment, SESSION, self.now)
            if self.withdrawn or machine.is_over(payment, self.now):
                self.withdrawn = True
                return machine.give_up(payment, "no session began")
            return payment
        if fate == "failed":
            return machine.unavailable(payment, "no answer", self.now)
        after = self.authorize(payment, says) if step == "authorize" else self.change(payment, step)
        return machine.unavailable(payment, "the answer was lost", self.now) if fate == "lost" else after

    def authorize(self, payment: Payment, says: str) -> Payment:
        account = self.account
        if account.state in ("none", "pending"):
            account.state = {"yes": "authorized", "no": "declined", "pending": "pending"}[says]
        if account.state == "pending":
            if machine.is_over(payment, self.now):
                return machine.give_up(payment, "the payer did not confirm")
            return machine.pending(payment, "https://example.org", None)
        if account.state == "authorized":
            return machine.authorized(payment, "ref", self.now)
        return machine.declined(payment, "no")

    def change(self, payment: Payment, step: machine.Step) -> Payment:
        account, key = self.account, machine.idempotency_key(payment, step)
        if step == "capture":
            amount = payment.capturing
            assert amount is not None
            done = account.once(key, ("capture", amount), account.state == "authorized" and amount <= account.amount, False)
            return machine.captured(payment) if done else machine.declined(payment, "no")
        if step == "refund":
            amount = payment.refunding
            assert amount is not None
            free = sum(account.captured) - sum(account.refunded)
            done = account.once(key, ("refund", amount), amount <= free, self.refuses)
            return machine.refunded(payment) if done else machine.declined(payment, "no")
        done = account.once(key, ("release", None), account.state != "captured", False)
        return machine.released(payment) if done else machine.declined(payment, "no")

    # -- what always holds

    @invariant()
    def money_is_captured_once_and_never_beyond_the_hold(self) -> None:
        if not hasattr(self, "account"):
            return
        account = self.account
        assert len(account.captured) <= 1
        assert sum(account.captured) <= account.amount
        assert sum(account.refunded) <= sum(account.captured)
        assert not (account.captured and not self.token_used), "nobody charged"

    @invariant()
    def a_next_step_has_its_time(self) -> None:
        if hasattr(self, "kept"):
            due = machine.next_try(self.kept, self.now)
            assert (due is None) == (machine.next_step(self.kept) is None)
            assert due is None or self.now <= due <= self.now + timedelta(hours=1)

    def teardown(self) -> None:
        """Once everybody answers and time goes on, it ends, and nothing stays held."""
        if not hasattr(self, "kept"):
            return
        for _ in range(60):
            before = self.kept
            if self.token_used and self.bill is None:
                self.bill = Decimal("3.21")
            self.keep(self.step("answered", "yes"))
            self.now += timedelta(minutes=6)
            if self.kept == before and before.state in FINAL:
                break
        payment, account = self.kept, self.account
        assert payment.state in FINAL, payment
        assert account.state in ("captured", "released", "declined"), account.state
        assert payment.captured == sum(account.captured)
        assert payment.refunded == sum(account.refunded)
        if payment.state == "captured" and self.bill is not None:
            if payment.kept > self.bill:
                assert self.refuses
                assert payment.flag is not None
            if payment.kept < self.bill:
                assert payment.flag is not None, "somebody must know that not all is paid"
        if payment.state == "released" and self.bill:
            assert payment.flag is not None


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=400, stateful_step_count=40, suppress_health_check=list(HealthCheck), deadline=None)


def test_pauses_grow_to_an_hour() -> None:
    payment = Payment(payment_id=ID, state="releasing", currency="EUR", amount=Decimal(10), created_at=NOW)
    pauses = []
    for _ in range(30):
        payment = machine.unavailable(payment, "x" * 1000, NOW)
        due = machine.next_try(payment, NOW)
        assert due is not None
        pauses.append(due - NOW)
    assert pauses[:4] == [timedelta(seconds=s) for s in (2, 4, 8, 16)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=1)
    assert payment.failure == "x" * 300
    assert machine.next_try(machine.released(payment), NOW) is None
