"""Local authorization lists of stations: what they ought to have, what they were sent, who talks to them about it.

What is stored as JSON is given and taken as text: `csms.local_lists` knows what it means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.store.pool import Connection
from csms.store.queries.stations import ONLINE
from csms.store.unnest import RowType

CHUNK: Final = 500
"""Stations that are read and written in one transaction."""
MOST_TOKENS: Final = 50_000
"""Of a tenant, that are looked at: the oldest."""


class StationRow(msgspec.Struct, frozen=True):
    """A station for which the wanted list is worked out. `groups`: those that it is in itself."""

    station_id: int
    ocpp_version: str
    evse_ids: list[int]
    groups: list[UUID]
    policy: str | None
    wanted_digest: bytes | None
    left_out: str | None
    version: int | None
    sent_version: int | None
    max_entries: int | None


class WantedRow(msgspec.Struct, frozen=True):
    """What a station ought to have. `digest` None: no list is kept there. `due`: it has to be told something."""

    station_id: int
    policy: str
    digest: bytes | None
    count: int
    left_out: str
    due: bool


class Claim(msgspec.Struct, frozen=True):
    """A station whose turn it is, with all that is stored about its list."""

    tenant_id: int
    station_id: int
    charge_point_id: str
    station_version: str
    connection_epoch: int
    booted_at: datetime | None
    station_firmware: str | None
    claimed_at: datetime
    state: str
    policy: str
    wanted_digest: bytes | None
    wanted_count: int
    version: int
    digest: bytes | None
    used_version: int
    sent_version: int | None
    sent_digest: bytes | None
    asked_epoch: int | None
    ocpp_version: str | None
    max_entries: int | None
    items_per_message: int | None
    bytes_per_message: int | None
    settings: str
    checked_at: datetime | None
    firmware_version: str | None
    orders: int
    full_ordered: bool
    clear_cache_ordered_at: datetime | None
    failures: int


class Overtaken(Exception):
    """Another process talks to the station now."""


_WANTED: Final = RowType(
    (
        ("station_id", "int8"),
        ("policy", "text"),
        ("digest", "bytea"),
        ("count", "int4"),
        ("left_out", "text"),
        ("due", "bool"),
    )
)
_CONTENT: Final = RowType((("digest", "bytea"), ("entries", "text"), ("count", "int4")))
_OF_STATION: Final = {
    "charge_point_id": "s.identity",
    "station_version": "s.ocpp_version",
    "connection_epoch": "s.connection_epoch",
    "booted_at": "s.booted_at",
    "station_firmware": "s.firmware_version",
    "claimed_at": "now()",
}
# OCPP 2.x tells the size of the list in reports alone
_REPORTED_MOST: Final = (
    "(SELECT CASE WHEN jsonb_typeof(v.characteristics -> 'maxLimit') = 'number' "
    "THEN greatest(0, least(1000000, (v.characteristics ->> 'maxLimit')::numeric))::integer END FROM device_variables v "
    "WHERE v.tenant_id = s.tenant_id AND v.station_id = s.station_id AND v.component = 'LocalAuthListCtrlr' "
    "AND v.variable = 'Entries' AND v.component_instance = '' AND v.variable_instance = '' AND v.evse_id = 0 "
    "AND v.connector_id = 0 AND v.attribute = 'Actual')"
)
_CLAIMED: Final = ", ".join(f"{_OF_STATION.get(name, f'l.{name}')} AS {name}" for name in Claim.__struct_fields__)
_MINE: Final = "tenant_id = $1 AND station_id = $2 AND lease_owner = $3 AND leased_until > now()"


# The round of a tenant: what its stations ought to have.


async def tenants_to_look_at(conn: Connection, now: datetime) -> list[int]:
    """Tenants where something has changed, or a token begins or ends to be valid; the gateway role."""
    rows = await conn.fetch(
        "SELECT tenant_id FROM offline_changes UNION SELECT tenant_id FROM offline_rounds WHERE next_at <= $1", now
    )
    return [row[0] for row in rows]


async def take_round(conn: Connection, tenant_id: int, owner: UUID, seconds: float) -> bool:
    """Take or keep the lease of the tenant's round; held to the end of the transaction, so that what it stores is the newest."""
    taken = await conn.fetchval(
        "INSERT INTO offline_rounds AS r (tenant_id, owner, leased_until) VALUES ($1, $2, now() + make_interval(secs => $3)) "
        "ON CONFLICT (tenant_id) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until "
        "WHERE r.owner = excluded.owner OR r.leased_until IS NULL OR r.leased_until < now() RETURNING true",
        tenant_id,
        owner,
        seconds,
    )
    return taken is True


