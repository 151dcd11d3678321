"""Simulated time: it starts at a given moment and runs faster or slower than the real clock."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import msgspec
import trio

from csms.clock import Clock


class Timeline:
    """The clock that the simulated drivers, meters and stations live by."""

    __slots__ = ("_begin", "_clock", "_origin", "_speed")

    def __init__(self, clock: Clock, speed: float, begin: datetime) -> None:
        self._clock = clock
        self._speed = speed
        self._begin = begin
        self._origin = clock.monotonic()

    @classmethod
    def meeting_now(cls, clock: Clock, speed: float, duration: float | None) -> Timeline:
        """A timeline that meets the real clock after `duration` real seconds; without one it begins now."""
        ahead = max(0.0, (speed - 1.0) * duration) if duration is not None else 0.0
        return cls(clock, speed, clock.now() - timedelta(seconds=ahead))

    def now(self) -> datetime:
        """The simulated time; never ahead of the real clock, so that no station reports from the future."""
        simulated = self._begin + timedelta(seconds=(self._clock.monotonic() - self._origin) * self._speed)
        return min(simulated, self._clock.now())

    def real(self, seconds: float) -> float:
        """The real seconds that so many simulated ones take."""
        return max(0.0, seconds / self._speed)

    async def sleep(self, seconds: float) -> None:
        """Sleep simulated seconds; infinity sleeps until cancelled."""
        await trio.sleep_forever() if math.isinf(seconds) else await trio.sleep(self.real(seconds))


def read_time(text: str) -> datetime:
    """A time of the CSMS. Raises msgspec.ValidationError for one that cannot be read, or lies outside of 1900 to 2199."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise msgspec.ValidationError(str(error)) from None
    if not 1900 <= moment.year < 2200:
        raise msgspec.ValidationError(f"{text} is no time of these days")
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def wire_time(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z` and milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
