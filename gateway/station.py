"""What this process knows of one station identity, over all its connections."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from csms.domain.operations import Registration
from gateway.gate import RegistrationGate
from gateway.replay import ReplayCache
from gateway.tolerance.makes import UNKNOWN, Make

if TYPE_CHECKING:
    from gateway.calls import CallQueue
    from gateway.connection import Connection
    from gateway.inbound import InboundCall
    from gateway.quota import TokenBucket
    from gateway.streams import StreamTraffic

StationKey = tuple[int, int]
"""(tenant_id, station_id)"""

SWAP_LIMIT: Final = 3
SWAP_WINDOW_S: Final = 60.0
SWAP_BAN_S: Final = 60.0


class _Swaps(msgspec.Struct):
    """When live clients took this identity from each other (rule C10)."""

    times: list[float]
    refused_until: float = 0.0


class Station:
    """One identity: its gate, the answers it was given, its CALLs under way in both directions, its newest connection."""

    __slots__ = (
        "_swaps",
        "call_timeout_s",
        "calls",
        "connection",
        "gate",
        "idle_since",
        "key",
        "make",
        "queue",
        "queued_bytes",
        "replay",
        "result_errors",
        "room",
        "running",
        "streams",
    )

    def __init__(self, key: StationKey, registration: Registration) -> None:
        self.key = key
        self.gate = RegistrationGate(registration)
        self.replay = ReplayCache()
        self.make: Make = UNKNOWN
        """What it said of itself in its last BootNotification."""
        self.connection: Connection | None = None
        self.running: InboundCall | None = None
        """The CALL that is being handled (rule T3: one at a time)."""
        self.queue: deque[InboundCall] | None = None
        """CALLs that arrived meanwhile."""
        self.queued_bytes = 0
        self.room: trio.Event | None = None
        """Set when reading may go on; None while nobody waits for it."""
        self.calls: CallQueue | None = None
        self.call_timeout_s: float | None = None
        """In which it answers our CALLs; None: as for all (rule T4)."""
        self.streams: StreamTraffic | None = None
        """What came lately in its event streams (OCPP 2.1)."""
        self.result_errors: TokenBucket | None = None
        """How many of our answers it may still say it did not understand (OCPP 2.1)."""
        self.idle_since = 0.0
        """When the last connection ended, by the monotonic clock."""
        self._swaps: _Swaps | None = None

    @property
    def busy(self) -> bool:
        """True while something is under way that outlives a connection."""
        return self.running is not None or bool(self.queue) or (self.calls is not None and self.calls.busy)

    def live_client_displaced(self, now: float) -> None:
        """A displaced connection answered its probe: two clients use one identity."""
        swaps = self._swaps
        if swaps is None:
            swaps = self._swaps = _Swaps([])
        swaps.times = [at for at in swaps.times if now - at < SWAP_WINDOW_S] + [now]
        if len(swaps.times) >= SWAP_LIMIT:
            swaps.refused_until = now + SWAP_BAN_S
            swaps.times.clear()

    def refuses_newcomers(self, now: float) -> bool:
        """True while the present connection is kept because of flapping (rule C10)."""
        return self._swaps is not None and now < self._swaps.refused_until and self.connection is not None