async def seen_changes(conn: Connection, tenant_id: int) -> list[str]:
    """The marks that are there: read before what they are about."""
    return [row[0] for row in await conn.fetch("SELECT xid::text FROM offline_changes WHERE tenant_id = $1", tenant_id)]


async def end_round(conn: Connection, tenant_id: int, marks: Sequence[str], next_at: datetime | None) -> None:
    await conn.execute("DELETE FROM offline_changes WHERE tenant_id = $1 AND xid = ANY($2::text[]::xid8[])", tenant_id, marks)
    await conn.execute(
        "UPDATE offline_rounds SET owner = NULL, leased_until = NULL, next_at = $2 WHERE tenant_id = $1", tenant_id, next_at
    )


async def mark_change(conn: Connection, tenant_id: int) -> None:
    """Something has changed that lists depend on."""
    await conn.execute("INSERT INTO offline_changes (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING", tenant_id)


async def is_anything_told(conn: Connection, tenant_id: int) -> bool:
    """Does a policy say anything about a station, as far as was worked out?"""
    told: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM local_lists WHERE tenant_id = $1 AND policy <> '{}'::jsonb)", tenant_id
    )
    return told


async def listable_keys(conn: Connection, tenant_id: int) -> list[str]:
    """Look-up keys of tokens that may be in a list, the oldest first."""
    rows = await conn.fetch(
        "SELECT token_key FROM id_tokens WHERE tenant_id = $1 AND retired_at IS NULL AND status = 'accepted' "
        "AND NOT single_use AND whitelist <> 'NEVER' GROUP BY token_key ORDER BY min(created_at), token_key LIMIT $2",
        tenant_id,
        MOST_TOKENS,
    )
    return [row[0] for row in rows]


async def group_parents(conn: Connection, tenant_id: int) -> list[tuple[UUID, UUID | None]]:
    """(station group, the one above it), in the order of their names."""
    rows = await conn.fetch("SELECT group_id, parent_id FROM station_groups WHERE tenant_id = $1 ORDER BY lower(name)", tenant_id)
    return [(row[0], row[1]) for row in rows]


async def stations_after(conn: Connection, tenant_id: int, station_id: int) -> list[StationRow]:
    """The next stations that have connected once."""
    rows = await conn.fetch(
        "SELECT s.station_id, s.ocpp_version, array(SELECT e.evse_id FROM evses e WHERE e.tenant_id = s.tenant_id "
        "AND e.station_id = s.station_id AND e.evse_id > 0) AS evse_ids, array(SELECT m.group_id FROM station_group_members m "
        "WHERE m.tenant_id = s.tenant_id AND m.station_id = s.station_id) AS groups, "
        "l.policy, l.wanted_digest, l.left_out, l.version, l.sent_version, "
        f"coalesce(l.max_entries, {_REPORTED_MOST}) AS max_entries "
        "FROM stations s LEFT JOIN local_lists l USING (tenant_id, station_id) WHERE s.tenant_id = $1 AND s.station_id > $2 "
        "AND s.retired_at IS NULL AND s.ocpp_version IS NOT NULL ORDER BY s.station_id LIMIT $3",
        tenant_id,
        station_id,
        CHUNK,
    )
    return [StationRow(**row) for row in rows]


