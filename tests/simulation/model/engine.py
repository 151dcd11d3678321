"""Rows, locks and transactions in memory: read committed, as PostgreSQL does it, for as much of it as the ledger uses.

A table is a dict of rows. A transaction keeps what it writes to itself until it commits; whoever wants a row that another one has
locked waits for its end and then sees the row as it is. A circle of such waits fails for the one that closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from copy import copy
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

import trio

from csms.store import StoreUnavailable

_GONE: Final = object()

Table = dict[Any, Any]
LockKey = tuple[str, Hashable]
Group = Callable[[Any, Any], Hashable]
"""Of a row, by its key and itself: what it is looked up by, beside its key."""
Parent = Callable[[Any, Any], tuple[str, Hashable]]
"""Of a row, by its key and itself: table and key of the row that it belongs to."""


class UniqueViolation(Exception):
    """A row with this key is there already."""


class ForeignKeyViolation(Exception):
    """The row that this one belongs to is not there."""


class Mode(IntEnum):
    """How a row is locked."""

    KEY_SHARE = 0
    """A row that refers to it was added: it must stay."""
    NO_KEY_UPDATE = 1
    """UPDATE"""
    UPDATE = 2
    """SELECT FOR UPDATE, DELETE"""


def _collide(one: Mode, other: Mode) -> bool:
    return Mode.UPDATE in (one, other) or one == other == Mode.NO_KEY_UPDATE


class Tables:
    """The committed rows by table, and who holds which lock."""

    def __init__(self, groups: Mapping[str, Group], parents: Mapping[str, Parent]) -> None:
        self.committed: dict[str, Table] = {}
        self.holders: dict[LockKey, dict[Transaction, Mode]] = {}
        self.sequences: dict[str, int] = {}
        self.open: dict[Transaction, None] = {}
        self.last_number = 0
        self.commits = 0
        # number of a commit and the row as it was before it: for statements that began before and have waited since
        self.past: dict[LockKey, list[tuple[int, Any]]] = {}
        self.groups = groups
        self.parents = parents
        # table and group -> keys, also those of rows that were rolled back or removed: `Transaction.get` leaves them out
        self.grouped: dict[tuple[str, Hashable], dict[Hashable, None]] = {}

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
        self._to_check: list[LockKey] = []
        self._snapshot = tables.commits
        self._ended = trio.Event()
        self._waits_for: Transaction | None = None
        self.over = False
        tables.open[self] = None

    # -- reading and writing

    def get(self, table: str, key: Hashable) -> Any:
        """The row as the statement sees it: as it was when the statement began, or was written since by its transaction."""
        own = self._writes.get(table)
        if own is not None and key in own:
            return None if own[key] is _GONE else own[key]
        if self._snapshot != self.tables.commits:
            for number, row in self.tables.past.get((table, key), ()):
                if number > self._snapshot:
                    return row
        return self.tables.table(table).get(key)

    def latest(self, table: str, key: Hashable) -> Any:
        """The row as it is now; what others have not committed is not there."""
        own = self._writes.get(table)
        if own is not None and key in own:
            return None if own[key] is _GONE else own[key]
        return self.tables.table(table).get(key)

    def items(self, table: str) -> Iterator[tuple[Any, Any]]:
        """The keys and rows of all that this transaction sees."""
        keys = dict.fromkeys(self.tables.table(table))
        if self._snapshot != self.tables.commits:
            keys |= dict.fromkeys(key for name, key in self.tables.past if name == table)
        keys |= dict.fromkeys(self._writes.get(table, ()))
        for key in keys:
            row = self.get(table, key)
            if row is not None:
                yield key, row

    def rows(self, table: str) -> Iterator[Any]:
        """All rows that this transaction sees."""
        for _, row in self.items(table):
            yield row

    def group(self, table: str, group: Hashable) -> list[tuple[Any, Any]]:
        """The keys and rows of a group (see `Tables.groups`) that this transaction sees."""
        found = ((key, self.get(table, key)) for key in self.tables.grouped.get((table, group), ()))
        return [(key, row) for key, row in found if row is not None]

    def put(self, table: str, key: Hashable, row: Any) -> None:
        """Write a row; its lock is held, or it is a row of this transaction's own."""
        parent = self.tables.parents.get(table)
        # as PostgreSQL does it: a row that this transaction has written before is checked again, whatever has changed
        if parent is not None and (self.latest(table, key) is None or key in self._writes.get(table, ())):
            self._to_check.append(parent(key, row))
        self._writes.setdefault(table, {})[key] = row
        group = self.tables.groups.get(table)
        if group is not None:
            self.tables.grouped.setdefault((table, group(key, row)), {})[key] = None

    async def locked(self, table: str, key: Hashable, mode: Mode = Mode.UPDATE) -> Any:
        """A copy of the row, locked, as it is once the lock is ours; None when there is none (any more)."""
        if self.get(table, key) is None:
            return None
        return await self.conflicting(table, key, mode)

    async def conflicting(self, table: str, key: Hashable, mode: Mode = Mode.NO_KEY_UPDATE) -> Any:
        """As ON CONFLICT DO UPDATE finds the row: also one that was not there yet when the statement began."""
        await self.lock(table, key, mode)
        row = self.latest(table, key)
        return None if row is None else copy(row)

    async def to_update(self, table: str, key: Hashable, fits: Callable[[Any], bool] = lambda row: True) -> Any:
        """As UPDATE … WHERE finds a row: only one that fits is waited for, and it is looked at again after the wait."""
        row = self.get(table, key)
        if row is None or not fits(row):
            return None
        row = await self.locked(table, key, Mode.NO_KEY_UPDATE)
        return None if row is None or not fits(row) else row

    async def remove(self, table: str, key: Hashable, fits: Callable[[Any], bool] = lambda row: True) -> None:
        """As DELETE … WHERE does it."""
        row = self.get(table, key)
        if row is None or not fits(row):
            return
        row = await self.locked(table, key)
        if row is not None and fits(row):
            self._writes.setdefault(table, {})[key] = _GONE

    async def insert(self, table: str, key: Hashable, row: Any, *, unique: Hashable = None) -> bool:
        """Add a row unless one with its key, or with its other `unique` key, is there.

        Waits for transactions that add such a one, or change it."""
        for name, value in ((table, key), (f"{table} unique", unique)):
            if value is not None and await self._is_there(table, name, value):
                return False
        for name, value in ((table, key), (f"{table} unique", unique)):
            if value is not None:
                await self.lock(name, value)
        self.put(table, key, row)
        if unique is not None:
            self._writes.setdefault(f"{table} unique", {})[unique] = key
        return True

    async def _is_there(self, table: str, name: str, value: Hashable) -> bool:
        while True:
            self.check()
            found = self.latest(name, value)
            row_key = found if name != table and found is not None else value
            writer = self._writer(name, value) or self._writer(table, row_key)
            if writer is None:
                return found is not None
            await self._wait_for(writer)

    def _writer(self, table: str, key: Hashable) -> Transaction | None:
        """The other transaction that has written this row and not ended."""
        for holder in self.tables.holders.get((table, key), ()):
            if holder is not self and key in holder._writes.get(table, ()):
                return holder
        return None

    def begin_statement(self) -> None:
        """What has been committed until now is seen."""
        self._snapshot = self.tables.commits

    async def end_statement(self) -> None:
        """The rows that those written belong to must be there, and stay. The next statement begins."""
        for table, key in self._to_check:
            await self.lock(table, key, Mode.KEY_SHARE)
            if self.latest(table, key) is None:
                raise ForeignKeyViolation(f"{table} {key}")
        self._to_check.clear()
        self.begin_statement()

    # -- locks

    async def lock(self, table: str, key: Hashable, mode: Mode = Mode.UPDATE) -> None:
        """Wait for the row's lock. Raises StoreUnavailable when that would be for ever, or the server has crashed."""
        lock = (table, key)
        while True:
            self.check()
            holders = self.tables.holders.get(lock)
            if holders is None:
                holders = self.tables.holders[lock] = {}
            other = next((holder for holder, held in holders.items() if holder is not self and _collide(mode, held)), None)
            if other is None:
                holders[self] = max(mode, holders.get(self, mode))
                self._locks[lock] = None
                return
            await self._wait_for(other)

    async def _wait_for(self, other: Transaction) -> None:
        following: Transaction | None = other
        while following is not None:
            if following is self:
                raise StoreUnavailable("deadlock detected")
            following = following._waits_for
        self._waits_for = other
        try:
            await other._ended.wait()
        finally:
            self._waits_for = None

    def is_locked_by_another(self, table: str, key: Hashable) -> bool:
        """For SELECT FOR UPDATE SKIP LOCKED, which collides with every lock."""
        return any(holder is not self for holder in self.tables.holders.get((table, key), ()))

    # -- the end

    def check(self) -> None:
        if self.over:
            raise StoreUnavailable("the server has ended this transaction")

    def commit(self) -> None:
        self.check()
        self.tables.commits += 1
        for name, written in self._writes.items():
            table = self.tables.table(name)
            for key, row in written.items():
                if len(self.tables.open) > 1:
                    self.tables.past.setdefault((name, key), []).append((self.tables.commits, table.get(key)))
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
        if not self.tables.open:
            self.tables.past.clear()
        for lock in self._locks:
            holders = self.tables.holders[lock]
            del holders[self]
            if not holders:
                del self.tables.holders[lock]
        self._ended.set()
