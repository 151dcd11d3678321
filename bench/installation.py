"""A durable PostgreSQL with a migrated database and known stations, thrown away afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import asyncpg

from bench.plans import CERTIFICATE_NAME, PASSWORD, PREFIX
from bench.processes import BenchError, service
from csms.clock import SystemClock, SystemIds
from csms.credentials import StationPasswords
from csms.postgres import EmbeddedPostgres
from csms.secret import STATION_PASSWORD_PEPPER, RootSecret

Credentials = Literal["none", "password", "certificate"]

_MOST_CONNECTIONS: Final = 200


@dataclass(frozen=True, slots=True)
class Installation:
    """`environment`: what a process of csms needs to use it."""

    folder: Path
    url: str
    postmaster: int
    environment: dict[str, str]

    def fetch_value(self, query: str) -> Any:
        """The one value of a query."""

        async def fetch() -> Any:
            connection = await asyncpg.connect(self.url)
            try:
                return await connection.fetchval(query)
            finally:
                await connection.close()

        return asyncio.run(fetch())


@contextmanager
def installation(stations: int, credentials: Credentials = "none", tokens: Iterable[str] = ()) -> Iterator[Installation]:
    """PostgreSQL with its defaults (fsync on) and `stations` stations that are known by the given credentials.

    `tokens` are entered, and no others are taken; without any all are.
    """
    folder = Path(tempfile.mkdtemp(prefix="csms-bench-", dir="/tmp"))
    folder.chmod(0o711)  # started by root, PostgreSQL runs as another user, who must get through
    bin_dir = os.environ.get("CSMS_POSTGRES_BIN")
    postgres = EmbeddedPostgres(
        folder / "data", Path(bin_dir) if bin_dir else None, options={"max_connections": str(_MOST_CONNECTIONS)}
    )
    try:
        url = postgres.start(timeout=120)
        if postgres.pid is None:
            raise BenchError("PostgreSQL has no process")
        secret = folder / "secret"
        secret.touch(mode=0o600)
        secret.write_bytes(os.urandom(32))
        environment = {"CSMS_DATABASE_URL": url, "CSMS_SECRET_FILE": str(secret), "CSMS_DATA_DIR": str(folder)}
        _migrate(environment, folder / "migrate.log")
        pepper = RootSecret(secret.read_bytes()).derive(STATION_PASSWORD_PEPPER)
        asyncio.run(_enter_stations(url, stations, credentials, pepper))
        if known := list(tokens):
            asyncio.run(_enter_tokens(url, known))
        yield Installation(folder, url, postgres.pid, environment)
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _migrate(environment: dict[str, str], log: Path) -> None:
    with service(["migrate"], environment, log) as migration:
        try:
            status = migration.wait(60)
        except subprocess.TimeoutExpired:
            status = None
    if status != 0:
        raise BenchError(f"csms migrate: {log.read_text(errors='replace')[-2000:]}")


async def _enter_stations(url: str, stations: int, credentials: Credentials, pepper: bytes) -> None:
    passwords = StationPasswords(pepper, SystemIds(SystemClock()))
    identities, schemes, hashes, salts = [], [], [], []
    for number in range(1, stations + 1):
        identities.append(f"{PREFIX}{number:06d}")
        if credentials == "password":
            scheme, stored, salt = passwords.store_machine_made(PASSWORD.encode())
            schemes.append(scheme)
            hashes.append(stored)
            salts.append(salt)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "UPDATE tenants SET allow_unauthenticated = $1, unknown_tokens = 'accept' WHERE slug = 'default'",
            credentials == "none",
        )
        await connection.execute(
            "INSERT INTO stations (tenant_id, identity, password_scheme, password_hash, password_salt, certificate_name)"
            " SELECT t.tenant_id, n.*, $5 FROM tenants t, unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[]) n"
            " WHERE t.slug = 'default'",
            identities,
            schemes,
            hashes,
            salts,
            CERTIFICATE_NAME if credentials == "certificate" else None,
        )
        await connection.execute("ANALYZE stations")
    finally:
        await connection.close()


async def _enter_tokens(url: str, tokens: list[str]) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO id_tokens (tenant_id, id_token, type) SELECT t.tenant_id, n, 'ISO14443'"
            " FROM tenants t, unnest($1::text[]) n WHERE t.slug = 'default'",
            tokens,
        )
        await connection.execute("UPDATE tenants SET unknown_tokens = 'refuse' WHERE slug = 'default'")
        await connection.execute("ANALYZE id_tokens")
    finally:
        await connection.close()
