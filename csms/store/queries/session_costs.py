"""What sessions cost: the tariff that each was given, what it costs so far, and why there is no CDR."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.store.pool import Connection
from csms.store.unnest import RowType


class SessionCost(msgspec.Struct, frozen=True):
    """One row. `choice`, `state` and `limits` are JSON; `due_at` None: the session has ended."""

    session_id: UUID
    tariff_id: str | None
    tariff_version: int | None
    choice: bytes
    currency: str | None
    state: bytes | None
    total_excl_vat: Decimal | None
    total_incl_vat: Decimal | None
    priced_until: datetime | None
    due_at: datetime | None
    limits: bytes | None
    limit_reached: str | None
    held: str | None


class RunningCost(msgspec.Struct, frozen=True):
    """What a look at a running session came to; `was_due_at` is what it was looked at for."""

    session_id: UUID
    tariff_version: int | None
    state: bytes | None
    total_excl_vat: Decimal | None
    total_incl_vat: Decimal | None
    priced_until: datetime | None
    was_due_at: datetime
    due_at: datetime


class RunningFacts(msgspec.Struct, frozen=True):
    """What is told with the cost of a running session. `displays_cost`: its station shows it, as far as we know."""

    transaction_id: str
    charge_point_id: str
    ocpp_version: str
    displays_cost: bool
    energy_wh: Decimal | None
    last_meter_wh: Decimal | None
    charging_state: str | None


_NAMES: Final = SessionCost.__struct_fields__
_COLUMNS: Final = ", ".join(f"c.{name}" for name in _NAMES)
_RUNNING: Final = RowType(
    (
        ("session_id", "uuid"),
        ("tariff_version", "int4"),
        ("state", "text"),
        ("total_excl_vat", "numeric"),
        ("total_incl_vat", "numeric"),
        ("priced_until", "timestamptz"),
        ("was_due_at", "timestamptz"),
        ("due_at", "timestamptz"),
    )
)
_RUNNING_NAMES: Final = RunningCost.__struct_fields__
_SETTINGS: Final = ", ".join(
    "state = n.state::json" if name == "state" else f"{name} = n.{name}"
    for name in _RUNNING_NAMES
    if name not in ("session_id", "was_due_at")
)


async def insert_cost(
    conn: Connection,
    tenant_id: int,
    session_id: UUID,
    *,
    tariff: tuple[str, int, str] | None,
    choice: bytes,
    limits: bytes | None,
    due_at: datetime | None,
) -> bool:
    """`tariff`: (id, version, currency). False when the session has its row already."""
    done = await conn.fetchval(
        "INSERT INTO session_costs (tenant_id, session_id, tariff_id, tariff_version, currency, choice, limits, due_at) "
        "VALUES ($1, $2, $3, $4, $5, $6::json, $7::json, $8) ON CONFLICT DO NOTHING RETURNING true",
        tenant_id,
        session_id,
        *(tariff or (None, None, None)),
        choice.decode(),
        None if limits is None else limits.decode(),
        due_at,
    )
    return done is True


async def get_cost(conn: Connection, tenant_id: int, session_id: UUID, *, lock: bool = False) -> SessionCost | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM session_costs c WHERE c.tenant_id = $1 AND c.session_id = $2" + (" FOR UPDATE" if lock else ""),
        tenant_id,
        session_id,
    )
    return None if row is None else _cost(row)


async def running_costs(conn: Connection, tenant_id: int, session_ids: Collection[UUID], now: datetime) -> list[SessionCost]:
    """Those of these sessions that are due."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM session_costs c WHERE c.tenant_id = $1 AND c.session_id = ANY($2::uuid[]) AND c.due_at <= $3",
        tenant_id,
        list(session_ids),
        now,
    )
    return [_cost(row) for row in rows]


async def due_sessions(conn: Connection, now: datetime, limit: int) -> list[tuple[int, UUID]]:
    """(tenant, session) whose running cost is to be looked at, the longest due first; the gateway role only."""
    rows = await conn.fetch(
        "SELECT tenant_id, session_id FROM session_costs WHERE due_at <= $1 ORDER BY due_at LIMIT $2", now, limit
    )
    return [(row[0], row[1]) for row in rows]


