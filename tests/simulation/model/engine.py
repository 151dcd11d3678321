"""Rows, locks and transactions in memory: read committed, as PostgreSQL does it, for as much of it as the ledger uses.

A table is a dict of rows. A transaction keeps what it writes to itself until it commits; whoever wants a row that another one has
locked waits for its end and then sees the row as it is. A circle of such waits fails for the one that closes it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from copy import copy
from datetime import datetime
from typing import Any, Final

import trio

from csms.store import StoreUnavailable

_GONE: Final = object()

Table = dict[Any, Any]
LockKey = tuple[str, Hashable]


class UniqueViolation(Exception):
    """A row with this key is there already."""


class Tables:
    """The committed rows by table, and who holds which lock."""

    def __init__(self) -> None:
        self.committed: dict[str, Table] = {}
        self.holders: dict[LockKey, Transaction] = {}
        self.sequences: dict[str, int] = {}
        self.open: dict[Transaction, None] = {}
        self.last_number = 0

    def table(self, name: str) -> Table:
        return self.committed.setdefault(name, {})

    def next_value(self, sequence: str, *, first: int = 1, step: int = 1) -> int:
        """As a sequence gives it: never again, whatever becomes of the transaction."""
        value = self.sequences.get(sequence, first)
        self.sequences[sequence] = value + step
        return value


class Transaction:
    """One transaction. Whoever is told StoreUnavailable has lost it."""

    def __init__(self, tables: Tables, now: datetime) -> None:
        self.tables = tables
        self.now = now
        tables.last_number += 1
        self.number = tables.last_number
        self._writes: dict[str, Table] = {}
        self._locks: dict[LockKey, None] = {}
        self._ended = trio.Event()
        self._waits_for: Transaction | None = None
        self.over = False
        tables.open[self] = None

    # -- reading and writing

    def get(self, table: str, key: Hashable) -> Any:
        """The row as this transaction sees it, or None."""
        own = self._writes.get(table)
        if own is not None and key in own:
            return None if own[key] is _GONE else own[key]
        return self.tables.table(table).get(key)

    def rows(self, table: str) -> Iterator[Any]:
        """All rows that this transaction sees."""
        own = self._writes.get(table, {})
        for key, row in list(self.tables.table(table).items()):
            if key not in own:
                yield row
        for row in list(own.values()):
            if row is not _GONE:
                yield row

    def put(self, table: str, key: Hashable, row: Any) -> None:
        """Write a row; its lock is held, or it is a row of this transaction's own."""
        self._writes.setdefault(table, {})[key] = row

    def remove(self, table: str, key: Hashable) -> None:
        self._writes.setdefault(table, {})[key] = _GONE

    async def locked(self, table: str, key: Hashable) -> Any:
        """A copy of the row, locked, as it is once the lock is ours; None when there is none (any more)."""
        if self.get(table, key) is None:
            return None
        await self.lock(table, key)
        row = self.get(table, key)
        return None if row is None else copy(row)

    async def insert(self, table: str, key: Hashable, row: Any, *, unique: Hashable = None) -> bool:
        """Add a row unless one with its key, or with its other `unique` key, is there; waits for a transaction that adds it."""
        for name, value in ((table, key), (f"{table} unique", unique)):
            if value is None:
                continue
            await self.lock(name, value)
            if self.get(name, value) is not None:
                return False
        self.put(table, key, row)
        if unique is not None:
            self.put(f"{table} unique", unique, key)
        return True

    # -- locks

    async def lock(self, table: str, key: Hashable) -> None:
        """Wait for the row's lock. Raises StoreUnavailable when that would be for ever, or the server has crashed."""
        lock = (table, key)
        while True:
            self.check()
            holder = self.tables.holders.get(lock)
            if holder is None or holder is self:
                break
            self._waits_for = holder
            other: Transaction | None = holder
            while other is not None:
                if other is self:
                    self._waits_for = None
                    raise StoreUnavailable("deadlock detected")
                other = other._waits_for
            try:
                await holder._ended.wait()
            finally:
                self._waits_for = None
        self.tables.holders[lock] = self
        self._locks[lock] = None

    def is_locked_by_another(self, table: str, key: Hashable) -> bool:
        """For SKIP LOCKED."""
        holder = self.tables.holders.get((table, key))
        return holder is not None and holder is not self

    # -- the end

    def check(self) -> None:
        if self.over:
            raise StoreUnavailable("the server has ended this transaction")

    def commit(self) -> None:
        self.check()
        for name, written in self._writes.items():
            table = self.tables.table(name)
            for key, row in written.items():
                if row is _GONE:
                    table.pop(key, None)
                else:
                    table[key] = row
        self._end()

    def abort(self) -> None:
        if not self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        del self.tables.open[self]
        for lock in self._locks:
            del self.tables.holders[lock]
        self._ended.set()
