"""The payment provider `test`: moves no money, and does what the payment method says, so that a set-up can be tried out.

| method | what happens |
|---|---|
| `test_ok` | authorized at once |
| `test_declined` | declined; so is every amount of 1000 or more |
| `test_redirect`, `test_redirect_declined` | the payer has to act; the second look finds that he did, or that he would not |
| `test_unavailable` | every call fails the first time it is made, and has no effect then |
| `test_late` | every call has its effect, but the answer to the first one never comes |
| `test_silent` | no authorization is ever answered, nor has any effect |
| `test_capture_declined`, `test_release_declined`, `test_refund_declined` | that call is declined |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final, Literal, TypeVar

import msgspec
import trio

from csms.payments.port import Authorization, Authorized, Declined, Hold, Pending, ProviderUnavailable
from csms.store import Connection, Database, StoreUnavailable
from csms.store.queries import test_payments as queries
from csms.store.queries.test_payments import CallOutcome, HeldForTest, Operation

NAME: Final = "test"
DECLINED_FROM: Final = Decimal(1000)
METHODS: Final = frozenset(
    {
        "test_ok",
        "test_redirect",
        "test_redirect_declined",
        "test_unavailable",
        "test_late",
        "test_capture_declined",
        "test_release_declined",
        "test_refund_declined",
    }
)
"""Those that let something be authorized; all others are declined."""

_LOOKS: Final = 2
_SILENT: Final = "test_silent"

T = TypeVar("T")

Fate = Literal["answer", "fail", "hang"]
"""What becomes of a call: it is answered, it fails without an effect, or its answer never comes."""


class DeterministicProvider:
    """One tenant's way to the provider `test`. `database` is the hub role's."""

    def __init__(self, database: Database, tenant_id: int) -> None:
        self._database = database
        self._tenant_id = tenant_id

    async def authorize(
        self, amount: Decimal, currency: str, reference: str, *, payment_method: str, return_url: str | None
    ) -> Authorization:
        async def work(conn: Connection) -> tuple[Fate, HeldForTest | None]:
            key = f"{reference}:authorize"
            calls, _, _ = await queries.count_call(conn, self._tenant_id, key, "authorize", reference, amount)
            hold = await queries.get_hold(conn, self._tenant_id, reference)
            if payment_method == _SILENT:
                return "hang", None
            if payment_method == "test_unavailable" and calls == 1:
                return "fail", None
            hold = _first(reference, payment_method, currency, amount) if hold is None else _looked_at(hold)
            await queries.put_hold(conn, self._tenant_id, hold)
            await queries.note_outcome(conn, self._tenant_id, key, "declined" if hold.state == "declined" else "done")
            return "hang" if payment_method == "test_late" and calls == 1 else "answer", hold

        fate, hold = await self._unit(work)
        if hold is None or fate != "answer":
            raise await _lost(fate)
        if hold.state == "pending":
            return Pending(f"https://payments.test.invalid/{reference}", _name(reference))
        if hold.state in ("declined", "released"):
            raise Declined(f"test: {payment_method} of {amount} {currency} is {hold.state}")
        return Authorized(_name(reference))

    async def capture(self, hold: Hold, amount: Decimal, idempotency_key: str) -> None:
        def apply(held: HeldForTest | None) -> HeldForTest | None:
            if held is None or held.state != "authorized" or not 0 < amount <= held.amount:
                return None
            return msgspec.structs.replace(held, state="captured", captured=amount)

        await self._once("capture", hold, amount, idempotency_key, apply)

    async def release(self, hold: Hold, idempotency_key: str) -> None:
        def apply(held: HeldForTest | None) -> HeldForTest | None:
            if held is None:  # what may still come with this reference is too late
                return HeldForTest(hold.reference, "", hold.currency, Decimal(0), "released")
            return None if held.state == "captured" else msgspec.structs.replace(held, state="released")

        await self._once("release", hold, None, idempotency_key, apply)

    async def refund(self, hold: Hold, amount: Decimal, idempotency_key: str) -> None:
        def apply(held: HeldForTest | None) -> HeldForTest | None:
            if held is None or held.state != "captured" or not 0 < amount <= held.captured - held.refunded:
                return None
            return msgspec.structs.replace(held, refunded=held.refunded + amount)

        await self._once("refund", hold, amount, idempotency_key, apply)

    async def _once(
        self,
        operation: Operation,
        hold: Hold,
        amount: Decimal | None,
        key: str,
        apply: Callable[[HeldForTest | None], HeldForTest | None],
    ) -> None:
        """Make a change of a hold, unless the key says that it was made. Raises Declined where `apply` gives None."""

        async def work(conn: Connection) -> tuple[Fate, CallOutcome]:
            calls, known, first_amount = await queries.count_call(conn, self._tenant_id, key, operation, hold.reference, amount)
            if first_amount != amount:
                return "answer", "declined"  # a key means one thing
            held = await queries.get_hold(conn, self._tenant_id, hold.reference)
            method = "" if held is None else held.method
            if method == "test_unavailable" and calls == 1:
                return "fail", "declined"
            if known is None:
                changed = None if method == f"test_{operation}_declined" else apply(held)
                known = "declined" if changed is None else "done"
                if changed is not None:
                    await queries.put_hold(conn, self._tenant_id, changed)
                await queries.note_outcome(conn, self._tenant_id, key, known)
            return "hang" if method == "test_late" and calls == 1 else "answer", known

        fate, outcome = await self._unit(work)
        if fate != "answer":
            raise await _lost(fate)
        if outcome == "declined":
            raise Declined(f"test: the {operation} is declined")

    async def _unit(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            return await self._database.tenant_unit(self._tenant_id, work)
        except StoreUnavailable as error:
            raise ProviderUnavailable("test: its database is away") from error


def _first(reference: str, method: str, currency: str, amount: Decimal) -> HeldForTest:
    if method not in METHODS or amount >= DECLINED_FROM:
        return HeldForTest(reference, method, currency, amount, "declined")
    return HeldForTest(reference, method, currency, amount, "pending" if "redirect" in method else "authorized")


def _looked_at(hold: HeldForTest) -> HeldForTest:
    if hold.state != "pending":
        return hold
    looks = hold.looks + 1
    if looks < _LOOKS:
        return msgspec.structs.replace(hold, looks=looks)
    return msgspec.structs.replace(hold, looks=looks, state="authorized" if hold.method == "test_redirect" else "declined")


async def _lost(fate: Fate) -> ProviderUnavailable:
    if fate == "hang":
        await trio.sleep_forever()  # until the caller's time is up
    return ProviderUnavailable("test: cannot be reached")


def _name(reference: str) -> str:
    return f"test_{reference}"
