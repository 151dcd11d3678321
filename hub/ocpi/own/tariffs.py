"""Tariffs of partners that are deleted (digest, endpoint 26)."""

from __future__ import annotations

from csms.roaming import received
from hub.ocpi.message import OcpiResponse
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.received import place_of


async def delete_received(call: OwnCall) -> OcpiResponse:
    """F1; 404 for one that is not known or deleted already."""
    place, now = place_of(call), call.ocpi.clock.now()
    await call.ocpi.store.hub.tenant_unit(call.tenant_id, lambda conn: received.delete(conn, call.tenant_id, place, now))
    return OcpiResponse()