async def save_running(conn: Connection, tenant_id: int, rows: Sequence[RunningCost]) -> set[UUID]:
    """Gives those that were stored: not what somebody else has looked at meanwhile, nor what has ended."""
    stored = await conn.fetch(
        f"UPDATE session_costs c SET {_SETTINGS}, computed_at = now() FROM {_RUNNING.source('n')} "
        f"WHERE c.tenant_id = ${len(_RUNNING.columns) + 1} AND c.session_id = n.session_id AND c.due_at = n.was_due_at "
        "RETURNING c.session_id",
        *_RUNNING.parameters(
            tuple(
                row.state.decode() if name == "state" and row.state is not None else getattr(row, name) for name in _RUNNING_NAMES
            )
            for row in rows
        ),
        tenant_id,
    )
    return {row[0] for row in stored}


async def running_facts(conn: Connection, tenant_id: int, session_ids: Collection[UUID]) -> dict[UUID, RunningFacts]:
    rows = await conn.fetch(
        "SELECT x.session_id, x.transaction_ref, s.identity, x.ocpp_version, coalesce(s.displays_cost, false), x.energy_wh, "
        "x.last_meter_wh, x.charging_state FROM sessions x "
        "JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
        "WHERE x.tenant_id = $1 AND x.session_id = ANY($2::uuid[])",
        tenant_id,
        list(session_ids),
    )
    return {row[0]: RunningFacts(*list(row)[1:]) for row in rows}


async def end_running(conn: Connection, tenant_id: int, session_ids: Collection[UUID]) -> None:
    """These sessions have ended or are gone: their running cost is not looked at any more."""
    await conn.execute(
        "UPDATE session_costs SET due_at = NULL, state = NULL WHERE tenant_id = $1 AND session_id = ANY($2::uuid[])",
        tenant_id,
        list(session_ids),
    )


async def note_limit(conn: Connection, tenant_id: int, session_id: UUID, limit: str) -> None:
    """The session was ordered to stop for this limit."""
    await conn.execute(
        "UPDATE session_costs SET limit_reached = $3 WHERE tenant_id = $1 AND session_id = $2", tenant_id, session_id, limit
    )


async def save_final(
    conn: Connection,
    tenant_id: int,
    session_id: UUID,
    *,
    tariff: tuple[str, int, str] | None,
    choice: bytes,
    totals: tuple[Decimal, Decimal | None] | None,
    priced_until: datetime | None,
    held: str | None,
) -> None:
    """What an ended session comes to. `totals`: without and with VAT; None, as `tariff` may be, where it is held back."""
    await conn.execute(
        "UPDATE session_costs SET tariff_id = $3, tariff_version = $4, currency = $5, choice = $6::json, total_excl_vat = $7, "
        "total_incl_vat = $8, priced_until = $9, held = $10, due_at = NULL, state = NULL, computed_at = now() "
        "WHERE tenant_id = $1 AND session_id = $2",
        tenant_id,
        session_id,
        *(tariff or (None, None, None)),
        choice.decode(),
        *(totals or (None, None)),
        priced_until,
        held,
    )


async def note_held(conn: Connection, tenant_id: int, session_id: UUID, held: str) -> None:
    """A session that has a CDR has changed, and cannot be billed again (yet)."""
    await conn.execute("UPDATE session_costs SET held = $3 WHERE tenant_id = $1 AND session_id = $2", tenant_id, session_id, held)


async def list_held(conn: Connection, tenant_id: int, after: UUID, limit: int) -> list[tuple[UUID, str]]:
    """(session, why) of ended sessions without a CDR."""
    rows = await conn.fetch(
        "SELECT session_id, held FROM session_costs WHERE tenant_id = $1 AND held IS NOT NULL AND session_id > $2 "
        "ORDER BY session_id LIMIT $3",
        tenant_id,
        after,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


def _cost(row: Any) -> SessionCost:
    def encoded(text: str | None) -> bytes | None:
        return None if text is None else text.encode()

    values = dict(row)
    return SessionCost(
        **values | {"choice": row["choice"].encode(), "state": encoded(row["state"]), "limits": encoded(row["limits"])}
    )
