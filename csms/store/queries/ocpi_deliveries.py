"""What waits to be told to receivers, and how it goes with them (tables ocpi_pushes, ocpi_receivers)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from csms.roaming.parties import Folded
from csms.store.pool import Connection
from csms.store.queries.ocpi_objects import ObjectKey, StoredObject, get_objects
from csms.store.unnest import RowType

_OWN_STORE: Final = "hubclientinfo"
"""Its documents are made of ocpi_roles."""

_DONE: Final = RowType(
    (
        ("module", "text"),
        ("country_code", "text"),
        ("party_id", "text"),
        ("object_id", "text"),
        ("kind", "text"),
        ("part", "text"),
        ("version", "int4"),
    )
)


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """One object that a receiver is to be told. `part`: the uid (folded) of the EVSE that alone has changed."""

    key: ObjectKey
    part: str
    sender: Folded
    version: int
    attempts: int
    changed_at: datetime
    correlation_id: str | None


class ReceiverState(msgspec.Struct, frozen=True):
    """How it goes with a receiver. `next_attempt_at` None: nothing stands in the way."""

    failing_since: datetime | None
    failures: int
    next_attempt_at: datetime | None
    last_failure: str | None


class Due(msgspec.Struct, frozen=True):
    """A receiver for which something waits, and from when on it may be told."""

    party: Folded
    at: datetime | None


async def list_due(conn: Connection, tenant_id: int) -> list[Due]:
    """All receivers for which something waits."""
    rows = await conn.fetch(
        "SELECT p.to_country_code, p.to_party_id, greatest(r.next_attempt_at, p.at) FROM ("
        "SELECT to_country_code, to_party_id, CASE WHEN bool_or(not_before IS NULL) THEN NULL ELSE min(not_before) END AS at "
        "FROM ocpi_pushes WHERE tenant_id = $1 GROUP BY 1, 2) p "
        "LEFT JOIN ocpi_receivers r ON r.tenant_id = $1 AND r.country_code = p.to_country_code AND r.party_id = p.to_party_id",
        tenant_id,
    )
    return [Due((row[0], row[1]), row[2]) for row in rows]


async def take(
    conn: Connection, tenant_id: int, to: Folded, now: datetime, limit: int
) -> tuple[list[Push], dict[ObjectKey, StoredObject]]:
    """The pushes that have waited longest, and the objects that they are about as these are now."""
    rows = await conn.fetch(
        "SELECT module, country_code, party_id, object_id, kind, part, from_country_code, from_party_id, version, attempts, "
        "changed_at, correlation_id FROM ocpi_pushes WHERE tenant_id = $1 AND to_country_code = $2 AND to_party_id = $3 "
        "AND (not_before IS NULL OR not_before <= $4) ORDER BY push_no LIMIT $5",
        tenant_id,
        *to,
        now,
        limit,
    )
    pushes = [_push(row) for row in rows]
    return pushes, await get_objects(conn, tenant_id, {push.key for push in pushes if push.key.module != _OWN_STORE})


async def done(conn: Connection, tenant_id: int, to: Folded, pushes: Sequence[Push]) -> None:
    """These were told; what has changed meanwhile is told again."""
    await conn.execute(
        f"DELETE FROM ocpi_pushes p USING {_DONE.source('d')} WHERE p.tenant_id = ${len(_DONE.columns) + 1} "
        f"AND p.to_country_code = ${len(_DONE.columns) + 2} AND p.to_party_id = ${len(_DONE.columns) + 3} "
        "AND (p.module, p.country_code, p.party_id, p.object_id, p.kind, p.part, p.version) "
        "= (d.module, d.country_code, d.party_id, d.object_id, d.kind, d.part, d.version)",
        *_DONE.parameters(map(_row, pushes)),
        tenant_id,
        *to,
    )


async def postpone(conn: Connection, tenant_id: int, to: Folded, push: Push, until: datetime) -> None:
    """One that was refused and must not be given up."""
    await conn.execute(
        "UPDATE ocpi_pushes SET attempts = attempts + 1, not_before = $10 WHERE tenant_id = $1 AND to_country_code = $2 "
        "AND to_party_id = $3 AND module = $4 AND country_code = $5 AND party_id = $6 AND object_id = $7 AND kind = $8 "
        "AND part = $9",
        tenant_id,
        *to,
        push.key.module,
        *push.key.owner,
        push.key.object_id,
        push.key.kind,
        push.part,
        until,
    )


async def get_state(conn: Connection, tenant_id: int, party: Folded) -> ReceiverState | None:
    row = await conn.fetchrow(
        "SELECT failing_since, failures, next_attempt_at, last_failure FROM ocpi_receivers "
        "WHERE tenant_id = $1 AND country_code = $2 AND party_id = $3",
        tenant_id,
        *party,
    )
    return None if row is None else ReceiverState(*row)


async def receiver_failed(
    conn: Connection, tenant_id: int, party: Folded, now: datetime, failures: int, pause: timedelta, why: str
) -> None:
    """Nothing is sent to the receiver for `pause`; its partner has to be looked at when it is back (T5)."""
    await conn.execute(
        "INSERT INTO ocpi_receivers AS r "
        "(tenant_id, country_code, party_id, failing_since, failures, next_attempt_at, last_failure) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, country_code, party_id) DO UPDATE SET "
        "failing_since = coalesce(r.failing_since, excluded.failing_since), failures = excluded.failures, "
        "next_attempt_at = excluded.next_attempt_at, last_failure = excluded.last_failure",
        tenant_id,
        *party,
        now,
        failures,
        now + pause,
        why[:500],
    )
    await conn.execute(
        "UPDATE ocpi_partners SET needs_resync = true WHERE tenant_id = $1 AND NOT needs_resync AND partner_id IN ("
        "SELECT partner_id FROM ocpi_roles WHERE tenant_id = $1 AND lower(country_code) = $2 AND lower(party_id) = $3)",
        tenant_id,
        *party,
    )


async def receiver_answers(conn: Connection, tenant_id: int, party: Folded) -> None:
    """The receiver is there (again)."""
    await conn.execute("DELETE FROM ocpi_receivers WHERE tenant_id = $1 AND country_code = $2 AND party_id = $3", tenant_id, *party)


async def count_waiting(conn: Connection, tenant_id: int) -> int:
    return int(await conn.fetchval("SELECT count(*) FROM ocpi_pushes WHERE tenant_id = $1", tenant_id))


def _push(row: Any) -> Push:
    return Push(
        key=ObjectKey(row["module"], (row["country_code"], row["party_id"]), row["object_id"], row["kind"]),
        part=row["part"],
        sender=(row["from_country_code"], row["from_party_id"]),
        version=row["version"],
        attempts=row["attempts"],
        changed_at=row["changed_at"],
        correlation_id=row["correlation_id"],
    )


def _row(push: Push) -> tuple[str, str, str, str, str, str, int]:
    return push.key.module, *push.key.owner, push.key.object_id, push.key.kind, push.part, push.version
