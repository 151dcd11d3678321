"""A transaction's connection on which writes without an outcome may wait for company.

Each statement is a way to the server and back, and wakes two processes. A group commit writes rows of several tables that need
nothing of each other: they go as one statement (docs/decisions/0035).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

if TYPE_CHECKING:
    from csms.store.pool import Connection


class Write(NamedTuple):
    """A statement that writes rows and gives none. `text` makes it for the number of its first parameter; it has the same text for
    the same `name` and number."""

    name: str
    text: Callable[[int], str]
    parameters: list[list[Any]]


_texts: dict[tuple[str, str, int, tuple[str, ...]], str] = {}
"""What was composed, by the statement that the writes go along with, the number of its parameters, and their names: a handful of
each."""


class InOrder:
    """Every statement sees what was written before it. The writes of one statement must not touch the same rows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: list[Write] = []

    def write_later(self, write: Write) -> None:
        """Write this before the next statement or along with it, or when `write` is called."""
        self._waiting.append(write)

    async def write(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        text = _compose("", "SELECT", 0, waiting) if len(waiting) > 1 else waiting[0].text(1)
        await self._connection.execute(text, *(column for write in waiting for column in write.parameters))

    async def fetch_along(self, ctes: str, query: str, parameters: list[list[Any]]) -> list[asyncpg.Record]:
        """`WITH ctes query`, along with what waits, none of which it sees."""
        waiting, self._waiting = self._waiting, []
        text = _compose(ctes, query, len(parameters), waiting)
        return await self._connection.fetch(text, *parameters, *(column for write in waiting for column in write.parameters))

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        await self.write()
        return await self._connection.execute(query, *args, timeout=timeout)

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> list[asyncpg.Record]:
        await self.write()
        return await self._connection.fetch(query, *args, timeout=timeout)

    async def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> asyncpg.Record | None:
        await self.write()
        return await self._connection.fetchrow(query, *args, timeout=timeout)

    async def fetchval(self, query: str, *args: object, timeout: float | None = None) -> Any:
        await self.write()
        return await self._connection.fetchval(query, *args, timeout=timeout)


def _compose(ctes: str, query: str, parameters: int, writes: list[Write]) -> str:
    key = (ctes, query, parameters, tuple([write.name for write in writes]))
    text = _texts.get(key)
    if text is None:
        parts = [ctes] if ctes else []
        first = parameters + 1
        for number, write in enumerate(writes):
            parts.append(f"write_{number} AS ({write.text(first)})")
            first += len(write.parameters)
        text = _texts[key] = f"WITH {', '.join(parts)} {query}"
    return text
