"""HubClientInfo: who is behind the hub, and who of them can be reached (digest, chapter 8).

Our hub is its sender. Partners that are hubs tell us of the parties behind them: these are reached through that partner then.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast, get_args
from uuid import UUID

import structlog
import trio

from csms.bus import BusUnavailable
from csms.roaming.agreements import Agreements
from csms.roaming.parties import Folded, PartnerRole
from csms.roaming.partners import Partner
from csms.roaming.routing import PRESENT, Status
from csms.roaming.topics import CHANGED_TOPIC, tell_of_pushes
from csms.store import Connection, StoreUnavailable
from csms.store.queries import ocpi_routing as queries
from csms.store.queries.ocpi_objects import NewPush, ObjectKey, queue_pushes
from csms.store.queries.ocpi_partners import list_partners, list_roles
from hub.ocpi.directory import MOST_KEPT
from hub.ocpi.entry import Asked
from hub.ocpi.message import OcpiProblem, OcpiRequest, OcpiResponse, not_found
from hub.ocpi.routing.members import Members
from hub.ocpi.services import Ocpi
from hub.ocpi.versions import OURS
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.hubclientinfo import ClientInfo, ConnectionStatus
from schemas.ocpi221.interfaces import Method
from schemas.ocpi221.merging import agrees_with_path
from schemas.ocpi221.paging import page_headers, read_page_request
from schemas.ocpi221.reading import read
from schemas.ocpi221.types import Role
from schemas.ocpi221.writing import document

if TYPE_CHECKING:
    from hub.ocpi.routing.router import HubRouter

log = structlog.get_logger()

MODULE: Final = "hubclientinfo"
MAXIMUM: Final = 500
"""Objects of a page (G6)."""
LOOK_S: Final = 2.0
"""How often it is looked whether something has changed, without a poke."""

_OFFERED: Final[dict[str | None, tuple[Method, ...]]] = {"SENDER": ("GET",), "RECEIVER": ("GET", "PUT")}


async def serve_client_info(ocpi: Ocpi, asked: Asked) -> OcpiResponse:
    """What a partner asks of the module, or tells us as a hub. Raises OcpiProblem, Unreadable, StoreUnavailable."""
    request, partner = asked.request, asked.who.partner
    if not partner.registered:
        raise OcpiProblem(StatusCode.CLIENT_ERROR, "register first", http_status=401)
    hub = (await ocpi.directory.parties()).hub
    we_are_hub = hub is not None and hub.tenant_id == partner.tenant_id
    if request.role == "SENDER" and not we_are_hub:
        raise not_found("this platform is no hub")
    if request.method not in _OFFERED.get(request.role, ()):
        raise OcpiProblem(StatusCode.CLIENT_ERROR, f"{MODULE} as {request.role} has no {request.method}", http_status=405)
    if request.role == "SENDER":
        return await _list(ocpi, asked)
    if len(request.segments) != 2:
        raise not_found("there is no such party")
    party = Party(*request.segments)
    if request.method == "GET":
        return await _get(ocpi, partner, party)
    return await _put(ocpi, partner, party, request.body)


async def _list(ocpi: Ocpi, asked: Asked) -> OcpiResponse:
    """I1, I2: all parties but those of the platform that asks."""
    request, partner = asked.request, asked.who.partner
    if request.segments:
        raise not_found("the list alone is offered")
    page = read_page_request(request.query)
    limit = min(page.limit or MAXIMUM, MAXIMUM)
    roles = await ocpi.store.hub.tenant_unit(partner.tenant_id, lambda conn: list_roles(conn, partner.tenant_id))
    agreements = await ocpi.directory.agreements(partner.tenant_id)
    infos = [info_of(role, status_for(role, partner, agreements)) for role in roles if role.partner_id != partner.partner_id]
    infos = [
        info
        for info in infos
        if (page.date_from is None or info.last_updated >= page.date_from)
        and (page.date_to is None or info.last_updated < page.date_to)
    ]
    url = ocpi.urls.endpoint(asked.version or OURS, MODULE, "SENDER")
    headers = page_headers(url, request.query, offset=page.offset, limit=limit, total=len(infos), maximum=MAXIMUM)
    return OcpiResponse(data=[document(info) for info in infos[page.offset : page.offset + limit]], headers=headers)


async def _get(ocpi: Ocpi, partner: Partner, party: Party) -> OcpiResponse:
    """What the partner, a hub, has told us of a party; of several roles the one that changed last (I6)."""
    roles = [role for role in partner.roles if role.party.folded == party.folded]
    if not roles:
        raise not_found("this party is not known from you")
    return OcpiResponse(data=document(info_of(max(roles, key=lambda role: role.last_updated))))


async def _put(ocpi: Ocpi, partner: Partner, party: Party, body: Any) -> OcpiResponse:
    """I2, I3: a hub tells us of a party behind it."""
    info = read(ClientInfo, body).value
    agrees_with_path(info, {"country_code": party.country_code, "party_id": party.party_id})
    if not any(role.role == "HUB" for role in partner.roles):
        raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "only a hub tells of other parties")
    if info.role not in get_args(Role) or info.status not in get_args(ConnectionStatus):
        raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "role or status is none of the standard")
    code = party.country_code.upper()
    if (await ocpi.directory.parties()).find(party.folded, (cast(Role, info.role),)) is not None:
        raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "this party is connected with us itself (C12)")
    told = PartnerRole(
        country_code=code,
        party_id=party.party_id.upper(),
        role=cast(Role, info.role),
        partner_id=partner.partner_id,
        own_tenant=None,
        business_details={},
        status=cast(Status, info.status),
        last_updated=info.last_updated,
    )
    new = not any(role.party.folded == party.folded and role.role == told.role for role in partner.roles)
    done = await ocpi.store.hub.tenant_unit(partner.tenant_id, lambda conn: queries.put_role_of_hub(conn, partner.tenant_id, told))
    if done:
        await ocpi.directory.changed()
    return OcpiResponse(http_status=201 if done and new else 200)


def info_of(role: PartnerRole, status: Status | None = None) -> ClientInfo:
    """The ClientInfo of a party in a role (I6). `status`: as it is shown, where that is another one."""
    return ClientInfo(
        party_id=role.party_id,
        country_code=role.country_code,
        role=role.role,
        status=status or role.status,
        last_updated=role.last_updated,
    )


def status_for(role: PartnerRole, viewer: Partner, agreements: Agreements) -> Status:
    """I4: a party with which none of the platform's own may exchange anything is PLANNED to it, connected or not."""
    if role.status not in PRESENT:
        return role.status
    parties = {one.party.folded for one in viewer.roles if one.status != "SUSPENDED"}
    known = any(agreements.relations(party).has(role.party.folded) for party in parties)
    return role.status if known else "PLANNED"


