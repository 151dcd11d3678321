"""The one who calls: found from the request's credentials, and the tenant he acts on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from csms.clock import Clock
from csms.store import Store
from csms.store.queries import auth as auth_queries
from csms.store.queries import users as user_queries
from csms.store.queries.users import Role
from csms.tenants import DEFAULT_TENANT, TenantDirectory
from hub.api.problems import Problem, not_found
from hub.auth.access_tokens import AccessTokens, InvalidToken
from hub.auth.api_keys import ApiKeys
from hub.auth.permissions import allows

TENANT_HEADER = "X-CSMS-Tenant"
API_KEY_HEADER = "X-API-Key"
SLUG = re.compile(r"^[a-z0-9-]{1,40}\Z")


class Headers(Protocol):
    """The request's headers, by name without regard to case."""

    def get(self, name: str, /) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """`tenant_id` and `tenant` are the tenant acted on; `home_tenant` the one the caller belongs to."""

    kind: Literal["user", "api_key"]
    subject: UUID
    name: str
    role: Role
    tenant_id: int
    tenant: str
    home_tenant_id: int
    home_tenant: str

    @property
    def label(self) -> str:
        """How records name him: in commands, keys and logs."""
        return f"{self.kind}:{self.name}"

    def require(self, permission: str) -> None:
        if not allows(self.role, permission):
            raise Problem(403, "forbidden", f"this needs the permission {permission}, which the role {self.role} does not have")


class Authenticator:
    """Finds the caller of a request. Every request is checked against the database: a disabled user is out at once."""

    def __init__(self, store: Store, tenants: TenantDirectory, tokens: AccessTokens, api_keys: ApiKeys, clock: Clock) -> None:
        self._store = store
        self._tenants = tenants
        self._tokens = tokens
        self._api_keys = api_keys
        self._clock = clock

    async def identify(self, headers: Headers) -> Caller:
        """Raises Problem 401 without good credentials, 403 for a tenant that is not the caller's."""
        bearer, key = headers.get("Authorization"), headers.get(API_KEY_HEADER)
        if bearer is not None and key is not None:
            raise Problem(400, "two-credentials", f"send either Authorization or {API_KEY_HEADER}, not both")
        if bearer is not None:
            caller = await self._by_token(bearer)
        elif key is not None:
            caller = await self._by_api_key(key)
        else:
            raise _unauthorized("this needs a bearer token or an API key")
        return await self._acting_on(caller, headers.get(TENANT_HEADER))

    async def _by_token(self, header: str) -> Caller:
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            raise _unauthorized("only the Bearer scheme is understood")
        try:
            claims = self._tokens.read(text.strip())
        except InvalidToken:
            raise _unauthorized("the token is not valid") from None
        tenant_id = await self.tenant_id(claims.tenant)
        if tenant_id is None:
            raise _unauthorized("the token is not valid")
        user = await self._store.hub.tenant_unit(tenant_id, lambda conn: user_queries.find_account(conn, tenant_id, claims.sub))
        if user is None or user.disabled_at is not None or user.token_version != claims.ver:
            raise _unauthorized("the token is not valid")
        # the role of now, not of sign-in
        return _at_home("user", user.user_id, user.email, user.role, tenant_id, claims.tenant)

    async def _by_api_key(self, text: str) -> Caller:
        digest = self._api_keys.digest(text)
        key = None if digest is None else await self._store.auth.look(lambda conn: auth_queries.find_api_key(conn, digest))
        if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= self._clock.now()):
            raise _unauthorized("the API key is not valid")
        return _at_home("api_key", key.key_id, key.name, key.role, key.tenant_id, key.slug)

    async def _acting_on(self, caller: Caller, slug: str | None) -> Caller:
        if slug is None or slug == caller.home_tenant:
            return caller
        if caller.role != "admin":
            raise Problem(403, "foreign-tenant", f"{TENANT_HEADER} may name the own tenant only")
        tenant_id = await self.tenant_id(slug)
        if tenant_id is None:
            raise not_found()
        return Caller(
            kind=caller.kind,
            subject=caller.subject,
            name=caller.name,
            role=caller.role,
            tenant_id=tenant_id,
            tenant=slug,
            home_tenant_id=caller.home_tenant_id,
            home_tenant=caller.home_tenant,
        )

    async def tenant_id(self, slug: str) -> int | None:
        """Slugs never change and tenants are never removed, so what the directory knows needs no query."""
        if not SLUG.match(slug):
            return None
        known = self._tenants.by_slug(slug)
        if known is not None:
            return known.tenant_id
        found = await self._store.auth.look(lambda conn: auth_queries.find_tenant(conn, slug))
        return None if found is None else found.tenant_id


def _at_home(kind: Literal["user", "api_key"], subject: UUID, name: str, role: Role, tenant_id: int, slug: str) -> Caller:
    if role == "admin" and slug != DEFAULT_TENANT:
        # platform admins live in the default tenant; such a row elsewhere gives no power
        raise _unauthorized("platform administrators belong to the default tenant")
    return Caller(kind, subject, name, role, tenant_id, slug, tenant_id, slug)


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="open-csms"'})
