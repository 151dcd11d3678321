"""The rounds of local lists in the hub's process: what stations ought to have, and bringing them there.

Any number of processes may run them: a tenant is worked out, and a station visited, by whoever holds its lease.
"""

from __future__ import annotations

from functools import partial
from typing import Final
from uuid import UUID

import structlog
import trio

from csms.bus import Bus
from csms.clock import Clock, Ids
from csms.commands import CommandService
from csms.local_lists.metrics import FAILED, REFRESHES, VISITS
from csms.local_lists.pace import Pace
from csms.local_lists.refresh import Refresh
from csms.local_lists.station import LEASE_S, Stations
from csms.store import Database, Store, StoreUnavailable
from csms.store.queries import local_lists as queries
from csms.store.queries.local_lists import Claim

log = structlog.get_logger()

LOOK_EVERY_S: Final = 1.0
BOOTS_EVERY_S: Final = 15.0
REST: Final = 10.0
"""After working out a tenant's lists it is left alone for so many times as long, so that it takes a tenth of the time at most."""
LEAST_REST_S: Final = 2.0
STATIONS_AT_ONCE: Final = 50
COMMANDS_PER_SECOND: Final = 20.0
"""Of this process: a thousandth of what a gateway takes."""
_BOOTS: Final = 1_000


class LocalLists:
    """Looks after the lists and offline settings of all stations."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, ids: Ids) -> None:
        self._gateway: Database = store.gateway
        self._clock = clock
        self._owner: UUID = ids.uuid4()
        self._commands = CommandService(store.hub, bus, clock, ids)
        self._refresh = Refresh(store.hub, clock, self._owner)
        self._stations = Stations(store.hub, self._commands, clock, self._owner, Pace(COMMANDS_PER_SECOND))
        self._rests: dict[int, float] = {}
        self._visiting = 0

    async def run(self) -> None:
        """Runs until cancelled. Who is visited then is visited again when the lease has ended, beginning with the version."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._commands.run)
            nursery.start_soon(self._refresh_for_ever)
            nursery.start_soon(self._note_boots_for_ever)
            nursery.start_soon(self._visit_for_ever, nursery)

    async def _refresh_for_ever(self) -> None:
        while True:
            try:
                tenant_ids = await self._gateway.look(lambda conn: queries.tenants_to_look_at(conn, self._clock.now()))
            except StoreUnavailable:
                tenant_ids = []
            for tenant_id in tenant_ids:
                began = trio.current_time()
                if self._rests.get(tenant_id, began) > began:
                    continue
                try:
                    await self._refresh.refresh(tenant_id)
                    REFRESHES.inc()
                except StoreUnavailable:
                    log.debug("local_lists.not_worked_out", tenant_id=tenant_id)
                except Exception:
                    # one tenant must not keep all others from it
                    FAILED.inc()
                    log.exception("local_lists.refresh_failed", tenant_id=tenant_id)
                ended = trio.current_time()
                self._rests[tenant_id] = ended + max(LEAST_REST_S, REST * (ended - began))
            await trio.sleep(LOOK_EVERY_S)

    async def _note_boots_for_ever(self) -> None:
        while True:
            try:
                noted = await self._gateway.look(lambda conn: queries.note_boots(conn, _BOOTS))
            except StoreUnavailable:
                noted = 0
            if noted < _BOOTS:
                await trio.sleep(BOOTS_EVERY_S)

    async def _visit_for_ever(self, nursery: trio.Nursery) -> None:
        while True:
            room = STATIONS_AT_ONCE - self._visiting
            claims: list[Claim] = []
            if room:
                try:
                    claims = await self._gateway.look(partial(queries.claim_due, owner=self._owner, seconds=LEASE_S, limit=room))
                except StoreUnavailable:
                    log.debug("local_lists.cannot_look")
            for claim in claims:
                self._visiting += 1
                nursery.start_soon(self._visit, claim)
            if len(claims) < room or not room:
                await trio.sleep(LOOK_EVERY_S)

    async def _visit(self, claim: Claim) -> None:
        try:
            await self._stations.visit(claim)
            VISITS.inc()
        except StoreUnavailable:
            log.debug("local_lists.visit_cut_short", charge_point_id=claim.charge_point_id)
        except Exception:
            # one station must not keep all others from it; its lease lets it rest
            FAILED.inc()
            log.exception("local_lists.visit_failed", tenant_id=claim.tenant_id, charge_point_id=claim.charge_point_id)
        finally:
            self._visiting -= 1
