"""What processes tell each other over the bus about roaming. A message may be lost: everybody looks now and then as well."""

from __future__ import annotations

from typing import Final

import structlog

from csms.bus import Bus, BusUnavailable

log = structlog.get_logger()

CHANGED_TOPIC: Final = "ocpi.changed"
"""Parties, partners, their tokens, or what they may have, have changed."""
PUSHES_TOPIC: Final = "ocpi.pushes"
"""Told with the tenant's id when there is something new to deliver."""


async def tell_of_pushes(bus: Bus, tenant_id: int) -> None:
    """Have what is queued for a tenant's receivers delivered now, not with the next look."""
    try:
        await bus.publish(PUSHES_TOPIC, str(tenant_id).encode())
    except BusUnavailable:
        log.debug("roaming.pushes_not_told", tenant_id=tenant_id)
