"""`csms database …`: PostgreSQL's own programs (psql, pg_dump, pg_restore …) on the embedded database."""

from __future__ import annotations

import os
import shutil
import signal
from argparse import Namespace
from urllib.parse import parse_qs, urlsplit

import trio

from csms.cli.database import open_database
from csms.cli.failure import CommandError
from csms.postgres.account import own_account
from csms.postgres.binaries import find_binaries
from csms.postgres.configuration import DATABASE, SUPERUSER
from csms.postgres.server import SHARED_BASE
from csms.settings import Settings


def database(arguments: Namespace) -> int:
    """Run one program with the server up, and connected to it by the environment; returns the program's exit status."""
    settings: Settings = arguments.settings
    if settings.database_url is not None:
        raise CommandError("`csms database` is for the embedded PostgreSQL; CSMS_DATABASE_URL names another one")
    folder = find_binaries(settings.postgres_bin, own_account(), SHARED_BASE).folder
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if not arguments.program:
        raise CommandError("name a program, for example: csms database psql")
    program, *rest = arguments.program
    found = shutil.which(program, path=path)
    if found is None:
        raise CommandError(f"no program {program!r} in {folder} nor on the PATH")

    async def run() -> int:
        async with open_database(settings, share=True) as opened:
            place = parse_qs(urlsplit(opened.url).query)
            connection = {
                "PATH": path,
                "PGHOST": place["host"][0],
                "PGPORT": place["port"][0],
                "PGUSER": SUPERUSER,
                "PGDATABASE": DATABASE,
            }
            # Ctrl-C is the program's to handle (psql cancels a query); we wait for its end
            with trio.open_signal_receiver(signal.SIGINT):
                result = await trio.run_process([found, *rest], stdin=None, check=False, env={**os.environ, **connection})
            return result.returncode

    return trio.run(run)
