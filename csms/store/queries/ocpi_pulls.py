"""What is to be read of partners, what is being read, and how it went (table ocpi_pulls)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from csms.store.pool import Connection

PullStatus = Literal["waiting", "running", "done", "failed"]


class Tally(msgspec.Struct, kw_only=True):
    """Pages read, objects in them, those stored because they are new or changed, those refused, those gone at their owner."""

    pages: int = 0
    objects: int = 0
    stored: int = 0
    refused: int = 0
    removed: int = 0


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """A module of a partner. `complete`: all that it has, not only what has changed since `known_until`. The counts are those of
    this run, or of the last one."""

    partner_id: UUID
    module: str
    status: PullStatus
    complete: bool
    requested_by: str
    requested_at: datetime
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
    pages: int
    objects: int
    stored: int
    refused: int
    removed: int
    error: str | None
    known_until: datetime | None


_COLUMNS: Final = ", ".join(Pull.__struct_fields__)


async def order_pulls(
    conn: Connection, tenant_id: int, partner_id: UUID, modules: Collection[str], by: str, due_at: datetime, *, complete: bool
) -> None:
    """Have modules read. One that waits already is read no later, and completely if either wants that; one that is being read is
    left to its end."""
    await conn.execute(
        "INSERT INTO ocpi_pulls AS p (tenant_id, partner_id, module, status, complete, requested_by, due_at) "
        "SELECT $1, $2, m.module, 'waiting', $4, $5, $6 FROM unnest($3::text[]) AS m(module) ORDER BY m.module "
        "ON CONFLICT (tenant_id, partner_id, module) DO UPDATE "
        "SET complete = excluded.complete OR p.complete AND p.status = 'waiting', "
        "due_at = CASE WHEN p.status = 'waiting' THEN least(p.due_at, excluded.due_at) ELSE excluded.due_at END, "
        "status = 'waiting', requested_by = excluded.requested_by, requested_at = now(), attempts = 0, error = NULL "
        "WHERE p.status <> 'running'",
        tenant_id,
        partner_id,
        list(modules),
        complete,
        by,
        due_at,
    )


async def list_pulls(conn: Connection, tenant_id: int, partner_id: UUID | None = None) -> list[Pull]:
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM ocpi_pulls WHERE tenant_id = $1 AND ($2::uuid IS NULL OR partner_id = $2) "
        "ORDER BY partner_id, module",
        tenant_id,
        partner_id,
    )
    return [Pull(**row) for row in rows]


async def restart_running(conn: Connection, tenant_id: int) -> None:
    """Whoever was reading is gone."""
    await conn.execute("UPDATE ocpi_pulls SET status = 'waiting' WHERE tenant_id = $1 AND status = 'running'", tenant_id)


async def begin_pull(conn: Connection, tenant_id: int, partner_id: UUID, module: str, at: datetime) -> Pull | None:
    """It is being read from now on; None: it does not wait any more."""
    row = await conn.fetchrow(
        "UPDATE ocpi_pulls SET status = 'running', started_at = $4, finished_at = NULL, attempts = attempts + 1, pages = 0, "
        "objects = 0, stored = 0, refused = 0, removed = 0 WHERE tenant_id = $1 AND partner_id = $2 AND module = $3 "
        f"AND status = 'waiting' RETURNING {_COLUMNS}",
        tenant_id,
        partner_id,
        module,
        at,
    )
    return None if row is None else Pull(**row)


async def tell_progress(conn: Connection, tenant_id: int, partner_id: UUID, module: str, tally: Tally) -> None:
    await conn.execute(
        "UPDATE ocpi_pulls SET pages = $4, objects = $5, stored = $6, refused = $7, removed = $8 "
        "WHERE tenant_id = $1 AND partner_id = $2 AND module = $3",
        tenant_id,
        partner_id,
        module,
        *msgspec.structs.astuple(tally),
    )


async def end_pull(
    conn: Connection,
    tenant_id: int,
    partner_id: UUID,
    module: str,
    at: datetime,
    *,
    error: str | None = None,
    again_at: datetime | None = None,
    known_until: datetime | None = None,
) -> None:
    """It is over; `again_at`: it has failed and is tried again then."""
    await conn.execute(
        "UPDATE ocpi_pulls SET status = CASE WHEN $6::timestamptz IS NOT NULL THEN 'waiting' WHEN $5::text IS NULL THEN 'done' "
        "ELSE 'failed' END, finished_at = $4, error = $5, due_at = coalesce($6, due_at), known_until = coalesce($7, known_until) "
        "WHERE tenant_id = $1 AND partner_id = $2 AND module = $3",
        tenant_id,
        partner_id,
        module,
        at,
        error,
        again_at,
        known_until,
    )


async def is_back(conn: Connection, tenant_id: int, partner_id: UUID) -> bool:
    """Whether a partner that something could not be delivered to is told things again; then that is noted as settled."""
    done = await conn.fetchval(
        "UPDATE ocpi_partners p SET needs_resync = false, updated_at = now() WHERE p.tenant_id = $1 AND p.partner_id = $2 "
        "AND p.needs_resync AND NOT EXISTS (SELECT FROM ocpi_receivers r JOIN ocpi_roles o ON o.tenant_id = $1 "
        "AND lower(o.country_code) = r.country_code AND lower(o.party_id) = r.party_id "
        "WHERE r.tenant_id = $1 AND o.partner_id = $2) RETURNING true",
        tenant_id,
        partner_id,
    )
    return done is True
