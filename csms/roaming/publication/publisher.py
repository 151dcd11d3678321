"""Publication of a tenant's data, unit of work by unit of work.

Each unit holds the tenant's publication lock, so that no one publishes what he read before another published something newer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar
from uuid import UUID

import structlog

from csms.bus import Bus
from csms.clock import Clock
from csms.roaming.parties import Folded, OwnParties
from csms.roaming.publication.changes import Changes
from csms.roaming.publication.locations import publish_locations, publish_statuses
from csms.roaming.publication.metrics import CHANGED, FAILED
from csms.roaming.publication.saving import NOTHING, Saved
from csms.roaming.publication.sessions import publish_sessions
from csms.roaming.publication.tariffs import publish_tariffs
from csms.roaming.publication.tokens import publish_tokens
from csms.roaming.publication.view import TenantView, Views
from csms.roaming.topics import tell_of_pushes
from csms.store import Connection, Store, StoreUnavailable
from csms.store.queries import ocpi_objects as object_queries
from csms.store.queries import ocpi_parties
from csms.store.queries import ocpi_publication as queries
from csms.store.queries import ocpi_sources as sources
from csms.store.queries.ocpi_objects import NewPush
from csms.store.queries.ocpi_publication import Whole

log = structlog.get_logger()

PARTIES_KEPT_S: Final = 5.0

LOCATIONS_AT_ONCE: Final = 20
STATIONS_AT_ONCE: Final = 200
TOKENS_AT_ONCE: Final = 500
SESSIONS_AT_ONCE: Final = 100
TARIFFS_AT_ONCE: Final = 100
_TOLD_AT_ONCE: Final = 1_000
_CDRS_TRIED_FOR: Final = timedelta(days=90)
"""How old CDRs may be that are told once what was missing of their location is there."""
_SESSIONS_LOOKED_BACK: Final = timedelta(days=90)

K = TypeVar("K")
Publish = Callable[[Connection, int, TenantView, Sequence[K], datetime], Awaitable[Saved]]
KeysAfter = Callable[[Connection, int, K, int], Awaitable[list[K]]]


class Publisher:
    """Publishes what has changed. `store`: the hub role's units of tenants; the auth role knows all own parties."""

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._views = Views()
        self._own = OwnParties()
        self._own_until = 0.0
        self._tried: dict[UUID, Decimal] = {}

    def forget(self) -> None:
        """Parties have changed."""
        self._own_until = 0.0

    async def apply(self, tenant_id: int, changes: Changes) -> Saved:
        """Tell what these changes have made different. Raises StoreUnavailable; what cannot be worked for another reason is logged
        and left out, so that it does not keep all others from it."""
        saved = NOTHING
        if changes.rebuilt:
            rebuilt = sorted(changes.rebuilt)
            changes.locations |= await self._store.hub.tenant_unit(
                tenant_id, lambda conn: sources.location_ids_of(conn, tenant_id, rebuilt)
            )
        if changes.assigned:
            await self._store.hub.tenant_unit(tenant_id, lambda conn: queries.request_whole(conn, tenant_id, ["locations"]))
        saved += await self._in_parts(tenant_id, sorted(changes.tariffs), TARIFFS_AT_ONCE, publish_tariffs, "tariffs")
        saved += await self._in_parts(tenant_id, sorted(changes.locations), LOCATIONS_AT_ONCE, publish_locations, "locations")
        saved += await self._in_parts(tenant_id, sorted(changes.stations), STATIONS_AT_ONCE, publish_statuses, "statuses")
        saved += await self._in_parts(tenant_id, sorted(changes.tokens), TOKENS_AT_ONCE, publish_tokens, "tokens")
        if changes.locations:
            changes.sessions |= await self._untold(tenant_id, changes.locations)
        saved += await self._in_parts(tenant_id, sorted(changes.sessions), SESSIONS_AT_ONCE, publish_sessions, "sessions")
        await self._poke(tenant_id, saved)
        return saved

    async def go_on(self, whole: Whole) -> Saved:
        """The next part of what is gone through from the beginning. Raises StoreUnavailable."""
        if whole.to is not None:
            saved, after = await self._tell_part(whole, whole.to)
        else:
            saved, after = await self._make_part(whole)
        await self._store.hub.tenant_unit(whole.tenant_id, lambda conn: queries.note_whole(conn, whole, after))
        await self._poke(whole.tenant_id, saved)
        return saved

    async def tell_readings(self) -> None:
        """Tell the running sessions that have had readings since they were told, of all tenants. One that cannot be told is not
        tried again before its next reading. Raises StoreUnavailable."""
        grown = await self._store.gateway.look(queries.grown_sessions)
        by_tenant: dict[int, set[UUID]] = {}
        for one in grown:
            if self._tried.get(one.session_id) != one.energy_wh:
                by_tenant.setdefault(one.tenant_id, set()).add(one.session_id)
        for tenant_id, sessions in by_tenant.items():
            await self.apply(tenant_id, Changes(sessions=sessions))
        self._tried = {one.session_id: one.energy_wh for one in grown}

    async def look_around(self, tenant_id: int) -> Saved:
        """Tell what has changed with time alone: running sessions, and what has begun or ended. Raises StoreUnavailable."""
        now = self._clock.now()

        async def due(conn: Connection) -> Changes:
            found = await queries.take_due(conn, tenant_id, now)
            running = await queries.running_published(conn, tenant_id)
            return Changes(tariffs=found.tariff_ids, tokens=found.token_ids, assigned=found.places, sessions=set(running))

        return await self.apply(tenant_id, await self._store.hub.tenant_unit(tenant_id, due))

    async def _in_parts(self, tenant_id: int, keys: Sequence[K], at_once: int, publish: Publish[K], what: str) -> Saved:
        saved = NOTHING
        for first in range(0, len(keys), at_once):
            part = keys[first : first + at_once]
            try:
                saved += await self._publish(tenant_id, part, publish)
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("roaming.not_published_together", tenant_id=tenant_id, what=what, keys=len(part))
                saved += await self._one_by_one(tenant_id, part, publish, what)
        return saved

    async def _one_by_one(self, tenant_id: int, keys: Sequence[K], publish: Publish[K], what: str) -> Saved:
        saved = NOTHING
        for key in keys:
            try:
                saved += await self._publish(tenant_id, [key], publish)
            except StoreUnavailable:
                raise
            except Exception:
                FAILED.labels(what).inc()
                log.exception("roaming.not_published", tenant_id=tenant_id, what=what, key=str(key))
        return saved

    async def _publish(self, tenant_id: int, keys: Sequence[K], publish: Publish[K]) -> Saved:
        own = await self._parties()

        async def work(conn: Connection) -> Saved:
            await queries.lock_publication(conn, tenant_id)
            view = await self._views.get(conn, tenant_id, own)
            return await publish(conn, tenant_id, view, keys, self._clock.now())

        return await self._store.hub.tenant_unit(tenant_id, work)

    async def _untold(self, tenant_id: int, location_ids: Collection[UUID]) -> set[UUID]:
        since = self._clock.now() - _CDRS_TRIED_FOR
        wanted = sorted(str(location_id) for location_id in location_ids)
        found = await self._store.hub.tenant_unit(tenant_id, lambda conn: queries.untold_sessions(conn, tenant_id, wanted, since))
        return set(found)

    async def _make_part(self, whole: Whole) -> tuple[Saved, str | None]:
        """Documents made anew; gives how far this came, None: to the end."""
        tenant_id, after = whole.tenant_id, whole.after
        match whole.module:
            case "tariffs":
                tariff_ids = await self._keys(tenant_id, queries.tariff_ids_after, after, TARIFFS_AT_ONCE)
                saved = await self._in_parts(tenant_id, tariff_ids, TARIFFS_AT_ONCE, publish_tariffs, "tariffs")
                return saved, _rest(tariff_ids, TARIFFS_AT_ONCE)
            case "locations":
                ids = await self._keys(tenant_id, queries.location_ids_after, after, LOCATIONS_AT_ONCE)
                uuids = [UUID(one) for one in ids]
                saved = await self._in_parts(tenant_id, uuids, LOCATIONS_AT_ONCE, publish_locations, "locations")
                return saved, _rest(ids, LOCATIONS_AT_ONCE)
            case "tokens":
                token_ids = await self._keys(tenant_id, queries.token_ids_after, UUID(after or _NIL), TOKENS_AT_ONCE)
                saved = await self._in_parts(tenant_id, token_ids, TOKENS_AT_ONCE, publish_tokens, "tokens")
                return saved, _rest(token_ids, TOKENS_AT_ONCE)
        first = UUID(after) if after else queries.first_of(self._clock.now() - _SESSIONS_LOOKED_BACK)
        session_ids = await self._keys(tenant_id, queries.session_ids_after, first, SESSIONS_AT_ONCE)
        saved = await self._in_parts(tenant_id, session_ids, SESSIONS_AT_ONCE, publish_sessions, "sessions")
        return saved, _rest(session_ids, SESSIONS_AT_ONCE)

    async def _keys(self, tenant_id: int, read: KeysAfter[K], after: K, limit: int) -> list[K]:
        return await self._store.hub.tenant_unit(tenant_id, lambda conn: read(conn, tenant_id, after, limit))

    async def _tell_part(self, whole: Whole, to: Folded) -> tuple[Saved, str | None]:
        """Note for one receiver what it may have of a module, changed or not."""
        own = await self._parties()

        async def work(conn: Connection) -> tuple[Saved, str | None]:
            await queries.lock_publication(conn, whole.tenant_id)
            view = await self._views.get(conn, whole.tenant_id, own)
            after = int(whole.after or 0)
            found = await object_queries.own_keys_after(conn, whole.tenant_id, whole.module, after, _TOLD_AT_ONCE)
            pushes = [
                NewPush(to=to, sender=key.owner, key=key)
                for _, key, country in found
                if to in view.receivers(key.owner, key.module, location_id=key.object_id, country=country or "")
            ]
            saved = Saved(0, await object_queries.queue_pushes(conn, whole.tenant_id, pushes))
            return saved, str(found[-1][0]) if len(found) == _TOLD_AT_ONCE else None

        return await self._store.hub.tenant_unit(whole.tenant_id, work)

    async def _parties(self) -> OwnParties:
        if self._own_until <= self._clock.monotonic():
            self._own.replace_all(await self._store.auth.look(ocpi_parties.load_parties))
            self._own_until = self._clock.monotonic() + PARTIES_KEPT_S
        return self._own

    async def _poke(self, tenant_id: int, saved: Saved) -> None:
        CHANGED.inc(saved.objects)
        if saved.pushes:
            await tell_of_pushes(self._bus, tenant_id)


_NIL: Final = str(UUID(int=0))


def _rest(done: Sequence[object], at_once: int) -> str | None:
    return str(done[-1]) if len(done) == at_once else None
