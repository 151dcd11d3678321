"""What the database needs from time to time: partitions made ahead, abandoned commands closed, reservations ended that ran out,
what is past its time dropped, grown tables analysed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import asyncpg
import structlog
import trio

from csms.health import HealthRegistry
from csms.store.command_records import close_abandoned
from csms.store.metrics import DEFAULT_ROWS, MONTHS_AHEAD, PARTITIONS_OVERDUE
from csms.store.partitions import PARTITIONED, empty_defaults, ensure_partitions, find_strays, list_partitions, month_start
from csms.store.pool import Connection, Database, StoreUnavailable, run_with_owner
from csms.store.queries import reservations
from csms.store.retention import Pace, Postponed, apply_retention
from csms.store.statistics import analyse_grown, grown_tables

log = structlog.get_logger()

COMMANDS_EVERY_S: Final = 10.0
RESERVATIONS_EVERY_S: Final = 5.0
FIRST_OWNER_WORK_S: Final = 10.0
OWNER_WORK_EVERY_S: Final = 600.0
OWNER_WORK_TIMEOUT_S: Final = 600.0
STATISTICS_EVERY_S: Final = (3.0, 15.0)
"""How soon the next look for grown tables is after one that found some, and at most after several that found none."""
STATISTICS_TIMEOUT_S: Final = 60.0
UNDONE_S: Final = 6 * 3600.0
"""How long the upkeep may fail with a store that is away before somebody is told."""
RETENTION_BUDGET_S: Final = 240.0
"""How long a round deletes before it looks after the other things again."""
OVERDUE: Final = timedelta(days=3)
"""How long a partition may stay past its time until somebody should look at it."""
OUTBOX_KEPT_DAYS: Final = 14
"""How far back a reader of events may fall behind."""
OUTBOX_PATIENCE: Final = 6
"""How many times as long events are kept that a sink has not taken."""
QUARANTINE_KEPT_DAYS: Final = 90
"""How long a quarantined message is kept after it was resolved."""
COMMANDS_KEPT_DAYS: Final = 400
"""How long a command is kept: whoever asks what became of it, and who ordered it, asks within a year."""
REFRESH_TOKENS_KEPT_DAYS: Final = 1
"""How long a refresh token is kept after it expired."""
SINGLE_USE_TOKENS_KEPT_DAYS: Final = 30
"""How long a dynamic QR token, or that of a payment, is kept after its time when nobody used it."""
RELAYS_KEPT_DAYS: Final = 1
"""How long a URL of our OCPI hub is kept after its time."""
OCPI_COMMANDS_KEPT_DAYS: Final = 90
"""How long a command over OCPI is kept after it ended."""
ROUTES_KEPT_DAYS: Final = 90
"""How long our OCPI hub knows between whom a session or reservation has passed, after it did for the last time."""
RESERVATION_NUMBERS_KEPT_DAYS: Final = 90
"""How long a reservation has its number towards a partner with OCPI 2.1.1, after it was sent there for the last time."""
SHOWN_TOKENS_KEPT_DAYS: Final = 90
"""How long it is known which token a partner with OCPI 2.1.1 was shown: as long as it may tell of its session."""
RESERVATIONS_KEPT_DAYS: Final = 400
"""How long a reservation is kept after it ended."""
USED_TOKENS_KEPT_DAYS: Final = 400
"""How long one that was used is: the sessions of a month are counted by it, and CDRs that are corrected name whose it was."""

_CHUNK: Final = 5_000
_TOLD: Final = 5
_LOCK_KEY: Final = 0x6373_6D75  # "csmu": one process does the upkeep; "csms" is that of the migrations
_STATISTICS_KEY: Final = 0x6373_6D61  # "csma"


async def maintain(dsn: str, gateway: Database, *, call_timeout_s: int, health: HealthRegistry) -> None:
    """Run until cancelled. A store that is away is tried again at the next turn."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_close_commands, gateway, call_timeout_s)
        nursery.start_soon(_settle_reservations, gateway)
        nursery.start_soon(_keep_house, dsn, health)
        nursery.start_soon(_keep_statistics, dsn, gateway)


