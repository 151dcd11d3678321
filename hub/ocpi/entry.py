"""OCPI over HTTP, the server: who asks, what for, and the answer's envelope and headers (digest, chapter 2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog
import trio
from quart import Response, request
from werkzeug.exceptions import HTTPException

from csms.limits import Limit, SharedLimits
from csms.roaming.parties import SERVING
from csms.roaming.partners import Partner
from csms.store import StoreUnavailable
from hub.ocpi import versions
from hub.ocpi.conversion import conversion
from hub.ocpi.directory import Authenticated
from hub.ocpi.message import OcpiProblem, OcpiRequest, OcpiResponse, Requester
from hub.ocpi.outgoing import Router
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.table import handle
from hub.ocpi.services import Ocpi
from hub.ocpi.urls import OwnPath, read_path
from hub.ocpi.versions import ourselves
from schemas.ocpi221.base import Remark
from schemas.ocpi221.envelope import StatusCode, write_envelope
from schemas.ocpi221.headers import MessageHeaders, read_headers, token_candidates, write_headers
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES, Method
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.reading import NotJson, parse

log = structlog.get_logger()

METHODS: Final[tuple[Method, ...]] = ("GET", "POST", "PUT", "PATCH", "DELETE")
_OF_ALL_VERSIONS: Final = frozenset({"versions", "details", "credentials"})
"""Configuration modules whose answers have the form of the version that is asked in."""
CHANGE_S: Final = 60.0
"""What a partner has asked for is finished even when it goes away, within this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request of a partner to us. `path` says what of ours it names, `version` in which version it speaks."""

    who: Authenticated
    version: str | None
    path: OwnPath
    request: OcpiRequest


Configure = Callable[[Ocpi, Asked], Awaitable[OcpiResponse]]


class Entry:
    """`configuration`: what answers the modules that are not routed, by name; `versions` and `details` are among them."""

    def __init__(self, ocpi: Ocpi, router: Router, limits: SharedLimits, configuration: Mapping[str, Configure]) -> None:
        self._ocpi = ocpi
        self._router = router
        self._limits = limits
        self._configuration = configuration
        self._by_rate: dict[int, Limit] = {}

    async def answer(self) -> Response:
        """The request of the current context, which begins with /ocpi."""
        ocpi = self._ocpi
        begun = ocpi.clock.monotonic()
        raw_path = request.scope.get("raw_path") or request.path.encode()
        path = read_path(raw_path.decode("latin-1").partition("?")[0])
        asked: Asked | None = None
        remarks: tuple[Remark, ...] = ()
        message = MessageHeaders()
        try:
            who = await self._authenticate()
            ocpi.presence.heard(who.partner)
            routed = path is not None and path.module is not None and path.module not in self._configuration
            message, remarks = read_headers(dict(request.headers), functional=routed)
            if path is None:
                raise OcpiProblem(StatusCode.CLIENT_ERROR, "there is no such OCPI endpoint", http_status=404)
            asked = await self._read(who, path, message)
            with trio.fail_after(CHANGE_S, shield=asked.request.method != "GET"):
                response = await self._dispatch(asked)
        except OcpiProblem as problem:
            response = problem.response()
        except Unreadable as fault:
            response = OcpiResponse(status_code=fault.status_code, status_message=str(fault))
        except StoreUnavailable as error:
            log.warning("ocpi.store_unavailable", error=str(error))
            response = _unavailable("the database is not available at this moment")
        except trio.TooSlowError:
            response = _unavailable("this took too long; look whether it was done before trying again")
        except HTTPException:
            raise
        except Exception as error:
            incident = str(ocpi.ids.uuid4())
            log.error("ocpi.entry_failed", incident=incident, exc_info=error)
            response = OcpiResponse(
                http_status=500,
                status_code=StatusCode.SERVER_ERROR,
                status_message=f"something went wrong on our side ({incident})",
            )
        if asked is not None:
            ocpi.log.record(
                asked.who.partner.tenant_id,
                "in",
                asked.request,
                response,
                seconds=ocpi.clock.monotonic() - begun,
                partner_id=asked.who.partner.partner_id,
                version=asked.version,
                remarks=remarks,
            )
        return self._write(message, asked, response)

    async def _authenticate(self) -> Authenticated:
        """A3: HTTP 401 for whoever is not known."""
        candidates = token_candidates(request.headers.get("Authorization"))
        who = await self._ocpi.directory.authenticate(candidates, self._ocpi.clock.now()) if candidates else None
        if who is None or who.partner.status in ("suspended", "left"):
            raise OcpiProblem(StatusCode.CLIENT_ERROR, "the token is missing or not known here", http_status=401)
        partner = who.partner
        most = partner.settings.requests_per_minute
        limit = self._by_rate.get(most)
        if limit is None:
            limit = self._by_rate[most] = self._limits.limit("ocpi_requests", most, 60.0)
        if wait := limit.take((partner.tenant_id, str(partner.partner_id))):
            raise OcpiProblem(StatusCode.CLIENT_ERROR, f"too many requests: try again in {wait:.0f} s", http_status=429)
        return who

    async def _read(self, who: Authenticated, path: OwnPath, message: MessageHeaders) -> Asked:
        if who.registration_only and path.module not in (None, "credentials"):
            raise OcpiProblem(StatusCode.CLIENT_ERROR, "this token is for registration only", http_status=401)  # A4
        ids = self._ocpi.ids
        headers = MessageHeaders(
            request_id=message.request_id or str(ids.uuid4()),
            correlation_id=message.correlation_id or str(ids.uuid4()),
            to_party=message.to_party,
            from_party=message.from_party,
        )
        method = _method(request.method)
        body = None
        raw = await request.get_data()
        if raw and method in ("POST", "PUT", "PATCH"):
            try:
                body = parse(raw if isinstance(raw, bytes) else raw.encode())
            except NotJson as error:
                raise OcpiProblem(StatusCode.CLIENT_ERROR, str(error), http_status=400) from None  # S1
        asked = OcpiRequest(
            method=method,
            module=path.module or path.kind,
            role=path.role,
            segments=path.segments,
            query=tuple(request.args.items(multi=True)),
            headers=headers,
            body=body,
        )
        return Asked(who=who, version=path.version, path=path, request=asked)

    async def _dispatch(self, asked: Asked) -> OcpiResponse:
        ocpi, partner = self._ocpi, asked.who.partner
        configure = self._configuration.get(asked.request.module)
        if configure is not None and asked.request.module in _OF_ALL_VERSIONS:
            return await configure(ocpi, asked)
        own = await ocpi.directory.parties()
        at_hub = own.hub is not None and own.hub.tenant_id == partner.tenant_id
        if configure is None and asked.request.module not in FUNCTIONAL_MODULES and not at_hub:
            raise OcpiProblem(StatusCode.CLIENT_ERROR, "there is no such module", http_status=404)
        if not partner.registered:
            raise OcpiProblem(StatusCode.CLIENT_ERROR, "register first", http_status=401)
        us = await ourselves(ocpi, partner)
        if asked.version != partner.version and asked.version not in versions.offered(partner, us.role):
            raise OcpiProblem(StatusCode.CLIENT_ERROR, "there is no such version", http_status=404)
        if not versions.has_interface(asked.version, asked.request.module, asked.request.role):
            raise OcpiProblem(StatusCode.CLIENT_ERROR, "there is no such module in this version", http_status=404)

        async def serve(request: OcpiRequest) -> OcpiResponse:
            if configure is not None:
                return await configure(ocpi, replace(asked, request=request))
            return await self._serve(partner, request, at_hub=at_hub)

        converted = await conversion(ocpi, partner, asked.version)
        if converted is None or not converted.concerns(asked.request):
            return await serve(asked.request)
        request, losses = await converted.request_up(asked.request)
        response = await converted.response_down(request, await serve(request))
        return replace(response, remarks=(*losses, *response.remarks))

    async def _serve(self, partner: Partner, request: OcpiRequest, *, at_hub: bool) -> OcpiResponse:
        """Answer a request of a registered partner, in the terms of 2.2.1."""
        requester = requester_of(partner, request)
        if at_hub:
            return await self._router.route(requester, request)
        to = request.headers.to_party
        roles = self._ocpi.directory.own.of_tenant(partner.tenant_id)
        if to is not None:
            roles = [party for party in roles if party.party.folded == to.folded]
        serving = [party for party in roles if party.role in _serving(request)]
        if not serving:
            raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "OCPI-to names no party of this platform for this module")
        if to is None and request.method == "GET" and request.role == "SENDER" and len(serving) > 1:
            names = ", ".join(f"{party.country_code}-{party.party_id}" for party in serving)  # 17.5
            raise OcpiProblem(StatusCode.INVALID_PARAMETERS, f"OCPI-to is missing: it may be {names}")
        call = OwnCall(
            ocpi=self._ocpi,
            tenant_id=partner.tenant_id,
            party=serving[0],
            requester=requester,
            request=request,
            settings=partner.settings,
        )
        return await handle(call)

    def _write(self, message: MessageHeaders, asked: Asked | None, response: OcpiResponse) -> Response:
        sent = asked.request.headers if asked is not None else message
        answer = sent.of_answer()
        if asked is not None and asked.request.module in self._configuration:
            answer = MessageHeaders(request_id=sent.request_id, correlation_id=sent.correlation_id)
        elif response.message.from_party is not None:
            answer = MessageHeaders(
                request_id=sent.request_id,
                correlation_id=sent.correlation_id,
                to_party=sent.from_party,
                from_party=response.message.from_party,
            )
        code = int(response.status_code)
        if asked is not None and asked.version in versions.SPOKEN:
            code = versions.adapter_of(asked.version).status_code_down(code)
        data: Any = response.data
        content = write_envelope(self._ocpi.clock.now(), data, status_code=code, status_message=response.status_message)
        headers = {**response.headers, **write_headers(answer)}
        return Response(content, response.http_status, headers, content_type="application/json")


def requester_of(partner: Partner, asked: OcpiRequest) -> Requester:
    """Who asks: the party that OCPI-from names must be one of the connection's (A5); without the header, its only one."""
    parties = frozenset(role.party.folded for role in partner.roles if role.status != "SUSPENDED")
    via_hub = any(role.role == "HUB" for role in partner.roles)
    party = asked.headers.from_party
    if party is None:
        distinct = {role.party.folded: role.party for role in partner.roles}
        party = next(iter(distinct.values())) if len(distinct) == 1 else None
    elif party.folded not in parties and not via_hub:
        raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "OCPI-from names a party that is not registered on this connection")
    return Requester(party=party, parties=parties, partner_id=partner.partner_id, via_hub=via_hub)


def _serving(asked: OcpiRequest) -> frozenset[str]:
    return frozenset() if asked.role is None else frozenset(SERVING.get((asked.module, asked.role), ()))


def _method(name: str) -> Method:
    for method in METHODS:
        if method == name:
            return method
    raise OcpiProblem(StatusCode.CLIENT_ERROR, f"OCPI has no {name[:20]}", http_status=405)


def _unavailable(message: str) -> OcpiResponse:
    return OcpiResponse(http_status=503, status_code=StatusCode.SERVER_ERROR, status_message=message)
