"""Limits on what strangers may try, in bounded memory."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final

from csms.limits import SharedLimits

FAILURES_PER_IDENTITY_AND_SOURCE: Final = 10
FAILURES_PER_SOURCE: Final = 100
FAILURE_WINDOW_S: Final = 60.0
NEW_STATIONS_PER_HOUR: Final = 1_000
HANDSHAKES_PER_SECOND: Final = 600.0


class FailedLogins:
    """Wrong credentials per identity and source together, and per source (security.md section 7, attack V2).

    Never per identity alone: that would let a stranger lock a station out.
    """

    __slots__ = ("_pairs", "_sources")

    def __init__(self, limits: SharedLimits) -> None:
        self._pairs = limits.limit("station_and_source", FAILURES_PER_IDENTITY_AND_SOURCE, FAILURE_WINDOW_S)
        self._sources = limits.limit("station_source", FAILURES_PER_SOURCE, FAILURE_WINDOW_S)

    def blocked(self, identity: tuple[str, str], source: str) -> bool:
        """This source has tried this identity too often."""
        return self._pairs.wait((*identity, source)) > 0

    def suspicious(self, source: str) -> bool:
        """This source has failed too often altogether: no slow hash is worked for it any more. Honest stations behind the
        same address still come in when their password is cheap to check."""
        return self._sources.wait(source) > 0

    def failed(self, identity: tuple[str, str], source: str) -> None:
        self._sources.count(source)
        self._pairs.count((*identity, source))


class Pacer:
    """Spreads events evenly at a rate, after a burst of one second's worth (a token bucket that tells the waiting time).

    Time is given in seconds of a monotonic clock.
    """

    __slots__ = ("_burst", "_interval", "_next")

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second
        self._burst = 1.0
        self._next = 0.0

    def delay(self, now: float, longest: float) -> float | None:
        """Seconds to wait before going on, or None (and nothing is booked) when that is more than `longest`."""
        due = max(self._next, now - self._burst)
        wait = max(0.0, due - now)
        if wait > longest:
            return None
        self._next = due + self._interval
        return wait


def source_of(address: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 of an IPv6 address, which one host can fill at will."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64"
    return str(parsed)
