"""What partners ask about versions and credentials (V1 to V3, C1 to C9): our side as the receiver of a registration."""

from __future__ import annotations

from typing import Final, NoReturn

import trio

from csms.roaming.partners import Partner
from csms.store import Connection
from csms.store.queries import ocpi_partners as queries
from csms.store.queries.ocpi_partners import PartyTaken
from hub.ocpi import versions
from hub.ocpi.entry import Asked
from hub.ocpi.message import OcpiProblem, OcpiResponse, not_found
from hub.ocpi.registration import ourselves as our_side
from hub.ocpi.registration.handshake import BUDGET_S, Failed, Line, Offer
from hub.ocpi.registration.parties import check_match, parties_of
from hub.ocpi.registration.storing import Overtaken, store
from hub.ocpi.registration.tokens import new_token
from hub.ocpi.services import Ocpi
from hub.ocpi.versions import Ourselves, ourselves
from schemas.ocpi221.credentials import Credentials
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.versions import Version
from schemas.ocpi_versions.port import CannotSend

_METHODS: Final = {"GET", "POST", "PUT", "DELETE"}


async def serve_versions(ocpi: Ocpi, asked: Asked) -> OcpiResponse:
    """V1: every version that this partner is offered."""
    _only_get(asked)
    us = await _us(ocpi, asked)
    offered = await our_side.speakable(ocpi, asked.who.partner, us)
    urls = {number: ocpi.urls.details(number, versions.as_one(number, us.role)) for number in offered}
    return OcpiResponse(data=[Version(version=number, url=url) for number, url in urls.items()])


async def serve_details(ocpi: Ocpi, asked: Asked) -> OcpiResponse:
    """V2, V3: the endpoints of a version."""
    _only_get(asked)
    partner = asked.who.partner
    us = await _us(ocpi, asked)
    version = await _version(ocpi, asked, us)
    relayed = [] if version in versions.ONE_ROLE else await our_side.relayed_modules(ocpi, partner, us)
    try:
        return OcpiResponse(data=our_side.details(ocpi, partner, us, version, relayed))
    except CannotSend as error:
        raise OcpiProblem(StatusCode.SERVER_ERROR, str(error)) from None


async def serve_credentials(ocpi: Ocpi, asked: Asked) -> OcpiResponse:
    """C4: who is not registered may only POST, who is registered may not; neither can anybody PATCH."""
    request, who = asked.request, asked.who
    if request.segments:
        raise not_found("there is nothing below credentials")
    registered = who.partner.registered and not who.registration_only
    allowed = {"GET", "PUT", "DELETE"} if registered else {"GET", "POST"} if who.registration_only else {"GET"}
    if request.method not in _METHODS:
        raise OcpiProblem(StatusCode.CLIENT_ERROR, f"credentials has no {request.method}", http_status=405)
    if request.method not in allowed:
        why = "this platform is registered: change its credentials with PUT" if registered else "this platform is not registered"
        raise OcpiProblem(StatusCode.CLIENT_ERROR, why, http_status=405)
    us = await _us(ocpi, asked)
    version = await _version(ocpi, asked, us)
    if request.method == "GET":
        return await _answer(ocpi, us, version, who.token)  # C7
    if request.method == "DELETE":
        return await _unregister(ocpi, who.partner)
    return await _register(ocpi, asked, us, version)


async def _register(ocpi: Ocpi, asked: Asked, us: Ourselves, version: str) -> OcpiResponse:
    who, now = asked.who, ocpi.clock.now()
    partner = who.partner
    given = versions.adapter_of(version).credentials_up(asked.request.body, versions.opposite(us.role)).value
    roles = parties_of(given, partner, us.parties, now)
    try:
        offer = await _call_back(ocpi, partner, us, given, version)
        check_match(us.parties, roles, offer.endpoints)
    except Failed as failed:
        raise OcpiProblem(failed.status_code, failed.why) from None
    token = new_token(ocpi.ids)
    try:
        await store(
            ocpi,
            partner,
            offer,
            versions_url=given.url,
            token=given.token,
            roles=roles,
            our_role=us.role,
            access=ocpi.directory.hash(token),
            permitted_by=who.token_hash if who.registration_only else None,
            now=now,
        )
    except PartyTaken as taken:
        raise OcpiProblem(StatusCode.INVALID_PARAMETERS, f"roles: {taken}") from None
    except Overtaken:
        _overtaken(first=who.registration_only)
    ocpi.client.try_again(partner.tenant_id, partner.partner_id)
    return await _answer(ocpi, us, version, token)


async def _call_back(ocpi: Ocpi, partner: Partner, us: Ourselves, given: Credentials, version: str) -> Offer:
    """C1 (5): read the client's versions and details with the token that it has given. Raises Failed (C3)."""
    with trio.move_on_after(BUDGET_S):
        return await Line(ocpi, partner, given.token).offer(given.url, [version], versions.opposite(us.role))
    raise Failed(StatusCode.UNABLE_TO_USE_CLIENT_API, f"its versions and details did not come within {BUDGET_S:g} s")


async def _unregister(ocpi: Ocpi, partner: Partner) -> OcpiResponse:
    """C8."""

    async def work(conn: Connection) -> None:
        await queries.get_partner(conn, partner.tenant_id, partner.partner_id, lock=True)
        await queries.forget_registration(conn, partner.tenant_id, partner.partner_id)

    await ocpi.store.hub.tenant_unit(partner.tenant_id, work)
    await ocpi.directory.changed()
    return OcpiResponse()


async def _answer(ocpi: Ocpi, us: Ourselves, version: str, token: str) -> OcpiResponse:
    try:
        return OcpiResponse(data=await our_side.credentials(ocpi, us, version, token))
    except CannotSend as error:
        raise OcpiProblem(StatusCode.SERVER_ERROR, str(error)) from None


async def _us(ocpi: Ocpi, asked: Asked) -> Ourselves:
    us = await ourselves(ocpi, asked.who.partner, asked.path.peer)
    if not us.parties:
        raise OcpiProblem(StatusCode.SERVER_ERROR, "this platform has no party at this moment")
    return us


async def _version(ocpi: Ocpi, asked: Asked, us: Ourselves) -> str:
    """The version of the path, if the partner is offered it there."""
    elsewhere = asked.path.peer is not None and asked.version not in versions.ONE_ROLE
    if asked.version is None or elsewhere or asked.version not in await our_side.speakable(ocpi, asked.who.partner, us):
        raise not_found("there is no such version")
    return asked.version


def _only_get(asked: Asked) -> None:
    if asked.request.method != "GET":
        raise OcpiProblem(StatusCode.CLIENT_ERROR, f"this has no {asked.request.method}", http_status=405)


def _overtaken(*, first: bool) -> NoReturn:
    if first:
        raise OcpiProblem(StatusCode.CLIENT_ERROR, "this platform was registered meanwhile", http_status=405)
    raise OcpiProblem(StatusCode.CLIENT_ERROR, "the credentials were changed by another request meanwhile: read them anew")
