"""Locations of our own tenants, as their owner (digest, endpoints 10 and 11)."""

from __future__ import annotations

from typing import Any

from csms.roaming.countries import alpha3
from csms.roaming.received import part_of, usable_id
from csms.store.queries.ocpi_objects import find_by_id
from hub.ocpi.message import OcpiResponse, not_found
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.lists import answer_list, asked_owners, asking_parties
from schemas.ocpi221.base import fold
from schemas.ocpi221.envelope import StatusCode

MODULE = "locations"


async def get_own(call: OwnCall) -> OcpiResponse:
    """GET of the list, of a location, of an EVSE or of a connector; 404 and 2003 for what is not there or not to be seen (S3)."""
    segments = call.request.segments
    if not segments:
        return await answer_list(call)
    if len(segments) > 3 or not all(map(usable_id, segments)):
        raise not_found("there is no such location", StatusCode.UNKNOWN_LOCATION)
    location_id, evse_uid, connector_id = (*segments, None, None)[:3]
    location = await _visible_location(call, fold(location_id or ""))
    found = None if location is None else part_of(location, evse_uid, connector_id)
    if found is None:
        raise not_found("there is no such location, EVSE or connector", StatusCode.UNKNOWN_LOCATION)
    return OcpiResponse(data=found)


async def _visible_location(call: OwnCall, object_id: str) -> dict[str, Any] | None:
    owners, tenant_id = asked_owners(call), call.tenant_id
    stored = await call.ocpi.store.hub.tenant_unit(
        tenant_id, lambda conn: find_by_id(conn, tenant_id, MODULE, object_id, origin="own")
    )
    found = next((one for one in stored if owners is None or one.key.owner in owners), None)
    if found is None:
        return None
    agreements = await call.ocpi.directory.agreements(tenant_id)
    country = str(found.document.get("country", "")).upper()
    place = object_id, alpha3(country) or country
    shown = any(agreements.allows(party, found.key.owner, MODULE, *place) for party in asking_parties(call))
    return found.document if shown else None
