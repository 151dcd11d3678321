"""How much somebody may still do."""

from __future__ import annotations


class TokenBucket:
    """Gives out tokens: `burst` at once, and `rate` a second in the long run."""

    __slots__ = ("_left", "_since", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._left = burst
        self._since = now

    def take(self, tokens: float, now: float) -> bool:
        """Take so many tokens; False, and nothing is taken, when they are not there. `now`: monotonic seconds."""
        self._refill(now)
        if self._left < tokens:
            return False
        self._left -= tokens
        return True

    def is_full(self, now: float) -> bool:
        """True when nothing has been taken for so long that the bucket remembers nothing."""
        self._refill(now)
        return self._left >= self.burst

    def _refill(self, now: float) -> None:
        self._left = min(self.burst, self._left + (now - self._since) * self.rate)
        self._since = now
