"""Which commands have ended, as the gateways tell: one subscription for all that are waited for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import structlog
import trio

from csms.bus import Bus, BusUnavailable

log = structlog.get_logger()

TOPIC: Final = "commands.ended"
MOST_AT_ONCE: Final = 1_000
"""Ids in one message."""
_ID_BYTES: Final = 16
_RETRY_S: Final = 0.25


def encode_ids(command_ids: Iterable[UUID]) -> bytes:
    return b"".join(command_id.bytes for command_id in command_ids)


class CommandEnds:
    """Wakes who waits for a command. A message may be lost: the row is the truth, and waiters look at it by themselves."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: dict[UUID, trio.Event] = {}

    @contextmanager
    def watch(self, command_id: UUID) -> Iterator[trio.Event]:
        """An event that is set when the command has ended, from now on."""
        event = self._waiting[command_id] = trio.Event()
        try:
            yield event
        finally:
            del self._waiting[command_id]

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                async with self._bus.subscribe(TOPIC) as bodies:
                    async for body in bodies:
                        self._tell(body)
            except BusUnavailable:
                pass  # as when the subscription ends: try again
            await trio.sleep(_RETRY_S)

    def _tell(self, body: bytes) -> None:
        if len(body) % _ID_BYTES:
            log.warning("commands.bad_notice", length=len(body))
            return
        for start in range(0, len(body), _ID_BYTES):
            event = self._waiting.get(UUID(bytes=body[start : start + _ID_BYTES]))
            if event is not None:
                event.set()
