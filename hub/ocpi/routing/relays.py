"""URLs in messages that the hub puts its own in place of, and what comes to those (digest 17.1).

A party behind the hub has no token for the requester's platform, so it cannot call a URL of that. Each URL of ours is good for the
platform that was given it, and for nobody else.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import structlog
import trio

from csms.roaming.parties import PartnerRole
from csms.roaming.routing import RESPONSE_URL, RoutedMessage
from csms.store import Connection, StoreUnavailable
from csms.store.queries import ocpi_relays as queries
from csms.store.queries.ocpi_relays import Relay, RelayKind
from hub.external_authorization.destinations import BadUrl
from hub.ocpi.message import OcpiProblem, OcpiRequest, OcpiResponse, Requester, not_found
from hub.ocpi.outgoing import with_headers
from hub.ocpi.routing.forwarding import Forwarding, is_ours
from hub.ocpi.routing.members import Members
from hub.ocpi.routing.places import Places
from hub.ocpi.services import Ocpi
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import MessageHeaders, Party
from schemas.ocpi221.instants import read_instant
from schemas.ocpi221.paging import next_link
from schemas.ocpi221.versions import InterfaceRole

log = structlog.get_logger()

RELAY: Final = "relay"
"""In our URLs, before the key: a segment, or of lists a parameter: adapters of other versions tell by the path what is asked."""
KEY_BYTES: Final = 32
MARGIN: Final = timedelta(minutes=5)
UNANSWERED: Final = timedelta(hours=1)
"""How long a result is waited for when the receiver has not said how long it takes."""
LONGEST_WAIT: Final = timedelta(days=1)
LONGEST_RESERVATION: Final = timedelta(days=90)
PAGE_LIFE: Final = timedelta(days=1)
CDR_LIFE: Final = timedelta(days=400)

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_LONGEST_URL: Final = 2000
_RESERVE: Final = "RESERVE_NOW"
_WINDOW: Final = ("offset", "limit")


@dataclass(frozen=True, slots=True)
class Pending:
    """A response URL of ours that was put into a request; `expiry`: when the reservation ends that it asks for."""

    key: bytes
    expiry: datetime | None


def key_of(request: OcpiRequest) -> str | None:
    """The key of a URL of ours that `request` has come to; None: it has come to an interface."""
    match request.method, request.role, request.segments:
        case "GET", "SENDER", ():
            key = request.parameter(RELAY)
        case "POST", "SENDER", (segment, given) if segment == RELAY and request.module in ("commands", "chargingprofiles"):
            key = given
        case "GET", "RECEIVER", (segment, given) if segment == RELAY and request.module == "cdrs":
            key = given
        case _:
            return None
    return key if key is not None and _KEY.fullmatch(key) else None


class Relays:
    """Of one hub process. What it knows of URLs is in the database: any process passes on what comes to them."""

    def __init__(self, ocpi: Ocpi, forwarding: Forwarding, places: Places) -> None:
        self._ocpi = ocpi
        self._forwarding = forwarding
        self._places = places

    async def prepare(
        self, members: Members, requester: Requester, request: OcpiRequest, role: PartnerRole
    ) -> tuple[OcpiRequest, Pending | None]:
        """`request` with a response URL of ours, if it has one. Raises OcpiProblem, StoreUnavailable."""
        original = _response_url(request)
        sender, receiver = request.headers.from_party, role.party
        if original is None or sender is None:
            return request, None
        self._check(requester, original)
        command = request.segments[0] if request.module == "commands" and request.segments else request.method
        key, url = self._new_url(members, request.module, "SENDER", role.partner_id)
        pending = Pending(self._hashed(key), _expiry(request) if command == _RESERVE else None)
        relay = Relay(
            kind="command" if request.module == "commands" else "profile",
            original_url=original,
            sender=sender,
            receiver=receiver,
            detail=command[:40],
            correlation_id=request.headers.correlation_id,
        )
        await self._insert(members, pending.key, relay, _life(pending, UNANSWERED, self._ocpi.clock.now()))
        return _with_response_url(request, url), pending

    async def settle(self, members: Members, pending: Pending, response: OcpiResponse) -> None:
        """What the receiver has answered at once decides how long a result may still come (M1, M2, M7)."""
        now = self._ocpi.clock.now()
        document = response.data if isinstance(response.data, dict) else {}
        life: timedelta | None
        if response.successful and str(document.get("result", "")).upper() == "ACCEPTED":
            timeout = document.get("timeout")
            wait = UNANSWERED
            if isinstance(timeout, int) and timeout >= 0:
                wait = timedelta(seconds=min(timeout, int(LONGEST_WAIT.total_seconds())))
            life = _life(pending, wait, now)
        elif response.status_code in (StatusCode.HUB_TIMEOUT, StatusCode.HUB_ERROR):
            life = _life(pending, UNANSWERED, now)  # it may have taken it all the same
        else:
            life = None

        async def work(conn: Connection) -> None:
            if life is None:
                await queries.delete_relay(conn, members.tenant_id, pending.key)
            else:
                await queries.keep_relay(conn, members.tenant_id, pending.key, life)

        try:
            await self._ocpi.store.hub.tenant_unit(members.tenant_id, work)
        except StoreUnavailable:
            log.warning("ocpi.relay_not_settled")

    async def come(self, members: Members, requester: Requester, request: OcpiRequest, key: str) -> OcpiResponse:
        """What has come to a URL of ours. Raises OcpiProblem, StoreUnavailable."""
        hashed = self._hashed(key)
        relay = await self._ocpi.store.hub.tenant_unit(
            members.tenant_id, lambda conn: queries.find_relay(conn, members.tenant_id, hashed)
        )
        if relay is None or not _fits(relay, request):
            raise not_found("there is no such URL, or its time is over")
        if relay.kind in ("command", "profile"):
            return await self._result(members, requester, request, relay, hashed)
        if not _is_at(members, requester, relay.sender):
            raise not_found("there is no such URL, or its time is over")
        if relay.kind == "cdr":
            return await self._ask(members, requester, request, relay, relay.original_url)
        window = {name: value for name in _WINDOW if (value := request.parameter(name)) is not None}
        response = await self._ask(members, requester, request, relay, _with_window(relay.original_url, window))
        page = RoutedMessage(method="GET", module=request.module, role="SENDER")
        response = await self._places.shown(members, page, response, relay.receiver.folded, relay.sender.folded)
        return await self.with_own_page(members, requester, request, response, relay, known=(key, relay.original_url))

    async def with_own_page(
        self,
        members: Members,
        requester: Requester,
        request: OcpiRequest,
        response: OcpiResponse,
        leg: Relay | PartnerRole,
        *,
        known: tuple[str, str] | None = None,
    ) -> OcpiResponse:
        """The answer to a list with the link to its next page by way of us (G4). `known`: the key of the page that was asked for
        and the URL that it stands for: the next one is most often the same but for its offset."""
        link = response.headers.get("Link")
        others = {name: value for name, value in response.headers.items() if name not in ("Link", "Location")}
        target = next_link(link) if link is not None else None
        sender = request.headers.from_party
        if target is None or sender is None:
            return replace(response, headers=others)
        base = known[1] if known is not None else self._base(members, leg, request)
        try:
            target = urljoin(base, target)
            self._check_given(members, leg, target)
        except (BadUrl, ValueError) as error:
            log.info("ocpi.link_not_relayed", error=str(error))
            return replace(response, headers=others)
        if known is not None and _without_window(target) == _without_window(known[1]):
            key = known[0]
        else:
            key = self._new_key()
            receiver = leg.receiver if isinstance(leg, Relay) else leg.party
            page = Relay(
                kind="page", original_url=target, sender=sender, receiver=receiver, detail=request.module, correlation_id=None
            )
            await self._insert(members, self._hashed(key), page, PAGE_LIFE)
        window = [(name, value) for name, value in parse_qsl(urlsplit(target).query) if name in _WINDOW]
        url = self._ocpi.urls.endpoint(members.version_of(requester.partner_id), request.module, "SENDER")
        return replace(response, headers={**others, "Link": f'<{url}?{urlencode([(RELAY, key), *window])}>; rel="next"'})

    async def with_own_location(
        self, members: Members, requester: Requester, request: OcpiRequest, response: OcpiResponse, role: PartnerRole
    ) -> OcpiResponse:
        """The answer to a CDR with a URL of ours, at which its owner can look at it (D1)."""
        location = response.headers.get("Location")
        others = {name: value for name, value in response.headers.items() if name != "Location"}
        sender = request.headers.from_party
        if location is None or sender is None or not response.successful:
            return replace(response, headers=others)
        try:
            original = urljoin(self._base(members, role, request), location)
            self._check_given(members, role, original)
        except (BadUrl, ValueError) as error:
            log.info("ocpi.cdr_location_not_relayed", error=str(error))
            return replace(response, headers=others)
        key, url = self._new_url(members, "cdrs", "RECEIVER", requester.partner_id)
        relay = Relay(kind="cdr", original_url=original, sender=sender, receiver=role.party, detail=None, correlation_id=None)
        await self._insert(members, self._hashed(key), relay, CDR_LIFE)
        return replace(response, headers={**others, "Location": url})

    async def _result(
        self, members: Members, requester: Requester, request: OcpiRequest, relay: Relay, hashed: bytes
    ) -> OcpiResponse:
        """The result of a command, to whom has asked for it: once, but for reservations, which may be cancelled later (M2, M7)."""
        if not _is_at(members, requester, relay.receiver):
            raise not_found("there is no such URL, or its time is over")
        tenant_id, unit = members.tenant_id, self._ocpi.store.hub.tenant_unit
        again = relay.detail == _RESERVE
        if not await unit(tenant_id, lambda conn: queries.claim_relay(conn, tenant_id, hashed, again=again)):
            raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "the result has been told already")
        passed_on = False
        try:
            role = members.at(relay.sender.folded, request.module, "SENDER")
            if role is None:
                raise OcpiProblem(StatusCode.HUB_UNKNOWN_RECEIVER, "whoever has asked for it has left")
            headers = MessageHeaders(
                request_id=request.headers.request_id,
                correlation_id=relay.correlation_id or request.headers.correlation_id,
                to_party=relay.sender,
                from_party=relay.receiver,
            )
            response = await self._forwarding.send(
                members, requester, replace(with_headers(request, headers), segments=(), query=(), url=relay.original_url), role
            )
            passed_on = not 4000 <= response.status_code < 5000
            return response
        finally:
            await self._end_claim(members, hashed, passed_on=passed_on)

    async def _ask(self, members: Members, requester: Requester, request: OcpiRequest, relay: Relay, url: str) -> OcpiResponse:
        role = members.at(relay.receiver.folded, request.module, request.role)
        if role is None:
            raise OcpiProblem(StatusCode.HUB_UNKNOWN_RECEIVER, "the party that was asked has left")
        headers = MessageHeaders(
            request_id=request.headers.request_id,
            correlation_id=request.headers.correlation_id,
            to_party=relay.receiver,
            from_party=relay.sender,
        )
        asked = replace(with_headers(request, headers), segments=(), query=(), url=url)
        return await self._forwarding.send(members, requester, asked, role)

    async def _end_claim(self, members: Members, hashed: bytes, *, passed_on: bool) -> None:
        work = partial(queries.end_claim, tenant_id=members.tenant_id, key=hashed, passed_on=passed_on)
        try:
            with trio.CancelScope(shield=True), trio.move_on_after(2):
                await self._ocpi.store.hub.tenant_unit(members.tenant_id, work)
        except StoreUnavailable:
            log.warning("ocpi.relay_not_settled")

    async def _insert(self, members: Members, hashed: bytes, relay: Relay, life: timedelta) -> None:
        await self._ocpi.store.hub.tenant_unit(
            members.tenant_id, lambda conn: queries.insert_relay(conn, members.tenant_id, hashed, relay, life)
        )

    def _new_url(self, members: Members, module: str, role: InterfaceRole, partner_id: Any) -> tuple[str, str]:
        """A key and its URL, in the version that whoever is given it speaks with us."""
        key = self._new_key()
        return key, self._ocpi.urls.endpoint(members.version_of(partner_id), module, role, RELAY, key)

    def _new_key(self) -> str:
        return base64.urlsafe_b64encode(self._ocpi.ids.token(KEY_BYTES)).rstrip(b"=").decode()

    def _hashed(self, key: str) -> bytes:
        return self._ocpi.directory.hash(key)

    def _check(self, requester: Requester, url: str) -> None:
        """17.1: a URL that we are to call. Raises OcpiProblem (2001)."""
        if requester.own_tenant_id is not None and is_ours(self._ocpi.urls, url):
            return
        try:
            self._check_partners(url)
        except BadUrl as error:
            raise OcpiProblem(StatusCode.INVALID_PARAMETERS, f"{RESPONSE_URL}: {error}") from None

    def _check_given(self, members: Members, leg: Relay | PartnerRole, url: str) -> None:
        """A URL that a receiver has given us. Raises BadUrl."""
        if isinstance(leg, Relay):
            own = all(role.partner_id is None for role in members.roles_of(leg.receiver.folded))
        else:
            own = leg.partner_id is None
        if not (own and is_ours(self._ocpi.urls, url)):
            self._check_partners(url)

    def _check_partners(self, url: str) -> None:
        if len(url) > _LONGEST_URL:
            raise BadUrl(f"has more than {_LONGEST_URL} characters")
        if is_ours(self._ocpi.urls, url):
            raise BadUrl("is one of this hub")
        self._ocpi.client.check_url(url)

    def _base(self, members: Members, leg: Relay | PartnerRole, request: OcpiRequest) -> str:
        """What a relative URL in an answer is relative to."""
        role = members.at(leg.receiver.folded, request.module, request.role) if isinstance(leg, Relay) else leg
        partner = None if role is None else members.platform(role)
        endpoint = None if partner is None else partner.endpoint(request.module, request.role)
        return endpoint or self._ocpi.urls.base


def _is_at(members: Members, requester: Requester, party: Party) -> bool:
    """Whether `requester` is the platform, or the tenant of ours, at which `party` is."""
    if requester.own_tenant_id is not None:
        return party.folded in requester.parties
    return any(role.partner_id == requester.partner_id for role in members.roles_of(party.folded))


def _fits(relay: Relay, request: OcpiRequest) -> bool:
    fitting: dict[RelayKind, tuple[str, str, str | None]] = {
        "command": ("POST", "commands", "SENDER"),
        "profile": ("POST", "chargingprofiles", "SENDER"),
        "page": ("GET", relay.detail or "", "SENDER"),
        "cdr": ("GET", "cdrs", "RECEIVER"),
    }
    return (request.method, request.module, request.role) == fitting[relay.kind]


def _response_url(request: OcpiRequest) -> str | None:
    """Of requests that are answered later: in the body, or in the query where there is no body (Q1)."""
    if request.role != "RECEIVER" or request.module not in ("commands", "chargingprofiles"):
        return None
    if request.method in ("POST", "PUT"):
        value = request.body.get(RESPONSE_URL) if isinstance(request.body, dict) else None
        return value if isinstance(value, str) and value else None
    return request.parameter(RESPONSE_URL)


def _with_response_url(request: OcpiRequest, url: str) -> OcpiRequest:
    if request.method in ("POST", "PUT"):
        return replace(request, body={**request.body, RESPONSE_URL: url})
    return replace(request, query=tuple(_replaced(request.query, {RESPONSE_URL: url})))


def _expiry(request: OcpiRequest) -> datetime | None:
    value = request.body.get("expiry_date") if isinstance(request.body, dict) else None
    try:
        return read_instant(value)[0] if isinstance(value, str) else None
    except ValueError:
        return None


def _life(pending: Pending, wait: timedelta, now: datetime) -> timedelta:
    """From now on: as long as a result may come, for reservations until they are over (M7)."""
    if pending.expiry is not None:
        wait = max(wait, min(pending.expiry - now, LONGEST_RESERVATION))
    return wait + MARGIN


def _replaced(query: Iterable[tuple[str, str]], values: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, values.get(name, value)) for name, value in query]


def _with_window(url: str, window: dict[str, str]) -> str:
    """`url` with another offset and limit, where it has them."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode(_replaced(parse_qsl(parts.query, keep_blank_values=True), window))))


def _without_window(url: str) -> tuple[Any, ...]:
    parts = urlsplit(url)
    rest = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in _WINDOW]
    return parts.scheme, parts.netloc, parts.path, rest
