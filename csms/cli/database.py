"""Which database a command works on: the one that CSMS_DATABASE_URL names, or the embedded one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import trio

from csms.cli.failure import CommandError
from csms.postgres import EmbeddedPostgres, running_url
from csms.secret import RootSecret
from csms.settings import Settings

_CONNECTIONS_AT_LEAST: Final = 64
_CONNECTIONS_BESIDE: Final = 4
"""What a gateway process has open beside its gateway role's connections: one of each other role, and maintenance."""


@dataclass(frozen=True, slots=True)
class OpenDatabase:
    """A database that can be reached. `embedded` is the server when this process runs it."""

    url: str
    embedded: EmbeddedPostgres | None


@asynccontextmanager
async def open_database(settings: Settings, *, share: bool = False, gateways: int = 0) -> AsyncIterator[OpenDatabase]:
    """Give the database; the embedded one is started, and stopped again at the end.

    `share`: use an embedded server that `csms serve` runs at this moment (for commands that do one thing). `gateways`: how many
    processes beside this one the embedded server has to have connections for.
    Raises PostgresError.
    """
    if settings.database_url is not None:
        yield OpenDatabase(settings.database_url, None)
        return
    if share:
        url = await trio.to_thread.run_sync(running_url, settings.data_dir)
        if url is not None:
            yield OpenDatabase(url, None)
            return
    options = {}
    if gateways:
        options["max_connections"] = str(_CONNECTIONS_AT_LEAST + gateways * (settings.database_connections + _CONNECTIONS_BESIDE))
    server = EmbeddedPostgres(settings.data_dir, settings.postgres_bin, options=options)
    try:
        # the thread looks every few milliseconds whether we were cancelled (Ctrl-C during a long recovery)
        start = partial(server.start, checkpoint=trio.from_thread.check_cancelled)
        url = await trio.to_thread.run_sync(start)
        yield OpenDatabase(url, server)
    finally:
        with trio.CancelScope(shield=True):  # bounded: the server is told to stop, then told harder
            await trio.to_thread.run_sync(server.stop)


def secret_path(settings: Settings) -> Path:
    """Where the root secret lies."""
    return settings.secret_file or settings.data_dir / "secret"


def load_secret(settings: Settings) -> RootSecret:
    """The root secret; made at the first start when the database is the embedded one. Raises SecretError."""
    return RootSecret.load(secret_path(settings), create=settings.database_url is None)


def require_database_url(settings: Settings, command: str) -> None:
    """Raises CommandError when there is no database that several processes could share."""
    if settings.database_url is None:
        raise CommandError(
            f"`csms {command}` runs one part of several and needs CSMS_DATABASE_URL "
            "(`csms serve` runs all in one process on an embedded database)"
        )
