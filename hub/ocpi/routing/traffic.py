"""What is on its way through the hub: no message twice, nobody too many (R16, digest 17.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Final

from hub.ocpi import metrics
from hub.ocpi.message import OcpiProblem
from schemas.ocpi221.envelope import StatusCode

MOST_OF_REQUESTER: Final = 200
"""Messages of one platform or tenant that are on their way at the same time."""
MOST_TO_RECEIVER: Final = 100
"""Messages that are on their way to one platform: those beyond its places wait, and more would not be answered in time."""


class Traffic:
    """Of one hub process. A loop ends when it comes to a process for the second time."""

    def __init__(self) -> None:
        self._signatures: set[bytes] = set()
        self._by_requester: Counter[Hashable] = Counter()
        self._by_receiver: Counter[Hashable] = Counter()
        metrics.RELAYS.set_function(self._by_requester.total)

    @contextmanager
    def passing(self, signature: bytes, requester: Hashable) -> Iterator[None]:
        """A message of `requester` is on its way in this block. Raises OcpiProblem (4000)."""
        if signature in self._signatures:
            metrics.RELAYS_REFUSED.labels("loop").inc()
            raise OcpiProblem(StatusCode.HUB_ERROR, "this very message is on its way through this hub already (R16)")
        if self._by_requester[requester] >= MOST_OF_REQUESTER:
            metrics.RELAYS_REFUSED.labels("requester").inc()
            raise OcpiProblem(StatusCode.HUB_ERROR, f"more than {MOST_OF_REQUESTER} messages of this platform are on their way")
        self._signatures.add(signature)
        with _counted(self._by_requester, requester):
            try:
                yield
            finally:
                self._signatures.discard(signature)

    @contextmanager
    def towards(self, receiver: Hashable) -> Iterator[None]:
        """A message is being sent to `receiver` in this block. Raises OcpiProblem (4003)."""
        if self._by_receiver[receiver] >= MOST_TO_RECEIVER:
            metrics.RELAYS_REFUSED.labels("receiver").inc()
            raise OcpiProblem(StatusCode.HUB_CONNECTION_PROBLEM, "too many messages wait for this receiver")
        with _counted(self._by_receiver, receiver):
            yield


@contextmanager
def _counted(counter: Counter[Hashable], key: Hashable) -> Iterator[None]:
    counter[key] += 1
    try:
        yield
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]
