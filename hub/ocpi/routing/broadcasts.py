"""What is told to everybody: kept by the hub, and passed on by the deliveries (R6 to R10, digest 17.2)."""

from __future__ import annotations

from typing import Final

import structlog

from csms.roaming import received
from csms.roaming.countries import country_of
from csms.roaming.parties import Folded
from csms.roaming.partners import PartnerSettings
from csms.roaming.received import DEFAULT_TOKEN_TYPE, NotStored, Place, usable_id
from csms.roaming.room import NoRoom
from csms.roaming.routing import BROADCAST_MODULES, Misuse, broadcast_targets
from csms.roaming.topics import tell_of_pushes
from csms.store import Connection
from csms.store.queries.ocpi_objects import NewPush, queue_pushes
from hub.ocpi import metrics
from hub.ocpi.message import OcpiProblem, OcpiRequest, OcpiResponse, Requester, not_found
from hub.ocpi.routing.members import Members
from hub.ocpi.services import Ocpi
from schemas.ocpi221.base import Remark, fold
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import MessageHeaders, Party
from schemas.ocpi221.merging import Document

log = structlog.get_logger()

_LONGEST_PATH: Final = {"locations": 3}
"""Ids after the owner: of a location, an EVSE and a connector; of all others one."""


async def take_broadcast(ocpi: Ocpi, members: Members, requester: Requester, request: OcpiRequest) -> OcpiResponse:
    """Keep what `request` tells, and have it told to everybody whom it may concern. Raises OcpiProblem, Unreadable, Misuse,
    StoreUnavailable."""
    sender = request.headers.from_party
    if sender is None:
        raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "OCPI-from is missing")
    place = _place(request)
    body = received.single(request.body)
    reading = received.read_put(place, body) if request.method == "PUT" else None
    roles = [role.role for role in members.roles_of(sender.folded) if role.status != "SUSPENDED"]
    targets = broadcast_targets(request.module, sender.folded, roles, members.receivers(request.module))
    hub, tenant_id, key = members.hub.party.folded, members.tenant_id, place.key
    partner = None if requester.partner_id is None else members.partners.get(requester.partner_id)
    allowance = ocpi.room.of(requester.partner_id, PartnerSettings() if partner is None else partner.settings)
    part = "" if place.evse_uid is None else fold(place.evse_uid)

    def pushes(document: Document) -> list[NewPush]:
        country = country_of(document)
        return [
            NewPush(to=to, sender=hub, key=key, part=part, correlation_id=request.headers.correlation_id)
            for to in targets
            if members.agreements.allows(to, key.owner, request.module, key.object_id, country)
        ]

    async def work(conn: Connection) -> tuple[bool, int, tuple[Remark, ...]]:
        if request.method == "DELETE":
            await received.delete(conn, tenant_id, place, ocpi.clock.now())
            return False, await queue_pushes(conn, tenant_id, pushes({})), ()
        if reading is not None:
            taken = await received.put(conn, tenant_id, place, body, reading, allowance=allowance)
        else:
            taken = await received.patch(conn, tenant_id, place, body, allowance=allowance)
        queued = 0 if taken.late else await queue_pushes(conn, tenant_id, pushes(taken.whole))
        return taken.created, queued, taken.remarks

    try:
        made, queued, remarks = await ocpi.store.hub.tenant_unit(tenant_id, work)
    except NotStored as error:
        raise not_found(f"{error.message}: PUT all of it first", error.status_code) from None
    except NoRoom as full:
        raise OcpiProblem(StatusCode.CLIENT_ERROR, str(full)) from None
    metrics.BROADCASTS.labels(request.module).inc()
    if queued:
        await tell_of_pushes(ocpi.bus, tenant_id)
    return OcpiResponse(http_status=201 if made else 200, message=MessageHeaders(from_party=members.hub.party), remarks=remarks)


def entitled(members: Members, to: Folded, request: OcpiRequest) -> bool:
    """Whether agreements still allow that `to` is told of this object."""
    owner = Party(*request.segments[:2]).folded if len(request.segments) >= 2 else to
    return owner == to or not members.agreements.scope(to, owner, request.module).nothing


def _place(request: OcpiRequest) -> Place:
    """What the URL names. Raises OcpiProblem, Misuse."""
    module, path = request.module, request.segments[2:]
    if request.method not in ("PUT", "PATCH", "DELETE"):
        raise OcpiProblem(StatusCode.CLIENT_ERROR, f"{module} has no {request.method}", http_status=405)
    if module not in BROADCAST_MODULES:
        raise Misuse(f"{module} are not broadcast (R8)")
    if not 1 <= len(path) <= _LONGEST_PATH.get(module, 1):
        raise not_found("there is no such object")
    if (module, request.method) == ("tariffs", "PATCH"):
        raise OcpiProblem(StatusCode.CLIENT_ERROR, "tariffs have no PATCH", http_status=405)
    kind = (request.parameter("type") or DEFAULT_TOKEN_TYPE) if module == "tokens" else ""
    if not all(usable_id(text) and text.isprintable() for text in (*request.segments, kind or DEFAULT_TOKEN_TYPE)):
        raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "the URL holds what is no id")
    object_id, evse_uid, connector_id = (*path, None, None)[:3]
    return Place(
        module=module,
        owner=Party(*request.segments[:2]),
        object_id=object_id or "",
        evse_uid=evse_uid,
        connector_id=connector_id,
        kind=kind.upper(),
    )
