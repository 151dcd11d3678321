"""Limits of attempts per key and minute, in memory, bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from csms.clock import Clock

_MAX_KEYS: Final = 50_000


class RateLimit:
    """At most `limit` attempts per key in a fixed window of `window_s` seconds.

    Keys beyond 50,000 push out the one used longest ago, so that made-up keys cannot fill the memory.
    """

    def __init__(self, limit: int, window_s: float, clock: Clock) -> None:
        self._limit = limit
        self._window_s = window_s
        self._clock = clock
        self._windows: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def take(self, key: Hashable) -> float:
        """Count one attempt. Gives 0.0 when it is allowed, else the seconds until the next window."""
        now = self._clock.monotonic()
        start, count = self._windows.get(key, (now, 0))
        if now - start >= self._window_s:
            start, count = now, 0
        if count >= self._limit:
            return self._window_s - (now - start)
        self._windows[key] = (start, count + 1)
        self._windows.move_to_end(key)
        while len(self._windows) > _MAX_KEYS:
            self._windows.popitem(last=False)
        return 0.0

    def give_back(self, key: Hashable) -> None:
        """The attempt was a good one: it does not count."""
        window = self._windows.get(key)
        if window is not None and window[1] > 0:
            self._windows[key] = (window[0], window[1] - 1)
