"""How often something may happen in a time: counted here at once, and with the other processes in the background."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from itertools import islice
from typing import Final

import structlog
import trio

from csms.bus import Bus, BusUnavailable, Counted
from csms.clock import Clock

log = structlog.get_logger()

MOST_KEYS: Final = 50_000
"""Keys that one limit remembers; beyond them the one used longest ago is forgotten, so that made-up keys cannot fill the memory."""
EXCHANGE_EVERY_S: Final = 0.25
MOST_PER_EXCHANGE: Final = 200
"""Keys that one process shares at a time: with the pause between two exchanges at most 48,000 a minute."""
MOST_UNSHARED: Final = 10_000
"""Keys that wait to be shared; those beyond it are counted by this process alone."""


class Window:
    """Events of one key: those that all processes were told of, those that they were not, and when the window ends."""

    __slots__ = ("ends", "known", "unsent")

    def __init__(self, ends: float) -> None:
        self.known = 0
        self.unsent = 0
        self.ends = ends


class Limit:
    """At most `limit` events per key in a window of `period_s` seconds, which begins with the first of them."""

    def __init__(self, shared: SharedLimits, name: str, limit: int, period_s: float, most_keys: int) -> None:
        self._shared = shared
        self.name = name
        self.period_s = period_s
        self._limit = limit
        self._most_keys = most_keys
        self._windows: OrderedDict[Hashable, Window] = OrderedDict()

    def wait(self, key: Hashable) -> float:
        """Seconds until `key` may go on; 0.0: it may now."""
        window = self._windows.get(key)
        if window is None or window.known + window.unsent < self._limit:
            return 0.0
        return max(0.0, window.ends - self._shared.now())

    def count(self, key: Hashable, events: int = 1) -> None:
        """Count events of `key`; fewer than 0 takes some back."""
        now = self._shared.now()
        window = self._windows.get(key)
        if window is None or now >= window.ends:
            if events < 0:
                return
            window = self._windows[key] = Window(now + self.period_s)
        window.unsent += events
        self._windows.move_to_end(key)
        while len(self._windows) > self._most_keys:
            self._windows.popitem(last=False)
        self._shared.changed(self, key)

    def take(self, key: Hashable) -> float:
        """Count one attempt. Gives 0.0 when it is allowed, else the seconds until the next window (and nothing is counted)."""
        wait = self.wait(key)
        if wait == 0.0:
            self.count(key)
        return wait

    def give_back(self, key: Hashable) -> None:
        """The attempt was a good one: it does not count."""
        window = self._windows.get(key)
        if window is not None and window.known + window.unsent > 0:
            self.count(key, -1)

    def __len__(self) -> int:
        return len(self._windows)

    def window(self, key: Hashable) -> Window | None:
        """What is counted of `key` at this moment."""
        window = self._windows.get(key)
        return None if window is None or self._shared.now() >= window.ends else window


class SharedLimits:
    """The limits of one process, which counts together with the others as long as the bus is there.

    Asking and counting never wait. What another process counted is known here a moment after the key was counted here.
    """

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self.now = clock.monotonic
        self._unshared: dict[tuple[Limit, Hashable], None] = {}
        self._more = trio.Event()

    def limit(self, name: str, limit: int, period_s: float, most_keys: int = MOST_KEYS) -> Limit:
        """`name` is the same in all processes."""
        return Limit(self, name, limit, period_s, most_keys)

    def changed(self, limit: Limit, key: Hashable) -> None:
        if len(self._unshared) < MOST_UNSHARED:
            self._unshared[limit, key] = None
            self._more.set()

    async def run(self) -> None:
        """Exchange counts. Runs until cancelled."""
        while True:
            await self._more.wait()
            self._more = trio.Event()
            while self._unshared:
                await self._exchange()
                await trio.sleep(EXCHANGE_EVERY_S)

    async def _exchange(self) -> None:
        taken = list(islice(self._unshared, MOST_PER_EXCHANGE))
        for entry in taken:
            del self._unshared[entry]
        by_period: dict[float, dict[str, tuple[Window, int]]] = {}
        for limit, key in taken:
            window = limit.window(key)
            if window is not None and window.unsent:
                by_period.setdefault(limit.period_s, {})[_name(limit, key)] = (window, window.unsent)
        for period_s, entries in by_period.items():
            try:
                counted = await self._bus.add({name: events for name, (_, events) in entries.items()}, period_s)
            except BusUnavailable:
                counted = {}
            for name, (window, events) in entries.items():
                self._settle(window, events, counted.get(name))

    def _settle(self, window: Window, events: int, counted: Counted | None) -> None:
        window.unsent -= events
        if counted is None:
            window.known += events  # only here: they are not told later, when nobody knows any more whether they were
        else:
            window.known = max(counted.total, 0)
            window.ends = self.now() + counted.ends_in_s


def _name(limit: Limit, key: Hashable) -> str:
    """Of one length, whatever strangers make up."""
    return f"limit.{limit.name}.{hashlib.blake2b(repr(key).encode(), digest_size=16).hexdigest()}"
