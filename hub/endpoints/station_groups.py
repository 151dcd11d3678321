"""Station groups: regions, customers and kinds of sites that charge points are in."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from csms.store import Connection
from csms.store.queries import station_groups as queries
from csms.store.queries.hierarchy import GroupInUse, NameTaken, NoSuchParent, TooManyGroups, lock_hierarchy
from csms.store.queries.station_groups import NoSuchStation, StationGroup, StationGroupFields
from hub.api.fields import Identity, Name
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.token_groups import GroupQuery, refused


class NewStationGroup(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Name
    parent_id: UUID | None = None


class StationGroupChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is not named stays; null empties."""

    name: Name | UnsetType = UNSET
    parent_id: UUID | UnsetType | None = UNSET


class MembersChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Charge points to put in and to take out."""

    add: Annotated[list[Identity], Meta(max_length=1000)] = []
    remove: Annotated[list[Identity], Meta(max_length=1000)] = []


class Member(msgspec.Struct, frozen=True):
    charge_point_id: str


async def list_station_groups(call: Call[GroupQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_station_groups(conn, tenant_id, after, query.limit + 1, parent_id=query.parent_id)
    )
    return Answer(200, page(call, found, lambda group: group.group_id, lambda group: group))


async def get_station_group(call: Call[NoQuery, None]) -> Answer:
    tenant_id, group_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_station_group(conn, tenant_id, group_id))
    if found is None:
        raise not_found()
    return Answer(200, found)


async def create_station_group(call: Call[NoQuery, NewStationGroup]) -> Answer:
    tenant_id, group_id = call.tenant_id, call.hub.ids.uuid7()
    fields = StationGroupFields(name=call.body.name, parent_id=call.body.parent_id)
    try:
        made = await call.hub.store.hub.tenant_unit(
            tenant_id, lambda conn: queries.insert_station_group(conn, tenant_id, group_id, fields)
        )
    except (NoSuchParent, NameTaken, TooManyGroups) as error:
        raise refused(error) from None
    return Answer(201, made, {"Location": f"/api/v1/station-groups/{group_id}"})


async def change_station_group(call: Call[NoQuery, StationGroupChange]) -> Answer:
    body, tenant_id, group_id = call.body, call.tenant_id, call.uuid("id")

    async def change(conn: Connection) -> StationGroup | None:
        await lock_hierarchy(conn, tenant_id)
        known = await queries.get_station_group(conn, tenant_id, group_id)
        if known is None:
            return None
        fields = StationGroupFields(
            name=known.name if isinstance(body.name, UnsetType) else body.name,
            parent_id=known.parent_id if isinstance(body.parent_id, UnsetType) else body.parent_id,
        )
        return await queries.replace_station_group(conn, tenant_id, group_id, fields)

    try:
        changed = await call.hub.store.hub.tenant_unit(tenant_id, change)
    except (NoSuchParent, NameTaken) as error:
        raise refused(error) from None
    if changed is None:
        raise not_found()
    return Answer(200, changed)


async def delete_station_group(call: Call[NoQuery, None]) -> Answer:
    tenant_id, group_id = call.tenant_id, call.uuid("id")
    try:
        done = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.delete_station_group(conn, tenant_id, group_id))
    except GroupInUse as error:
        raise conflict(str(error)) from None
    if not done:
        raise not_found()
    return Answer(204)


async def list_station_group_members(call: Call[PageQuery, None]) -> Answer:
    tenant_id, group_id, limit = call.tenant_id, call.uuid("id"), call.query.limit
    after = position(call, str) or ""

    async def read(conn: Connection) -> list[str] | None:
        if await queries.get_station_group(conn, tenant_id, group_id) is None:
            return None
        return await queries.list_members(conn, tenant_id, group_id, after, limit + 1)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    return Answer(200, page(call, found, str.lower, Member))


async def change_station_group_members(call: Call[NoQuery, MembersChange]) -> Answer:
    body, tenant_id, group_id = call.body, call.tenant_id, call.uuid("id")
    both = set(body.add) & set(body.remove)
    if both:
        raise invalid("remove", "names a charge point that is to be added")
    try:
        changed = await call.hub.store.hub.tenant_unit(
            tenant_id, lambda conn: queries.change_members(conn, tenant_id, group_id, body.add, body.remove)
        )
    except NoSuchStation as error:
        identity: str = error.args[0]
        field = "add" if identity in body.add else "remove"
        place = (body.add if field == "add" else body.remove).index(identity)
        raise invalid(f"{field}[{place}]", "is not a charge point") from None
    if changed is None:
        raise not_found()
    return Answer(200, changed)


ROUTES = (
    route(
        "GET",
        "/api/v1/station-groups",
        list_station_groups,
        permission="chargepoints.read",
        query=GroupQuery,
        answers={200: Page[StationGroup]},
        tag="Charge points",
        summary="The tenant's station groups",
    ),
    route(
        "POST",
        "/api/v1/station-groups",
        create_station_group,
        permission="chargepoints.write",
        body=NewStationGroup,
        answers={201: StationGroup},
        tag="Charge points",
        summary="Make a station group",
        description="Restrictions of tokens and assignments of tariffs may name it; they hold for the groups below it as well.",
        problems={409: "another group has this name, or there are too many"},
    ),
    route(
        "GET",
        "/api/v1/station-groups/{id}",
        get_station_group,
        permission="chargepoints.read",
        answers={200: StationGroup},
        tag="Charge points",
        summary="One station group",
    ),
    route(
        "PATCH",
        "/api/v1/station-groups/{id}",
        change_station_group,
        permission="chargepoints.write",
        body=StationGroupChange,
        answers={200: StationGroup},
        tag="Charge points",
        summary="Change a station group",
        problems={409: "another group has this name"},
    ),
    route(
        "DELETE",
        "/api/v1/station-groups/{id}",
        delete_station_group,
        permission="chargepoints.write",
        answers={204: None},
        tag="Charge points",
        summary="Remove a station group that nothing names",
        description="Its charge points stay.",
        problems={409: "groups belong to it, tokens are restricted to it, or tariffs are assigned to it"},
    ),
    route(
        "GET",
        "/api/v1/station-groups/{id}/chargepoints",
        list_station_group_members,
        permission="chargepoints.read",
        query=PageQuery,
        answers={200: Page[Member]},
        tag="Charge points",
        summary="The charge points that are in a group itself",
    ),
    route(
        "POST",
        "/api/v1/station-groups/{id}/chargepoints",
        change_station_group_members,
        permission="chargepoints.write",
        body=MembersChange,
        answers={200: StationGroup},
        tag="Charge points",
        summary="Put charge points in a group and take others out",
        description="All or nothing. Those that are there already, or are not, are left as they are.",
    ),
)
