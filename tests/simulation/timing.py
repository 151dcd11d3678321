"""Time and ids of a simulated process: the autojump clock of Trio, and random numbers of the seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import trio

EPOCH = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


class SimulatedClock:
    """The wall clock may jump (`ahead`); the monotonic one is the run's virtual time."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=trio.current_time()) + self.ahead

    def monotonic(self) -> float:
        return trio.current_time()


class SimulatedIds:
    """Ids that are the same in every run of a seed."""

    def __init__(self, clock: SimulatedClock, chance: Random) -> None:
        self._clock = clock
        self._chance = chance
        self._last = 0

    def uuid7(self) -> UUID:
        stamp = int(self._clock.now().timestamp() * 1000) << 12
        self._last = max(stamp, self._last + 1)
        milliseconds, counter = self._last >> 12, self._last & 0xFFF
        return UUID(int=milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | self._chance.getrandbits(62))

    def uuid4(self) -> UUID:
        return UUID(int=self._chance.getrandbits(128), version=4)

    def token(self, size: int) -> bytes:
        return self._chance.randbytes(size)
