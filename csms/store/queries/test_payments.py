"""What the payment provider `test` keeps: its holds, and every call that was made of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from csms.store.pool import Connection

HoldState = Literal["pending", "authorized", "declined", "captured", "released"]
Operation = Literal["authorize", "capture", "release", "refund"]
CallOutcome = Literal["done", "declined"]


class HeldForTest(msgspec.Struct, frozen=True):
    """`looks`: how often somebody asked how a pending authorization stands."""

    reference: str
    method: str
    currency: str
    amount: Decimal
    state: HoldState
    looks: int = 0
    captured: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)


async def count_call(
    conn: Connection, tenant_id: int, key: str, operation: Operation, reference: str, amount: Decimal | None
) -> tuple[int, CallOutcome | None, Decimal | None]:
    """(how often the call was made by now, what came of it, the amount that it was first made with)"""
    row = await conn.fetchrow(
        "INSERT INTO test_payment_calls AS c (tenant_id, idempotency_key, operation, reference, amount, calls) "
        "VALUES ($1, $2, $3, $4, $5, 1) ON CONFLICT (tenant_id, idempotency_key) DO UPDATE SET calls = c.calls + 1 "
        "RETURNING c.calls, c.outcome, c.amount",
        tenant_id,
        key,
        operation,
        reference,
        amount,
    )
    if row is None:
        raise LookupError("INSERT returned no row")
    return row[0], row[1], row[2]


async def note_outcome(conn: Connection, tenant_id: int, key: str, outcome: CallOutcome) -> None:
    await conn.execute(
        "UPDATE test_payment_calls SET outcome = $3 WHERE tenant_id = $1 AND idempotency_key = $2", tenant_id, key, outcome
    )


async def get_hold(conn: Connection, tenant_id: int, reference: str) -> HeldForTest | None:
    """Locked to the end of the transaction."""
    row = await conn.fetchrow(
        "SELECT reference, method, currency, amount, state, looks, captured, refunded FROM test_payment_holds "
        "WHERE tenant_id = $1 AND reference = $2 FOR UPDATE",
        tenant_id,
        reference,
    )
    return None if row is None else HeldForTest(*row)


async def put_hold(conn: Connection, tenant_id: int, hold: HeldForTest) -> None:
    await conn.execute(
        "INSERT INTO test_payment_holds (tenant_id, reference, method, currency, amount, state, looks, captured, refunded) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (tenant_id, reference) DO UPDATE SET state = $6, looks = $7, "
        "captured = $8, refunded = $9",
        tenant_id,
        *msgspec.structs.astuple(hold),
    )
