"""Sign-in: login, refresh, logout, and who one is."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from csms.store.queries.users import Role
from csms.tenants import DEFAULT_TENANT
from hub.api.fields import Email, Slug
from hub.api.routing import Answer, Call, NoQuery, route
from hub.auth.permissions import PERMISSIONS
from hub.auth.sign_in import SignedIn


class Login(msgspec.Struct, forbid_unknown_fields=True):
    email: Email
    password: Annotated[str, Meta(min_length=1, max_length=200)]
    tenant: Slug = DEFAULT_TENANT


class RefreshToken(msgspec.Struct, forbid_unknown_fields=True):
    refresh_token: Annotated[str, Meta(min_length=1, max_length=200)]


class Tokens(msgspec.Struct):
    """`expires_in`: seconds that the access token is good for. A refresh token is good once."""

    access_token: str
    refresh_token: str
    expires_in: int
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme (RFC 6749 section 5.1)


class Me(msgspec.Struct):
    """`tenant` is the one acted on, `home_tenant` the one belonged to."""

    kind: Literal["user", "api_key"]
    id: str
    name: str
    role: Role
    tenant: str
    home_tenant: str
    permissions: list[str]


async def login(call: Call[NoQuery, Login]) -> Answer:
    body = call.body
    return _tokens(await call.hub.sign_in.sign_in(body.tenant, body.email, body.password, call.source))


async def refresh(call: Call[NoQuery, RefreshToken]) -> Answer:
    return _tokens(await call.hub.sign_in.refresh(call.body.refresh_token, call.source))


async def logout(call: Call[NoQuery, RefreshToken]) -> Answer:
    await call.hub.sign_in.sign_out(call.body.refresh_token)
    return Answer(204)


async def me(call: Call[NoQuery, None]) -> Answer:
    caller = call.caller
    permissions = sorted(PERMISSIONS[caller.role])
    return Answer(
        200, Me(caller.kind, str(caller.subject), caller.name, caller.role, caller.tenant, caller.home_tenant, permissions)
    )


def _tokens(signed_in: SignedIn) -> Answer:
    return Answer(200, Tokens(signed_in.access_token, signed_in.refresh_token, signed_in.expires_in))


ROUTES = (
    route(
        "POST",
        "/api/v1/auth/login",
        login,
        permission=None,
        body=Login,
        answers={200: Tokens},
        tag="Sign-in",
        summary="Sign in with e-mail address and password",
        problems={401: "the e-mail address or the password is wrong", 429: "too many attempts"},
    ),
    route(
        "POST",
        "/api/v1/auth/refresh",
        refresh,
        permission=None,
        body=RefreshToken,
        answers={200: Tokens},
        tag="Sign-in",
        summary="Exchange a refresh token for new tokens",
        description="A refresh token is good once. Using one again ends everything that came from its sign-in.",
        problems={401: "the refresh token is not valid", 429: "too many attempts"},
    ),
    route(
        "POST",
        "/api/v1/auth/logout",
        logout,
        permission=None,
        body=RefreshToken,
        answers={204: None},
        tag="Sign-in",
        summary="End a sign-in",
        description="Its refresh tokens are void at once; an access token runs out within 15 minutes.",
    ),
    route(
        "GET",
        "/api/v1/me",
        me,
        permission="me.read",
        answers={200: Me},
        tag="Sign-in",
        summary="Who one is and what one may do",
    ),
)
