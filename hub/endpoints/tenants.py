"""Tenants: made by the platform's administrators, configured by their own."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from csms.bus import BusUnavailable
from csms.domain.tolerance import Validation
from csms.store import Connection
from csms.store.queries import auth as auth_queries
from csms.store.queries import tenants as queries
from csms.store.queries import users as user_queries
from csms.store.queries.tenants import Onboarding, Tenant, TenantChange, UnknownTokens
from csms.store.tenants import CHANGED_TOPIC
from hub.api.fields import Email, Name, Password, Slug, TimeZone, check_time_zone
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import conflict, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.services import Hub

Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", description="ISO 4217")]
HeartbeatInterval = Annotated[int, Meta(ge=10, le=86400, description="Seconds between the heartbeats of a station")]
SamplesKept = Annotated[int, Meta(ge=7, le=36500, description="Days that meter readings are kept; null: for ever")]
EventsKept = Annotated[int, Meta(ge=30, le=36500, description="Days that events of sessions and stations are kept; null: for ever")]


class TenantConfigChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Settings that are not named stay as they are."""

    name: Name | None = None
    onboarding: Onboarding | None = None
    unknown_tokens: UnknownTokens | None = None
    allow_unauthenticated: bool | None = None
    validation: Validation | None = None
    time_zone: TimeZone | None = None
    currency: Currency | None = None
    heartbeat_interval_s: HeartbeatInterval | None = None
    samples_kept_days: SamplesKept | UnsetType | None = UNSET
    events_kept_days: EventsKept | UnsetType | None = UNSET

    def change(self) -> TenantChange:
        check_time_zone(self.time_zone)
        return TenantChange(
            self.name,
            self.onboarding,
            self.unknown_tokens,
            self.allow_unauthenticated,
            self.validation,
            self.time_zone,
            self.currency,
            self.heartbeat_interval_s,
            self.samples_kept_days,
            self.events_kept_days,
        )


class FirstAdmin(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    email: Email
    password: Password
    name: Name | None = None


class NewTenant(TenantConfigChange, forbid_unknown_fields=True, kw_only=True):
    """A tenant with its first administrator. `id` (the slug) never changes."""

    id: Slug
    name: Name
    admin: FirstAdmin


async def list_tenants(call: Call[PageQuery, None]) -> Answer:
    after = position(call, str) or ""
    found = await call.hub.store.auth.unit(lambda conn: auth_queries.list_tenants(conn, after, call.query.limit + 1))
    return Answer(200, page(call, found, lambda tenant: tenant.id, lambda tenant: tenant))


async def create_tenant(call: Call[NoQuery, NewTenant]) -> Answer:
    hub, body = call.hub, call.body
    change = body.change()
    password_hash = await hub.user_passwords.hash(body.admin.password)
    tenant_id = await hub.store.auth.unit(lambda conn: auth_queries.create_tenant(conn, body.id, body.name))
    if tenant_id is None:
        # made, and interrupted before its administrator was: the same order completes it
        taken = await hub.store.auth.unit(lambda conn: auth_queries.find_tenant(conn, body.id))
        if taken is None or taken.name != body.name:
            raise conflict(f"the tenant {body.id} exists already")
        tenant_id = taken.tenant_id
    admin = body.admin

    async def furnish(conn: Connection) -> Tenant | None:
        made = await user_queries.insert_first_user(
            conn, tenant_id, hub.ids.uuid7(), admin.email, admin.name, "tenant_admin", password_hash
        )
        return None if made is None else await queries.change_tenant(conn, tenant_id, change)

    tenant = await hub.store.hub.tenant_unit(tenant_id, furnish)
    if tenant is None:
        raise conflict(f"the tenant {body.id} exists already")
    await _tell(hub)
    return Answer(201, tenant, {"Location": f"/api/v1/tenants/{tenant.id}"})


async def get_tenant(call: Call[NoQuery, None]) -> Answer:
    tenant_id = await _visible(call)
    return Answer(200, await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_tenant(conn, tenant_id)))


async def configure_tenant(call: Call[NoQuery, TenantConfigChange]) -> Answer:
    tenant_id = await _visible(call)
    change = call.body.change()
    tenant = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.change_tenant(conn, tenant_id, change))
    await _tell(call.hub)
    return Answer(200, tenant)


async def _visible(call: Call[NoQuery, Any]) -> int:
    """The tenant of the path if the caller may see it: his own, or any for a platform administrator."""
    slug, caller = call.path["id"], call.caller
    if slug == caller.home_tenant:
        return caller.home_tenant_id
    tenant_id = await call.hub.authenticator.tenant_id(slug) if caller.role == "admin" else None
    if tenant_id is None:
        raise not_found()
    return tenant_id


async def _tell(hub: Hub) -> None:
    """All processes refresh their directory at once; without the bus they do within seconds."""
    try:
        await hub.bus.publish(CHANGED_TOPIC, b"")
    except BusUnavailable:
        pass


ROUTES = (
    route(
        "GET",
        "/api/v1/tenants",
        list_tenants,
        permission="tenants.list",
        query=PageQuery,
        answers={200: Page[Tenant]},
        tag="Tenants",
        summary="All tenants",
    ),
    route(
        "POST",
        "/api/v1/tenants",
        create_tenant,
        permission="tenants.create",
        body=NewTenant,
        answers={201: Tenant},
        tag="Tenants",
        summary="Make a tenant and its first administrator",
        problems={409: "the id is taken"},
    ),
    route(
        "GET",
        "/api/v1/tenants/{id}",
        get_tenant,
        permission="tenants.read",
        answers={200: Tenant},
        tag="Tenants",
        summary="One tenant with its settings",
    ),
    route(
        "PUT",
        "/api/v1/tenants/{id}/config",
        configure_tenant,
        permission="tenants.configure",
        body=TenantConfigChange,
        answers={200: Tenant},
        tag="Tenants",
        summary="Change a tenant's settings",
        description=(
            "`onboarding`: what happens to a station that is not known (`accept`, `pending`, `refuse`). "
            "`unknown_tokens`: whether a token that is not known may charge. `allow_unauthenticated`: whether stations "
            "without a password may connect, for laboratories and private networks. `validation`: whether a billing message "
            "is taken when only members that do not matter break its schema (`tolerant`), or refused (`strict`); either way "
            "it is kept in quarantine, and tolerance rules come first. `samples_kept_days` and `events_kept_days`: how long meter "
            "readings and events are kept, counted from the begin of their session, null for ever; sessions themselves always "
            "stay. Settings that are not named stay."
        ),
    ),
)
