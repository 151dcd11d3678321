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
        ("to_country_code", "text"),
        ("to_party_id", "text"),
        ("module", "text"),
        ("country_code", "text"),
        ("party_id", "text"),
        ("object_id", "text"),
        ("kind", "text"),
        ("part", "text"),
        ("version", "int4"),
    )
)

_SAME: Final = " AND ".join(f"p.{name} = d.{name}" for name, _ in _DONE.columns if name != "version")


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
    """What waits for one receiver, the oldest first. `state` None: it was there when it was last told something."""

    party: Folded
    state: ReceiverState | None
    pushes: list[Push]


async def take(
    conn: Connection, tenant_id: int, now: datetime, busy: Sequence[Folded], *, each: int, receivers: int
) -> tuple[list[Due], dict[ObjectKey, StoredObject]]:
    """For `receivers` at most, but none of `busy`: the pushes that have waited longest, `each` at most, those that failed after all
    others, so that one bad object holds up nothing; and the objects that they are about as these are now. Whoever must not be tried
    yet is left out."""
    rows = await conn.fetch(
        "SELECT r.to_country_code, r.to_party_id, s.country_code IS NOT NULL, s.failing_since, s.failures, s.next_attempt_at, "
        "s.last_failure, p.module, p.country_code, p.party_id, p.object_id, p.kind, p.part, p.from_country_code, p.from_party_id, "
        "p.version, p.attempts, p.changed_at, p.correlation_id FROM ("
        "SELECT DISTINCT to_country_code, to_party_id FROM ocpi_pushes WHERE tenant_id = $1 "
        "AND (not_before IS NULL OR not_before <= $2) "
        "AND (to_country_code, to_party_id) NOT IN (SELECT * FROM unnest($3::text[], $4::text[]))) r "
        "LEFT JOIN ocpi_receivers s ON s.tenant_id = $1 AND s.country_code = r.to_country_code AND s.party_id = r.to_party_id "
        "CROSS JOIN LATERAL (SELECT * FROM ocpi_pushes o WHERE o.tenant_id = $1 AND o.to_country_code = r.to_country_code "
        "AND o.to_party_id = r.to_party_id AND (o.not_before IS NULL OR o.not_before <= $2) "
        "ORDER BY o.attempts, o.push_no LIMIT $5) p "
        "WHERE s.next_attempt_at IS NULL OR s.next_attempt_at <= $2 ORDER BY p.attempts, p.push_no LIMIT $5 * $6",
        tenant_id,
        now,
        [party[0] for party in busy],
        [party[1] for party in busy],
        each,
        receivers,
    )
    due: dict[Folded, Due] = {}
    for row in rows:
        party = (row[0], row[1])
        if party not in due:
            due[party] = Due(party, ReceiverState(*row[3:7]) if row[2] else None, [])
        due[party].pushes.append(_push(row[7:]))
    taken = list(due.values())[:receivers]
    keys = {push.key for one in taken for push in one.pushes if push.key.module != _OWN_STORE}
    return taken, await get_objects(conn, tenant_id, keys)


async def done(conn: Connection, tenant_id: int, told: Sequence[tuple[Folded, Push]]) -> None:
    """These receivers were told of these; what has changed meanwhile is told again."""
    if not told:
        return
    await conn.execute(
        f"DELETE FROM ocpi_pushes p USING {_DONE.source('d')} WHERE p.tenant_id = ${len(_DONE.columns) + 1} "
        f"AND {_SAME} AND p.version = d.version",
        *_DONE.parameters(_row(to, push) for to, push in told),
        tenant_id,
    )


async def note_failed(conn: Connection, tenant_id: int, to: Folded, pushes: Sequence[Push]) -> None:
    """These met an error: the next time others are tried first."""
    await conn.execute(
        f"UPDATE ocpi_pushes p SET attempts = p.attempts + 1 FROM {_DONE.source('d')} "
        f"WHERE p.tenant_id = ${len(_DONE.columns) + 1} AND {_SAME}",
        *_DONE.parameters(_row(to, push) for push in pushes),
        tenant_id,
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
    module, country_code, party_id, object_id, kind, part, from_country_code, from_party_id, *rest = row
    version, attempts, changed_at, correlation_id = rest
    return Push(
        key=ObjectKey(module, (country_code, party_id), object_id, kind),
        part=part,
        sender=(from_country_code, from_party_id),
        version=version,
        attempts=attempts,
        changed_at=changed_at,
        correlation_id=correlation_id,
    )


def _row(to: Folded, push: Push) -> tuple[str, str, str, str, str, str, str, str, int]:
    return *to, push.key.module, *push.key.owner, push.key.object_id, push.key.kind, push.part, push.version
