"""A database that was dumped and restored: its outbox goes on from the transaction numbers of the cluster that it came from.

Events are read in the order of `outbox.xid`, up to `outbox_horizon()`. Both count the transactions of the cluster, and another
cluster counts from elsewhere (migration 0009).
"""

from __future__ import annotations

from csms.store.pool import Connection

_LAST = (
    "SELECT greatest((SELECT xid FROM outbox ORDER BY xid DESC, id DESC LIMIT 1), (SELECT max(xid) FROM outbox_readers))"
    "::text::bigint"
)


async def is_ahead(connection: Connection) -> bool:
    """Whether the outbox holds numbers that its next events would not be above."""
    return bool(await connection.fetchval(f"SELECT ({_LAST}) >= outbox_xid()::text::bigint"))


async def continue_outbox(connection: Connection) -> None:
    """Make the next events follow those that are there, if they do not. Then nothing else may be writing to the database."""
    async with connection.transaction():
        if not await is_ahead(connection):
            return
        # whatever this cluster counts from, it is above zero
        last = int(await connection.fetchval(_LAST))
        for name, volatility, own in (
            ("outbox_xid", "VOLATILE", "pg_current_xact_id()"),
            ("outbox_horizon", "STABLE", "pg_snapshot_xmin(pg_current_snapshot())"),
        ):
            await connection.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS xid8 LANGUAGE sql {volatility} "
                f"AS $$ SELECT ({own}::text::bigint + {last})::text::xid8 $$"
            )
