"""`csms migrate`."""

from __future__ import annotations

from argparse import Namespace

import trio

from csms.cli.database import load_secret, open_database
from csms.settings import Settings
from csms.store import migrate as apply_migrations


def migrate(arguments: Namespace) -> int:
    """Bring the schema up to date; prints what was applied."""
    settings: Settings = arguments.settings

    async def run() -> list[str]:
        async with open_database(settings, share=True) as database:
            return await apply_migrations(database.url, fingerprint=load_secret(settings).fingerprint())

    applied = trio.run(run)
    print(f"applied {', '.join(applied)}" if applied else "the schema is up to date")
    return 0