async def _close_commands(gateway: Database, call_timeout_s: int) -> None:
    async def abandon(conn: Connection) -> int:
        return await close_abandoned(conn, call_timeout_s)

    while True:
        await trio.sleep(COMMANDS_EVERY_S)
        try:
            closed = await gateway.unit(abandon)
        except StoreUnavailable as error:
            log.warning("maintenance.postponed", error=str(error))
            continue
        if closed:
            log.info("commands.abandoned", count=closed)


async def _settle_reservations(gateway: Database) -> None:
    while True:
        await trio.sleep(RESERVATIONS_EVERY_S)
        try:
            while await gateway.unit(lambda conn: reservations.settle(conn, _CHUNK)) >= _CHUNK:
                pass
        except StoreUnavailable as error:
            log.warning("maintenance.postponed", error=str(error))


async def _keep_house(dsn: str, health: HealthRegistry) -> None:
    """What only the owner may do. Of several processes one does it; all of them look and tell how things stand."""
    await trio.sleep(FIRST_OWNER_WORK_S)
    done_at = trio.current_time()
    while True:
        pause = OWNER_WORK_EVERY_S
        try:
            finished = await run_with_owner(dsn, partial(_owner_work, health=health), timeout=OWNER_WORK_TIMEOUT_S)
            done_at = trio.current_time()
            if not finished:
                pause = FIRST_OWNER_WORK_S
        except StoreUnavailable as error:
            log.warning("maintenance.postponed", error=str(error))
            # the other roles may get on well while the owner's password is wrong
            if trio.current_time() - done_at > UNDONE_S:
                health.report("retention", "degraded", f"the upkeep of the database was not possible for long: {error}")
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # partitions are made months ahead: an operator has time to look at this
            log.exception("maintenance.failed")
            health.report("retention", "degraded", f"the upkeep of the database failed: {error}")
        await trio.sleep(pause)


async def _keep_statistics(dsn: str, gateway: Database) -> None:
    soonest, latest = STATISTICS_EVERY_S
    pause = soonest
    while True:
        await trio.sleep(pause)
        names: list[str] = []
        try:
            # the owner's connection is made when there is something to do, which is seldom
            if await gateway.unit(grown_tables):
                names = await run_with_owner(dsn, _analyse, timeout=STATISTICS_TIMEOUT_S)
        except (StoreUnavailable, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # nothing is lost but speed, and autovacuum does the same a little later
            log.warning("maintenance.postponed", error=str(error))
        if names:
            log.info("statistics.kept_up", tables=names)
        pause = soonest if names else min(latest, pause * 2)


async def _analyse(conn: Connection) -> list[str]:
    """Of several processes one analyses, so that none does what another has just done."""
    if not await conn.fetchval("SELECT pg_try_advisory_lock($1)", _STATISTICS_KEY):
        return []
    return await analyse_grown(conn)


async def _owner_work(conn: Connection, health: HealthRegistry) -> bool:
    """One round; False when there is more to do than fits into one."""
    finished = True
    if await conn.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK_KEY):  # let go with the connection
        made = await ensure_partitions(conn)
        if made:
            log.info("partitions.made", names=made)
        outcome = await apply_retention(conn, budget_s=RETENTION_BUDGET_S)
        # after the deletions: what is past anyway need not be moved
        await empty_defaults(conn)
        if outcome.dropped or outcome.deleted:
            log.info("retention.applied", dropped=outcome.dropped, deleted=outcome.deleted, finished=outcome.finished)
        await _tell_overdue(conn, outcome.postponed, health)
        finished = await _prune(conn) and outcome.finished
    else:
        health.report("retention", "ok", "another process looks after it")
    await _tell_partitions(conn, health)
    return finished


