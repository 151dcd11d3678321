"""What operators ask about the local lists of stations, and order for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from csms.store.pool import Connection


class ListView(msgspec.Struct, frozen=True):
    """A station's row as operators see it; `digest`, and `version` with it, are what it has confirmed."""

    state: str
    policy: str
    version: int
    count: int | None
    digest: bytes | None
    wanted_count: int
    left_out: str
    max_entries: int | None
    items_per_message: int | None
    bytes_per_message: int | None
    settings: str
    checked_at: datetime | None
    synced_at: datetime | None
    error: str | None
    failures: int
    due_at: datetime | None
    cache_cleared_at: datetime | None
    cache_error: str | None
    clear_cache_ordered_at: datetime | None
    orders: int
    done: int


_VIEW: Final = ", ".join("c.count" if name == "count" else f"l.{name}" for name in ListView.__struct_fields__)


async def station_of(conn: Connection, tenant_id: int, identity: str) -> int | None:
    station_id: int | None = await conn.fetchval(
        "SELECT station_id FROM stations WHERE tenant_id = $1 AND lower(identity) = lower($2) AND identity = $2 "
        "AND retired_at IS NULL",
        tenant_id,
        identity,
    )
    return station_id


async def view_list(conn: Connection, tenant_id: int, station_id: int) -> ListView | None:
    """None: no policy has ever said anything about the station."""
    row = await conn.fetchrow(
        f"SELECT {_VIEW} FROM local_lists l LEFT JOIN local_list_contents c USING (tenant_id, digest) "
        "WHERE l.tenant_id = $1 AND l.station_id = $2",
        tenant_id,
        station_id,
    )
    return None if row is None else ListView(**row)


async def order_sync(conn: Connection, tenant_id: int, station_id: int, *, full: bool) -> int:
    """Give the station a turn; gives the order's number, which `done` reaches."""
    orders: int = await conn.fetchval(
        "INSERT INTO local_lists AS l (tenant_id, station_id, due_at, orders, full_ordered) VALUES ($1, $2, now(), 1, $3) "
        "ON CONFLICT (tenant_id, station_id) DO UPDATE SET due_at = now(), orders = l.orders + 1, asked_epoch = NULL, "
        "checked_at = NULL, failures = 0, full_ordered = l.full_ordered OR excluded.full_ordered RETURNING orders",
        tenant_id,
        station_id,
        full,
    )
    return orders


async def order_clear_cache(
    conn: Connection, tenant_id: int, station_group_id: UUID | None, identities: Sequence[str]
) -> tuple[int, list[str]]:
    """Have stations empty their caches: those of a group and all below it, and those named. (How many, who of the named are not
    there.) Those that have never connected have no cache."""
    rows = await conn.fetch(
        "WITH RECURSIVE below AS (SELECT $2::uuid AS group_id WHERE $2::uuid IS NOT NULL UNION SELECT g.group_id FROM below b "
        "JOIN station_groups g ON g.tenant_id = $1 AND g.parent_id = b.group_id), wanted AS ("
        "SELECT s.station_id FROM stations s WHERE s.tenant_id = $1 AND s.retired_at IS NULL AND s.ocpp_version IS NOT NULL "
        "AND (s.identity = ANY($3::text[]) OR EXISTS (SELECT FROM station_group_members m JOIN below USING (group_id) "
        "WHERE m.tenant_id = $1 AND m.station_id = s.station_id))), ordered AS ("
        "INSERT INTO local_lists AS l (tenant_id, station_id, due_at, orders, clear_cache_ordered_at) "
        "SELECT $1, station_id, now(), 1, now() FROM wanted ORDER BY station_id "
        "ON CONFLICT (tenant_id, station_id) DO UPDATE SET due_at = now(), orders = l.orders + 1, clear_cache_ordered_at = now() "
        "RETURNING 1) SELECT count(*) FROM ordered",
        tenant_id,
        station_group_id,
        list(identities),
    )
    there = await conn.fetch(
        "SELECT identity FROM stations WHERE tenant_id = $1 AND identity = ANY($2::text[]) AND retired_at IS NULL",
        tenant_id,
        list(identities),
    )
    known = {row[0] for row in there}
    return rows[0][0], [identity for identity in identities if identity not in known]
