"""How many exports run at once: each holds a connection of the hub for long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from hub.api.problems import too_many

AT_ONCE: Final = 2
"""Exports of one tenant in one process."""
LONGEST_S: Final = 1800.0
"""Of one export; what the client takes longer for is broken off."""
_RETRY_AFTER_S: Final = 30


class ExportSlots:
    """How many exports each tenant has under way. One whose answer was never begun counts until its time is over."""

    def __init__(self) -> None:
        self._ends: dict[int, dict[object, float]] = {}

    def take(self, tenant_id: int) -> Callable[[], None]:
        """A place for an export; what is given back is called at its end. Raises Problem 429 when there is none."""
        now = trio.current_time()
        ends = {place: end for place, end in self._ends.get(tenant_id, {}).items() if end > now}
        if len(ends) >= AT_ONCE:
            raise too_many(f"a tenant has at most {AT_ONCE} exports at once", _RETRY_AFTER_S)
        mine = object()
        ends[mine] = now + LONGEST_S
        self._ends[tenant_id] = ends

        def give_back() -> None:
            taken = self._ends.get(tenant_id, {})
            taken.pop(mine, None)
            if not taken:
                self._ends.pop(tenant_id, None)

        return give_back
