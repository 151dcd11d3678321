"""`csms partitions`."""

from __future__ import annotations

from argparse import Namespace
from typing import Final

import trio

from csms.cli.database import load_secret, open_database
from csms.settings import Settings
from csms.store import Connection, check_schema
from csms.store.partitions import PARTITIONED, PartitionSize, Strays, empty_defaults, find_strays, measure_partitions
from csms.store.pool import run_with_owner

_TIMEOUT_S: Final = 24 * 3600.0


def partitions(arguments: Namespace) -> int:
    """Show the partitions of samples and events; with `--move`, empty the default ones first."""
    settings: Settings = arguments.settings

    async def run() -> tuple[list[str], list[PartitionSize], list[Strays]]:
        async with open_database(settings, share=True) as database:
            await check_schema(database.url, fingerprint=load_secret(settings).fingerprint())
            return await run_with_owner(database.url, work, timeout=_TIMEOUT_S)

    async def work(conn: Connection) -> tuple[list[str], list[PartitionSize], list[Strays]]:
        made = await empty_defaults(conn, None) if arguments.move else []
        sizes = [size for table in PARTITIONED for size in await measure_partitions(conn, table)]
        return made, sizes, [await find_strays(conn, table) for table in PARTITIONED]

    made, sizes, strays = trio.run(run)
    for name in made:
        print(f"made {name} for rows of the default partition")
    print(f"{'partition':<32}{'from':<12}{'to':<12}{'rows (about)':>14}{'MB':>10}")
    for size in sizes:
        p = size.partition
        print(f"{p.name:<32}{p.begins:%Y-%m-%d}  {p.ends:%Y-%m-%d}  {size.rows:>14}{size.bytes / 1e6:>10.1f}")
    astray = [found for found in strays if found.oldest is not None and found.newest is not None]
    for found in astray:
        print(f"{found.table}_default holds {found.rows} rows of sessions of {found.oldest:%Y-%m-%d} to {found.newest:%Y-%m-%d}")
    return 1 if astray else 0
