"""Token groups: companies, fleets and families that id tokens belong to."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from csms.domain.restrictions import Restrictions
from csms.store import Connection
from csms.store.queries import token_groups as queries
from csms.store.queries.hierarchy import GroupInUse, NameTaken, NoSuchParent, TooManyGroups, lock_hierarchy
from csms.store.queries.token_groups import GroupKind, TokenGroup, TokenGroupFields
from hub.api.fields import Name, check_time_zone
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import Problem, conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.id_tokens import BlockedReason, GroupText, UserType, check_restrictions


class NewTokenGroup(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Name
    kind: GroupKind = "other"
    parent_id: UUID | None = None
    group_id_token: GroupText | None = None
    user_type: UserType | None = None
    status: Literal["accepted", "blocked"] = "accepted"
    blocked_reason: BlockedReason | None = None
    restrictions: Restrictions | None = None


class TokenGroupChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is not named stays; null empties."""

    name: Name | UnsetType = UNSET
    kind: GroupKind | UnsetType = UNSET
    parent_id: UUID | UnsetType | None = UNSET
    group_id_token: GroupText | UnsetType | None = UNSET
    user_type: UserType | UnsetType | None = UNSET
    status: Literal["accepted", "blocked"] | UnsetType = UNSET
    blocked_reason: BlockedReason | UnsetType | None = UNSET
    restrictions: Restrictions | UnsetType | None = UNSET


class GroupQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    parent_id: UUID | None = None


async def list_token_groups(call: Call[GroupQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_token_groups(conn, tenant_id, after, query.limit + 1, parent_id=query.parent_id)
    )
    return Answer(200, page(call, found, lambda group: group.group_id, lambda group: group))


async def get_token_group(call: Call[NoQuery, None]) -> Answer:
    tenant_id, group_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_token_group(conn, tenant_id, group_id))
    if found is None:
        raise not_found()
    return Answer(200, found)


async def create_token_group(call: Call[NoQuery, NewTokenGroup]) -> Answer:
    tenant_id, group_id = call.tenant_id, call.hub.ids.uuid7()
    fields = TokenGroupFields(**msgspec.structs.asdict(call.body))
    _check_fields(fields)

    async def create(conn: Connection) -> TokenGroup:
        await check_restrictions(conn, tenant_id, fields.restrictions)
        return await queries.insert_token_group(conn, tenant_id, group_id, fields)

    try:
        made = await call.hub.store.hub.tenant_unit(tenant_id, create)
    except (NoSuchParent, NameTaken, TooManyGroups) as error:
        raise refused(error) from None
    return Answer(201, made, {"Location": f"/api/v1/token-groups/{group_id}"})


async def change_token_group(call: Call[NoQuery, TokenGroupChange]) -> Answer:
    tenant_id, group_id = call.tenant_id, call.uuid("id")
    changes = {name: value for name, value in msgspec.structs.asdict(call.body).items() if value is not UNSET}

    async def change(conn: Connection) -> TokenGroup | None:
        await lock_hierarchy(conn, tenant_id)
        known = await queries.get_token_group(conn, tenant_id, group_id)
        if known is None:
            return None
        fields = TokenGroupFields(**{name: getattr(known, name) for name in TokenGroupFields.__struct_fields__} | changes)
        if fields.status != "blocked" and "blocked_reason" not in changes:
            fields = msgspec.structs.replace(fields, blocked_reason=None)  # it goes with the block
        _check_fields(fields)
        if "restrictions" in changes:
            await check_restrictions(conn, tenant_id, fields.restrictions)
        return await queries.replace_token_group(conn, tenant_id, group_id, fields)

    try:
        changed = await call.hub.store.hub.tenant_unit(tenant_id, change)
    except (NoSuchParent, NameTaken) as error:
        raise refused(error) from None
    if changed is None:
        raise not_found()
    return Answer(200, changed)


async def delete_token_group(call: Call[NoQuery, None]) -> Answer:
    tenant_id, group_id = call.tenant_id, call.uuid("id")
    try:
        done = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.delete_token_group(conn, tenant_id, group_id))
    except GroupInUse as error:
        raise conflict(str(error)) from None
    if not done:
        raise not_found()
    return Answer(204)


def refused(error: NoSuchParent | NameTaken | TooManyGroups) -> Problem:
    if isinstance(error, NoSuchParent):
        return invalid("parent_id", str(error))
    return conflict("another group has this name" if isinstance(error, NameTaken) else "the tenant has too many groups")


def _check_fields(fields: TokenGroupFields) -> None:
    if fields.blocked_reason is not None and fields.status != "blocked":
        raise invalid("blocked_reason", "is for a group that is blocked")
    if fields.restrictions is not None:
        check_time_zone(fields.restrictions.time_zone, "restrictions.time_zone")


ROUTES = (
    route(
        "GET",
        "/api/v1/token-groups",
        list_token_groups,
        permission="id_tokens.read",
        query=GroupQuery,
        answers={200: Page[TokenGroup]},
        tag="Id tokens",
        summary="The tenant's token groups",
    ),
    route(
        "POST",
        "/api/v1/token-groups",
        create_token_group,
        permission="id_tokens.write",
        body=NewTokenGroup,
        answers={201: TokenGroup},
        tag="Id tokens",
        summary="Make a token group",
        description="Companies, fleets, families. What a group says (group token, user type, being blocked, restrictions) "
        "holds for all tokens and groups below it.",
        problems={409: "another group has this name, or there are too many"},
    ),
    route(
        "GET",
        "/api/v1/token-groups/{id}",
        get_token_group,
        permission="id_tokens.read",
        answers={200: TokenGroup},
        tag="Id tokens",
        summary="One token group",
    ),
    route(
        "PATCH",
        "/api/v1/token-groups/{id}",
        change_token_group,
        permission="id_tokens.write",
        body=TokenGroupChange,
        answers={200: TokenGroup},
        tag="Id tokens",
        summary="Change a token group",
        problems={409: "another group has this name"},
    ),
    route(
        "DELETE",
        "/api/v1/token-groups/{id}",
        delete_token_group,
        permission="id_tokens.write",
        answers={204: None},
        tag="Id tokens",
        summary="Remove a token group that nothing belongs to",
        problems={409: "tokens or groups belong to it, or tariffs are assigned to it"},
    ),
)
