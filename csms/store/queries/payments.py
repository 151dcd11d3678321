"""Ad-hoc payments as they are kept, and what they depend on: settings, the use of their tokens, the bills of their sessions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.payments.machine import Payment, State
from csms.store.pool import Connection


class PaymentSettings(msgspec.Struct, frozen=True):
    """Which provider a tenant has. Amounts in `currency`: what is held where a payment names none, and the most."""

    provider: str
    enabled: bool
    currency: str
    hold_amount: Decimal
    max_amount: Decimal


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What of a payment never changes. `method_sealed`: the payer's method, encrypted; None once it is not needed any more."""

    request_id: str | None
    provider: str
    charge_point_id: str
    evse_id: int
    connector_id: int | None
    requested_by: str
    method_sealed: bytes | None
    return_url: str | None


class StoredPayment(msgspec.Struct, frozen=True):
    """`turn`: what it must still be for a change to be taken."""

    payment: Payment
    circumstances: Circumstances
    turn: int
    updated_at: datetime


class TokenUse(msgspec.Struct, frozen=True):
    """The session that used a payment's token up; None: none did, and none will."""

    session_id: UUID | None
    withdrawn: bool


class SessionBill(msgspec.Struct, frozen=True):
    """How a session stands. `amount`: of its newest CDR, with VAT if it states any, 0 when it took the one before back; None: there
    is no CDR. `held`: why there is none. `changed_at`: when we last heard of it."""

    status: str
    changed_at: datetime
    amount: Decimal | None
    currency: str | None
    held: str | None


_NAMES: Final = Payment.__struct_fields__
_COLUMNS: Final = ", ".join(f"p.{name}" for name in _NAMES)
_KEPT: Final = ("request_id", "provider", "evse_id", "connector_id", "requested_by", "method_sealed", "return_url")
_STORED: Final = f"{_COLUMNS}, {', '.join(f'p.{name}' for name in _KEPT)}, p.turn, p.updated_at, s.identity AS charge_point_id"
_FROM: Final = "payments p JOIN stations s ON s.tenant_id = p.tenant_id AND s.station_id = p.station_id"
_CHANGING: Final = tuple(name for name in _NAMES if name not in ("payment_id", "created_at", "amount", "currency"))
_CHANGES: Final = ", ".join(f"{name} = ${n}" for n, name in enumerate(_CHANGING, 5))


async def get_settings(conn: Connection, tenant_id: int) -> PaymentSettings | None:
    row = await conn.fetchrow(
        "SELECT provider, enabled, currency, hold_amount, max_amount FROM payment_settings WHERE tenant_id = $1", tenant_id
    )
    return None if row is None else PaymentSettings(*row)


async def put_settings(conn: Connection, tenant_id: int, settings: PaymentSettings) -> None:
    await conn.execute(
        "INSERT INTO payment_settings (tenant_id, provider, enabled, currency, hold_amount, max_amount) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id) DO UPDATE SET provider = $2, enabled = $3, currency = $4, "
        "hold_amount = $5, max_amount = $6, updated_at = now()",
        tenant_id,
        *msgspec.structs.astuple(settings),
    )


async def insert_payment(
    conn: Connection, tenant_id: int, payment: Payment, circumstances: Circumstances, due_at: datetime
) -> bool:
    """False when there is one with this `request_id` already."""
    done = await conn.fetchval(
        "INSERT INTO payments (tenant_id, payment_id, state, currency, amount, created_at, due_at, request_id, provider, evse_id, "
        "connector_id, requested_by, method_sealed, return_url, station_id) "
        "SELECT $1, $2, $3, $4, $5::numeric, $6::timestamptz, $7::timestamptz, $8, $9, $10::integer, $11::integer, $12, "
        "$13::bytea, $14, station_id FROM stations WHERE tenant_id = $1 AND identity = $15 AND retired_at IS NULL "
        "ON CONFLICT (tenant_id, request_id) WHERE request_id IS NOT NULL DO NOTHING RETURNING true",
        tenant_id,
        payment.payment_id,
        payment.state,
        payment.currency,
        payment.amount,
        payment.created_at,
        due_at,
        *(getattr(circumstances, name) for name in _KEPT),
        circumstances.charge_point_id,
    )
    return done is True


async def get_payment(conn: Connection, tenant_id: int, payment_id: UUID) -> StoredPayment | None:
    row = await conn.fetchrow(f"SELECT {_STORED} FROM {_FROM} WHERE p.tenant_id = $1 AND p.payment_id = $2", tenant_id, payment_id)
    return None if row is None else _stored(row)


async def find_request(conn: Connection, tenant_id: int, request_id: str) -> StoredPayment | None:
    row = await conn.fetchrow(f"SELECT {_STORED} FROM {_FROM} WHERE p.tenant_id = $1 AND p.request_id = $2", tenant_id, request_id)
    return None if row is None else _stored(row)


async def list_payments(
    conn: Connection,
    tenant_id: int,
    after: UUID,
    limit: int,
    *,
    state: State | None = None,
    charge_point_id: str | None = None,
    flagged: bool | None = None,
) -> list[StoredPayment]:
    rows = await conn.fetch(
        f"SELECT {_STORED} FROM {_FROM} WHERE p.tenant_id = $1 AND p.payment_id > $2 AND ($4::text IS NULL OR p.state = $4) "
        "AND ($5::text IS NULL OR s.identity = $5) AND ($6::boolean IS NULL OR (p.flag IS NOT NULL) = $6) "
        "ORDER BY p.payment_id LIMIT $3",
        tenant_id,
        after,
        limit,
        state,
        charge_point_id,
        flagged,
    )
    return [_stored(row) for row in rows]