async def _tell_overdue(conn: Connection, postponed: Sequence[Postponed], health: HealthRegistry) -> None:
    now: datetime = await conn.fetchval("SELECT now()")
    overdue = [p for p in postponed if p.due < now - OVERDUE]
    PARTITIONS_OVERDUE.set(len(overdue))
    for partition in postponed:
        log.info("retention.drop_postponed", name=partition.name, due=partition.due.isoformat(), reason=partition.reason)
    if overdue:
        told = "; ".join(f"{p.name} should be gone since {p.due:%Y-%m-%d}: {p.reason}" for p in overdue[:_TOLD])
        health.report("retention", "degraded", told)
    else:
        health.report("retention", "ok")


async def _tell_partitions(conn: Connection, health: HealthRegistry) -> None:
    """Whether rows find the partition of their month: in the health, the metrics and, when they do not, the log."""
    now: datetime = await conn.fetchval("SELECT now()")
    faults = []
    for table in PARTITIONED:
        ahead = 0
        present = {partition.begins for partition in await list_partitions(conn, table)}
        while month_start(now.year, now.month + ahead + 1) in present:
            ahead += 1
        MONTHS_AHEAD.labels(table).set(ahead)
        if not ahead:
            faults.append(f"{table} has no partition for the next month")
        strays = await find_strays(conn, table)
        DEFAULT_ROWS.labels(table).set(strays.rows)
        if strays.oldest is not None and strays.newest is not None:
            faults.append(
                f"{table}_default holds {strays.rows} rows of sessions of {strays.oldest:%Y-%m-%d} to {strays.newest:%Y-%m-%d}"
            )
    if faults:
        log.error("partitions.faulty", faults=faults)
        health.report("partitions", "degraded", "; ".join(faults))
    else:
        health.report("partitions", "ok")


async def _prune(conn: Connection) -> bool:
    """Delete what is kept for the same time for all tenants; False when there was more than a round has time for."""
    clock = asyncio.get_running_loop().time
    pace = Pace(clock() + RETENTION_BUDGET_S)
    for prune, days in (
        (prune_outbox, OUTBOX_KEPT_DAYS),
        (prune_quarantine, QUARANTINE_KEPT_DAYS),
        (prune_commands, COMMANDS_KEPT_DAYS),
        (prune_refresh_tokens, REFRESH_TOKENS_KEPT_DAYS),
        (prune_single_use_tokens, SINGLE_USE_TOKENS_KEPT_DAYS),
        (prune_reservations, RESERVATIONS_KEPT_DAYS),
        (prune_relays, RELAYS_KEPT_DAYS),
        (prune_ocpi_commands, OCPI_COMMANDS_KEPT_DAYS),
        (prune_ocpi_authorizations, USED_TOKENS_KEPT_DAYS),
        (prune_routes, ROUTES_KEPT_DAYS),
        (prune_reservation_numbers, RESERVATION_NUMBERS_KEPT_DAYS),
        (prune_shown_tokens, SHOWN_TOKENS_KEPT_DAYS),
    ):
        while not pace.over:
            began = clock()
            count = await prune(conn, days)
            if count < _CHUNK:
                break
            await pace.rest(clock() - began)
    return not pace.over


