"""What makes one list out of another, in portions that a station takes (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from csms.local_lists.content import Content, Entry

DEFAULT_ITEMS: Final = 100
"""Entries in one message for a station that does not say how many it takes."""
MOST_BYTES: Final = 48_000
"""Of the entries in one message, as JSON: the product's own limit."""


class Change(NamedTuple):
    """Put the entry in, in place of the one with its key if there is one; without `entry` take that one out."""

    key: str
    gone: Entry | None
    entry: Entry | None


class Limits(NamedTuple):
    """Of one message."""

    items: int = DEFAULT_ITEMS
    bytes: int = MOST_BYTES


def changes_between(old: Content, new: Content) -> list[Change]:
    """What is taken out comes first: it makes room, and blocked tokens are the urgent part."""
    gone = [Change(key, entry, None) for key, entry in old.entries.items() if key not in new.entries]
    put = [Change(key, old.entries.get(key), entry) for key, entry in new.entries.items() if old.entries.get(key) != entry]
    return gone + put


def first_portion(changes: Sequence[Change], limits: Limits, size: Callable[[Change], int]) -> list[Change]:
    """As many of the first changes as one message may have, one at least. `size`: bytes of a change as JSON."""
    taken: list[Change] = []
    room = limits.bytes
    for change in changes[: max(1, limits.items)]:
        room -= size(change) + 1
        if room < 0 and taken:
            break
        taken.append(change)
    return taken


def apply(content: Content, changes: Sequence[Change]) -> Content:
    entries = dict(content.entries)
    for change in changes:
        if change.entry is None:
            entries.pop(change.key, None)
        else:
            entries[change.key] = change.entry
    return Content(entries.values())