async def due_payments(conn: Connection, now: datetime, limit: int, per_tenant: int) -> list[tuple[int, UUID]]:
    """(tenant, payment) that have a step to take, the longest due first, of a tenant `per_tenant` at most; gateway role only."""
    rows = await conn.fetch(
        "SELECT tenant_id, payment_id FROM (SELECT tenant_id, payment_id, due_at, "
        "row_number() OVER (PARTITION BY tenant_id ORDER BY due_at) AS place FROM payments WHERE due_at <= $1) d "
        "WHERE place <= $3 ORDER BY due_at LIMIT $2",
        now,
        limit,
        per_tenant,
    )
    return [(row[0], row[1]) for row in rows]


async def take_up(
    conn: Connection, tenant_id: int, payment_id: UUID, now: datetime, leased_until: datetime
) -> StoredPayment | None:
    """The payment, which nobody else takes up until `leased_until`; None: it is not due, or somebody else has it."""
    taken = await conn.fetchval(
        "UPDATE payments SET turn = turn + 1, due_at = $4 WHERE tenant_id = $1 AND payment_id = (SELECT payment_id FROM payments "
        "WHERE tenant_id = $1 AND payment_id = $2 AND due_at <= $3 FOR UPDATE SKIP LOCKED) RETURNING true",
        tenant_id,
        payment_id,
        now,
        leased_until,
    )
    return None if taken is None else await get_payment(conn, tenant_id, payment_id)


async def save_payment(
    conn: Connection, tenant_id: int, payment: Payment, turn: int, due_at: datetime | None, *, forget_method: bool
) -> bool:
    """False, and nothing is changed, when somebody else has taken it up or poked it since."""
    done = await conn.fetchval(
        f"UPDATE payments SET {_CHANGES}, due_at = $4, turn = turn + 1, updated_at = now(), "
        f"method_sealed = CASE WHEN ${len(_CHANGING) + 5} THEN NULL ELSE method_sealed END "
        "WHERE tenant_id = $1 AND payment_id = $2 AND turn = $3 RETURNING true",
        tenant_id,
        payment.payment_id,
        turn,
        due_at,
        *(getattr(payment, name) for name in _CHANGING),
        forget_method,
    )
    return done is True


async def poke(conn: Connection, tenant_id: int, session_ids: Collection[UUID], now: datetime) -> None:
    """There are bills of these sessions."""
    await conn.execute(
        "UPDATE payments SET due_at = $3, turn = turn + 1 WHERE tenant_id = $1 AND session_id = ANY($2::uuid[])",
        tenant_id,
        list(session_ids),
        now,
    )


async def flag_strangers(conn: Connection, tenant_id: int, session_ids: Collection[UUID]) -> list[tuple[UUID, str, UUID]]:
    """Flag payments whose token was used by one of these sessions, which is not their own: (payment, station, session)."""
    rows = await conn.fetch(
        "UPDATE payments p SET flag = 'session ' || x.session_id || ' was charged with its token, and is not paid by it', "
        "turn = p.turn + 1, updated_at = now() FROM sessions x, stations s "
        "WHERE x.tenant_id = $1 AND x.session_id = ANY($2::uuid[]) "
        "AND p.tenant_id = $1 AND p.id_token = upper(x.id_token) AND p.session_id IS DISTINCT FROM x.session_id "
        "AND p.state NOT IN ('authorized', 'starting') AND s.tenant_id = $1 AND s.station_id = p.station_id AND p.flag IS NULL "
        "RETURNING p.payment_id, s.identity, x.session_id",
        tenant_id,
        list(session_ids),
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def look_at_token(conn: Connection, tenant_id: int, token_id: UUID, *, withdraw: bool) -> TokenUse:
    """Whether a session uses the token; `withdraw`: none may from now on, unless one does.

    A token that is withdrawn counts as used, by no session: whoever is about to use it is told so, however early he has read it.
    """
    row = await conn.fetchrow(
        "SELECT used_by_session_id FROM id_tokens WHERE tenant_id = $1 AND token_id = $2 FOR UPDATE",
        tenant_id,
        token_id,
    )
    if row is None:
        return TokenUse(None, True)
    if row[0] is not None:
        return TokenUse(None if row[0].int == 0 else row[0], row[0].int == 0)
    if not withdraw:
        return TokenUse(None, False)
    await conn.execute(
        "UPDATE id_tokens SET used_by_session_id = $3, status = 'blocked', blocked_reason = 'withdrawn', updated_at = now() "
        "WHERE tenant_id = $1 AND token_id = $2",
        tenant_id,
        token_id,
        UUID(int=0),
    )
    return TokenUse(None, True)


async def session_bill(conn: Connection, tenant_id: int, session_id: UUID) -> SessionBill | None:
    row: Any = await conn.fetchrow(
        "SELECT x.status, x.updated_at, CASE WHEN c.credit_of IS NULL THEN coalesce(c.total_incl_vat, c.total_excl_vat) ELSE 0 "
        "END, c.currency, k.held FROM sessions x "
        "LEFT JOIN session_costs k ON k.tenant_id = x.tenant_id AND k.session_id = x.session_id "
        "LEFT JOIN LATERAL (SELECT * FROM cdrs c WHERE c.tenant_id = x.tenant_id AND c.session_id = x.session_id "
        "ORDER BY c.revision DESC LIMIT 1) c ON true WHERE x.tenant_id = $1 AND x.session_id = $2",
        tenant_id,
        session_id,
    )
    return None if row is None else SessionBill(*row)


def _stored(row: Any) -> StoredPayment:
    fields = dict(row)
    turn, updated_at = fields.pop("turn"), fields.pop("updated_at")
    kept = {name: fields.pop(name) for name in (*_KEPT, "charge_point_id")}
    return StoredPayment(Payment(**fields), Circumstances(**kept), turn, updated_at)
