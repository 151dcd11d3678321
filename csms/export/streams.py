"""Exports from the database, piece by piece: each piece a short transaction of its own, so that none of it is held in memory or
holds anybody up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final
from uuid import UUID

import trio

from csms.export.writers import RowWriter
from csms.store import Connection, Database
from csms.store.queries import cdr_lists, session_exports
from csms.store.queries.cdr_lists import CdrFilter, Numbers

_ROWS_AT_ONCE: Final = 500
_TIMEOUT_S: Final = 60.0


async def cdr_numbers(database: Database, tenant_id: int, wanted: CdrFilter) -> Numbers | None:
    """Which CDRs an export is of; None when there are none. Raises StoreUnavailable."""
    return await database.tenant_unit(
        tenant_id, lambda conn: cdr_lists.numbers_between(conn, tenant_id, wanted), timeout=_TIMEOUT_S
    )


async def export_cdrs(
    database: Database, tenant_id: int, numbers: Numbers | None, wanted: CdrFilter, writer: RowWriter
) -> AsyncGenerator[bytes, None]:
    """The bytes of an export of these CDRs. Raises StoreUnavailable."""
    after = 0
    while numbers is not None:
        last = after

        async def work(conn: Connection, span: Numbers = numbers, last: int = last) -> list[tuple[object, ...]]:
            return await cdr_lists.export_rows(conn, tenant_id, span, last, _ROWS_AT_ONCE, wanted)

        rows = await database.tenant_unit(tenant_id, work, timeout=_TIMEOUT_S)
        if not rows:
            break
        number = rows[-1][0]
        if not isinstance(number, int):
            raise TypeError("the first column of an export of CDRs is their number")
        after = number
        if written := await trio.to_thread.run_sync(writer.write, rows):
            yield written
    yield await trio.to_thread.run_sync(writer.end)


async def export_sessions(
    database: Database, tenant_id: int, start_from: datetime | None, start_to: datetime | None, writer: RowWriter
) -> AsyncGenerator[bytes, None]:
    """The bytes of an export of the sessions that started in a time. Raises StoreUnavailable."""
    after = UUID(int=0)
    while True:
        last = after

        async def work(conn: Connection, last: UUID = last) -> list[tuple[object, ...]]:
            return await session_exports.export_rows(conn, tenant_id, last, _ROWS_AT_ONCE, start_from, start_to)

        rows = await database.tenant_unit(tenant_id, work, timeout=_TIMEOUT_S)
        if not rows:
            break
        session_id = rows[-1][0]
        if not isinstance(session_id, UUID):
            raise TypeError("the first column of an export of sessions is their id")
        after = session_id
        if written := await trio.to_thread.run_sync(writer.write, rows):
            yield written
    yield await trio.to_thread.run_sync(writer.end)
