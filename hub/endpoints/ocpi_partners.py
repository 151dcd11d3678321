"""Roaming partners: the platforms that a tenant is connected with, from the first token to the last."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.roaming.parties import PartnerRole
from csms.roaming.partners import Partner, PartnerEndpoint, PartnerSettings, PartnerStatus
from csms.store import Connection
from csms.store.queries import ocpi_partners as queries
from csms.store.queries.ocpi_partners import ReceiverState
from hub.api.fields import Name
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import Problem, conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.external_authorization.destinations import BadUrl
from hub.ocpi.registration import administration, starting
from hub.ocpi.registration.administration import Invitation
from hub.ocpi.registration.handshake import Failed
from hub.ocpi.registration.starting import Unfit
from hub.ocpi.services import Ocpi
from schemas.ocpi221.credentials import TOKEN_PATTERN

T = TypeVar("T")

GivenToken = Annotated[
    str,
    Meta(min_length=1, max_length=64, pattern=rf"^{TOKEN_PATTERN}\Z", description="The token A that the platform has given us"),
]


class NewPartner(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Name
    settings: PartnerSettings = PartnerSettings()


class PartnerChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is not named stays; `settings` are replaced as a whole."""

    name: Name | None = None
    settings: PartnerSettings | None = None


class Registration(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    versions_url: Annotated[str, Meta(min_length=9, max_length=255, description="https://…: the platform's versions endpoint")]
    token: GivenToken


class RoleView(msgspec.Struct, frozen=True):
    """A party of the platform."""

    country_code: str
    party_id: str
    role: str
    name: str
    status: str
    last_updated: datetime


class PartnerView(msgspec.Struct, frozen=True):
    """A partner. `credentials_since`: since when it uses the token that it has from us; `left_alone`: it has failed so often that
    nothing is sent to it at this moment, as the process that answers has seen it; `receivers`: parties of it that wait for news or
    cannot be told any."""

    partner_id: UUID
    name: str
    status: PartnerStatus
    status_since: datetime
    heard_at: datetime | None
    version: str | None
    versions_url: str | None
    endpoints: Sequence[PartnerEndpoint]
    roles: list[RoleView]
    settings: dict[str, Any]
    needs_resync: bool
    left_alone: bool
    credentials_since: datetime | None
    receivers: list[ReceiverState]
    created_at: datetime
    updated_at: datetime


class InvitationView(msgspec.Struct, frozen=True):
    """What the platform needs to register here. `token` is the token A; it is shown this once."""

    partner: PartnerView
    versions_url: str
    token: str


class Departure(msgspec.Struct, frozen=True):
    """The connection has ended. `told`: whether the platform knows; if not, `failure` says why."""

    told: bool
    failure: str | None


class PartnerQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: Annotated[PartnerStatus, Meta(description="Only those")] | None = None


async def list_partners(call: Call[PartnerQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after = position(call, UUID) or NIL

    async def read(conn: Connection) -> list[PartnerView]:
        found = await queries.list_partners(conn, tenant_id, after, query.limit + 1, status=query.status)
        return await _views(call.hub.ocpi.ocpi, conn, found)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    return Answer(200, page(call, found, lambda partner: partner.partner_id, lambda partner: partner))


async def get_partner(call: Call[NoQuery, None]) -> Answer:
    return Answer(200, await _view(call, await _known(call)))


async def create_partner(call: Call[NoQuery, NewPartner]) -> Answer:
    _check(call.body.settings)
    invitation = await _done(administration.invite(call.hub.ocpi.ocpi, call.tenant_id, call.body.name, call.body.settings))
    location = f"/api/v1/ocpi/partners/{invitation.partner.partner_id}"
    return Answer(201, await _invited(call, invitation), {"Location": location})


async def change_partner(call: Call[NoQuery, PartnerChange]) -> Answer:
    body = call.body
    if body.settings is not None:
        _check(body.settings)
    ocpi, partner_id = call.hub.ocpi.ocpi, call.uuid("id")
    changed = await administration.change_partner(ocpi, call.tenant_id, partner_id, body.name, body.settings)
    return Answer(200, await _view(call, _found(changed)))


async def remove_partner(call: Call[NoQuery, None]) -> Answer:
    left = await starting.unregister(call.hub.ocpi.ocpi, await _known(call))
    return Answer(200, Departure(left.failure is None, left.failure))


async def register_partner(call: Call[NoQuery, Registration]) -> Answer:
    ocpi, body = call.hub.ocpi.ocpi, call.body
    try:
        ocpi.client.check_url(body.versions_url)
    except BadUrl as error:
        raise invalid("versions_url", str(error)) from None
    return Answer(200, await _view(call, await _done(starting.register(ocpi, await _known(call), body.versions_url, body.token))))


async def rotate_partner(call: Call[NoQuery, None]) -> Answer:
    return Answer(200, await _view(call, await _done(starting.rotate(call.hub.ocpi.ocpi, await _known(call)))))


async def refresh_partner(call: Call[NoQuery, None]) -> Answer:
    return Answer(200, await _view(call, await _done(starting.refresh(call.hub.ocpi.ocpi, await _known(call)))))


async def suspend_partner(call: Call[NoQuery, None]) -> Answer:
    changed = await _done(administration.suspend(call.hub.ocpi.ocpi, call.tenant_id, call.uuid("id")))
    return Answer(200, await _view(call, _found(changed)))


async def resume_partner(call: Call[NoQuery, None]) -> Answer:
    changed = await _done(administration.resume(call.hub.ocpi.ocpi, call.tenant_id, call.uuid("id")))
    return Answer(200, await _view(call, _found(changed)))


async def renew_registration_token(call: Call[NoQuery, None]) -> Answer:
    invitation = await _done(administration.invite_again(call.hub.ocpi.ocpi, call.tenant_id, call.uuid("id")))
    return Answer(201, await _invited(call, _found(invitation)))


async def _known(call: Call[Any, Any]) -> Partner:
    """The partner of the path as it is now. Raises Problem 404."""
    tenant_id, partner_id = call.tenant_id, call.uuid("id")
    return _found(await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_partner(conn, tenant_id, partner_id)))


def _found(thing: T | None) -> T:
    if thing is None:
        raise not_found()
    return thing


async def _done(work: Awaitable[T]) -> T:
    try:
        return await work
    except Unfit as unfit:
        raise conflict(str(unfit)) from None
    except Failed as failed:
        raise Problem(502, "partner-failed", f"{failed.why} (OCPI status {int(failed.status_code)})") from None


def _check(settings: PartnerSettings) -> None:
    unknown = administration.unknown_versions(settings)
    if unknown:
        raise invalid("settings.versions", f"{', '.join(unknown)[:100]}: not spoken here")


async def _invited(call: Call[Any, Any], invitation: Invitation) -> InvitationView:
    return InvitationView(await _view(call, invitation.partner), invitation.versions_url, invitation.token)


async def _view(call: Call[Any, Any], partner: Partner) -> PartnerView:
    async def read(conn: Connection) -> list[PartnerView]:
        return await _views(call.hub.ocpi.ocpi, conn, [partner])

    (view,) = await call.hub.store.hub.tenant_unit(call.tenant_id, read)
    return view


async def _views(ocpi: Ocpi, conn: Connection, partners: Sequence[Partner]) -> list[PartnerView]:
    """In the loop thread."""
    if not partners:
        return []
    tenant_id = partners[0].tenant_id
    since = await queries.tokens_since(conn, tenant_id, [partner.partner_id for partner in partners])
    parties = {role.party.folded for partner in partners for role in partner.roles}
    receivers = await queries.receivers_of(conn, tenant_id, parties)
    return [
        PartnerView(
            partner.partner_id,
            partner.name,
            partner.status,
            partner.status_since,
            partner.heard_at,
            partner.version,
            partner.versions_url,
            partner.endpoints,
            [_role(role) for role in partner.roles],
            msgspec.to_builtins(partner.settings),
            partner.needs_resync,
            ocpi.client.is_left_alone(tenant_id, partner.partner_id),
            since.get(partner.partner_id),
            [one for one in receivers if (one.country_code, one.party_id) in {role.party.folded for role in partner.roles}],
            partner.created_at,
            partner.updated_at,
        )
        for partner in partners
    ]


def _role(role: PartnerRole) -> RoleView:
    name = str(role.business_details.get("name", ""))
    return RoleView(role.country_code, role.party_id, role.role, name, role.status, role.last_updated)


_FAILURES = {409: "not in the state that the partner is in", 502: "the platform refused, or cannot be reached or understood"}

ROUTES = (
    route(
        "GET",
        "/api/v1/ocpi/partners",
        list_partners,
        permission="ocpi.read",
        query=PartnerQuery,
        answers={200: Page[PartnerView]},
        tag="Roaming",
        summary="The platforms that the tenant is, was or will be connected with",
    ),
    route(
        "POST",
        "/api/v1/ocpi/partners",
        create_partner,
        permission="ocpi.write",
        body=NewPartner,
        answers={201: InvitationView},
        tag="Roaming",
        summary="Make a partner",
        description=(
            "Either side may start: give the platform `versions_url` and `token`, or take its own and register there with "
            "`POST /api/v1/ocpi/partners/{id}/register`. The token is good for a registration only, and shown this once."
        ),
        problems={409: "the tenant has no party yet"},
    ),
    route(
        "GET",
        "/api/v1/ocpi/partners/{id}",
        get_partner,
        permission="ocpi.read",
        answers={200: PartnerView},
        tag="Roaming",
        summary="One partner, with its parties and how it goes",
        description="Tokens are never shown.",
    ),
    route(
        "PATCH",
        "/api/v1/ocpi/partners/{id}",
        change_partner,
        permission="ocpi.write",
        body=PartnerChange,
        answers={200: PartnerView},
        tag="Roaming",
        summary="Rename a partner, or treat it in another way",
    ),
    route(
        "DELETE",
        "/api/v1/ocpi/partners/{id}",
        remove_partner,
        permission="ocpi.write",
        answers={200: Departure},
        tag="Roaming",
        summary="End the connection with a partner",
        description="The platform is told if it can be; its tokens and ours are void in any case. What passed is kept.",
    ),
    route(
        "POST",
        "/api/v1/ocpi/partners/{id}/register",
        register_partner,
        permission="ocpi.write",
        body=Registration,
        answers={200: PartnerView},
        tag="Roaming",
        summary="Register at the platform, with the token that it has given us",
        description=(
            "Takes the highest version that both have. The platform calls back meanwhile: it must reach this installation at its "
            "public URL (`CSMS_PUBLIC_URL`). When it fails nothing is kept and it can be tried again."
        ),
        problems=_FAILURES,
    ),
    route(
        "POST",
        "/api/v1/ocpi/partners/{id}/rotate",
        rotate_partner,
        permission="ocpi.write",
        answers={200: PartnerView},
        tag="Roaming",
        summary="Renew the tokens of both sides",
        description=(
            "Both sides also read anew who the other is, what it offers, and in which versions. The tokens of before are good for "
            "a minute more."
        ),
        problems=_FAILURES,
    ),
    route(
        "POST",
        "/api/v1/ocpi/partners/{id}/refresh",
        refresh_partner,
        permission="ocpi.write",
        answers={200: PartnerView},
        tag="Roaming",
        summary="Read the platform's endpoints anew, with the same tokens",
        problems=_FAILURES,
    ),
    route(
        "POST",
        "/api/v1/ocpi/partners/{id}/suspend",
        suspend_partner,
        permission="ocpi.write",
        answers={200: PartnerView},
        tag="Roaming",
        summary="Have nothing to do with a partner for a while",
        description="It is answered with HTTP 401 and sent nothing; its parties are SUSPENDED, and another partner may take them.",
        problems={409: "the partner has left"},
    ),
    route(
        "POST",
        "/api/v1/ocpi/partners/{id}/resume",
        resume_partner,
        permission="ocpi.write",
        answers={200: PartnerView},
        tag="Roaming",
        summary="End the suspension of a partner",
        problems={409: "the partner is not suspended"},
    ),
    route(
        "POST",
        "/api/v1/ocpi/partners/{id}/registration-token",
        renew_registration_token,
        permission="ocpi.write",
        answers={201: InvitationView},
        tag="Roaming",
        summary="Make a new token for a registration",
        description=(
            "The one before is void. A partner that is connected stays so until it registers with the new token; one that has "
            "left can come back with it."
        ),
        problems={409: "the partner is suspended"},
    ),
)