async def prune_outbox(conn: Connection, days: int) -> int:
    """Delete the oldest events past their time, at most one chunk (each in a short transaction); gives their number.

    What a sink has not taken yet stays for `OUTBOX_PATIENCE` times as long. The search begins where the readers begin.
    """
    done = await conn.fetchval(
        "WITH oldest AS (SELECT ctid, xid, id, recorded_at FROM outbox ORDER BY xid, id LIMIT $2), "
        "gone AS (DELETE FROM outbox WHERE ctid = ANY(ARRAY(SELECT o.ctid FROM oldest o "
        "WHERE o.recorded_at < now() - make_interval(days => $1) AND (o.recorded_at < now() - make_interval(days => $1 * $3) "
        "OR NOT EXISTS (SELECT FROM outbox_readers r WHERE (r.xid, r.id) < (o.xid, o.id))))) RETURNING 1) "
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
    return await _delete(conn, "quarantine", "resolved_at < now() - make_interval(days => $1)", days)


async def prune_commands(conn: Connection, days: int) -> int:
    """Delete commands that were ordered so long ago and have ended, at most one chunk; gives their number."""
    return await _delete(
        conn, "commands", "created_at < now() - make_interval(days => $1) AND status NOT IN ('queued', 'sent')", days
    )


async def prune_refresh_tokens(conn: Connection, days: int) -> int:
    """Delete refresh tokens that expired so long ago, at most one chunk; gives their number."""
    return await _delete(conn, "refresh_tokens", "expires_at < now() - make_interval(days => $1)", days)


async def prune_single_use_tokens(conn: Connection, days: int) -> int:
    """Delete tokens that were made for one session and are past their time, at most one chunk; gives their number."""
    return await _delete(
        conn,
        "id_tokens",
        "single_use AND kind IN ('dynamic_qr', 'temporary', 'ocpi_alias') AND valid_until < now() - make_interval(days => $1) "
        f"AND (used_at IS NULL OR used_at < now() - make_interval(days => {USED_TOKENS_KEPT_DAYS})) "
        "AND NOT EXISTS (SELECT FROM id_tokens c WHERE c.tenant_id = id_tokens.tenant_id "
        "AND c.parent_token_id = id_tokens.token_id)",
        days,
    )


async def prune_ocpi_commands(conn: Connection, days: int) -> int:
    """Delete commands over OCPI that ended so long ago, at most one chunk; gives their number."""
    return await _delete(conn, "ocpi_commands", "finished_at < now() - make_interval(days => $1)", days)


async def prune_ocpi_authorizations(conn: Connection, days: int) -> int:
    """Delete what parties said of their tokens so long ago, at most one chunk; gives their number."""
    return await _delete(conn, "ocpi_authorizations", "created_at < now() - make_interval(days => $1)", days)


async def prune_reservations(conn: Connection, days: int) -> int:
    """Delete reservations that ended so long ago, at most one chunk; gives their number. Those that partners were told of stay with
    their sessions, which may have their ids."""
    return await _delete(
        conn,
        "reservations",
        "updated_at < now() - make_interval(days => $1) AND status NOT IN ('requested', 'active') "
        "AND (ocpi_session_id IS NULL OR NOT EXISTS (SELECT FROM sessions x WHERE x.tenant_id = reservations.tenant_id "
        "AND x.session_id = reservations.session_id))",
        days,
    )


async def prune_relays(conn: Connection, days: int) -> int:
    """Delete URLs of the OCPI hub whose time was over so long ago, at most one chunk; gives their number."""
    return await _delete(conn, "ocpi_relays", "expires_at < now() - make_interval(days => $1)", days)


async def prune_routes(conn: Connection, days: int) -> int:
    """Delete what the OCPI hub knows of sessions and reservations not seen for so long, at most one chunk; gives their number."""
    return await _delete(conn, "ocpi_routes", "seen_at < now() - make_interval(days => $1)", days)


async def prune_reservation_numbers(conn: Connection, days: int) -> int:
    """Delete numbers of reservations not sent for so long, at most one chunk; gives their number."""
    return await _delete(conn, "ocpi_reservation_numbers", "seen_at < now() - make_interval(days => $1)", days)


async def prune_shown_tokens(conn: Connection, days: int) -> int:
    """Delete tokens not shown for so long, at most one chunk; gives their number."""
    return await _delete(conn, "ocpi_shown_tokens", "seen_at < now() - make_interval(days => $1)", days)


async def _delete(conn: Connection, table: str, condition: str, days: int) -> int:
    done = await conn.fetchval(
        f"WITH gone AS (DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {condition} LIMIT $2)) "
        "RETURNING 1) SELECT count(*) FROM gone",
        days,
        _CHUNK,
    )
    return int(done)
