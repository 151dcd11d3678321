"""`csms export`: CDRs and sessions as files."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import trio

from csms.cli.database import load_secret, open_database
from csms.cli.failure import CommandError
from csms.domain.times import EARLIEST, LATEST
from csms.export import ParquetMissing, RowWriter, make_writer
from csms.export.cdrs import CDRS
from csms.export.sessions import SESSIONS
from csms.export.streams import cdr_numbers, export_cdrs, export_sessions
from csms.settings import Settings
from csms.store import Connection, Database, StoreUnavailable, check_schema, open_store
from csms.store.queries.auth import find_tenant
from csms.store.queries.cdr_lists import CdrFilter

_STANDARD_OUTPUT = "-"


def moment(text: str) -> datetime:
    """A date, which is midnight in the tenant's time zone (then without a zone here), or a time of RFC 3339."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is neither a date such as 2026-07-01 nor a time such as 2026-07-01T00:00:00Z") from None
    if time.tzinfo is None and len(text) > len("2026-07-01"):
        raise ArgumentTypeError(f"{text!r} is a time without its offset, such as Z")
    if not EARLIEST.year <= time.year < LATEST.year:
        raise ArgumentTypeError(f"{text!r} is not from {EARLIEST.year} to {LATEST.year - 1}")
    return time


def export(arguments: Namespace) -> int:
    """`csms export cdrs` and `csms export sessions`."""
    settings: Settings = arguments.settings
    try:
        writer = make_writer(arguments.format, CDRS if arguments.what == "cdrs" else SESSIONS)
    except ParquetMissing:
        raise CommandError("Parquet needs a package more: pip install 'open-csms[export]'") from None

    async def run() -> int:
        async with open_database(settings, share=True) as database:
            await check_schema(database.url, fingerprint=load_secret(settings).fingerprint())
            async with open_store(database.url, hub_dsn=settings.database_hub_url, connections=1) as store:
                try:
                    return await _export(store.hub, store.auth, arguments, writer)
                except StoreUnavailable as error:
                    raise CommandError(f"the database is not available: {error}; the file is not complete") from None

    written = trio.run(run)
    print(f"{written} bytes written", file=sys.stderr)
    return 0


async def _export(hub: Database, auth: Database, arguments: Namespace, writer: RowWriter) -> int:
    tenant = await auth.unit(lambda conn: _find_tenant(conn, arguments.tenant))
    if tenant is None:
        raise CommandError(f"there is no tenant {arguments.tenant}")
    zone = await hub.tenant_unit(tenant, lambda conn: _time_zone(conn, tenant))
    begin, end = (_placed(time, zone) for time in (arguments.begin, arguments.end))
    if arguments.what == "cdrs":
        wanted = CdrFilter(end_from=begin, end_to=end)
        parts = export_cdrs(hub, tenant, await cdr_numbers(hub, tenant, wanted), wanted, writer)
    else:
        parts = export_sessions(hub, tenant, begin, end, writer)
    return await _write(parts, arguments.output)


async def _find_tenant(conn: Connection, slug: str) -> int | None:
    found = await find_tenant(conn, slug)
    return None if found is None else found.tenant_id


async def _time_zone(conn: Connection, tenant_id: int) -> str:
    return str(await conn.fetchval("SELECT time_zone FROM tenants WHERE tenant_id = $1", tenant_id))


def _placed(time: datetime | None, zone: str) -> datetime | None:
    return time.replace(tzinfo=ZoneInfo(zone)) if time is not None and time.tzinfo is None else time


async def _write(parts: AsyncGenerator[bytes, None], output: str) -> int:
    """Write an export. A file gets its name when it is complete, so that nothing takes a part for the whole."""
    if output == _STANDARD_OUTPUT:
        return await _drain(parts, sys.stdout.buffer)
    target = Path(output)
    unfinished = target.with_name(f".{target.name}.part")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"{unfinished} is there: another export writes it, or one was stopped; remove it then") from None
    except OSError as error:
        raise CommandError(f"{unfinished} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            written = await _drain(parts, file)
        unfinished.replace(target)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise CommandError(f"{target} cannot be written: {error.strerror}") from None
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return written


async def _drain(parts: AsyncGenerator[bytes, None], file: BinaryIO) -> int:
    written = 0
    async with aclosing(parts):
        async for part in parts:
            written += await trio.to_thread.run_sync(file.write, part)
    await trio.to_thread.run_sync(file.flush)
    return written
