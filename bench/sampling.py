"""CPU and memory of the processes of a case, second by second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import trio

from bench.processes import cpu_seconds, resident_bytes, tree_cpu_seconds

EVERY_S: Final = 1.0

Pids = Callable[[], Mapping[str, list[int]]]
"""The processes by role at this moment."""

TREES: Final = frozenset({"postgresql"})
"""Roles of which only the first process is named: its children count along. Their memory is mostly shared, so it is not told."""


class Sampler:
    """Reads what each role has used. CPU of processes that have ended counts on."""

    def __init__(self, pids: Pids) -> None:
        self._pids = pids
        self._last: dict[tuple[str, int], float] = {}
        self._ended: dict[str, float] = {}
        self.samples: list[dict[str, Any]] = []

    def cpu(self) -> dict[str, float]:
        """CPU seconds by role since the beginning: user and system, all threads."""
        roles = self._pids()
        now: dict[tuple[str, int], float] = {}
        for role, pids in roles.items():
            for pid in pids:
                try:
                    now[role, pid] = tree_cpu_seconds(pid) if role in TREES else cpu_seconds(pid)
                except OSError:
                    continue  # it ended in this moment
        for (role, pid), seconds in self._last.items():
            if (role, pid) not in now:
                self._ended[role] = self._ended.get(role, 0.0) + seconds
        self._last = now
        total = dict.fromkeys([*roles, *self._ended], 0.0)
        for role, seconds in self._ended.items():
            total[role] += seconds
        for (role, _), seconds in now.items():
            total[role] += seconds
        return total

    def memory(self) -> dict[str, list[int]]:
        """Resident bytes of each process by role."""
        found: dict[str, list[int]] = {}
        for role, pids in self._pids().items():
            if role not in TREES:
                found[role] = []
                for pid in pids:
                    try:
                        found[role].append(resident_bytes(pid))
                    except OSError:
                        continue
        return found

    async def run(self, observe: Callable[[], Mapping[str, Any]]) -> None:
        """Take a sample every second, with what `observe` sees at that time. Runs until cancelled."""
        began = trio.current_time()
        before, before_at = self.cpu(), began
        while True:
            await trio.sleep_until(began + EVERY_S * (len(self.samples) + 1))
            now, now_at = self.cpu(), trio.current_time()
            used = {role: (seconds - before.get(role, 0.0)) / (now_at - before_at) for role, seconds in now.items()}
            memory = {role: sum(each) for role, each in self.memory().items()}
            self.samples.append({"t": round(now_at - began, 2), "cores": used, "resident": memory, **observe()})
            before, before_at = now, now_at
