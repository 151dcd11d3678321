"""Stations that only show that they live: whatever becomes of the store, a Heartbeat is answered and its connection stands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from urllib.parse import urlsplit

import trio

from tests.crash.wire import Closed, Refused, Wire

_EVERY = 0.5  # seconds between an answer and the next Heartbeat
_PATIENCE = 30.0
_BOOT = {"chargePointVendor": "Crash", "chargePointModel": "Pulse"}


@dataclass(slots=True, eq=False)
class Pulse:
    """One such station. `slowest` is in seconds, `ends` counts lost connections; both since the last `reset`."""

    identity: str
    slowest: float = 0.0
    ends: int = 0
    _sent_at: float | None = None

    def reset(self) -> None:
        self.slowest = 0.0
        self.ends = 0

    def longest_wait(self) -> float:
        """For an answer, also for one that is still awaited."""
        waiting = 0.0 if self._sent_at is None else trio.current_time() - self._sent_at
        return max(self.slowest, waiting)

    async def run(self, url: str) -> None:
        """Until cancelled."""
        address = urlsplit(url)
        assert address.port is not None
        while True:
            try:
                wire = await Wire.connect(address.port, f"{address.path}/{self.identity}", "ocpp1.6", timeout=15.0)
            except Refused:
                await trio.sleep(0.3)
                continue
            try:
                await self._beat(wire)
            except (Closed, trio.TooSlowError):
                self.ends += 1
            finally:
                self._sent_at = None
                wire.abort()

    async def _beat(self, wire: Wire) -> None:
        await self._call(wire, "boot", "BootNotification", _BOOT)
        for number in count(1):
            self._sent_at = trio.current_time()
            await self._call(wire, str(number), "Heartbeat", {})
            self.slowest = max(self.slowest, trio.current_time() - self._sent_at)
            self._sent_at = None
            await trio.sleep(_EVERY)

    @staticmethod
    async def _call(wire: Wire, message_id: str, action: str, payload: dict[str, str]) -> None:
        with trio.fail_after(_PATIENCE):
            await wire.send(json.dumps([2, message_id, action, payload]).encode())
            while True:
                frame = json.loads(await wire.receive())
                if frame[0] == 2:
                    await wire.send(json.dumps([4, frame[1], "NotSupported", "", {}]).encode())
                elif frame[:2] == [3, message_id]:
                    return
