"""Locations: where charge points stand."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from csms.roaming.details import LocationDetails
from csms.roaming.mapping.locations import check_location_details
from csms.store import Connection
from csms.store.queries import locations as queries
from csms.store.queries.locations import Location, LocationFields, LocationInUse
from hub.api.fields import Name, TimeZone, check_time_zone
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route

Line = Annotated[str, Meta(min_length=1, max_length=200)]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2,3}\Z", description="ISO 3166-1 alpha-2 or alpha-3")]
Latitude = Annotated[float, Meta(ge=-90, le=90, description="Degrees, WGS 84, kept to 6 decimals")]
Longitude = Annotated[float, Meta(ge=-180, le=180, description="Degrees, WGS 84, kept to 6 decimals")]


class NewLocation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Name
    address: Line | None = None
    city: Name | None = None
    postal_code: Annotated[str, Meta(min_length=1, max_length=20)] | None = None
    country: Country | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    time_zone: TimeZone | None = None
    roaming: LocationDetails | None = None


class LocationChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is not named stays; null empties. `roaming` is replaced as a whole."""

    name: Name | UnsetType = UNSET
    address: Line | UnsetType | None = UNSET
    city: Name | UnsetType | None = UNSET
    postal_code: Annotated[str, Meta(min_length=1, max_length=20)] | UnsetType | None = UNSET
    country: Country | UnsetType | None = UNSET
    latitude: Latitude | UnsetType | None = UNSET
    longitude: Longitude | UnsetType | None = UNSET
    time_zone: TimeZone | UnsetType | None = UNSET
    roaming: LocationDetails | UnsetType | None = UNSET


async def list_locations(call: Call[PageQuery, None]) -> Answer:
    tenant_id, limit = call.tenant_id, call.query.limit
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_locations(conn, tenant_id, after, limit + 1))
    return Answer(200, page(call, found, lambda location: location.location_id, lambda location: location))


async def get_location(call: Call[NoQuery, None]) -> Answer:
    tenant_id, location_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_location(conn, tenant_id, location_id))
    if found is None:
        raise not_found()
    return Answer(200, found)


async def create_location(call: Call[NoQuery, NewLocation]) -> Answer:
    body, tenant_id = call.body, call.tenant_id
    check_time_zone(body.time_zone)
    _check_roaming(body.roaming)
    fields = LocationFields(
        body.name,
        body.address,
        body.city,
        body.postal_code,
        body.country,
        _degrees(body.latitude),
        _degrees(body.longitude),
        body.time_zone,
        body.roaming,
    )
    location_id = call.hub.ids.uuid7()
    made = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.insert_location(conn, tenant_id, location_id, fields)
    )
    return Answer(201, made, {"Location": f"/api/v1/locations/{location_id}"})


async def change_location(call: Call[NoQuery, LocationChange]) -> Answer:
    body, tenant_id, location_id = call.body, call.tenant_id, call.uuid("id")
    if isinstance(body.time_zone, str):
        check_time_zone(body.time_zone)
    if isinstance(body.roaming, LocationDetails):
        _check_roaming(body.roaming)

    async def change(conn: Connection) -> Location | None:
        known = await queries.get_location(conn, tenant_id, location_id, lock=True)
        if known is None:
            return None
        fields = LocationFields(
            known.name if isinstance(body.name, UnsetType) else body.name,
            known.address if isinstance(body.address, UnsetType) else body.address,
            known.city if isinstance(body.city, UnsetType) else body.city,
            known.postal_code if isinstance(body.postal_code, UnsetType) else body.postal_code,
            known.country if isinstance(body.country, UnsetType) else body.country,
            known.latitude if isinstance(body.latitude, UnsetType) else _degrees(body.latitude),
            known.longitude if isinstance(body.longitude, UnsetType) else _degrees(body.longitude),
            known.time_zone if isinstance(body.time_zone, UnsetType) else body.time_zone,
            known.roaming if isinstance(body.roaming, UnsetType) else body.roaming,
        )
        return await queries.replace_location(conn, tenant_id, location_id, fields)

    changed = await call.hub.store.hub.tenant_unit(tenant_id, change)
    if changed is None:
        raise not_found()
    return Answer(200, changed)


async def delete_location(call: Call[NoQuery, None]) -> Answer:
    tenant_id, location_id = call.tenant_id, call.uuid("id")
    try:
        done = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.delete_location(conn, tenant_id, location_id))
    except LocationInUse:
        raise conflict("charge points stand at this location") from None
    if not done:
        raise not_found()
    return Answer(204)


def _check_roaming(details: LocationDetails | None) -> None:
    """Rules between members, as OCPI has them."""
    for remark in () if details is None else check_location_details(details):
        raise invalid(f"roaming.{remark.field}", remark.text)


def _degrees(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(value)).quantize(Decimal("0.000001"))


ROUTES = (
    route(
        "GET",
        "/api/v1/locations",
        list_locations,
        permission="locations.read",
        query=PageQuery,
        answers={200: Page[Location]},
        tag="Locations",
        summary="The tenant's locations",
    ),
    route(
        "POST",
        "/api/v1/locations",
        create_location,
        permission="locations.write",
        body=NewLocation,
        answers={201: Location},
        tag="Locations",
        summary="Make a location",
    ),
    route(
        "GET",
        "/api/v1/locations/{id}",
        get_location,
        permission="locations.read",
        answers={200: Location},
        tag="Locations",
        summary="One location",
    ),
    route(
        "PATCH",
        "/api/v1/locations/{id}",
        change_location,
        permission="locations.write",
        body=LocationChange,
        answers={200: Location},
        tag="Locations",
        summary="Change a location",
    ),
    route(
        "DELETE",
        "/api/v1/locations/{id}",
        delete_location,
        permission="locations.write",
        answers={204: None},
        tag="Locations",
        summary="Remove a location where no charge point stands",
        problems={409: "charge points stand at this location"},
    ),
)
