"""Routes the messages of everybody who is behind the hub (digest, chapters 7 and 17)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import structlog
import trio

from csms.roaming.parties import Folded, PartnerRole
from csms.roaming.routing import Misuse, RoutedMessage, classify, signature
from csms.roaming.routing_open import To, clues_of, resolve
from csms.store import StoreUnavailable
from csms.store.queries import ocpi_routing as queries
from csms.store.queries.ocpi_objects import ObjectKey
from csms.store.queries.ocpi_routing import RouteKind
from hub.ocpi import platform
from hub.ocpi.message import OcpiProblem, OcpiRequest, OcpiResponse, Requester, not_found
from hub.ocpi.outgoing import with_headers
from hub.ocpi.routing import client_info, relays
from hub.ocpi.routing.broadcasts import entitled, take_broadcast
from hub.ocpi.routing.forwarding import AUTHORIZE_S, Forwarding, localised
from hub.ocpi.routing.kept import answer_list, answer_location
from hub.ocpi.routing.members import Members, MembersView
from hub.ocpi.routing.places import Places
from hub.ocpi.routing.relays import Relays
from hub.ocpi.routing.traffic import Traffic
from hub.ocpi.services import Ocpi
from schemas.ocpi221.base import fold
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import MessageHeaders, Party
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES
from schemas.ocpi221.notes import Unreadable

log = structlog.get_logger()

MOST_ASKED: Final = 50
"""Parties that are asked about one token at the same time."""
MOST_NOTED: Final = 50_000
"""Sessions and reservations of which a process knows that their route is stored."""

_HUB_CODES: Final = range(4000, 5000)
_ALLOWED: Final = "ALLOWED"


class HubRouter:
    """One per hub process."""

    def __init__(self, ocpi: Ocpi) -> None:
        self._ocpi = ocpi
        self._view = MembersView(ocpi.directory)
        self._traffic = Traffic()
        self._forwarding = Forwarding(ocpi, self._traffic)
        self._places = Places(ocpi)
        self._relays = Relays(ocpi, self._forwarding, self._places)
        self._noted: dict[tuple[RouteKind, str, Folded, Folded], None] = {}

    async def route(self, requester: Requester, request: OcpiRequest, *, timeout_s: float | None = None) -> OcpiResponse:
        """Route by the TO and FROM of `request`. Never raises but for cancellation.

        What one of our tenants asks is answered, and noted in the logs, as it would be over HTTP; where the hub has no answer of a
        receiver, the response to a tenant has `failure`.
        """
        begun = self._ocpi.clock.monotonic()
        members: Members | None = None
        try:
            members = await self._view.now()
            if members is None:
                raise OcpiProblem(StatusCode.HUB_UNKNOWN_RECEIVER, "this installation is no hub")
            response = await self._route(members, requester, request, timeout_s)
        except OcpiProblem as problem:
            response = problem.response()
        except Unreadable as fault:
            response = OcpiResponse(status_code=fault.status_code, status_message=str(fault))
        except Misuse as misuse:
            response = OcpiResponse(status_code=StatusCode.INVALID_PARAMETERS, status_message=str(misuse))
        except StoreUnavailable as error:
            log.warning("ocpi.store_unavailable", error=str(error))
            response = OcpiProblem(StatusCode.HUB_ERROR, "the hub's database is not available at this moment").response()
        except Exception as error:
            incident = str(self._ocpi.ids.uuid4())
            log.error("ocpi.route_failed", incident=incident, module=request.module, method=request.method, exc_info=error)
            response = OcpiProblem(StatusCode.HUB_ERROR, f"something went wrong in the hub ({incident})").response()
        if response.message.from_party is None and request.headers.to_party is None and members is not None:
            response = replace(response, message=MessageHeaders(from_party=members.hub.party))
        if requester.own_tenant_id is None:
            return response
        return self._to_tenant(requester.own_tenant_id, request, response, self._ocpi.clock.monotonic() - begun)

    async def deliver(self, role: PartnerRole, request: OcpiRequest, *, correlation_id: str | None = None) -> OcpiResponse:
        """Send `request` as the hub to one of the hub's parties, without routing: broadcasts, and what is told of others (R9, I2).
        Never raises but for cancellation; a response has `failure` where there is no answer."""
        try:
            members = await self._view.now()
        except StoreUnavailable as error:
            return platform.failed(StatusCode.HUB_ERROR, str(error))
        if members is None:
            return platform.failed(StatusCode.HUB_UNKNOWN_RECEIVER, "this installation is no hub")
        now = next((one for one in members.roles_of(role.party.folded) if one.role == role.role), role)
        functional = request.module in FUNCTIONAL_MODULES
        if now.status in ("PLANNED", "SUSPENDED"):
            return platform.failed(StatusCode.HUB_UNKNOWN_RECEIVER, f"the party is {now.status}")
        if functional and not entitled(members, now.party.folded, request):
            return platform.failed(StatusCode.HUB_UNKNOWN_RECEIVER, "the two parties have no agreement any more")
        hub = members.hub.party
        headers = MessageHeaders(
            correlation_id=correlation_id or str(self._ocpi.ids.uuid4()),
            to_party=now.party if functional else None,
            from_party=hub if functional else None,
        )
        requester = Requester(party=hub, parties=frozenset({hub.folded}), own_tenant_id=members.tenant_id, via_hub=True)
        return await self._forwarding.deliver(members, requester, with_headers(request, headers), now)

    async def client_info_requests(self, key: ObjectKey, to: Folded) -> list[OcpiRequest]:
        """What tells the platform of the party `to` of a party of the hub as it is now (I2). Raises StoreUnavailable."""
        return [client_info.request_for(await self._view.now(), key, to, self._ocpi.clock.now())]

    async def _route(self, members: Members, requester: Requester, request: OcpiRequest, timeout_s: float | None) -> OcpiResponse:
        sender = self._sender(members, requester, request)
        request = self._addressed(request, sender)
        message = _message(request)
        to = request.headers.to_party
        self._check_owner(requester, message, sender)
        hashed = signature(message, request.headers.correlation_id, sender.folded, None if to is None else to.folded)
        with self._traffic.passing(hashed, requester.partner_id or requester.own_tenant_id):
            key = relays.key_of(request)
            if key is not None:
                return await self._relays.come(members, requester, request, key)
            match classify(message, None if to is None else to.folded, members.hub.party.folded):
                case "direct":
                    role = self._receiver(members, requester, message, sender, to)
                    return await self._relay(members, requester, request, role, timeout_s)
                case "broadcast":
                    return await take_broadcast(self._ocpi, members, requester, request)
                case "all":
                    return await answer_list(self._ocpi, members, requester, request, sender.folded)
                case "single":
                    return await answer_location(self._ocpi, members, request, sender.folded)
                case "open":
                    return await self._open(members, requester, request, message, sender, timeout_s)

    def _sender(self, members: Members, requester: Requester, request: OcpiRequest) -> Party:
        """Who the message is of. A partner that is a hub may speak for parties of which we know nothing, but not for those that are
        connected with us otherwise."""
        sender = request.headers.from_party or requester.party
        if sender is None:
            raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "OCPI-from is missing, and this platform has several parties")
        if sender.folded in requester.parties:
            return sender
        known = members.roles_of(sender.folded)
        ours = self._ocpi.directory.own.find(sender.folded)
        if not requester.via_hub or ours is not None or any(role.partner_id != requester.partner_id for role in known):
            raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "OCPI-from names a party that is not behind this platform")
        return sender

    def _addressed(self, request: OcpiRequest, sender: Party) -> OcpiRequest:
        """`request` with its sender; what goes to a URL of ours is read as what that stands for."""
        local = localised(self._ocpi.urls, request)
        if local is None:
            raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "the URL is none of this hub")
        headers = MessageHeaders(
            request_id=local.headers.request_id,
            correlation_id=local.headers.correlation_id,
            to_party=local.headers.to_party,
            from_party=sender,
        )
        return with_headers(local, headers)

    def _check_owner(self, requester: Requester, message: RoutedMessage, sender: Party) -> None:
        """W6: whoever passes on messages of others answers for it that nobody speaks of another's objects."""
        owner = message.owner
        if owner is None or owner.folded == sender.folded or owner.folded in requester.parties:
            return
        raise not_found(f"{owner.country_code}-{owner.party_id} is not a party of yours", StatusCode.INVALID_PARAMETERS)

    def _receiver(
        self, members: Members, requester: Requester, message: RoutedMessage, sender: Party, to: Party | None
    ) -> PartnerRole:
        """Whom a message is for that names its receiver. Raises OcpiProblem (4001): nobody learns more of a party that he has no
        agreement with (R14)."""
        if message.module not in FUNCTIONAL_MODULES and not members.listing(message.module, requester.partner_id):
            raise not_found("there is no such module")
        role = None if to is None else members.at(to.folded, message.module, message.role)
        if role is None or not members.may_speak(message.module, message.role, sender.folded, role.party.folded):
            raise OcpiProblem(StatusCode.HUB_UNKNOWN_RECEIVER, "OCPI-to names no party that this hub can ask for this")
        if message.module not in FUNCTIONAL_MODULES and not members.listing(message.module, role.partner_id):
            raise OcpiProblem(StatusCode.HUB_UNKNOWN_RECEIVER, f"the receiver has no {message.module} (V5)")
        return role

    async def _open(
        self,
        members: Members,
        requester: Requester,
        request: OcpiRequest,
        message: RoutedMessage,
        sender: Party,
        timeout_s: float | None,
    ) -> OcpiResponse:
        """R11: the receiver is found from the content."""
        serving = members.serving(message, sender.folded)
        clues = clues_of(message, requester.parties | {sender.folded})
        found = {}
        if clues.named is None and clues.look_ups:
            tenant_id = members.tenant_id
            found = await self._ocpi.store.hub.tenant_unit(tenant_id, lambda conn: queries.find(conn, tenant_id, clues.look_ups))
        match resolve(message, clues, found, serving):
            case To(party):
                role = members.at(party, message.module, message.role)
                if role is None:
                    raise OcpiProblem(StatusCode.HUB_UNKNOWN_RECEIVER, "the receiver has left")
                return await self._relay(members, requester, _to(request, role.party), role, timeout_s)
            case "broadcast":
                return await take_broadcast(self._ocpi, members, requester, request)
            case "ask":
                candidates = [party for party, status in serving.items() if status == "CONNECTED"]
                return await self._ask_all(members, requester, request, candidates)
            case _:
                raise OcpiProblem(
                    StatusCode.HUB_UNKNOWN_RECEIVER, "nothing in this message tells whom it is for: OCPI-to must name a party"
                )

    async def _relay(
        self, members: Members, requester: Requester, request: OcpiRequest, role: PartnerRole, timeout_s: float | None
    ) -> OcpiResponse:
        """To its receiver, and the answer back."""
        message = _message(request)
        if timeout_s is None and message.is_authorize:
            timeout_s = AUTHORIZE_S
        sender, receiver = request.headers.from_party, role.party.folded
        if sender is not None:
            await self._places.check(members, message, sender.folded, receiver)
        sent, pending = await self._relays.prepare(members, requester, request, role)
        response = await self._forwarding.send(members, requester, sent, role, timeout_s=timeout_s)
        if pending is not None:
            await self._relays.settle(members, pending, response)
        if sender is not None:
            response = await self._places.shown(members, message, response, receiver, sender.folded)
        if message.module == "cdrs" and message.method == "POST":
            response = await self._relays.with_own_location(members, requester, request, response, role)
        else:
            response = await self._relays.with_own_page(members, requester, request, response, role)
        if response.successful:
            await self._note_route(members, request, role)
        return response

    async def _ask_all(
        self, members: Members, requester: Requester, request: OcpiRequest, candidates: Sequence[Folded]
    ) -> OcpiResponse:
        """17.4, 7: who may know a token is asked at once, if the operator lets him be; the first that allows it wins."""
        roles = [role for party in candidates if (role := members.at(party, "tokens", "SENDER")) is not None]
        asked = [role for role in roles if (one := members.platform(role)) is None or one.settings.ask_unknown_tokens]
        answers: list[OcpiResponse] = []
        async with trio.open_nursery() as nursery:

            async def ask(role: PartnerRole) -> None:
                answer = await self._forwarding.send(members, requester, _to(request, role.party), role, timeout_s=AUTHORIZE_S)
                answers.append(answer)
                if _rank(answer) == 0:
                    nursery.cancel_scope.cancel(reason="a party allows it")

            for role in asked[:MOST_ASKED]:
                nursery.start_soon(ask, role)
        if not answers:
            raise OcpiProblem(StatusCode.HUB_UNKNOWN_RECEIVER, "the token is of no party that could be asked")
        best = min(answers, key=_rank)
        return replace(best, headers={})

    async def _note_route(self, members: Members, request: OcpiRequest, role: PartnerRole) -> None:
        """R11: between whom a session or reservation is, for messages that do not say it."""
        sender = request.headers.from_party
        route = _route_of(request)
        if sender is None or route is None:
            return
        kind, object_id = route
        owner, other = (sender.folded, role.party.folded) if kind == "session" else (role.party.folded, sender.folded)
        key = (kind, object_id, owner, other)
        if key in self._noted:
            return
        tenant_id = members.tenant_id
        try:
            await self._ocpi.store.hub.tenant_unit(tenant_id, lambda conn: queries.note_route(conn, tenant_id, *key))
        except StoreUnavailable:
            log.debug("ocpi.route_not_noted")
            return
        if len(self._noted) >= MOST_NOTED:
            self._noted.clear()
        self._noted[key] = None

    def _to_tenant(self, tenant_id: int, request: OcpiRequest, response: OcpiResponse, seconds: float) -> OcpiResponse:
        """What a tenant of ours gets, with the same headers and entries in the logs as over HTTP."""
        answer = request.headers.of_answer()
        message = MessageHeaders(
            request_id=answer.request_id,
            correlation_id=answer.correlation_id,
            to_party=answer.to_party,
            from_party=response.message.from_party or answer.from_party,
        )
        response = replace(response, message=message)
        hub = self._ocpi.directory.own.hub
        for each in dict.fromkeys((tenant_id, tenant_id if hub is None else hub.tenant_id)):
            self._ocpi.log.record(each, "inside", request, response, seconds=seconds)
        if response.status_code in _HUB_CODES:
            return replace(response, failure=response.status_message or f"status {response.status_code}")
        return response


