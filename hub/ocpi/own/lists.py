"""Lists of what our own tenants have: the sender interfaces (G1 to G10, E9, D11).

Documents go out as they are stored, without being decoded: a page may have megabytes.
"""

from __future__ import annotations

from typing import Final

from csms.roaming.agreements import Agreements, Scope, Visible
from csms.roaming.parties import Folded
from csms.store.queries.ocpi_objects import ListFilter
from csms.store.queries.ocpi_received import page_of_documents
from hub.ocpi.message import OcpiResponse, not_found, plain
from hub.ocpi.own.call import OwnCall
from schemas.ocpi221.headers import Party
from schemas.ocpi221.paging import PageRequest, page_headers, read_page_request

MOST_LISTED: Final = {"locations": 100, "sessions": 100, "cdrs": 100, "tariffs": 500, "tokens": 500, "invoicereconciliation": 100}
"""X-Limit (G6)."""
VERSION: Final = "2.2.1"

_OF_ONE_PARTY: Final = frozenset({"sessions", "cdrs", "invoicereconciliation"})
"""Modules whose objects concern one party alone, that of their token or the one that is to pay (G9)."""


async def answer_list(call: OwnCall) -> OcpiResponse:
    """GET without an id."""
    if call.request.segments:
        raise not_found("this module has lists only")
    return await answer_page(call, read_page_request(call.request.query), call.request.query)


async def answer_page(call: OwnCall, page: PageRequest, query: tuple[tuple[str, str], ...]) -> OcpiResponse:
    """The page of the list that is asked for; `query` is what the link to the next one repeats (G4)."""
    tenant_id, module, most = call.tenant_id, call.request.module, MOST_LISTED[call.request.module]
    limit = min(page.limit or most, most)
    own = [party.party.folded for party in call.ocpi.directory.own.of_tenant(tenant_id)]

    agreements = await call.ocpi.directory.agreements(tenant_id)
    wanted = ListFilter(
        origin="own",
        owners=asked_owners(call),
        date_from=page.date_from,
        date_to=page.date_to,
        visible=[visible_to(agreements, party, module, own) for party in asking_parties(call)],
    )
    found, total = await call.ocpi.store.hub.tenant_unit(
        tenant_id, lambda conn: page_of_documents(conn, tenant_id, module, wanted, offset=page.offset, limit=limit)
    )
    url = call.ocpi.urls.endpoint(await spoken_version(call), module, "SENDER")
    # a page may be cut short because its documents are long: the next one begins behind what is in it
    end = page.offset + (len(found) or limit)
    headers = page_headers(url, query, offset=end - limit, limit=limit, total=total, maximum=most)
    return OcpiResponse(data=found if call.requester.partner_id is not None else plain(found), headers=headers)


def asked_owners(call: OwnCall) -> list[Folded] | None:
    """Whose objects are asked for: those of the party that OCPI-to names, else of all that the tenant has (None)."""
    return None if call.request.headers.to_party is None else [call.party.party.folded]


def asking_parties(call: OwnCall) -> list[Folded]:
    """For whom is asked: the party that OCPI-from names, else all of the connection."""
    party: Party | None = call.requester.party
    return sorted(call.requester.parties) if party is None else [party.folded]


def visible_to(agreements: Agreements, party: Folded, module: str, owners: list[Folded]) -> Visible:
    """What of the tenant's own objects a party may see. Sessions and CDRs of its own tokens, and invoices for them, are its
    business unless an agreement refuses them."""
    if module not in _OF_ONE_PARTY:
        return agreements.visible(party, module)
    scopes = {owner: agreements.scope(party, owner, module, otherwise=True) for owner in owners}
    return Visible(scopes, Scope((), False), frozenset({party}))


async def spoken_version(call: OwnCall) -> str:
    """The version of our URLs that the connection uses."""
    if call.requester.partner_id is None:
        return VERSION
    partner = await call.ocpi.directory.partner(call.tenant_id, call.requester.partner_id)
    return VERSION if partner is None or partner.version is None else partner.version
