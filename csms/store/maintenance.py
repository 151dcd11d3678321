"""What the database needs from time to time: partitions made ahead, abandoned commands closed, old events dropped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import structlog
import trio

from csms.store.command_records import close_abandoned
from csms.store.partitions import ensure_partitions
from csms.store.pool import Connection, Database, StoreUnavailable, run_with_owner

log = structlog.get_logger()

COMMANDS_EVERY_S: Final = 10.0
OWNER_WORK_EVERY_S: Final = 3600.0
OUTBOX_KEPT_DAYS: Final = 14
"""How far back a reader of events may fall behind."""
OUTBOX_PATIENCE: Final = 6
"""How many times as long events are kept that a sink has not taken."""
QUARANTINE_KEPT_DAYS: Final = 90
"""How long a quarantined message is kept after it was resolved."""

_CHUNK: Final = 5_000


async def maintain(dsn: str, gateway: Database, *, call_timeout_s: int) -> None:
    """Run until cancelled. A store that is away is tried again at the next turn."""

    async def abandon(conn: Connection) -> int:
        return await close_abandoned(conn, call_timeout_s)

    next_owner_work = trio.current_time()
    while True:
        await trio.sleep(COMMANDS_EVERY_S)
        try:
            closed = await gateway.unit(abandon)
            if closed:
                log.info("commands.abandoned", count=closed)
            if trio.current_time() >= next_owner_work:
                next_owner_work = trio.current_time() + OWNER_WORK_EVERY_S
                # apart, so that one that fails does not keep the other from its work
                for work in (_make_partitions, _prune):
                    await _as_owner(dsn, work)
        except StoreUnavailable as error:
            log.warning("maintenance.postponed", error=str(error))


async def _as_owner(dsn: str, work: Callable[[Connection], Awaitable[None]]) -> None:
    try:
        await run_with_owner(dsn, work, timeout=600)
    except asyncpg.PostgresError:
        # partitions are made months ahead: an operator has time to look at this
        log.exception("maintenance.failed")


async def _make_partitions(conn: Connection) -> None:
    made = await ensure_partitions(conn)
    if made:
        log.info("partitions.made", names=made)


async def _prune(conn: Connection) -> None:
    while await prune_outbox(conn, OUTBOX_KEPT_DAYS) == _CHUNK:
        log.debug("outbox.pruned_chunk")
    while await prune_quarantine(conn, QUARANTINE_KEPT_DAYS) == _CHUNK:
        log.debug("quarantine.pruned_chunk")


async def prune_outbox(conn: Connection, days: int) -> int:
    """Delete the oldest events past their time, at most one chunk (each in a short transaction); gives their number.

    What a sink has not taken yet stays for `OUTBOX_PATIENCE` times as long.
    """
    done = await conn.fetchval(
        "WITH old AS (SELECT tenant_id, id FROM outbox o WHERE recorded_at < now() - make_interval(days => $1) "
        "AND (recorded_at < now() - make_interval(days => $1 * $3) "
        "OR NOT EXISTS (SELECT FROM outbox_readers r WHERE (r.xid, r.id) < (o.xid, o.id))) LIMIT $2), "
        "gone AS (DELETE FROM outbox o USING old WHERE o.tenant_id = old.tenant_id AND o.id = old.id RETURNING 1) "
        "SELECT count(*) FROM gone",
        days,
        _CHUNK,
        OUTBOX_PATIENCE,
    )
    return int(done)


async def prune_quarantine(conn: Connection, days: int) -> int:
    """Delete quarantined messages that were resolved so long ago, at most one chunk; gives their number.

    Resolved ones count no more for their station's bound, so there is nothing else to change.
    """
    done = await conn.fetchval(
        "WITH old AS (SELECT tenant_id, quarantine_id FROM quarantine "
        "WHERE resolved_at < now() - make_interval(days => $1) LIMIT $2), gone AS (DELETE FROM quarantine q USING old "
        "WHERE q.tenant_id = old.tenant_id AND q.quarantine_id = old.quarantine_id RETURNING 1) SELECT count(*) FROM gone",
        days,
        _CHUNK,
    )
    return int(done)
