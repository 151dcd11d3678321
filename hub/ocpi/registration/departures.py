"""Parties of ours that leave, until they are gone.

The publication takes back what they have told, and the deliveries tell everybody; a party must exist until then, because it is who
speaks. At the hub it is CONNECTED so long, and SUSPENDED behind it (I3).
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
import trio

from csms.store import StoreUnavailable
from csms.store.queries import ocpi_parties
from csms.store.queries.ocpi_parties import PartyTaken
from hub.ocpi.registration.administration import sync_hub
from hub.ocpi.services import Ocpi

if TYPE_CHECKING:
    from hub.ocpi.routing.router import HubRouter

log = structlog.get_logger()

LOOK_S: Final = 2.0
LONGEST: Final = timedelta(days=1)
"""Whoever could not be told by then finds out from HubClientInfo, or when he asks."""


async def see_off(ocpi: Ocpi, router: HubRouter) -> None:
    """The worker; any number of processes may do it. Runs until cancelled."""
    while True:
        try:
            await see_off_once(ocpi)
        except StoreUnavailable:
            log.debug("ocpi.departures_wait_for_store")
        await trio.sleep(LOOK_S)


async def see_off_once(ocpi: Ocpi) -> int:
    """Gives how many parties have gone. Raises StoreUnavailable."""
    own = await ocpi.directory.parties()
    before = ocpi.clock.now() - LONGEST
    gone = 0
    for tenant_id in list(own.tenant_ids):
        if any(party.leaving_since is not None for party in own.of_tenant(tenant_id)):
            gone += await ocpi.store.hub.tenant_unit(
                tenant_id, partial(ocpi_parties.end_leaving, tenant_id=tenant_id, before=before)
            )
    if gone:
        log.info("ocpi.parties_gone", parties=gone)
        try:
            await sync_hub(ocpi)
        except PartyTaken:
            log.warning("ocpi.party_taken", meaning="a partner of the hub is a party of a tenant: it is not shown there")
    return gone
