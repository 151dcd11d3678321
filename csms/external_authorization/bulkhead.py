"""How many questions may be under way at once, so that one tenant's slow third party is no matter of the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MOST_PER_TENANT: Final = 50
SHARED: Final = 60
"""Questions of all tenants together beyond which each has only its own few."""
OWN: Final = 4
"""Questions that a tenant may always have under way."""


class Full(Exception):
    """Too many questions of this tenant are under way."""


class Bulkhead:
    """Counts what is under way, by tenant."""

    def __init__(self) -> None:
        self._under_way: dict[int, int] = {}
        self._all = 0

    @property
    def under_way(self) -> int:
        """Questions of all tenants."""
        return self._all

    def of(self, tenant_id: int) -> int:
        return self._under_way.get(tenant_id, 0)

    @contextmanager
    def enter(self, tenant_id: int) -> Iterator[None]:
        """Take a place for as long as the context is open. Raises Full."""
        mine = self.of(tenant_id)
        if mine >= (MOST_PER_TENANT if self._all < SHARED else OWN):
            raise Full
        self._under_way[tenant_id] = mine + 1
        self._all += 1
        try:
            yield
        finally:
            self._all -= 1
            left = self._under_way[tenant_id] - 1
            if left:
                self._under_way[tenant_id] = left
            else:
                del self._under_way[tenant_id]