def _message(request: OcpiRequest) -> RoutedMessage:
    return RoutedMessage(
        method=request.method,
        module=request.module,
        role=request.role,
        segments=request.segments,
        parameters=dict(request.query),
        body=request.body,
    )


def _to(request: OcpiRequest, party: Party) -> OcpiRequest:
    """The request with the receiver that the hub has found (table 7.2)."""
    headers = request.headers
    return with_headers(
        request,
        MessageHeaders(
            request_id=headers.request_id,
            correlation_id=headers.correlation_id,
            to_party=party,
            from_party=headers.from_party,
        ),
    )


def _route_of(request: OcpiRequest) -> tuple[RouteKind, str] | None:
    """A session that is told of, or a reservation that is asked for."""
    identifier: Any = None
    kind: RouteKind = "session"
    if request.module == "sessions" and request.role == "RECEIVER" and request.method in ("PUT", "PATCH"):
        identifier = request.segments[2] if len(request.segments) > 2 else None
    elif request.module == "commands" and request.role == "RECEIVER" and request.segments == ("RESERVE_NOW",):
        kind, identifier = "reservation", request.body.get("reservation_id") if isinstance(request.body, dict) else None
    if not isinstance(identifier, str) or not 0 < len(identifier) <= 255 or not identifier.isprintable():
        return None
    return kind, fold(identifier)


def _rank(answer: OcpiResponse) -> int:
    """Allowed; known but not allowed; not to be told because somebody did not answer; known to nobody."""
    if answer.successful:
        document = answer.data if isinstance(answer.data, dict) else {}
        return 0 if str(document.get("allowed", "")).upper() == _ALLOWED else 1
    if answer.status_code in _HUB_CODES:
        return 2
    return 3
