"""Renews tokens that have become old, for partners whose settings ask for it (C10)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
import trio

from csms.store import StoreUnavailable
from csms.store.queries import ocpi_partners as queries
from hub.ocpi.registration.handshake import Failed
from hub.ocpi.registration.starting import Unfit, rotate

if TYPE_CHECKING:
    from hub.ocpi.routing.router import HubRouter
    from hub.ocpi.services import Ocpi

log = structlog.get_logger()

EVERY_S: Final = 3600.0


async def keep_renewing(ocpi: Ocpi, _: HubRouter) -> None:
    """Runs until cancelled. Several processes may do it: of two renewals of one partner at the same time one is refused."""
    while True:
        # not all processes of a deployment at the same moment
        await trio.sleep(EVERY_S * (0.5 + ocpi.ids.token(1)[0] / 256))
        try:
            await renew(ocpi)
        except StoreUnavailable as error:
            log.warning("ocpi.credentials_not_renewed", error=str(error))


async def renew(ocpi: Ocpi) -> int:
    """Renew the tokens of every partner whose time has come; how many. Raises StoreUnavailable."""
    renewed = 0
    for tenant_id in list((await ocpi.directory.parties()).tenant_ids):
        renewed += await _renew_of(ocpi, tenant_id)
    return renewed


async def _renew_of(ocpi: Ocpi, tenant_id: int) -> int:
    now, renewed = ocpi.clock.now(), 0
    for partner_id in await ocpi.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_stale(conn, tenant_id, now)):
        partner = await ocpi.store.hub.tenant_unit(
            tenant_id, partial(queries.get_partner, tenant_id=tenant_id, partner_id=partner_id)
        )
        if partner is None:
            continue
        try:
            await rotate(ocpi, partner)
            renewed += 1
        except (Failed, Unfit) as error:
            log.warning("ocpi.credentials_not_renewed", tenant_id=tenant_id, partner_id=str(partner_id), error=str(error))
    return renewed
