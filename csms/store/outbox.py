"""The outbox as its readers see it: leases, the safe reading position, what was published (design 4)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.store.pool import Connection, Database
from csms.store.queries.events import EVENT_ID, Event, EventPosition

_LAST_ID: Final = 2**63 - 1
START: Final = EventPosition(0, 0)
"""Before everything that is stored."""

ROAMING: Final = "SELECT DISTINCT tenant_id FROM ocpi_parties"
"""Tenants whose events a sink takes, as a query: those that roam. Their events are found by the key of the outbox, so that those of
all others cost nothing."""


class Backlog(msgspec.Struct, frozen=True):
    """What a sink has not got yet. Ages in seconds; 0 when there is nothing.

    `unread`: of the oldest event behind the position. `held_back`: of the oldest one that may not be read yet, because a
    transaction that began before it was written still runs somewhere in the cluster.
    """

    unread: float
    held_back: float


class OutboxStore:
    """Reads on the gateway role's connections, which see all tenants. Every method is one statement: one way to the
    server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take_lease(self, sink: str, owner: UUID, seconds: float) -> EventPosition | None:
        """Take or renew the lease of `sink`; gives how far it has come, or None when somebody else holds the lease."""

        async def work(conn: Connection) -> EventPosition | None:
            row = await conn.fetchrow(
                "INSERT INTO outbox_readers AS r (sink, owner, leased_until) VALUES ($1, $2, now() + make_interval(secs => $3)) "
                "ON CONFLICT (sink) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until "
                "WHERE r.owner = excluded.owner OR r.leased_until IS NULL OR r.leased_until < now() "
                "RETURNING r.xid::text::bigint, r.id",
                sink,
                owner,
                seconds,
            )
            return None if row is None else EventPosition(row[0], row[1])

        return await self._database.look(work)

    async def give_back(self, sink: str, owner: UUID) -> None:
        """End the lease, so that another process need not wait for its end."""

        async def work(conn: Connection) -> None:
            await conn.execute(
                "UPDATE outbox_readers SET owner = NULL, leased_until = NULL WHERE sink = $1 AND owner = $2", sink, owner
            )

        await self._database.look(work)

    async def move(self, sink: str, owner: UUID, known: EventPosition, position: EventPosition, seconds: float) -> bool:
        """The sink has taken all up to `position`; renews the lease.

        False, and nothing moved, when the lease is another's, or when the stored position is not the `known` one any more.
        """

        async def work(conn: Connection) -> bool:
            moved = await conn.fetchval(
                "UPDATE outbox_readers SET xid = $5::bigint::text::xid8, id = $6, updated_at = now(), "
                "leased_until = now() + make_interval(secs => $7) WHERE sink = $1 AND owner = $2 "
                "AND (xid, id) = ($3::bigint::text::xid8, $4) RETURNING true",
                sink,
                owner,
                known.xid,
                known.id,
                position.xid,
                position.id,
                seconds,
            )
            return moved is True

        return await self._database.look(work)

    async def begin(self, sink: str) -> None:
        """A sink that is new takes nothing of what was written before now."""
        await self._database.look(lambda conn: conn.execute(f"{_AT_THE_END} ON CONFLICT (sink) DO NOTHING", sink, _LAST_ID))

    async def pass_by(self, sink: str) -> None:
        """Nothing written before now matters to the sink, if it has ever read. Whoever reads for it now goes on as he is."""
        await self._database.look(
            lambda conn: conn.execute(
                "UPDATE outbox_readers r SET xid = n.xid, id = n.id, updated_at = now() FROM "
                "(SELECT (outbox_horizon()::text::bigint - 1)::text::xid8 AS xid, $2::bigint AS id) n "
                "WHERE r.sink = $1 AND (r.leased_until IS NULL OR r.leased_until < now()) AND (r.xid, r.id) < (n.xid, n.id)",
                sink,
                _LAST_ID,
            )
        )

    async def read(
        self, after: EventPosition, limit: int, types: Collection[str] | None = None, tenants: str | None = None
    ) -> tuple[list[tuple[EventPosition, Event]], EventPosition]:
        """The events behind `after`, as far as no open transaction can still write an earlier one; only those of `types` and of
        the tenants that the query `tenants` gives, if given. Also up to where there are no others."""
        # both horizons are those of the statement's one snapshot, which sees all that is below; the position is hidden from the
        # planner, which would make another plan for each
        behind = (
            f"(o.xid, o.id) > ((SELECT $1::bigint::text::xid8), (SELECT $2::bigint)) AND o.xid < outbox_horizon(){_of_types(types)}"
        )
        query = (
            "SELECT h.horizon, e.* FROM (SELECT outbox_horizon()::text::bigint AS horizon) h LEFT JOIN LATERAL ("
            f"SELECT o.xid::text::bigint AS position, o.id, {EVENT_ID}, o.type, o.version, "
            # no joins: planned more quickly, and a station at a time whatever the planner expects
            "(SELECT t.slug FROM tenants t WHERE t.tenant_id = o.tenant_id) AS slug, "
            "(SELECT s.identity FROM stations s WHERE s.tenant_id = o.tenant_id AND s.station_id = o.station_id) AS identity, "
            f"o.session_id, o.occurred_at, o.recorded_at, o.data FROM {_events(tenants, behind, f'{limit:d}')} "
            f"ORDER BY o.xid, o.id LIMIT {limit:d}) e ON true ORDER BY e.position, e.id"
        )
        rows = await self._database.look(lambda conn: conn.fetch(query, after.xid, after.id))
        found = [(EventPosition(row[1], row[2]), _event(row)) for row in rows if row[1] is not None]
        if len(found) == limit:
            return found, found[-1][0]
        return found, max(after, EventPosition(rows[0][0] - 1, _LAST_ID), key=lambda position: (position.xid, position.id))

    async def backlog(self, after: EventPosition, types: Collection[str] | None = None, tenants: str | None = None) -> Backlog:
        wanted = _of_types(types)
        unread = _events(tenants, f"(o.xid, o.id) > ($1::bigint::text::xid8, $2){wanted}", "1")
        held_back = _events(tenants, f"o.xid >= outbox_horizon(){wanted}", "1")
        seconds = "SELECT extract(epoch FROM now() - o.recorded_at)"

        async def work(conn: Connection) -> Backlog:
            row = await conn.fetchrow(
                f"SELECT ({seconds} FROM {unread} ORDER BY o.xid, o.id LIMIT 1), "
                f"({seconds} FROM {held_back} ORDER BY o.xid, o.id LIMIT 1)",
                after.xid,
                after.id,
            )
            return Backlog(*(0.0 if age is None else max(0.0, float(age)) for age in row or (None, None)))

        return await self._database.look(work)


