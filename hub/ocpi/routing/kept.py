"""What the hub answers itself, of what was broadcast to it (R13, R15, digest 17.2)."""

from __future__ import annotations

from typing import Any, Final

from csms.roaming.agreements import Scope, Visible
from csms.roaming.countries import country_of
from csms.roaming.parties import Folded
from csms.roaming.routing import listed_owners
from csms.store.queries.ocpi_objects import ListFilter, StoredObject, find_by_id, list_objects
from hub.ocpi.message import OcpiProblem, OcpiRequest, OcpiResponse, Requester, not_found
from hub.ocpi.routing.members import Members
from hub.ocpi.services import Ocpi
from schemas.ocpi221.base import fold, same
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import MessageHeaders
from schemas.ocpi221.paging import page_headers, read_page_request

MAXIMUM: Final = 500
"""Objects of a page (G6)."""

_EVERYTHING: Final = Scope((), True)
_OF_ONE_PARTY: Final = frozenset({"sessions", "cdrs", "invoicereconciliation"})


async def answer_list(ocpi: Ocpi, members: Members, requester: Requester, request: OcpiRequest, sender: Folded) -> OcpiResponse:
    """GET-All: the objects of all parties that `sender` may see, in pages over all of them (R13, R14). Raises Unreadable,
    StoreUnavailable."""
    module, tenant_id = request.module, members.tenant_id
    page = read_page_request(request.query, date_from_required=module == "sessions")
    limit = min(page.limit or MAXIMUM, MAXIMUM)
    wanted = ListFilter(
        origin="received",
        owners=_owners(members, module, sender),
        date_from=page.date_from,
        date_to=page.date_to,
        visible=[_visible(members, module, sender)],
    )
    objects, total = await ocpi.store.hub.tenant_unit(
        tenant_id, lambda conn: list_objects(conn, tenant_id, module, wanted, offset=page.offset, limit=limit)
    )
    url = ocpi.urls.endpoint(members.version_of(requester.partner_id), module, "SENDER")
    headers = page_headers(url, request.query, offset=page.offset, limit=limit, total=total, maximum=MAXIMUM)
    return OcpiResponse(
        data=[one.document for one in objects], headers=headers, message=MessageHeaders(from_party=members.hub.party)
    )


async def answer_location(ocpi: Ocpi, members: Members, request: OcpiRequest, sender: Folded) -> OcpiResponse:
    """R15: a location, EVSE or connector that somebody has broadcast. Raises OcpiProblem, StoreUnavailable."""
    tenant_id, location_id = members.tenant_id, request.segments[0]
    owners = set(_owners(members, "locations", sender))
    found = await ocpi.store.hub.tenant_unit(
        tenant_id, lambda conn: find_by_id(conn, tenant_id, "locations", fold(location_id), origin="received")
    )
    shown = [one for one in found if one.key.owner in owners and _is_shown(members, one, sender)]
    if len(shown) > 1:
        names = ", ".join(sorted("-".join(one.key.owner).upper() for one in shown))
        raise OcpiProblem(StatusCode.INVALID_PARAMETERS, f"several parties have this location, ask one of them: {names}")
    document: Any = shown[0].document if shown else None
    for name, key, wanted in zip(("evses", "connectors"), ("uid", "id"), request.segments[1:], strict=False):
        children = (document or {}).get(name) or ()
        document = next((child for child in children if same(str(child[key]), wanted)), None)
    if document is None or len(request.segments) > 3:
        raise not_found("nobody has told this hub of such a location", StatusCode.UNKNOWN_LOCATION)
    return OcpiResponse(data=document, message=MessageHeaders(from_party=members.hub.party))


def _owners(members: Members, module: str, sender: Folded) -> list[Folded]:
    roles = [role.role for role in members.roles_of(sender) if role.status != "SUSPENDED"]
    return listed_owners(module, sender, roles, members.receivers(module))


def _visible(members: Members, module: str, sender: Folded) -> Visible:
    """What agreements show `sender`; its own things always."""
    visible = members.agreements.visible(sender, module, involved=[sender] if module in _OF_ONE_PARTY else None)
    return Visible({**visible.by_owner, sender: _EVERYTHING}, visible.others, visible.involved)


def _is_shown(members: Members, one: StoredObject, sender: Folded) -> bool:
    country = country_of(one.document)
    return one.key.owner == sender or members.agreements.allows(sender, one.key.owner, "locations", one.key.object_id, country)
