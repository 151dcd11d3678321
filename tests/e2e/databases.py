"""A database of its own for a server process that is given an external PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import asyncpg

from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret

_numbers = count(1)


@contextmanager
def external_database(
    postgres: EmbeddedPostgres, template: str, secret: RootSecret, folder: Path
) -> Iterator[tuple[str, dict[str, str]]]:
    """A migrated database: its URL, and the environment that lets a server use it."""
    name = f"served_{next(_numbers)}"
    superuser = postgres.url("postgres", "postgres")
    execute(superuser, f"CREATE DATABASE {name} TEMPLATE {template} OWNER csms STRATEGY FILE_COPY")
    secret_file = folder / "secret"
    secret_file.touch(mode=0o600)
    secret_file.write_bytes(bytes(range(32)))
    assert RootSecret.load(secret_file, create=False).fingerprint() == secret.fingerprint()
    url = postgres.url(name)
    try:
        yield url, {"CSMS_DATABASE_URL": url, "CSMS_SECRET_FILE": str(secret_file)}
    finally:
        execute(superuser, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())