def _of_types(types: Collection[str] | None) -> str:
    """The condition written out, so that an index on just these types can serve it. The names are ours."""
    return "" if types is None else f" AND o.type IN ({', '.join(repr(name) for name in sorted(types))})"


def _events(tenants: str | None, condition: str, limit: str) -> str:
    """The first events for which the condition holds, as `o`. Of certain tenants as many of each, by the key that leads with the
    tenant."""
    if tenants is None:
        return f"(SELECT * FROM outbox o WHERE {condition} ORDER BY o.xid, o.id LIMIT {limit}) o"
    return (
        f"({tenants}) wanted CROSS JOIN LATERAL (SELECT * FROM outbox o WHERE o.tenant_id = wanted.tenant_id AND {condition} "
        f"ORDER BY o.xid, o.id LIMIT {limit}) o"
    )


_AT_THE_END: Final = (
    "INSERT INTO outbox_readers (sink, xid, id) SELECT $1, (outbox_horizon()::text::bigint - 1)::text::xid8, $2::bigint"
)


def _event(row: Any) -> Event:
    _, _, _, event_id, kind, version, tenant, identity, session_id, occurred_at, recorded_at, data = row
    return Event(event_id, kind, version, tenant, identity, session_id, occurred_at, recorded_at, msgspec.Raw(data.encode()))
