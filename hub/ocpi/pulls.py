"""When partners are read: after a registration, after an outage, every few hours, and when somebody asks for it (T5, T6).

One process at a time reads, few modules at once and one of a partner; what has failed is tried again some times.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog
import trio

from csms.bus import BusUnavailable
from csms.roaming.partners import Partner
from csms.store import StoreUnavailable
from csms.store.leases import Leases
from csms.store.queries import ocpi_pulls as queries
from csms.store.queries.ocpi_pulls import Pull
from hub.ocpi.pulling import OWN_HUB, PULLED, Crawl, PullFailed, Source, source_of
from hub.ocpi.routing.router import HubRouter
from hub.ocpi.services import Ocpi

log = structlog.get_logger()

PULLS_TOPIC: Final = "ocpi.pulls"
"""Told when somebody wants something read; a poke may be lost."""
LEASE: Final = "ocpi-pulls"
LEASE_S: Final = 20.0
LOOK_S: Final = 10.0
AT_ONCE: Final = 3
SETTLE_S: Final = 15.0
"""Reading begins so much later, when a registration is over on the other side, too."""
SPLAY_S: Final = 30.0
"""And up to so much later than that: many partners may have come back at one time."""
EVERY: Final = timedelta(hours=6)
OVERLAP: Final = timedelta(minutes=10)
"""What has changed shortly before the last reading is read again: clocks differ."""
LONG_AWAY: Final = timedelta(days=1)
"""Who was not read for so long is read completely."""
LONGEST_S: Final = 4 * 3600.0
TELL_S: Final = 2.0
PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120))
"""Between tries of what fails; then it is given up until the next reason."""

Key = tuple[int, UUID]


async def pull(ocpi: Ocpi, router: HubRouter) -> None:
    """Read what is to be read. Runs until cancelled."""
    await Pulls(ocpi).run()


class Pulls:
    """One per hub process; only the one with the lease reads."""

    def __init__(self, ocpi: Ocpi) -> None:
        self._ocpi = ocpi
        self._owner = ocpi.ids.uuid4()
        self._lease = Leases(ocpi.store.gateway)
        self._running: set[Key] = set()
        self._poked = trio.Event()

    async def run(self) -> None:
        try:
            while True:
                try:
                    if await self._lease.take(LEASE, self._owner, LEASE_S):
                        await self._read_while_leased()
                except StoreUnavailable:
                    log.debug("ocpi.pulls_wait_for_store")
                await trio.sleep(LEASE_S / 4)
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(2):
                await self._give_back()

    async def _read_while_leased(self) -> None:
        for tenant_id in await self._tenant_ids():
            await self._ocpi.store.hub.tenant_unit(tenant_id, partial(queries.restart_running, tenant_id=tenant_id))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            try:
                while await self._lease.take(LEASE, self._owner, LEASE_S):
                    self._poked = trio.Event()
                    for tenant_id in await self._tenant_ids():
                        await self.order_due(tenant_id)
                        await self._start_due(tenant_id, nursery)
                    with trio.move_on_after(min(LOOK_S, LEASE_S / 2)):
                        await self._poked.wait()
            finally:
                nursery.cancel_scope.cancel(reason="no lease any more")
                self._running.clear()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._ocpi.bus.subscribe(PULLS_TOPIC) as pokes:
                    async for _ in pokes:
                        self._poked.set()
            except (BusUnavailable, trio.EndOfChannel):
                pass
            await trio.sleep(LOOK_S)

    async def order_due(self, tenant_id: int) -> None:
        """Order what is to be read without anybody asking for it. Raises StoreUnavailable."""
        ocpi, now = self._ocpi, self._ocpi.clock.now()
        pulls = await ocpi.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_pulls(conn, tenant_id))
        partners: list[Partner | None] = [None, *(await ocpi.directory.partners(tenant_id)).values()]
        for partner in partners:
            if partner is not None and partner.status != "connected":
                continue
            partner_id = OWN_HUB if partner is None else partner.partner_id
            known = {one.module: one for one in pulls if one.partner_id == partner_id}
            resync = partner is not None and partner.needs_resync and await self._is_back(tenant_id, partner_id)
            wanted: dict[bool, list[str]] = {True: [], False: []}
            for module in PULLED:
                if await source_of(ocpi, tenant_id, partner, module) is None:
                    continue
                since = None if partner is None else partner.status_since
                complete = _why(known.get(module), since, now, resync=resync)
                if complete is not None:
                    wanted[complete].append(module)
            for complete, modules in wanted.items():
                if modules:
                    await self._order(tenant_id, partner_id, modules, now, complete=complete)

    async def _order(self, tenant_id: int, partner_id: UUID, modules: list[str], now: datetime, *, complete: bool) -> None:
        share = int.from_bytes(self._ocpi.ids.token(2)) / 65_536
        due_at = now + timedelta(seconds=SETTLE_S + SPLAY_S * share)
        await self._ocpi.store.hub.tenant_unit(
            tenant_id,
            lambda conn: queries.order_pulls(conn, tenant_id, partner_id, modules, "system", due_at, complete=complete),
        )

    async def _is_back(self, tenant_id: int, partner_id: UUID) -> bool:
        back = await self._ocpi.store.hub.tenant_unit(tenant_id, lambda conn: queries.is_back(conn, tenant_id, partner_id))
        if back:
            await self._ocpi.directory.changed()
        return back

    async def _start_due(self, tenant_id: int, nursery: trio.Nursery) -> None:
        now = self._ocpi.clock.now()
        pulls = await self._ocpi.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_pulls(conn, tenant_id))
        due = [one for one in pulls if one.status == "waiting" and one.due_at <= now and one.module in PULLED]
        for one in sorted(due, key=lambda one: (PULLED.index(one.module), one.due_at)):
            key = (tenant_id, one.partner_id)
            if key not in self._running and len(self._running) < AT_ONCE:
                self._running.add(key)
                nursery.start_soon(self._read, key, one.module)

    async def _read(self, key: Key, module: str) -> None:
        """Read one module. Never raises but for cancellation."""
        try:
            await read_module(self._ocpi, *key, module)
        except StoreUnavailable:
            log.debug("ocpi.pull_waits_for_store", tenant_id=key[0])
        except Exception:
            log.exception("ocpi.pull_failed", tenant_id=key[0], partner_id=str(key[1]), module=module)
            await trio.sleep(LOOK_S)
        finally:
            self._running.discard(key)
            self._poked.set()

    async def _tenant_ids(self) -> list[int]:
        own = await self._ocpi.directory.parties()
        return [each for each in own.tenant_ids if own.hub is None or own.hub.tenant_id != each]

    async def _give_back(self) -> None:
        try:
            await self._lease.give_back(LEASE, self._owner)
        except StoreUnavailable:
            log.debug("ocpi.lease_not_given_back")


async def read_module(ocpi: Ocpi, tenant_id: int, partner_id: UUID, module: str) -> None:
    """Read a module that waits for it, and note how it went. Raises StoreUnavailable."""
    hub, begun = ocpi.store.hub, ocpi.clock.now()
    ordered = await hub.tenant_unit(tenant_id, lambda conn: queries.begin_pull(conn, tenant_id, partner_id, module, begun))
    if ordered is None:
        return
    partner = None if partner_id == OWN_HUB else await ocpi.directory.partner(tenant_id, partner_id)
    source = None if partner is None and partner_id != OWN_HUB else await source_of(ocpi, tenant_id, partner, module)
    error: str | None = "the partner is not connected, or does not offer this module"
    if source is not None:
        error = await _crawl(ocpi, source, partner_id, ordered)
    again = ordered.attempts <= len(PAUSES) and error is not None and source is not None
    now = ocpi.clock.now()
    await hub.tenant_unit(
        tenant_id,
        lambda conn: queries.end_pull(
            conn,
            tenant_id,
            partner_id,
            module,
            now,
            error=error,
            again_at=now + PAUSES[ordered.attempts - 1] if again else None,
            known_until=begun if error is None else None,
        ),
    )


async def _crawl(ocpi: Ocpi, source: Source, partner_id: UUID, ordered: Pull) -> str | None:
    """Gives why it failed."""
    crawl = Crawl(ocpi, source)

    async def tell() -> None:
        await ocpi.store.hub.tenant_unit(
            source.tenant_id,
            lambda conn: queries.tell_progress(conn, source.tenant_id, partner_id, source.module, crawl.tally),
        )

    async def tell_now_and_then() -> None:
        while True:
            await trio.sleep(TELL_S)
            try:
                await tell()
            except StoreUnavailable:
                log.debug("ocpi.progress_not_told")

    since = None if ordered.complete or ordered.known_until is None else ordered.known_until - OVERLAP
    error: str | None = f"it is not over after {LONGEST_S / 3600:g} hours"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell_now_and_then)
        with trio.move_on_after(LONGEST_S):
            try:
                await crawl.run(since)
                error = None
            except PullFailed as failure:
                error = str(failure)
        nursery.cancel_scope.cancel(reason="it is over")
    await tell()
    log.info("ocpi.pulled", tenant_id=source.tenant_id, module=source.module, stored=crawl.tally.stored, error=error)
    return error


def _why(known: Pull | None, since: datetime | None, now: datetime, *, resync: bool) -> bool | None:
    """Whether a module is to be read completely (True), or what has changed (False); None: not now. `since`: since when the partner
    has been connected."""
    if known is None:
        return True
    if known.status in ("waiting", "running") or known.started_at is None:
        return None
    came_back = since is not None and known.started_at < since
    due = known.finished_at is None or known.finished_at < now - EVERY
    if not (came_back or resync or due):
        return None
    return known.known_until is None or known.known_until < now - LONG_AWAY
