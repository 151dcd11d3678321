"""A circuit breaker: who does not answer is left alone for a while, then asked once to see whether he is back."""

from __future__ import annotations

from typing import Final, Literal

State = Literal["closed", "open", "half_open"]

FAILURES: Final = 5
"""Failures in a row that open the circuit."""
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 60.0
"""The pause doubles with every probe that fails."""


class Attempt:
    """One question that the breaker has let pass. `probe`: it is the one that decides whether the circuit closes."""

    __slots__ = ("probe",)

    def __init__(self, *, probe: bool) -> None:
        self.probe = probe


class CircuitBreaker:
    """Times are monotonic seconds, given by the caller."""

    def __init__(self) -> None:
        self._failures = 0
        self._pause = 0.0
        self._open_until = 0.0
        self._probing = False

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    @property
    def closed(self) -> bool:
        """True while questions pass."""
        return not self._pause

    def state(self, now: float) -> State:
        if self.closed:
            return "closed"
        return "open" if now < self._open_until and not self._probing else "half_open"

    def wait(self, now: float) -> float:
        """Seconds until the next probe; 0.0 when there is nothing to wait for."""
        return max(0.0, self._open_until - now) if self._pause else 0.0

    def begin(self, now: float) -> Attempt | None:
        """Ask for leave to try; None: not now. Whoever gets an attempt must `end` it."""
        if not self._pause:
            return Attempt(probe=False)
        if now < self._open_until or self._probing:
            return None
        self._probing = True
        return Attempt(probe=True)

    def end(self, attempt: Attempt, now: float, *, succeeded: bool | None) -> None:
        """How it went; None: nobody knows, because it was given up from our side.

        Attempts that began before the circuit opened have no say any more.
        """
        if attempt.probe:
            self._probing = False
        elif self._pause:
            return
        if succeeded is None:
            return
        if succeeded:
            self._failures = 0
            self._pause = 0.0
            return
        self._failures += 1
        if attempt.probe:
            self._open(min(2 * self._pause, LONGEST_PAUSE_S), now)
        elif self._failures >= FAILURES:
            self._open(FIRST_PAUSE_S, now)

    def _open(self, pause: float, now: float) -> None:
        self._pause = pause
        self._open_until = now + pause
