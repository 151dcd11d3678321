"""What the launcher looks after beside gateway and hub."""

from __future__ import annotations

from functools import partial

import structlog
import trio

from csms.health import HealthRegistry
from csms.postgres import EmbeddedPostgres, PostgresError

log = structlog.get_logger()

_WATCH_EVERY_S = 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


async def look_after_server(server: EmbeddedPostgres, health: HealthRegistry) -> None:
    """Start the embedded PostgreSQL again whenever it dies. Runs until cancelled."""
    health.report("postgresql", "ok", f"embedded, version {server.version}")
    while True:
        await trio.sleep(_WATCH_EVERY_S)
        if server.alive():
            continue
        log.error("postgresql.died", folder=str(server.folder))
        health.report("postgresql", "down", "it died and is started again")
        pause = _FIRST_PAUSE_S
        while True:
            try:
                await trio.to_thread.run_sync(partial(server.restart, checkpoint=trio.from_thread.check_cancelled))
                break
            except (PostgresError, OSError) as error:
                log.error("postgresql.restart_failed", error=str(error), next_try_s=pause)
                await trio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        log.warning("postgresql.restarted", pid=server.pid)
        health.report("postgresql", "ok", f"embedded, version {server.version}")
