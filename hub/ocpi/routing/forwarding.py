"""One leg from the hub to a receiver, over HTTP or within this process, and what is made of its answer (R1 to R4, R18, 17.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import trio

from csms.roaming.parties import PartnerRole
from csms.roaming.partners import PartnerSettings
from hub.ocpi import platform
from hub.ocpi.message import OcpiProblem, OcpiRequest, OcpiResponse, Requester
from hub.ocpi.outgoing import with_headers
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.table import handle
from hub.ocpi.routing.members import Members
from hub.ocpi.routing.traffic import Traffic
from hub.ocpi.services import Ocpi
from hub.ocpi.urls import OwnUrls, read_path
from schemas.ocpi221.envelope import NoEnvelope, StatusCode, read_envelope, write_envelope
from schemas.ocpi221.headers import MessageHeaders, Party
from schemas.ocpi221.reading import NotJson, parse
from schemas.ocpi221.writing import encode

FORWARD_S: Final = 30.0
LONGEST_FORWARD_S: Final = 50.0
"""Whoever asks the hub is answered within a minute."""
AUTHORIZE_S: Final = 5.0
"""K9: somebody stands at a charge point and waits."""

_HUB_CODES: Final = range(4000, 5000)


class Forwarding:
    """`send` is for relays: every failure becomes an answer of the hub. `deliver` says what the failure was."""

    def __init__(self, ocpi: Ocpi, traffic: Traffic) -> None:
        self._ocpi = ocpi
        self._traffic = traffic

    async def send(
        self, members: Members, requester: Requester, request: OcpiRequest, role: PartnerRole, *, timeout_s: float | None = None
    ) -> OcpiResponse:
        """Send `request`, whose headers are those of the caller's leg, to the party `role`. Never raises but for cancellation."""
        try:
            with self._traffic.towards(role.partner_id or role.own_tenant):
                response = await self.deliver(members, requester, request, role, timeout_s=timeout_s)
        except OcpiProblem as problem:
            response = problem.response()
        return relayed(response, role.party)

    async def deliver(
        self, members: Members, requester: Requester, request: OcpiRequest, role: PartnerRole, *, timeout_s: float | None = None
    ) -> OcpiResponse:
        """As `send`, but a response has `failure` where there was no answer. I4: only who is connected is sent anything."""
        headers = request.headers
        request = with_headers(
            request,
            MessageHeaders(
                request_id=str(self._ocpi.ids.uuid4()),
                correlation_id=headers.correlation_id,
                to_party=headers.to_party,
                from_party=headers.from_party,
            ),
        )
        name = f"{role.country_code}-{role.party_id} as {role.role}"
        if role.status != "CONNECTED":
            return platform.failed(StatusCode.HUB_CONNECTION_PROBLEM, f"{name} is {role.status}")
        if role.partner_id is None:
            return await self._inside(members, requester, request, role, min(timeout_s or FORWARD_S, LONGEST_FORWARD_S))
        partner = members.platform(role)
        if partner is None:
            return platform.failed(StatusCode.HUB_UNKNOWN_RECEIVER, f"{name} has no platform any more")
        within = min(timeout_s or partner.settings.timeout_s, LONGEST_FORWARD_S)
        return await platform.send(self._ocpi, partner, request, timeout_s=within)

    async def _inside(
        self, members: Members, requester: Requester, request: OcpiRequest, role: PartnerRole, timeout_s: float
    ) -> OcpiResponse:
        """To a party of one of our tenants: what it gets and gives is what HTTP would have carried."""
        ocpi = self._ocpi
        own = (await ocpi.directory.parties()).find(role.party.folded, (role.role,))
        if own is None or own.slug != role.own_tenant or not own.on_hub:
            return platform.failed(StatusCode.HUB_UNKNOWN_RECEIVER, "the party has left")
        local = localised(ocpi.urls, request)
        if local is None:
            return platform.failed(StatusCode.HUB_ERROR, "the URL is none of the receiver's")
        try:
            body = None if local.body is None else parse(encode(local.body))
        except NotJson as error:
            return platform.failed(StatusCode.INVALID_PARAMETERS, str(error))
        call = OwnCall(
            ocpi=ocpi,
            tenant_id=own.tenant_id,
            party=own,
            requester=_for_tenants(members, requester, request.headers.from_party),
            request=replace(local, body=body),
            settings=PartnerSettings(),
        )
        begun = ocpi.clock.monotonic()
        response = platform.failed(StatusCode.HUB_TIMEOUT, f"timed out after {timeout_s:g} s")
        with trio.move_on_after(timeout_s):
            response = self._as_carried(await handle(call))
        seconds = ocpi.clock.monotonic() - begun
        for tenant_id in (own.tenant_id, members.tenant_id):
            ocpi.log.record(tenant_id, "inside", local, response, seconds=seconds)
        return response

    def _as_carried(self, response: OcpiResponse) -> OcpiResponse:
        written = write_envelope(
            self._ocpi.clock.now(), response.data, status_code=response.status_code, status_message=response.status_message
        )
        try:
            envelope = read_envelope(written)
        except NoEnvelope as error:
            return platform.failed(StatusCode.HUB_ERROR, str(error))
        return replace(
            response, status_code=envelope.status_code, status_message=envelope.status_message, data=envelope.data, failure=None
        )


