"""Leases: what one process at a time does, whoever it is (table process_leases)."""

from __future__ import annotations

from uuid import UUID

from csms.store.pool import Connection, Database


class Leases:
    """`database` is the gateway role's: leases belong to no tenant. Every method is one statement and raises
    StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, name: str, owner: UUID, seconds: float) -> bool:
        """Take or renew the lease; False when somebody else holds it."""

        async def work(conn: Connection) -> bool:
            taken = await conn.fetchval(
                "INSERT INTO process_leases AS l (name, owner, leased_until) VALUES ($1, $2, now() + make_interval(secs => $3)) "
                "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until "
                "WHERE l.owner = excluded.owner OR l.leased_until < now() RETURNING true",
                name,
                owner,
                seconds,
            )
            return taken is True

        return await self._database.look(work)

    async def give_back(self, name: str, owner: UUID) -> None:
        """End the lease, so that another process need not wait for its end."""

        async def work(conn: Connection) -> None:
            await conn.execute("DELETE FROM process_leases WHERE name = $1 AND owner = $2", name, owner)

        await self._database.look(work)
