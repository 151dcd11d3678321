"""API keys: credentials of programs."""

from __future__ import annotations

from uuid import UUID

import msgspec

from csms.store import Connection
from csms.store.queries import api_keys as queries
from csms.store.queries.api_keys import ApiKey
from csms.store.queries.users import Role
from hub.api.fields import Name, Time
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import Problem, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.auth.caller import Caller
from hub.auth.permissions import may_grant
from hub.endpoints.users import check_role


class NewApiKey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`expires_at` null: good until it is revoked."""

    name: Name
    role: Role
    expires_at: Time | None = None


class ApiKeyChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Name


class MadeApiKey(ApiKey, frozen=True):
    """`key` is shown here and never again; send it as X-API-Key."""

    key: str


async def list_keys(call: Call[PageQuery, None]) -> Answer:
    tenant_id, limit = call.tenant_id, call.query.limit
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_keys(conn, tenant_id, after, limit + 1))
    return Answer(200, page(call, found, lambda key: key.key_id, lambda key: key))


async def get_key(call: Call[NoQuery, None]) -> Answer:
    tenant_id, key_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_key(conn, tenant_id, key_id))
    if found is None:
        raise not_found()
    return Answer(200, found)


async def create_key(call: Call[NoQuery, NewApiKey]) -> Answer:
    hub, body, tenant_id = call.hub, call.body, call.tenant_id
    check_role(call.caller, body.role)
    if body.expires_at is not None and body.expires_at <= hub.clock.now():
        raise invalid("expires_at", "lies in the past")
    new = hub.api_keys.make()
    made = await hub.store.hub.tenant_unit(
        tenant_id,
        lambda conn: queries.insert_key(
            conn,
            tenant_id,
            key_id=hub.ids.uuid7(),
            name=body.name,
            prefix=new.prefix,
            digest=new.digest,
            role=body.role,
            created_by=call.caller.label,
            expires_at=body.expires_at,
        ),
    )
    return Answer(201, MadeApiKey(**msgspec.structs.asdict(made), key=new.text), {"Location": f"/api/v1/api-keys/{made.key_id}"})


async def rename_key(call: Call[NoQuery, ApiKeyChange]) -> Answer:
    tenant_id, key_id, name = call.tenant_id, call.uuid("id"), call.body.name

    async def rename(conn: Connection) -> ApiKey | None:
        await _check_reach(conn, call.caller, key_id)
        return await queries.rename_key(conn, tenant_id, key_id, name)

    changed = await call.hub.store.hub.tenant_unit(tenant_id, rename)
    if changed is None:
        raise not_found()
    return Answer(200, changed)


async def revoke_key(call: Call[NoQuery, None]) -> Answer:
    tenant_id, key_id = call.tenant_id, call.uuid("id")

    async def revoke(conn: Connection) -> bool:
        await _check_reach(conn, call.caller, key_id)
        return await queries.revoke_key(conn, tenant_id, key_id)

    if not await call.hub.store.hub.tenant_unit(tenant_id, revoke):
        raise not_found()
    return Answer(204)


async def _check_reach(conn: Connection, caller: Caller, key_id: UUID) -> None:
    """Nobody changes a key above his own role."""
    known = await queries.get_key(conn, caller.tenant_id, key_id)
    if known is not None and not may_grant(caller.role, known.role):
        raise Problem(403, "forbidden", f"the role {caller.role} cannot change a key with the role {known.role}")


ROUTES = (
    route(
        "GET",
        "/api/v1/api-keys",
        list_keys,
        permission="api_keys.read",
        query=PageQuery,
        answers={200: Page[ApiKey]},
        tag="API keys",
        summary="The tenant's API keys, without the keys themselves",
    ),
    route(
        "POST",
        "/api/v1/api-keys",
        create_key,
        permission="api_keys.write",
        body=NewApiKey,
        answers={201: MadeApiKey},
        tag="API keys",
        summary="Make an API key",
    ),
    route(
        "GET",
        "/api/v1/api-keys/{id}",
        get_key,
        permission="api_keys.read",
        answers={200: ApiKey},
        tag="API keys",
        summary="One API key",
    ),
    route(
        "PATCH",
        "/api/v1/api-keys/{id}",
        rename_key,
        permission="api_keys.write",
        body=ApiKeyChange,
        answers={200: ApiKey},
        tag="API keys",
        summary="Rename an API key",
    ),
    route(
        "DELETE",
        "/api/v1/api-keys/{id}",
        revoke_key,
        permission="api_keys.write",
        answers={204: None},
        tag="API keys",
        summary="Revoke an API key",
        description="It is void at once; its record stays.",
    ),
)
