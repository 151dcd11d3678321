"""The bus that a command uses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from csms.bus import Bus
from csms.bus.local import LocalBus
from csms.clock import Ids
from csms.health import HealthRegistry
from csms.settings import Settings


@asynccontextmanager
async def open_bus(settings: Settings, ids: Ids, health: HealthRegistry | None = None) -> AsyncIterator[Bus]:
    """Redis, where it is configured; else one for this process alone."""
    if settings.redis_url is None:
        async with LocalBus() as local:
            yield local
    else:
        from csms.bus.redis import RedisBus

        async with RedisBus(settings.redis_url, ids=ids, health=health) as bus:
            yield bus
