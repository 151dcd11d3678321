"""A gateway process of its own on a PostgreSQL of its own, both thrown away afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from bench.processes import BenchError, service
from csms.postgres import EmbeddedPostgres

PREFIX: Final = "BENCH-"


@dataclass(frozen=True, slots=True)
class Installation:
    """PostgreSQL with a migrated database, and what a gateway needs to use it."""

    folder: Path
    url: str
    postmaster: int
    environment: dict[str, str]

    @contextmanager
    def gateway(self) -> Iterator[tuple[int, int]]:
        """Run `csms gateway`; gives its pid and its OCPP port."""
        port = _free_port()
        log = self.folder / "gateway.log"
        with service(["gateway"], self.environment | {"CSMS_OCPP_PORT": str(port)}, log) as process:
            deadline = time.monotonic() + 30
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise BenchError(f"the gateway did not start:\n{log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.05)
            yield process.pid, port


@contextmanager
def installation(stations: int) -> Iterator[Installation]:
    """A durable PostgreSQL (its defaults, fsync on) with `stations` known stations that need no password."""
    folder = Path(tempfile.mkdtemp(prefix="csms-bench-", dir="/tmp"))
    folder.chmod(0o711)  # started by root, PostgreSQL runs as another user, who must get through
    bin_dir = os.environ.get("CSMS_POSTGRES_BIN")
    postgres = EmbeddedPostgres(folder / "data", Path(bin_dir) if bin_dir else None)
    try:
        url = postgres.start(timeout=120)
        if postgres.pid is None:
            raise BenchError("PostgreSQL has no process")
        secret = folder / "secret"
        secret.touch(mode=0o600)
        secret.write_bytes(os.urandom(32))
        environment = {"CSMS_DATABASE_URL": url, "CSMS_SECRET_FILE": str(secret), "CSMS_DATA_DIR": str(folder)}
        with service(["migrate"], environment, folder / "migrate.log") as migration:
            try:
                status = migration.wait(60)
            except subprocess.TimeoutExpired:
                status = None
        if status != 0:
            raise BenchError(f"csms migrate: {(folder / 'migrate.log').read_text(errors='replace')[-2000:]}")
        asyncio.run(_enter_stations(url, stations))
        yield Installation(folder, url, postgres.pid, environment)
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _enter_stations(url: str, stations: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "UPDATE tenants SET allow_unauthenticated = true, unknown_tokens = 'accept' WHERE slug = 'default'"
        )
        await connection.execute(
            "INSERT INTO stations (tenant_id, identity)"
            " SELECT t.tenant_id, $1 || lpad(n::text, 6, '0') FROM tenants t, generate_series(1, $2::int) n"
            " WHERE t.slug = 'default'",
            PREFIX,
            stations,
        )
    finally:
        await connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
