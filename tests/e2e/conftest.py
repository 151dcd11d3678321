"""The server as a new user has it: `csms serve` in try-out mode, with the embedded PostgreSQL, on a fresh data folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from csms.postgres import EmbeddedPostgres
from tests.e2e.running import Api, RunningServer


@contextmanager
def fresh_server(**environment: str) -> Iterator[RunningServer]:
    """A server on a data folder of its own, not yet started; whatever happens to it, nothing is left behind."""
    # not pytest's own folder: that has mode 0700, and started by root PostgreSQL runs as another user
    folder = Path(tempfile.mkdtemp(prefix="csms-e2e-", dir="/tmp"))
    folder.chmod(0o711)
    server = RunningServer(folder, environment)
    try:
        yield server
    finally:
        try:
            server.ensure_gone()
        finally:
            _stop_postgres(folder / "data")
            shutil.rmtree(folder, ignore_errors=True)


def _stop_postgres(data: Path) -> None:
    """A server that was killed leaves its PostgreSQL running, as it should; here nobody will come for it."""
    if not data.exists():
        return
    bin_dir = os.environ.get("CSMS_POSTGRES_BIN")
    left_behind = EmbeddedPostgres(data, Path(bin_dir) if bin_dir else None)
    left_behind.start(timeout=60)
    left_behind.stop()


@pytest.fixture(scope="session")
def running_server() -> Iterator[RunningServer]:
    """A running server that the tests of this process share: they must leave it running."""
    with fresh_server() as server:
        yield server.start()


@pytest.fixture
def own_server() -> Iterator[RunningServer]:
    """A running server of this test alone, which may stop or kill it. It says goodbye within 5 s instead of 60."""
    with fresh_server(CSMS_DRAIN_S="5") as server:
        yield server.start()


@pytest.fixture
def api(running_server: RunningServer) -> Iterator[Api]:
    with running_server.api() as api:
        yield api
