"""Who may have what of whom in roaming: agreements, and what holds where there is none."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.roaming.agreements import PLACED, Visibility
from csms.roaming.countries import alpha2, alpha3
from csms.roaming.parties import Folded
from csms.store import Connection
from csms.store.queries import ocpi_agreements as queries
from csms.store.queries.ocpi_agreements import NewAgreement, StoredAgreement
from csms.store.queries.ocpi_routing import announce_again
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from schemas.ocpi221.headers import Party
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES

MOST_AGREEMENTS: Final = 10_000
"""Of one tenant: all of them are kept in memory."""

PartyCode = Annotated[str, Meta(pattern=r"^[A-Za-z]{2}-[!-~]{1,3}\Z", description="Country code and party id, such as DE-ABC")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2,3}\Z", description="ISO 3166-1 alpha-2 or alpha-3")]
LocationId = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Module = Annotated[str, Meta(min_length=1, max_length=40)]


class AgreementInput(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`owner`: whose data, `party`: who may have them, or not where `allowed` is false; null: any. `modules` null: all.
    `location_ids` and `countries` hold for locations alone."""

    owner: PartyCode | None = None
    party: PartyCode | None = None
    allowed: bool = True
    modules: Annotated[list[Module], Meta(min_length=1, max_length=20)] | None = None
    location_ids: Annotated[list[LocationId], Meta(min_length=1, max_length=10_000)] | None = None
    countries: Annotated[list[Country], Meta(min_length=1, max_length=250)] | None = None
    note: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class AgreementView(msgspec.Struct, frozen=True):
    """An agreement as it is stored: ids of locations in lower case."""

    agreement_id: UUID
    owner: str | None
    party: str | None
    allowed: bool
    modules: list[str] | None
    location_ids: list[str] | None
    countries: list[str] | None
    note: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class VisibilitySetting(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`everyone`: who is connected may have what no agreement refuses; `listed`: only what one allows."""

    visibility: Visibility


async def list_agreements(call: Call[PageQuery, None]) -> Answer:
    tenant_id, limit = call.tenant_id, call.query.limit
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_agreements(conn, tenant_id, after, limit + 1))
    return Answer(200, page(call, found, lambda one: one.agreement_id, _shown))


async def get_agreement(call: Call[NoQuery, None]) -> Answer:
    tenant_id, agreement_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_agreement(conn, tenant_id, agreement_id))
    if found is None:
        raise not_found()
    return Answer(200, _shown(found))


async def create_agreement(call: Call[NoQuery, AgreementInput]) -> Answer:
    tenant_id, new = call.tenant_id, _read(call.body)
    agreement_id, created_by = call.hub.ids.uuid7(), call.caller.label

    async def create(conn: Connection) -> StoredAgreement:
        if await queries.count_agreements(conn, tenant_id) >= MOST_AGREEMENTS:
            raise conflict(f"a tenant has at most {MOST_AGREEMENTS} agreements")
        await announce_again(conn, tenant_id, _between(new))
        return await queries.insert_agreement(conn, tenant_id, agreement_id, new, created_by)

    made = await call.hub.store.hub.tenant_unit(tenant_id, create)
    await call.hub.ocpi.ocpi.directory.changed()
    return Answer(201, _shown(made), {"Location": f"/api/v1/ocpi/agreements/{agreement_id}"})


async def replace_agreement(call: Call[NoQuery, AgreementInput]) -> Answer:
    tenant_id, agreement_id, new = call.tenant_id, call.uuid("id"), _read(call.body)

    async def replace(conn: Connection) -> StoredAgreement | None:
        before = await queries.get_agreement(conn, tenant_id, agreement_id)
        if before is not None:
            await announce_again(conn, tenant_id, _between(before, new))
        return await queries.replace_agreement(conn, tenant_id, agreement_id, new)

    stored = await call.hub.store.hub.tenant_unit(tenant_id, replace)
    if stored is None:
        raise not_found()
    await call.hub.ocpi.ocpi.directory.changed()
    return Answer(200, _shown(stored))


async def delete_agreement(call: Call[NoQuery, None]) -> Answer:
    tenant_id, agreement_id = call.tenant_id, call.uuid("id")

    async def delete(conn: Connection) -> bool:
        before = await queries.get_agreement(conn, tenant_id, agreement_id)
        if before is not None:
            await announce_again(conn, tenant_id, _between(before))
        return await queries.delete_agreement(conn, tenant_id, agreement_id)

    if not await call.hub.store.hub.tenant_unit(tenant_id, delete):
        raise not_found()
    await call.hub.ocpi.ocpi.directory.changed()
    return Answer(204)


async def get_visibility(call: Call[NoQuery, None]) -> Answer:
    tenant_id = call.tenant_id
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_visibility(conn, tenant_id))
    return Answer(200, VisibilitySetting(visibility=found))


async def put_visibility(call: Call[NoQuery, VisibilitySetting]) -> Answer:
    tenant_id, body = call.tenant_id, call.body

    async def put(conn: Connection) -> None:
        await announce_again(conn, tenant_id, None)
        await queries.put_visibility(conn, tenant_id, body.visibility)

    await call.hub.store.hub.tenant_unit(tenant_id, put)
    await call.hub.ocpi.ocpi.directory.changed()
    return Answer(200, body)


def _between(*agreements: NewAgreement) -> set[Folded] | None:
    """The parties that agreements are between; None: one leaves a side open, so that it may be anybody."""
    found: set[Folded] = set()
    for one in agreements:
        if one.owner is None or one.party is None:
            return None
        found |= {Party(*one.owner).folded, Party(*one.party).folded}
    return found


def _read(body: AgreementInput) -> NewAgreement:
    """Raises Problem 422 for what no agreement can say."""
    for index, module in enumerate(body.modules or ()):
        if module not in FUNCTIONAL_MODULES:
            raise invalid(f"modules[{index}]", f"is none of {', '.join(sorted(FUNCTIONAL_MODULES))}")
    for index, country in enumerate(body.countries or ()):
        if (alpha3(country) if len(country) == 2 else alpha2(country)) is None:
            raise invalid(f"countries[{index}]", "is no country of ISO 3166-1")
    if body.modules is not None and not PLACED & set(body.modules):
        for name, given in (("location_ids", body.location_ids), ("countries", body.countries)):
            if given is not None:
                raise invalid(name, "holds for locations alone, which are not among the modules")
    return NewAgreement(
        owner=_codes(body.owner),
        party=_codes(body.party),
        allowed=body.allowed,
        modules=_distinct(body.modules),
        location_ids=_distinct(None if body.location_ids is None else [one.casefold() for one in body.location_ids]),
        countries=_distinct(body.countries),
        note=body.note,
    )


def _codes(party: str | None) -> tuple[str, str] | None:
    if party is None:
        return None
    country_code, _, party_id = party.upper().partition("-")
    return country_code, party_id


def _distinct(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(dict.fromkeys(names))


def _shown(stored: StoredAgreement) -> AgreementView:
    modules, location_ids, countries = (
        None if names is None else list(names) for names in (stored.modules, stored.location_ids, stored.countries)
    )
    return AgreementView(
        stored.agreement_id,
        None if stored.owner is None else "-".join(stored.owner),
        None if stored.party is None else "-".join(stored.party),
        stored.allowed,
        modules,
        location_ids,
        countries,
        stored.note,
        stored.created_by,
        stored.created_at,
        stored.updated_at,
    )


ROUTES = (
    route(
        "GET",
        "/api/v1/ocpi/agreements",
        list_agreements,
        permission="ocpi.read",
        query=PageQuery,
        answers={200: Page[AgreementView]},
        tag="Roaming",
        summary="Who may have what of whom",
    ),
    route(
        "POST",
        "/api/v1/ocpi/agreements",
        create_agreement,
        permission="ocpi.write",
        body=AgreementInput,
        answers={201: AgreementView},
        tag="Roaming",
        summary="Allow or refuse a party what an owner has",
        description=(
            "The most specific agreement counts: first one that names both, then one that names the party, then one that names "
            "the owner. Of those alike what is refused is refused. Where none says anything, `/api/v1/ocpi/visibility` does."
        ),
        problems={409: f"there are {MOST_AGREEMENTS} already"},
    ),
    route(
        "GET",
        "/api/v1/ocpi/agreements/{id}",
        get_agreement,
        permission="ocpi.read",
        answers={200: AgreementView},
        tag="Roaming",
        summary="One agreement",
    ),
    route(
        "PUT",
        "/api/v1/ocpi/agreements/{id}",
        replace_agreement,
        permission="ocpi.write",
        body=AgreementInput,
        answers={200: AgreementView},
        tag="Roaming",
        summary="Change an agreement as a whole",
    ),
    route(
        "DELETE",
        "/api/v1/ocpi/agreements/{id}",
        delete_agreement,
        permission="ocpi.write",
        answers={204: None},
        tag="Roaming",
        summary="End an agreement",
    ),
    route(
        "GET",
        "/api/v1/ocpi/visibility",
        get_visibility,
        permission="ocpi.read",
        answers={200: VisibilitySetting},
        tag="Roaming",
        summary="What parties may have where there is no agreement",
    ),
    route(
        "PUT",
        "/api/v1/ocpi/visibility",
        put_visibility,
        permission="ocpi.write",
        body=VisibilitySetting,
        answers={200: VisibilitySetting},
        tag="Roaming",
        summary="Show everybody what no agreement refuses, or only what one allows",
    ),
)
