"""Id tokens: what may charge at the tenant's stations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from csms.store import Connection
from csms.store.queries import id_tokens as queries
from csms.store.queries.id_tokens import IdToken, IdTokenFields, TokenStatus
from hub.api.fields import Name, Time
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route

TokenText = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[\x20-\x7e]+\Z", description="As the station sends it")]
# the shortest limit of the versions that carry it as it is: OCPP 2.0.1
GroupText = Annotated[str, Meta(min_length=1, max_length=36, pattern=r"^[\x20-\x7e]+\Z", description="What a group is told as")]
TokenType = Annotated[
    Literal["Central", "eMAID", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress", "NoAuthorization"],
    Meta(description="OCPP 2.x name; OCPP 1.6 stations name no type"),
]
Kind = Annotated[str, Meta(min_length=1, max_length=50, description="The product's own finer kind, free text")]
Settable = Literal["accepted", "blocked"]


class NewIdToken(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id_token: TokenText
    type: TokenType = "ISO14443"
    kind: Kind | None = None
    label: Name | None = None
    status: Settable = "accepted"
    valid_from: Time | None = None
    valid_until: Time | None = None
    group_id_token: GroupText | None = None


class IdTokenChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is not named stays; null empties. Token and type never change."""

    kind: Kind | UnsetType | None = UNSET
    label: Name | UnsetType | None = UNSET
    status: Settable | UnsetType = UNSET
    valid_from: Time | UnsetType | None = UNSET
    valid_until: Time | UnsetType | None = UNSET
    group_id_token: GroupText | UnsetType | None = UNSET


class IdTokenQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id_token: Annotated[str, Meta(min_length=1, max_length=255, description="The token, in any case")] | None = None
    status: TokenStatus | None = None


async def list_tokens(call: Call[IdTokenQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(
        tenant_id,
        lambda conn: queries.list_tokens(conn, tenant_id, after, query.limit + 1, id_token=query.id_token, status=query.status),
    )
    return Answer(200, page(call, found, lambda token: token.token_id, lambda token: token))


async def get_token(call: Call[NoQuery, None]) -> Answer:
    tenant_id, token_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_token(conn, tenant_id, token_id))
    if found is None:
        raise not_found()
    return Answer(200, found)


async def create_token(call: Call[NoQuery, NewIdToken]) -> Answer:
    body, tenant_id = call.body, call.tenant_id
    _check_validity(body.valid_from, body.valid_until)
    fields = IdTokenFields(body.kind, body.label, body.status, body.valid_from, body.valid_until, body.group_id_token)
    token_id = call.hub.ids.uuid7()
    made = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.insert_token(conn, tenant_id, token_id, body.id_token, body.type, fields)
    )
    if made is None:
        raise conflict("this token, in this or another spelling, exists already")
    return Answer(201, made, {"Location": f"/api/v1/id-tokens/{made.token_id}"})


async def change_token(call: Call[NoQuery, IdTokenChange]) -> Answer:
    body, tenant_id, token_id = call.body, call.tenant_id, call.uuid("id")

    async def change(conn: Connection) -> IdToken | None:
        known = await queries.get_token(conn, tenant_id, token_id, lock=True)
        if known is None:
            return None
        fields = IdTokenFields(
            known.kind if isinstance(body.kind, UnsetType) else body.kind,
            known.label if isinstance(body.label, UnsetType) else body.label,
            known.status if isinstance(body.status, UnsetType) else body.status,
            known.valid_from if isinstance(body.valid_from, UnsetType) else body.valid_from,
            known.valid_until if isinstance(body.valid_until, UnsetType) else body.valid_until,
            known.group_id_token if isinstance(body.group_id_token, UnsetType) else body.group_id_token,
        )
        _check_validity(fields.valid_from, fields.valid_until)
        return await queries.replace_token(conn, tenant_id, token_id, fields)

    changed = await call.hub.store.hub.tenant_unit(tenant_id, change)
    if changed is None:
        raise not_found()
    return Answer(200, changed)


async def retire_token(call: Call[NoQuery, None]) -> Answer:
    tenant_id, token_id = call.tenant_id, call.uuid("id")
    if not await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.retire_token(conn, tenant_id, token_id)):
        raise not_found()
    return Answer(204)


def _check_validity(valid_from: datetime | None, valid_until: datetime | None) -> None:
    if valid_from is not None and valid_until is not None and valid_until <= valid_from:
        raise invalid("valid_until", "is not after valid_from")


ROUTES = (
    route(
        "GET",
        "/api/v1/id-tokens",
        list_tokens,
        permission="id_tokens.read",
        query=IdTokenQuery,
        answers={200: Page[IdToken]},
        tag="Id tokens",
        summary="The tenant's id tokens",
    ),
    route(
        "POST",
        "/api/v1/id-tokens",
        create_token,
        permission="id_tokens.write",
        body=NewIdToken,
        answers={201: IdToken},
        tag="Id tokens",
        summary="Register an id token",
        description="A token that was only seen on the wire so far is taken over.",
        problems={409: "the token exists, in this or another spelling"},
    ),
    route(
        "GET",
        "/api/v1/id-tokens/{id}",
        get_token,
        permission="id_tokens.read",
        answers={200: IdToken},
        tag="Id tokens",
        summary="One id token",
    ),
    route(
        "PATCH",
        "/api/v1/id-tokens/{id}",
        change_token,
        permission="id_tokens.write",
        body=IdTokenChange,
        answers={200: IdToken},
        tag="Id tokens",
        summary="Change an id token",
    ),
    route(
        "DELETE",
        "/api/v1/id-tokens/{id}",
        retire_token,
        permission="id_tokens.write",
        answers={204: None},
        tag="Id tokens",
        summary="Retire an id token",
        description="It is refused from now on; its sessions stay.",
    ),
)
