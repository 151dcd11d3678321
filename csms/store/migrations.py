"""Migrations: numbered SQL files in schemas/migrations, applied once, in order, each in a transaction of its own."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from csms.store.partitions import ensure_partitions
from csms.store.pool import Connection, run_with_owner
from csms.store.restored import continue_outbox, is_ahead

_LOCK_KEY: Final = 0x6373_6D73  # "csms"
_LEAST_SERVER: Final = 150_000


class SchemaError(Exception):
    """The database's schema and this version of the product do not fit; the message says what to do."""


class SecretMismatch(SchemaError):
    """The root secret is not the one that this database was set up with."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations() -> list[Migration]:
    """All migrations that ship with this version, in order."""
    folder = files("schemas") / "migrations"
    found = [Migration(f.name.removesuffix(".sql"), f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".sql")]
    return sorted(found, key=lambda m: m.version)


async def migrate(dsn: str, *, fingerprint: str) -> list[str]:
    """Bring the schema up to date, bind the database to the root secret, and let a restored one go on. Gives the versions
    applied now.

    Several processes may call this at once: one applies, the others wait and find nothing to do. Raises SchemaError,
    SecretMismatch, StoreUnavailable.
    """

    async def work(connection: Connection) -> list[str]:
        await _check_server(connection)
        # polling, not waiting in pg_advisory_lock(): a waiter would hold a snapshot that CREATE INDEX CONCURRENTLY waits for
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK_KEY):  # noqa: ASYNC110 - set by another process
            await asyncio.sleep(0.2)
        try:
            applied = await _apply_missing(connection)
            await ensure_partitions(connection)
            await _bind_secret(connection, fingerprint)
            await continue_outbox(connection)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK_KEY)
        return applied

    return await run_with_owner(dsn, work, timeout=600)


async def check_schema(dsn: str, *, fingerprint: str) -> None:
    """Raise SchemaError when the schema is not exactly this version's, SecretMismatch when the secret is another's."""

    async def work(connection: Connection) -> None:
        await _check_server(connection)
        done = await _applied(connection)
        missing = [m.version for m in load_migrations() if m.version not in done]
        if missing:
            raise SchemaError(f"the database schema is behind (missing {', '.join(missing)}): run 'csms migrate' first")
        _check_known(done)
        stored = await connection.fetchval("SELECT secret_fingerprint FROM installation")
        if stored != fingerprint:
            raise SecretMismatch(_mismatch(stored))
        if await is_ahead(connection):
            raise SchemaError(
                "the database was restored into another PostgreSQL cluster: run 'csms migrate' once before it is used"
            )

    await run_with_owner(dsn, work)


async def _check_server(connection: Connection) -> None:
    number = int(await connection.fetchval("SHOW server_version_num"))
    if number < _LEAST_SERVER:
        raise SchemaError(f"PostgreSQL 15 or newer is needed, this server is {number // 10000}")


async def _applied(connection: Connection) -> dict[str, str]:
    if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return {}
    return {r["version"]: r["checksum"] for r in await connection.fetch("SELECT version, checksum FROM schema_migrations")}


async def _apply_missing(connection: Connection) -> list[str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations "
        "(version text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    done = await _applied(connection)
    _check_known(done)
    applied = []
    for migration in load_migrations():
        if migration.version in done:
            if done[migration.version] != migration.checksum:
                raise SchemaError(f"migration {migration.version} was changed after it had been applied")
            continue
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, checksum) VALUES ($1, $2)", migration.version, migration.checksum
            )
        applied.append(migration.version)
    return applied


def _check_known(done: dict[str, str]) -> None:
    unknown = sorted(set(done) - {m.version for m in load_migrations()})
    if unknown:
        raise SchemaError(f"the database is newer than this version of csms (it has {', '.join(unknown)}): upgrade csms")


async def _bind_secret(connection: Connection, fingerprint: str) -> None:
    stored = await connection.fetchval(
        "UPDATE installation SET secret_fingerprint = coalesce(secret_fingerprint, $1) RETURNING secret_fingerprint", fingerprint
    )
    if stored != fingerprint:
        raise SecretMismatch(_mismatch(stored))


def _mismatch(stored: str | None) -> str:
    if stored is None:
        return "the database is not bound to a root secret yet: run 'csms migrate' first"
    return (
        f"the root secret is not the one of this database (fingerprint {stored}): "
        "point CSMS_SECRET_FILE at the secret that was made with it, or restore it from the backup"
    )
