"""Whether partners are there (I4, I5, digest 17.3): looking after those of whom nothing is heard.

Any traffic counts as a sign of life. Who was lost is connected again when its versions endpoint answers, which is tried at once
when something is heard of it: a platform that speaks but cannot be spoken to is not told to others as connected, back and forth.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
import trio

from csms.external_authorization.sealing import Unreadable as Unsealable
from csms.roaming.partners import Partner, PartnerStatus
from csms.roaming.topics import tell_of_pushes
from csms.store import Connection, StoreUnavailable
from csms.store.leases import Leases
from csms.store.queries import ocpi_partners, ocpi_routing
from hub.ocpi import platform
from hub.ocpi.client import NoAnswer
from hub.ocpi.presence import MOST_NOTED, Key
from hub.ocpi.services import Ocpi
from schemas.ocpi221.headers import MessageHeaders, authorization_value, write_headers

if TYPE_CHECKING:
    from hub.ocpi.routing.router import HubRouter

log = structlog.get_logger()

SILENT_FOR: Final = timedelta(minutes=5)
LOST_TRIED_EVERY: Final = timedelta(minutes=1)
LOOK_S: Final = 15.0
NOTED_EVERY_S: Final = 5.0
"""How often it is written down of whom something was heard."""
PROBE_S: Final = 10.0
PROBES_AT_ONCE: Final = 10
PAUSE_S: Final = 5.0
"""Between two looks at a partner that was lost and of which something is heard again and again."""
LEASE: Final = "ocpi-presence"
LEASE_S: Final = 60.0


async def watch(ocpi: Ocpi, router: HubRouter) -> None:
    """The worker. Runs until cancelled."""
    watching = Watching(ocpi)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watching.note)
        nursery.start_soon(watching.hurry)
        nursery.start_soon(watching.look)


class Watching:
    """One per hub process."""

    def __init__(self, ocpi: Ocpi) -> None:
        self._ocpi = ocpi
        self._places = trio.CapacityLimiter(PROBES_AT_ONCE)
        self._probed: dict[Key, float] = {}

    async def note(self) -> None:
        """Write down of whom something was heard."""
        while True:
            await trio.sleep(NOTED_EVERY_S)
            for tenant_id, partner_ids in self._ocpi.presence.take_heard().items():
                work = partial(ocpi_partners.heard, tenant_id=tenant_id, partner_ids=partner_ids, at=self._ocpi.clock.now())
                try:
                    await self._ocpi.store.hub.tenant_unit(tenant_id, work)
                except StoreUnavailable:
                    log.debug("ocpi.heard_not_noted", tenant_id=tenant_id)

    async def hurry(self) -> None:
        """What cannot wait for the next look: partners that were lost or seem to be back."""
        async with trio.open_nursery() as nursery:
            while True:
                for key, lost in (await self._ocpi.presence.take_urgent()).items():
                    if lost:
                        nursery.start_soon(self._change, key, "connected", "offline")
                    elif self._may_probe(key, PAUSE_S):
                        nursery.start_soon(self._probe, key)
                await trio.sleep(0.1)

    async def look(self) -> None:
        """I5: of whom nothing was heard is asked. By one process at a time."""
        owner = self._ocpi.ids.uuid4()
        lease = Leases(self._ocpi.store.gateway)
        while True:
            try:
                if await lease.take(LEASE, owner, LEASE_S):
                    await self.look_once()
            except StoreUnavailable:
                log.debug("ocpi.presence_waits_for_store")
            await trio.sleep(LOOK_S)

    async def look_once(self) -> None:
        """Raises StoreUnavailable."""
        now = self._ocpi.clock.now()
        own = await self._ocpi.directory.parties()
        async with trio.open_nursery() as nursery:
            for tenant_id in list(own.tenant_ids):
                work = partial(
                    ocpi_routing.list_silent,
                    tenant_id=tenant_id,
                    before=now - SILENT_FOR,
                    lost_before=now - LOST_TRIED_EVERY,
                    most=10 * PROBES_AT_ONCE,
                )
                for partner_id in await self._ocpi.store.hub.tenant_unit(tenant_id, work):
                    if self._may_probe((tenant_id, partner_id), LOST_TRIED_EVERY.total_seconds()):
                        nursery.start_soon(self._probe, (tenant_id, partner_id))

    def _may_probe(self, key: Key, pause: float) -> bool:
        now = self._ocpi.clock.monotonic()
        if self._probed.get(key, now - pause) > now - pause:
            return False
        if len(self._probed) >= MOST_NOTED:
            self._probed.clear()
        self._probed[key] = now
        return True

    async def _probe(self, key: Key) -> None:
        """Look whether a partner is there. Never raises but for cancellation."""
        tenant_id, partner_id = key
        try:
            async with self._places:
                partner = await self._ocpi.store.hub.tenant_unit(
                    tenant_id, lambda conn: ocpi_partners.get_partner(conn, tenant_id, partner_id)
                )
                if partner is None or not partner.registered:
                    return
                answers = await probe(self._ocpi, partner)
            if not answers:
                await self._change(key, "connected", "offline")
                return
            self._ocpi.client.try_again(tenant_id, partner_id)
            if partner.status == "connected":
                self._ocpi.presence.heard(partner)
            else:
                await self._change(key, "offline", "connected")
        except StoreUnavailable:
            log.debug("ocpi.probe_waits_for_store", tenant_id=tenant_id)

    async def _change(self, key: Key, before: PartnerStatus, after: PartnerStatus) -> None:
        """Never raises but for cancellation."""
        tenant_id, partner_id = key
        now = self._ocpi.clock.now()

        async def work(conn: Connection) -> bool:
            partner = await ocpi_partners.get_partner(conn, tenant_id, partner_id, lock=True)
            if partner is None or partner.status != before:
                return False
            changed = await ocpi_partners.set_status(conn, tenant_id, partner_id, after)
            if after == "connected":
                await ocpi_partners.heard(conn, tenant_id, [partner_id], now)
                await ocpi_routing.forgive_receivers(conn, tenant_id, partner_id)
            return changed

        try:
            changed = await self._ocpi.store.hub.tenant_unit(tenant_id, work)
        except StoreUnavailable:
            log.warning("ocpi.status_not_changed", tenant_id=tenant_id, partner_id=str(partner_id), status=after)
            return
        if changed:
            log.info("ocpi.partner_status", tenant_id=tenant_id, partner_id=str(partner_id), status=after)
            await self._ocpi.directory.changed()
            await tell_of_pushes(self._ocpi.bus, tenant_id)


async def probe(ocpi: Ocpi, partner: Partner) -> bool:
    """I5: whether the partner's versions endpoint answers us. It is asked even if the partner is left alone at this moment."""
    if partner.versions_url is None or partner.token_sealed is None:
        return False
    try:
        token = ocpi.sealer.open(partner.tenant_id, platform.PARTNER_TOKEN, partner.token_sealed)
    except Unsealable:
        log.error("ocpi.partner_token_unreadable", tenant_id=partner.tenant_id, partner_id=str(partner.partner_id))
        return False
    ids = MessageHeaders(request_id=str(ocpi.ids.uuid4()), correlation_id=str(ocpi.ids.uuid4()))
    headers = {"Authorization": authorization_value(token, platform.encoding_for(partner)), **write_headers(ids)}
    try:
        answer = await ocpi.client.request("GET", partner.versions_url, headers, None, timeout_s=PROBE_S)
    except NoAnswer:
        return False
    return platform.read_answer(answer, functional=False).successful
