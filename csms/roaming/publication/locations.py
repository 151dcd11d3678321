"""Publication of locations: whole ones, and the statuses of their EVSEs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec

from csms.roaming.mapping.findings import Finding
from csms.roaming.mapping.locations import MODULE, MappedLocation, map_location, status_of
from csms.roaming.parties import Folded, OwnParty
from csms.roaming.publication.offers import offered
from csms.roaming.publication.saving import Made, Saved, write
from csms.roaming.publication.view import TenantView
from csms.roaming.sources import EvseSource, LocationSource
from csms.roaming.stamping import Stamped, restate, stamp_location, with_kept
from csms.store.pool import Connection
from csms.store.queries import ocpi_objects as object_queries
from csms.store.queries import ocpi_sources as sources
from csms.store.queries.ocpi_objects import ObjectKey, StoredObject
from schemas.ocpi221.base import fold
from schemas.ocpi221.writing import document


class Place(msgspec.Struct, frozen=True):
    """A location as our tables have it, by whom it is told (None: by nobody), and what it is mapped to."""

    source: LocationSource
    evses: list[EvseSource]
    owner: OwnParty | None
    mapped: MappedLocation | None


async def map_places(
    conn: Connection, tenant_id: int, view: TenantView, location_ids: Collection[UUID], now: datetime
) -> dict[UUID, Place]:
    """The locations that are there, mapped where they are told at all."""
    found = await sources.locations(conn, tenant_id, location_ids)
    evses = await sources.evses_at(conn, tenant_id, list(found))
    zones = {location_id: source.time_zone for location_id, source in found.items()}
    tariff_ids = await offered(conn, tenant_id, evses, zones, now)
    by_location: dict[UUID | None, list[EvseSource]] = {}
    for evse in evses:
        by_location.setdefault(evse.location_id, []).append(evse)
    places = {}
    for location_id, source in found.items():
        owner = view.cpo(source.details.party) if source.details.shared else None
        there = by_location.get(location_id, [])
        mapped = None if owner is None else map_location(source, there, owner.party, tariff_ids, now)
        places[location_id] = Place(source, there, owner, mapped)
    return places


async def publish_locations(
    conn: Connection, tenant_id: int, view: TenantView, location_ids: Collection[UUID], now: datetime
) -> Saved:
    """Tell of these locations what has changed of them. Those that are gone, or not shared any more, lose their EVSEs (L2)."""
    places = await map_places(conn, tenant_id, view, location_ids, now)
    stored: dict[str, list[StoredObject]] = {}
    for one in await object_queries.own_by_ids(conn, tenant_id, MODULE, [str(location_id) for location_id in location_ids]):
        stored.setdefault(one.key.object_id, []).append(one)
    changed: list[tuple[Made, Stamped]] = []
    for location_id in location_ids:
        place = places.get(location_id)
        owner = None if place is None or place.owner is None else place.owner.party.folded
        known = stored.get(str(location_id), [])
        for one in known:
            if one.key.owner != owner:
                uids = [fold(evse["uid"]) for evse in one.document.get("evses", ())]
                _add(changed, view, one, restate(one.document, one.last_updated, dict.fromkeys(uids, "REMOVED"), now))
        if place is not None and owner is not None:
            _publish(changed, view, place, owner, next((one for one in known if one.key.owner == owner), None), now)
    return await write(conn, tenant_id, changed)


async def publish_statuses(conn: Connection, tenant_id: int, view: TenantView, identities: Collection[str], now: datetime) -> Saved:
    """Tell the statuses of the EVSEs of these stations, as far as they have been told of before."""
    statuses: dict[str, dict[str, str]] = {}
    for evse in await sources.evses_of(conn, tenant_id, identities):
        statuses.setdefault(str(evse.location_id), {})[evse.uid] = status_of(evse)
    if not statuses:
        return Saved()
    changed: list[tuple[Made, Stamped]] = []
    for one in await object_queries.own_by_ids(conn, tenant_id, MODULE, list(statuses)):
        there = {evse["uid"] for evse in one.document.get("evses", ()) if evse["status"] != "REMOVED"}
        wanted = {uid: status for uid, status in statuses[one.key.object_id].items() if uid in there}
        _add(changed, view, one, restate(one.document, one.last_updated, wanted, now))
    return await write(conn, tenant_id, changed)


def findings_of(place: Place) -> list[Finding]:
    """Why what of a location is not told, or told with something assumed."""
    location_id = str(place.source.location_id)
    if place.mapped is None:
        if not place.source.details.shared:
            return []
        return [Finding(MODULE, location_id, "party", "the tenant has no party of role CPO")]
    found = list(place.mapped.findings)
    wanted = place.source.details.party
    owner = place.owner
    if wanted is not None and owner is not None and wanted != f"{owner.country_code}-{owner.party_id}":
        reason = f"{wanted} is no CPO party of the tenant: told by {owner.country_code}-{owner.party_id}"
        found.append(Finding(MODULE, location_id, "roaming.party", reason, "assumed"))
    if place.mapped.location is not None and not place.mapped.location.evses:
        found.append(Finding(MODULE, location_id, "evses", "there is no EVSE that can be told"))
    return found


def _publish(
    changed: list[tuple[Made, Stamped]],
    view: TenantView,
    place: Place,
    owner: Folded,
    known: StoredObject | None,
    now: datetime,
) -> None:
    statuses = {evse.uid: status_of(evse) for evse in place.evses}
    location = None if place.mapped is None else place.mapped.location
    if location is None or place.mapped is None:
        # it cannot be told properly any more: what was told stays, with the statuses of now
        if known is not None:
            _add(changed, view, known, restate(known.document, known.last_updated, statuses, now))
        return
    before = None if known is None else known.document
    made = with_kept(document(location), before, place.mapped.left_out, statuses)
    if before is None and not made.get("evses"):
        return
    stamped = stamp_location(made, before, None if known is None else known.last_updated, now)
    key = ObjectKey(MODULE, owner, str(place.source.location_id))
    if stamped is not None:
        changed.append((_made(view, key, stamped), stamped))


def _add(changed: list[tuple[Made, Stamped]], view: TenantView, known: StoredObject, stamped: Stamped | None) -> None:
    if stamped is not None:
        changed.append((_made(view, known.key, stamped), stamped))


def _made(view: TenantView, key: ObjectKey, stamped: Stamped) -> Made:
    country = str(stamped.document.get("country", "")).upper()
    receivers = view.receivers(key.owner, MODULE, location_id=key.object_id, country=country)
    return Made(key=key, document=stamped.document, receivers=receivers)
