"""What one station sends in its event streams: how much may come, and how much is on its way into the store.

Nobody waits for a SEND and loss is legal (ocpp-j-rules section 10), so what is too much is dropped instead of held back.
"""

from __future__ import annotations

from typing import Final

from gateway.quota import TokenBucket

RATE: Final = 2.0
"""Messages a second that a stream may bring in the long run; one carries any number of values."""
BURST: Final = 60.0
"""Messages that may come at once, as after an outage of the line."""
BYTES_PER_TOKEN: Final = 8 * 1024
"""A message costs one more token for each of these."""
STREAMS_REMEMBERED: Final = 100
UNDER_WAY: Final = 8
"""Messages of one station that may be on their way into the store: the station's CALLs wait behind them."""


class StreamTraffic:
    """The quotas of one station's streams (a bucket per stream id), over all its connections."""

    __slots__ = ("_buckets", "_told", "under_way")

    def __init__(self) -> None:
        self._buckets: dict[int, TokenBucket] = {}
        self._told: set[int] = set()
        self.under_way = 0

    def allows(self, stream_id: int, size: int, now: float) -> bool:
        """May a message of `size` bytes be taken from this stream now?"""
        bucket = self._buckets.get(stream_id)
        if bucket is None:
            if len(self._buckets) >= STREAMS_REMEMBERED:
                self._forget_idle(now)
            if len(self._buckets) >= STREAMS_REMEMBERED:
                return False
            bucket = self._buckets[stream_id] = TokenBucket(RATE, BURST, now)
        return bucket.take(1 + size // BYTES_PER_TOKEN, now)

    def first_refusal(self, stream_id: int) -> bool:
        """True for the first message on a stream that is not open: worth a line in the log, which the others are not."""
        if stream_id in self._told:
            return False
        if len(self._told) >= STREAMS_REMEMBERED:
            self._told.clear()
        self._told.add(stream_id)
        return True

    def _forget_idle(self, now: float) -> None:
        for stream_id in [number for number, bucket in self._buckets.items() if bucket.is_full(now)]:
            del self._buckets[stream_id]
