"""A server on an external PostgreSQL that a test may stop, kill and start again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret
from csms.store import migrate
from tests.e2e.databases import execute
from tests.e2e.running import RunningServer


@pytest.fixture
def own_postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this test alone, durable as in production (fsync on)."""
    folder = Path(tempfile.mkdtemp(prefix="csms-crash-", dir="/tmp"))
    folder.chmod(0o711)  # started by root, PostgreSQL runs as another user, who must get through
    bin_dir = os.environ.get("CSMS_POSTGRES_BIN")
    server = EmbeddedPostgres(folder / "data", Path(bin_dir) if bin_dir else None)
    try:
        server.start(timeout=60)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def crash_server(
    request: pytest.FixtureRequest, own_postgres: EmbeddedPostgres, root_secret: RootSecret, tmp_path: Path
) -> Iterator[tuple[RunningServer, EmbeddedPostgres, str]]:
    """A running server, its PostgreSQL, and the URL of its database. A parameter adds settings."""
    execute(own_postgres.url("postgres", "postgres"), "CREATE DATABASE crash OWNER csms")
    url = own_postgres.url("crash")

    async def make_schema() -> None:
        await migrate(url, fingerprint=root_secret.fingerprint())

    trio.run(make_schema)
    secret_file = tmp_path / "secret"
    secret_file.touch(mode=0o600)
    secret_file.write_bytes(bytes(range(32)))
    more: dict[str, str] = getattr(request, "param", {})
    server = RunningServer(tmp_path, {"CSMS_DATABASE_URL": url, "CSMS_SECRET_FILE": str(secret_file), **more})
    try:
        server.start()
        yield server, own_postgres, url
    finally:
        server.ensure_gone()