async def save_contents(conn: Connection, tenant_id: int, contents: Mapping[bytes, tuple[str, int]]) -> None:
    """Digest -> (entries, how many). One that is there stays, and is not cleared away before the end of this transaction."""
    rows = [(digest, *contents[digest]) for digest in sorted(contents)]
    await conn.execute(
        "INSERT INTO local_list_contents (tenant_id, digest, entries, count) "
        f"SELECT $4, n.digest, n.entries::json, n.count FROM {_CONTENT.source('n')} "
        "ON CONFLICT (tenant_id, digest) DO UPDATE SET used_at = now()",
        *_CONTENT.parameters(rows),
        tenant_id,
    )


async def save_wanted(conn: Connection, tenant_id: int, rows: Sequence[WantedRow]) -> None:
    """The contents must be there."""
    await conn.execute(
        "INSERT INTO local_lists AS l "
        "(tenant_id, station_id, policy, wanted_digest, wanted_count, left_out, state, due_at, orders) "
        "SELECT $7, n.station_id, n.policy::jsonb, n.digest, n.count, n.left_out::jsonb, "
        "CASE WHEN n.due THEN 'pending' ELSE 'off' END, CASE WHEN n.due THEN now() END, n.due::integer "
        f"FROM {_WANTED.source('n')} ORDER BY n.station_id "
        "ON CONFLICT (tenant_id, station_id) DO UPDATE SET policy = excluded.policy, wanted_digest = excluded.wanted_digest, "
        "wanted_count = excluded.wanted_count, left_out = excluded.left_out, orders = l.orders + excluded.orders, "
        "due_at = CASE WHEN excluded.due_at IS NULL THEN l.due_at ELSE least(l.due_at, excluded.due_at) END, "
        "failures = CASE WHEN excluded.due_at IS NULL THEN l.failures ELSE 0 END, "
        "state = CASE WHEN excluded.due_at IS NULL OR l.state = 'unsupported' THEN l.state ELSE 'pending' END",
        *_WANTED.parameters(msgspec.structs.astuple(row) for row in rows),
        tenant_id,
    )


async def forget_contents(conn: Connection, tenant_id: int, before: datetime) -> int:
    """Remove contents that no station has or ought to have. Gives how many."""
    done = await conn.execute(
        "DELETE FROM local_list_contents c WHERE c.tenant_id = $1 AND c.used_at < $2 "
        "AND NOT EXISTS (SELECT FROM local_lists l WHERE l.tenant_id = c.tenant_id AND l.wanted_digest = c.digest) "
        "AND NOT EXISTS (SELECT FROM local_lists l WHERE l.tenant_id = c.tenant_id AND l.digest = c.digest) "
        "AND NOT EXISTS (SELECT FROM local_lists l WHERE l.tenant_id = c.tenant_id AND l.sent_digest = c.digest)",
        tenant_id,
        before,
    )
    return int(done.rpartition(" ")[2])


# One station: what it was told and has confirmed. All but `claim_due` and `note_boots` are for who holds its lease.


async def claim_due(conn: Connection, owner: UUID, seconds: float, limit: int) -> list[Claim]:
    """Take connected stations whose turn it is; nobody else talks to them for so many seconds. The gateway role."""
    rows = await conn.fetch(
        "WITH due AS (SELECT l.tenant_id, l.station_id FROM local_lists l JOIN stations s USING (tenant_id, station_id) "
        "WHERE l.due_at <= now() AND (l.leased_until IS NULL OR l.leased_until < now()) AND s.retired_at IS NULL "
        f"AND s.registration = 'accepted' AND s.ocpp_version IS NOT NULL AND {ONLINE} "
        # those that an operator waits for, and new ones, need not wait for all that a change of a token concerns
        "ORDER BY l.checked_at IS NULL DESC, l.due_at LIMIT $3 FOR UPDATE OF l SKIP LOCKED) "
        "UPDATE local_lists l SET lease_owner = $1, leased_until = now() + make_interval(secs => $2) FROM due "
        "JOIN stations s USING (tenant_id, station_id) "
        f"WHERE l.tenant_id = due.tenant_id AND l.station_id = due.station_id RETURNING {_CLAIMED}",
        owner,
        seconds,
        limit,
    )
    return [Claim(**row) for row in rows]


