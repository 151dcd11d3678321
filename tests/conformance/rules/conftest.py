"""One database for all tests of a process, emptied between them, and gateways that do at once what they do every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from csms.postgres import EmbeddedPostgres
from tests.e2e.databases import execute

NAME = "rules"
_EMPTY = """
SET session_replication_role = replica;  -- in any order
DO $$
DECLARE found text;
BEGIN
    FOR found IN SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
        AND relnamespace = 'public'::regnamespace AND relname NOT IN ('installation', 'schema_migrations', 'tenants_at_first')
    LOOP
        EXECUTE format('DELETE FROM %I', found);
    END LOOP;
END $$;
INSERT INTO tenants OVERRIDING SYSTEM VALUE SELECT * FROM tenants_at_first;
"""


@pytest.fixture(scope="session")
def rules_database(postgres: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """The URL of the database, as the superuser."""
    server = postgres.url("postgres", "postgres")
    execute(server, f"CREATE DATABASE {NAME} TEMPLATE {migrated_template} OWNER csms STRATEGY FILE_COPY")
    url = postgres.url(NAME, "postgres")
    execute(url, "CREATE TABLE tenants_at_first AS SELECT * FROM tenants")
    yield url
    execute(server, f"DROP DATABASE {NAME} WITH (FORCE)")


@pytest.fixture
def database(postgres: EmbeddedPostgres, rules_database: str) -> Iterator[str]:
    """The URL of the database as new, as the role that owns it. To make one anew for each test would take most of their time."""
    yield postgres.url(NAME)

    async def empty() -> None:
        connection = await asyncpg.connect(rules_database)
        try:
            await connection.execute(_EMPTY)
        finally:
            await connection.close()

    asyncio.run(empty())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of the system's own leave, sessions in doubt are looked for, and signs of life are told, every moment."""
    monkeypatch.setattr("gateway.mailbox.TRUTH_SWEEP_S", 0.1)
    monkeypatch.setattr("gateway.sweeper.RECONCILE_EVERY_S", 0.1)
    monkeypatch.setattr("gateway.sweeper.SEEN_EVERY_S", 0.2)
    monkeypatch.setattr("gateway.sweeper.TICK_S", 0.05)
