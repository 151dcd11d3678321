"""The one source of time, ids and randomness.

Everything else takes a `Clock` or an `Ids` as an argument, so that tests and the simulation decide what time it is and
which ids are drawn. The linter forbids `datetime.now`, `time.time`, `uuid4` and `secrets` elsewhere.
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    """Wall-clock time in UTC, and a monotonic reading in seconds for durations."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class Ids(Protocol):
    """Ids and random values."""

    def uuid7(self) -> UUID:
        """A time-ordered id (RFC 9562): sessions, commands, events."""
        ...

    def uuid4(self) -> UUID: ...

    def token(self, size: int) -> bytes:
        """`size` bytes that nobody can guess."""
        ...


class SystemClock:
    """The clock of this machine."""

    __slots__ = ()

    def now(self) -> datetime:
        return datetime.now(UTC)

    # the function itself: it is asked several times for each message
    monotonic = staticmethod(time.monotonic)


class SystemIds:
    """Ids from the operating system's random numbers; `uuid7` never runs backwards within this process."""

    __slots__ = ("_clock", "_last")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def uuid7(self) -> UUID:
        # 48 bits of milliseconds and a 12-bit counter in the place of rand_a (RFC 9562 section 6.2, method 1)
        stamp = int(self._clock.now().timestamp() * 1000) << 12
        self._last = stamp if stamp > self._last else self._last + 1
        milliseconds, counter = self._last >> 12, self._last & 0xFFF
        tail = int.from_bytes(secrets.token_bytes(8)) & 0x3FFF_FFFF_FFFF_FFFF
        return UUID(int=milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | tail)

    def uuid4(self) -> UUID:
        return UUID(bytes=secrets.token_bytes(16), version=4)

    def token(self, size: int) -> bytes:
        return secrets.token_bytes(size)