def relayed(response: OcpiResponse, party: Party) -> OcpiResponse:
    """What the hub's caller is answered. R2: what the receiver said stays as it is; R3, 17.3: that it said nothing, or something
    about our connection with it, is the hub's word. R18: the sender of an answer is whom the hub asked."""
    message = MessageHeaders(from_party=party)
    if response.http_status == 401:
        return _hub(StatusCode.HUB_CONNECTION_PROBLEM, "the receiver does not accept the hub's token", message)
    if response.failure is not None:
        if (response.http_status, response.status_code) == (404, StatusCode.CLIENT_ERROR):
            return replace(response, failure=None, message=message)  # W4: what the receiver's version wants whole is to be PUT
        if response.status_code in _HUB_CODES:
            return _hub(StatusCode(response.status_code), f"the receiver did not answer: {response.failure}", message)
        return _hub(StatusCode.HUB_ERROR, f"the receiver could not be asked this: {response.failure}", message)
    if response.http_status >= 500 or 300 <= response.http_status < 400 or response.http_status in (403, 429):
        return _hub(StatusCode.HUB_ERROR, f"the receiver answered with HTTP {response.http_status}", message)
    return replace(response, message=message)


def localised(urls: OwnUrls, request: OcpiRequest) -> OcpiRequest | None:
    """A request to a URL of ours as one to an interface; the same if it has no URL, None if the URL is not ours."""
    if request.url is None:
        return request
    path = read_path(urlsplit(request.url).path) if is_ours(urls, request.url) else None
    if path is None or path.kind != "module" or path.module != request.module:
        return None
    query = tuple(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    return replace(request, role=path.role, segments=path.segments, query=(*query, *request.query), url=None)


def is_ours(urls: OwnUrls, url: str) -> bool:
    """Whether a URL leads to our own OCPI."""
    return url.startswith(f"{urls.base}/")


def _hub(code: StatusCode, why: str, message: MessageHeaders) -> OcpiResponse:
    return OcpiResponse(status_code=code, status_message=why, message=message)


def _for_tenants(members: Members, requester: Requester, sender: Party | None) -> Requester:
    """Who asks, to a tenant of ours: partners of the hub are not its own. Of another hub only the sender itself is believed."""
    if requester.party is not None and requester.party.folded == members.hub.party.folded:
        return requester
    parties = requester.parties if sender is None or not requester.via_hub else frozenset({sender.folded})
    return Requester(
        party=sender or requester.party, parties=parties, own_tenant_id=requester.own_tenant_id or members.tenant_id, via_hub=False
    )