def key_of(role: PartnerRole) -> ObjectKey:
    """Under which a change of a party is queued."""
    return ObjectKey(MODULE, role.party.folded, "", role.role)


def request_for(members: Members | None, key: ObjectKey, to: Folded, now: datetime) -> OcpiRequest:
    """I2: what tells the platform of the party `to` of a party as it is now; one that is not there any more is suspended (I3)."""
    roles = () if members is None else members.roles_of(key.owner)
    role = next((one for one in roles if one.role == key.kind), None)
    info = (
        ClientInfo(
            party_id=key.owner[1].upper(),
            country_code=key.owner[0].upper(),
            role=key.kind,
            status="SUSPENDED",
            last_updated=now.astimezone(UTC),
        )
        if members is None or role is None
        else info_of(role, _status_at(members, role, to))
    )
    return OcpiRequest(
        method="PUT", module=MODULE, role="RECEIVER", segments=(info.country_code, info.party_id), body=document(info)
    )


def _status_at(members: Members, role: PartnerRole, to: Folded) -> Status:
    viewer = next((platform for one in members.roles_of(to) if (platform := members.platform(one)) is not None), None)
    return role.status if viewer is None else status_for(role, viewer, members.agreements)


async def announce(ocpi: Ocpi, router: HubRouter) -> None:
    """The worker: queues what the platforms behind the hub are to be told of one another. Runs until cancelled."""
    while True:
        try:
            async with ocpi.bus.subscribe(CHANGED_TOPIC) as changes:
                while True:
                    await announce_once(ocpi)
                    with trio.move_on_after(LOOK_S):
                        await changes.receive()
        except (BusUnavailable, trio.EndOfChannel, StoreUnavailable):
            log.debug("ocpi.announcements_wait")
        await trio.sleep(LOOK_S)


async def announce_once(ocpi: Ocpi) -> int:
    """Gives how many pushes there are. Raises StoreUnavailable."""
    hub = (await ocpi.directory.parties()).hub
    if hub is None:
        return 0
    work = partial(_queue, tenant_id=hub.tenant_id, sender=hub.party.folded)
    queued = await ocpi.store.hub.tenant_unit(hub.tenant_id, work)
    if queued:
        await tell_of_pushes(ocpi.bus, hub.tenant_id)
    return queued


async def _queue(conn: Connection, tenant_id: int, sender: Folded) -> int:
    changed = await queries.take_unannounced(conn, tenant_id)
    if not changed:
        return 0
    partners = await list_partners(conn, tenant_id, UUID(int=0), MOST_KEPT)
    platforms = [(one.partner_id, to) for one in partners if (to := _told_at(one)) is not None]
    pushes = [
        NewPush(to=to, sender=sender, key=key_of(role))
        for role in changed
        for partner_id, to in platforms
        if partner_id != role.partner_id
    ]
    return await queue_pushes(conn, tenant_id, pushes)


def _told_at(partner: Partner) -> Folded | None:
    """A platform is told once, whatever number of parties it has: as its first one. None: it is not told (I2)."""
    if not partner.registered or partner.endpoint(MODULE, "RECEIVER") is None:
        return None
    return next((role.party.folded for role in partner.roles if role.status != "SUSPENDED"), None)
