"""As whom a tenant appears to roaming partners, and the installation's own OCPI hub."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from csms.roaming.details import BusinessDetails
from csms.roaming.parties import OwnParty, OwnRole
from csms.store.queries import ocpi_parties as queries
from csms.store.queries.ocpi_parties import NoHubSlug, PartyTaken
from hub.api.fields import Slug
from hub.api.paging import Page
from hub.api.problems import Problem, conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.ocpi.registration import administration
from hub.ocpi.registration.starting import Unfit

CountryCode = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z", description="ISO 3166-1 alpha-2")]
PartyId = Annotated[str, Meta(pattern=r"^[A-Z0-9]{3}\Z", description="Of ISO 15118, as the issuing office gave it")]
OperatorRole = Literal["CPO", "EMSP"]

_ROLES: Final[dict[str, OperatorRole]] = {"CPO": "CPO", "EMSP": "EMSP"}
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PARTY: Final = re.compile(r"[A-Z0-9]{3}")

T = TypeVar("T")


class PartyInput(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`on_hub`: whether it is a party of the installation's hub too, if there is one."""

    business_details: BusinessDetails
    on_hub: bool = True


class HubInput(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who the hub is to the platforms behind it."""

    country_code: CountryCode
    party_id: PartyId
    business_details: BusinessDetails


class PartyView(msgspec.Struct, frozen=True):
    """A party of the tenant. `leaving_since`: since when it takes back what partners were told of it."""

    country_code: str
    party_id: str
    role: OwnRole
    business_details: dict[str, Any]
    on_hub: bool
    updated_at: datetime
    leaving_since: datetime | None


class RemovalQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at_once: Annotated[bool, Meta(description="Do not wait until partners know")] = False


class HubView(msgspec.Struct, frozen=True):
    """The hub. `tenant`: on whose behalf its partners are managed, with X-CSMS-Tenant; `versions_url`: where they register."""

    country_code: str
    party_id: str
    business_details: dict[str, Any]
    tenant: Slug
    versions_url: str
    updated_at: datetime


async def list_parties(call: Call[NoQuery, None]) -> Answer:
    tenant_id = call.tenant_id
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_parties(conn, tenant_id))
    return Answer(200, Page([_shown(party) for party in found], None))


async def put_party(call: Call[NoQuery, PartyInput]) -> Answer:
    country_code, party_id, role = _named(call)
    details = msgspec.to_builtins(call.body.business_details)
    party = await _done(
        administration.put_party(call.hub.ocpi.ocpi, call.tenant_id, country_code, party_id, role, details, on_hub=call.body.on_hub)
    )
    return Answer(200, _shown(party))


async def delete_party(call: Call[RemovalQuery, None]) -> Answer:
    try:
        country_code, party_id, role = _named(call)
    except Problem:
        raise not_found() from None
    ocpi, at_once = call.hub.ocpi.ocpi, call.query.at_once
    if not await _done(administration.remove_party(ocpi, call.tenant_id, country_code, party_id, role, at_once=at_once)):
        raise not_found()
    return Answer(204)


async def get_hub(call: Call[NoQuery, None]) -> Answer:
    found = (await call.hub.ocpi.ocpi.directory.parties()).hub
    if found is None:
        raise not_found()
    return Answer(200, _hub_shown(call, found))


async def put_hub(call: Call[NoQuery, HubInput]) -> Answer:
    body, ocpi = call.body, call.hub.ocpi.ocpi
    details = msgspec.to_builtins(body.business_details)
    try:
        party = await _done(administration.put_hub(ocpi, body.country_code, body.party_id, details))
    except NoHubSlug:
        raise conflict(f"the tenant {queries.HUB_SLUG} is an operator, and the hub's tenant must have this id") from None
    return Answer(200, _hub_shown(call, party))


async def _done(work: Awaitable[T]) -> T:
    try:
        return await work
    except PartyTaken:
        raise conflict("another tenant of this installation, or a partner of its hub, is this party in this role") from None
    except Unfit as unfit:
        raise conflict(str(unfit)) from None


def _named(call: Call[Any, Any]) -> tuple[str, str, OperatorRole]:
    """The party that the path names, in any case. Raises Problem 422."""
    country_code, party_id = call.path["country_code"].upper(), call.path["party_id"].upper()
    if not _COUNTRY.fullmatch(country_code):
        raise invalid("country_code", "is not two letters")
    if not _PARTY.fullmatch(party_id):
        raise invalid("party_id", "is not three letters or digits")
    role = _ROLES.get(call.path["role"].upper())
    if role is None:
        raise invalid("role", "is neither CPO nor EMSP; the hub's own party is at /api/v1/ocpi/hub")
    return country_code, party_id, role


def _shown(party: OwnParty) -> PartyView:
    return PartyView(
        party.country_code,
        party.party_id,
        party.role,
        party.business_details,
        party.on_hub,
        party.updated_at,
        party.leaving_since,
    )


def _hub_shown(call: Call[Any, Any], party: OwnParty) -> HubView:
    return HubView(
        party.country_code,
        party.party_id,
        party.business_details,
        party.slug,
        call.hub.ocpi.ocpi.urls.versions(),
        party.updated_at,
    )


ROUTES = (
    route(
        "GET",
        "/api/v1/ocpi/parties",
        list_parties,
        permission="ocpi.read",
        answers={200: Page[PartyView]},
        tag="Roaming",
        summary="As whom the tenant appears to partners",
    ),
    route(
        "PUT",
        "/api/v1/ocpi/parties/{country_code}/{party_id}/{role}",
        put_party,
        permission="ocpi.write",
        body=PartyInput,
        answers={200: PartyView},
        tag="Roaming",
        summary="Appear to partners as a party, or change what they are told of it",
        description=(
            "A party has one role here, `CPO` or `EMSP`; one that is both is put twice. Each is one tenant's alone. Partners that "
            "are connected learn of a new party when their credentials are rotated."
        ),
        problems={409: "another tenant, or a partner of the hub, is this party; or the tenant is the hub's"},
    ),
    route(
        "DELETE",
        "/api/v1/ocpi/parties/{country_code}/{party_id}/{role}",
        delete_party,
        permission="ocpi.write",
        query=RemovalQuery,
        answers={204: None},
        tag="Roaming",
        summary="Do not appear as a party any more",
        description=(
            "A party that has told partners something leaves first, for a day at most: its EVSEs are REMOVED, its tariffs deleted, "
            "its tokens not valid any more, and sessions that run are told to their end. `PUT` lets it stay. Then it is gone, and "
            "SUSPENDED at the hub."
        ),
        problems={409: "a partner of the hub is a party of the tenant"},
    ),
    route(
        "GET",
        "/api/v1/ocpi/hub",
        get_hub,
        permission="ocpi.read",
        answers={200: HubView},
        tag="Roaming",
        summary="The installation's own OCPI hub",
        problems={404: "this installation is no hub"},
    ),
    route(
        "PUT",
        "/api/v1/ocpi/hub",
        put_hub,
        permission="ocpi.hub",
        body=HubInput,
        answers={200: HubView},
        tag="Roaming",
        summary="Make this installation an OCPI hub, or change who it is as one",
        description=(
            "Parties of all tenants that are `on_hub` are behind it from then on. The platforms behind it are partners of a tenant "
            "of its own, `hub`: platform administrators manage them with `X-CSMS-Tenant: hub`."
        ),
        problems={409: "the tenant `hub` is an operator's, or the party is another tenant's"},
    ),
)
