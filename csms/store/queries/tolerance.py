"""Tolerance rules of a tenant, and what its stations were forgiven."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from csms.domain.tolerance import MOST_RULES, Effect, Kind, ToleranceRule
from csms.store.pool import Connection


class StoredRule(ToleranceRule, frozen=True, kw_only=True):
    """A rule as the API shows it."""

    note: str | None
    created_by: str
    created_at: datetime


class NewRule(msgspec.Struct, frozen=True, kw_only=True):
    rule_id: UUID
    kind: Kind
    vendor: str
    model: str | None
    ocpp_version: str | None
    action: str | None
    path: str | None
    effect: Effect
    note: str | None
    created_by: str


class RelaxationCount(msgspec.Struct, frozen=True):
    """How often a station was forgiven one kind of fault. All parts `*`: what is beyond the 200 that are told apart."""

    kind: Literal["call", "answer", "*"]
    ocpp_version: str
    action: str
    path: str
    rule: str
    cause: Literal["always", "tolerant", "rule"]
    rule_id: UUID | None
    times: int
    first_at: datetime
    last_at: datetime


class RelaxationPosition(msgspec.Struct, frozen=True):
    """Where a count is in the list of its station."""

    kind: str
    ocpp_version: str
    action: str
    path: str
    rule: str


_RULE: Final = "rule_id, kind, vendor, model, ocpp_version, action, path, effect"


async def load_rules(conn: Connection, tenant_ids: Sequence[int]) -> dict[int, list[ToleranceRule]]:
    """The rules of several tenants; the gateway role only."""
    rows = await conn.fetch(
        f"SELECT tenant_id, {_RULE} FROM tolerance_rules WHERE tenant_id = ANY($1::integer[]) ORDER BY tenant_id, rule_id",
        list(tenant_ids),
    )
    found: dict[int, list[ToleranceRule]] = {}
    for row in rows:
        found.setdefault(row["tenant_id"], []).append(ToleranceRule(*list(row.values())[1:]))
    return found


async def list_rules(conn: Connection, tenant_id: int, after: UUID, limit: int) -> list[StoredRule]:
    """Oldest first."""
    rows = await conn.fetch(
        f"SELECT {_RULE}, note, created_by, created_at FROM tolerance_rules "
        "WHERE tenant_id = $1 AND rule_id > $2 ORDER BY rule_id LIMIT $3",
        tenant_id,
        after,
        limit,
    )
    return [StoredRule(**row) for row in rows]


async def insert_rule(conn: Connection, tenant_id: int, rule: NewRule) -> StoredRule | Literal["taken", "full"]:
    """taken: there is a rule for exactly this; full: the tenant has all the rules it may have."""
    # raised first: its row lock makes two that add the last rule take turns
    await _raise_version(conn, tenant_id)
    count = await conn.fetchval("SELECT count(*) FROM tolerance_rules WHERE tenant_id = $1", tenant_id)
    if count >= MOST_RULES:
        return "full"
    row = await conn.fetchrow(
        f"INSERT INTO tolerance_rules (tenant_id, {_RULE}, note, created_by) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING "
        f"RETURNING {_RULE}, note, created_by, created_at",
        tenant_id,
        *msgspec.structs.astuple(rule),
    )
    return "taken" if row is None else StoredRule(**row)


async def delete_rule(conn: Connection, tenant_id: int, rule_id: UUID) -> bool:
    """False when there is no such rule."""
    await _raise_version(conn, tenant_id)
    gone = await conn.fetchval("DELETE FROM tolerance_rules WHERE tenant_id = $1 AND rule_id = $2 RETURNING 1", tenant_id, rule_id)
    return gone is not None


async def list_relaxations(
    conn: Connection, tenant_id: int, station_id: int, after: RelaxationPosition, limit: int
) -> list[RelaxationCount]:
    rows = await conn.fetch(
        "SELECT kind, ocpp_version, action, path, rule, cause, rule_id, times, first_at, last_at FROM relaxations "
        "WHERE tenant_id = $1 AND station_id = $2 AND (kind, ocpp_version, action, path, rule) > ($3, $4, $5, $6, $7) "
        "ORDER BY kind, ocpp_version, action, path, rule LIMIT $8",
        tenant_id,
        station_id,
        *msgspec.structs.astuple(after),
        limit,
    )
    return [RelaxationCount(**row) for row in rows]


async def _raise_version(conn: Connection, tenant_id: int) -> None:
    await conn.execute("UPDATE tenants SET tolerance_version = tolerance_version + 1 WHERE tenant_id = $1", tenant_id)