async def note_boots(conn: Connection, limit: int) -> int:
    """Stations that have started anew since they were looked at may have forgotten what they were told. The gateway role."""
    done = await conn.execute(
        "UPDATE local_lists l SET due_at = now(), orders = l.orders + 1, asked_epoch = NULL FROM (SELECT b.tenant_id, b.station_id "
        "FROM local_lists b JOIN stations s USING (tenant_id, station_id) WHERE b.due_at IS NULL AND s.booted_at > b.checked_at "
        "LIMIT $1) x WHERE l.tenant_id = x.tenant_id AND l.station_id = x.station_id AND l.due_at IS NULL",
        limit,
    )
    return int(done.rpartition(" ")[2])


async def get_content(conn: Connection, tenant_id: int, digest: bytes) -> str | None:
    entries: str | None = await conn.fetchval(
        "SELECT entries FROM local_list_contents WHERE tenant_id = $1 AND digest = $2", tenant_id, digest
    )
    return entries


async def save_progress(conn: Connection, claim: Claim, owner: UUID, seconds: float, values: Mapping[str, Any]) -> None:
    """Store columns of the station's row and keep its lease. Raises Overtaken."""
    names = [f"{name} = ${n}{'::text::jsonb' if name == 'settings' else ''}" for n, name in enumerate(values, 5)]
    mine = await conn.fetchval(
        f"UPDATE local_lists SET {', '.join([*names, 'leased_until = now() + make_interval(secs => $4)'])} "
        f"WHERE {_MINE} RETURNING true",
        claim.tenant_id,
        claim.station_id,
        owner,
        seconds,
        *values.values(),
    )
    if mine is None:
        raise Overtaken


async def note_cache_cleared(conn: Connection, claim: Claim, owner: UUID, at: datetime, error: str | None) -> None:
    """The order is done, unless another one came meanwhile. Raises Overtaken."""
    mine = await conn.fetchval(
        "UPDATE local_lists SET cache_cleared_at = CASE WHEN $5::text IS NULL THEN $4 ELSE cache_cleared_at END, cache_error = $5, "
        "clear_cache_ordered_at = CASE WHEN clear_cache_ordered_at > $6 THEN clear_cache_ordered_at END "
        f"WHERE {_MINE} RETURNING true",
        claim.tenant_id,
        claim.station_id,
        owner,
        at,
        error,
        claim.clear_cache_ordered_at,
    )
    if mine is None:
        raise Overtaken


async def finish(
    conn: Connection, claim: Claim, owner: UUID, *, state: str, error: str | None, again_s: float | None, synced: bool
) -> None:
    """Give the station's lease back. `again_s`: seconds until its next turn; None: when there is something to do. What came up
    meanwhile is done at once. Raises Overtaken."""
    mine = await conn.fetchval(
        "UPDATE local_lists SET lease_owner = NULL, leased_until = NULL, state = $4, error = left($5, 200), "
        "done = CASE WHEN $4 = 'pending' THEN done ELSE $8 END, "
        "due_at = CASE WHEN orders > $8 THEN now() WHEN $6::float8 IS NOT NULL THEN now() + make_interval(secs => $6) END, "
        "full_ordered = full_ordered AND (orders > $8 OR $6 IS NOT NULL), "
        "failures = CASE WHEN $6 IS NULL THEN 0 ELSE failures + 1 END, "
        f"synced_at = CASE WHEN $7 THEN now() ELSE synced_at END WHERE {_MINE} RETURNING true",
        claim.tenant_id,
        claim.station_id,
        owner,
        state,
        error,
        again_s,
        synced,
        claim.orders,
    )
    if mine is None:
        raise Overtaken
