"""The local authorization list of one station."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

Update = Literal["Full", "Differential"]
Status = Literal["Accepted", "Failed", "VersionMismatch"]

MOST_ENTRIES: Final = 500
MOST_PER_MESSAGE: Final = 20


class LocalList:
    """Tokens without regard to case, with what is known of them. Version 0: there is none."""

    def __init__(self) -> None:
        self.version = 0
        self.entries: dict[str, object] = {}

    def update(self, version: int, kind: Update, items: Iterable[tuple[str, object | None]]) -> Status:
        """`items`: (token, what is known of it); None takes it out of the list. All of them, or none."""
        changes = [(token.lower(), info) for token, info in items]
        if version <= 0 or len(changes) > MOST_PER_MESSAGE or len({token for token, _ in changes}) < len(changes):
            return "Failed"
        if kind == "Differential" and version <= self.version:
            return "VersionMismatch"
        entries = {} if kind == "Full" else dict(self.entries)
        for token, info in changes:
            if info is not None:
                entries[token] = info
            elif kind == "Full":
                return "Failed"
            else:
                entries.pop(token, None)
        if len(entries) > MOST_ENTRIES:
            return "Failed"
        self.version, self.entries = version, entries
        return "Accepted"
