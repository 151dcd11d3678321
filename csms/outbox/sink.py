"""Where events go."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from csms.store.queries.events import Event


class SinkUnavailable(Exception):
    """The sink does not take events now; they are offered again."""


class Sink(Protocol):
    """Takes events in their order, at least once: an event that comes again has the same `event_id`."""

    @property
    def name(self) -> str:
        """Names the sink in the database, for ever: its position is kept under it."""
        ...

    @property
    def takes(self) -> Collection[str] | None:
        """The types of events that it takes; None: all."""
        ...

    @property
    def chunk(self) -> int:
        """How many events it takes at once."""
        ...

    async def publish(self, events: Sequence[Event]) -> None:
        """Return once the sink has taken all of them for good. Raises SinkUnavailable."""
        ...
