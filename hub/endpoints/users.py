"""Users: people who may sign in."""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from csms.store import Connection
from csms.store.queries import users as queries
from csms.store.queries.users import LastAdmin, Role, User, UserChange
from csms.tenants import DEFAULT_TENANT
from hub.api.fields import Email, Name, Password, given
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import Problem, conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.auth.caller import Caller
from hub.auth.permissions import may_grant


class NewUser(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    email: Email
    password: Password
    role: Role
    name: Name | None = None


class UserPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is not named stays. A new password and disabling void all tokens of the user."""

    name: Name | UnsetType | None = UNSET
    role: Role | None = None
    password: Password | None = None
    disabled: bool | None = None


async def list_users(call: Call[PageQuery, None]) -> Answer:
    tenant_id, limit = call.tenant_id, call.query.limit
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_users(conn, tenant_id, after, limit + 1))
    return Answer(200, page(call, found, lambda user: user.user_id, lambda user: user))


async def get_user(call: Call[NoQuery, None]) -> Answer:
    tenant_id, user_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_user(conn, tenant_id, user_id))
    if found is None:
        raise not_found()
    return Answer(200, found)


async def create_user(call: Call[NoQuery, NewUser]) -> Answer:
    body, tenant_id = call.body, call.tenant_id
    check_role(call.caller, body.role)
    password_hash = await call.hub.user_passwords.hash(body.password)
    user_id = call.hub.ids.uuid7()
    made = await call.hub.store.hub.tenant_unit(
        tenant_id,
        lambda conn: queries.insert_user(conn, tenant_id, user_id, body.email, body.name, body.role, password_hash),
    )
    if made is None:
        raise conflict("a user with this e-mail address exists already")
    return Answer(201, made, {"Location": f"/api/v1/users/{user_id}"})


async def change_user(call: Call[NoQuery, UserPatch]) -> Answer:
    body, tenant_id, user_id = call.body, call.tenant_id, call.uuid("id")
    if body.role is not None:
        check_role(call.caller, body.role)
    change = UserChange(
        set_name=given(body.name),
        name=body.name if isinstance(body.name, str) else None,
        role=body.role,
        password_hash=None if body.password is None else await call.hub.user_passwords.hash(body.password),
        disabled=body.disabled,
    )

    async def save(conn: Connection) -> User | None:
        await _check_reach(conn, call.caller, user_id)
        return await queries.change_user(conn, tenant_id, user_id, change)

    try:
        changed = await call.hub.store.hub.tenant_unit(tenant_id, save)
    except LastAdmin:
        raise _last_admin() from None
    if changed is None:
        raise not_found()
    return Answer(200, changed)


async def delete_user(call: Call[NoQuery, None]) -> Answer:
    tenant_id, user_id = call.tenant_id, call.uuid("id")

    async def delete(conn: Connection) -> bool:
        await _check_reach(conn, call.caller, user_id)
        return await queries.delete_user(conn, tenant_id, user_id)

    try:
        done = await call.hub.store.hub.tenant_unit(tenant_id, delete)
    except LastAdmin:
        raise _last_admin() from None
    if not done:
        raise not_found()
    return Answer(204)


def check_role(caller: Caller, role: Role) -> None:
    """May the caller hand out this role in the tenant he acts on?"""
    if not may_grant(caller.role, role):
        raise Problem(403, "forbidden", f"the role {caller.role} cannot hand out the role {role}")
    if role == "admin" and caller.tenant != DEFAULT_TENANT:
        raise invalid("role", f"platform administrators belong to the tenant {DEFAULT_TENANT}")


async def _check_reach(conn: Connection, caller: Caller, user_id: UUID) -> None:
    """Nobody changes or removes someone above himself."""
    known = await queries.find_account(conn, caller.tenant_id, user_id)
    if known is not None and not may_grant(caller.role, known.role):
        raise Problem(403, "forbidden", f"the role {caller.role} cannot change a user with the role {known.role}")


def _last_admin() -> Problem:
    return conflict("this is the last active platform administrator")


ROUTES = (
    route(
        "GET",
        "/api/v1/users",
        list_users,
        permission="users.read",
        query=PageQuery,
        answers={200: Page[User]},
        tag="Users",
        summary="The tenant's users",
    ),
    route(
        "POST",
        "/api/v1/users",
        create_user,
        permission="users.write",
        body=NewUser,
        answers={201: User},
        tag="Users",
        summary="Make a user",
        problems={409: "the e-mail address is taken"},
    ),
    route(
        "GET",
        "/api/v1/users/{id}",
        get_user,
        permission="users.read",
        answers={200: User},
        tag="Users",
        summary="One user",
    ),
    route(
        "PATCH",
        "/api/v1/users/{id}",
        change_user,
        permission="users.write",
        body=UserPatch,
        answers={200: User},
        tag="Users",
        summary="Change a user",
        problems={409: "the last active platform administrator stays one"},
    ),
    route(
        "DELETE",
        "/api/v1/users/{id}",
        delete_user,
        permission="users.write",
        answers={204: None},
        tag="Users",
        summary="Remove a user",
        problems={409: "the last active platform administrator stays"},
    ),
)
