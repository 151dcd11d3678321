"""How a station is brought to the list that it ought to have: what to ask or send next, and what an answer means (pure).

What is known of a station is stored before a message leaves and after its answer, so that whoever goes on after a crash asks for
the version and knows by it whether the message in flight was taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

import msgspec

from csms.local_lists.changes import Change, Limits, apply, changes_between, first_portion
from csms.local_lists.content import EMPTY, Content

LARGEST_VERSION: Final = 2_147_483_647
"""OCPP's integers have 32 bits."""
NOT_SUPPORTED: Final = -1
"""The version that a station of OCPP 1.6 tells when it keeps no lists."""

Update = Literal["Full", "Differential"]
Outcome = Literal["in_sync", "failed", "unsupported"]
Taken = Literal["taken", "refused", "unsupported"]


class Known(msgspec.Struct, frozen=True):
    """What is stored of a station: the version and content that it has confirmed (`content` None: not known), and those that it
    has if it took the message in flight. `used`: the highest version that it was ever sent: none is used for two contents, so that
    a message that arrives late is never taken for another."""

    version: int = 0
    content: Content | None = None
    used: int = 0
    sent_version: int | None = None
    sent_content: Content | None = None


class AskVersion(NamedTuple):
    """Send GetLocalListVersion."""


class Send(NamedTuple):
    """Send a portion; `known` is to be stored first."""

    update: Update
    version: int
    changes: list[Change]
    known: Known


class End(NamedTuple):
    outcome: Outcome
    error: str | None = None


Step = AskVersion | Send | End


class Conversation:
    """Of one station, on one connection. `asked`: its version was asked for on this connection before, and nothing is in flight.
    `full`: send the whole list whatever the station has."""

    def __init__(
        self,
        known: Known,
        wanted: Content,
        limits: Limits,
        size: Callable[[Change], int],
        *,
        asked: bool = False,
        full: bool = False,
    ) -> None:
        self.known = known
        self._wanted = wanted
        self._limits = limits
        self._size = size
        self._asked = asked and known.sent_version is None
        self._full = full
        self._in_flight: Update = "Full"
        self._restarts = 0
        self._end: End | None = None

    @property
    def _highest(self) -> int:
        return max(self.known.version, self.known.used)

    def next_step(self) -> Step:
        if self._end is not None:
            return self._end
        if not self._asked:
            return AskVersion()
        known = self.known
        if known.content == self._wanted and not self._full:
            return End("in_sync")
        if known.content is None or self._full or self._highest >= LARGEST_VERSION:
            return self._send("Full", EMPTY)
        changes = changes_between(known.content, self._wanted)
        # a list that is sent whole in several messages is short until the last of them: only if it fits in one
        if not self._fits(changes) and self._fits(changes_between(EMPTY, self._wanted)):
            return self._send("Full", EMPTY)
        return self._send("Differential", known.content, changes)

    def told_version(self, version: int) -> None:
        """The station has answered what version it has."""
        self._asked = True
        known = self.known
        if version == NOT_SUPPORTED:
            self._end = End("unsupported", "the station keeps no local list")
        elif known.sent_version is not None and version == known.sent_version:
            self.known = Known(version, known.sent_content, known.used)
        elif known.content is not None and version == known.version:
            self.known = Known(version, known.content, known.used)
        elif version <= 0:
            # empty, whatever was there before; what is sent next is whole
            self.known = Known(0, None if len(self._wanted) else EMPTY, known.used)
        else:
            self.known = Known(version, None, known.used)

    def answered(self, taken: Taken, status: str) -> None:
        """The station has answered a portion. `status`: in its words."""
        known = self.known
        if known.sent_version is None:
            raise LookupError("nothing was sent")
        if taken == "taken":
            self.known = Known(known.sent_version, known.sent_content, known.used)
            self._full = False
        elif taken == "unsupported":
            self._end = End("unsupported", status)
        else:
            self.known = Known(known.version, None, known.used)
            if self._in_flight == "Full" or self._restarts:
                self._end = End("failed", status)
            self._restarts += 1

    def _send(self, update: Update, base: Content, changes: list[Change] | None = None) -> Send:
        if changes is None:
            changes = changes_between(base, self._wanted)
        portion = first_portion(changes, self._limits, self._size)
        after = self._wanted if len(portion) == len(changes) else apply(base, portion)
        # a version that cannot be raised begins anew, which only a whole list may
        version = self._highest + 1 if self._highest < LARGEST_VERSION else 1
        self._in_flight = update
        self.known = msgspec.structs.replace(self.known, used=version, sent_version=version, sent_content=after)
        return Send(update, version, portion, self.known)

    def _fits(self, changes: list[Change]) -> bool:
        return len(first_portion(changes, self._limits, self._size)) == len(changes)
