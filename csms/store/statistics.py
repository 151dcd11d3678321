"""What the planner knows of the tables, kept up where they grow fast.

Autovacuum looks once a minute. A table that was empty a minute ago and holds thousands of rows now is read by plans made for an
empty one: the first minute of a new database, a tenant that moves in. Such tables are analysed here within seconds.
"""

from __future__ import annotations

from typing import Final

from csms.store.pool import Connection

FEWEST_ROWS: Final = 500
"""A smaller table is read quickly by any plan."""

_GROWN: Final = (
    "SELECT format('%I.%I', t.schemaname, t.relname) AS name FROM pg_stat_user_tables t JOIN pg_class c ON c.oid = t.relid "
    # reltuples is what the last ANALYZE saw, -1 before the first
    "WHERE t.schemaname = current_schema() AND t.n_live_tup >= $1 AND t.n_live_tup > 2 * greatest(c.reltuples, 0) "
    "ORDER BY t.relname"
)


async def grown_tables(conn: Connection) -> list[str]:
    """The tables that have more than twice the rows of their last ANALYZE. Any role may look."""
    return [row["name"] for row in await conn.fetch(_GROWN, FEWEST_ROWS)]


async def analyse_grown(conn: Connection) -> list[str]:
    """Analyse those tables; gives their names. Only the owner may."""
    names = await grown_tables(conn)
    for name in names:
        await conn.execute(f"ANALYZE (SKIP_LOCKED) {name}")
    return names
