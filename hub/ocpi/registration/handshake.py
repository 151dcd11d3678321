"""Questions to a platform with which there is no connection yet, or whose connection is being changed.

None of them counts for the partner's places and failures, so that a handshake can always be tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import trio

from csms.roaming.partners import Partner, PartnerEndpoint
from hub.external_authorization.destinations import BadUrl
from hub.ocpi import platform, versions
from hub.ocpi.client import NoAnswer
from hub.ocpi.message import OcpiRequest, OcpiResponse
from hub.ocpi.registration.ourselves import HUB_CLIENT_INFO
from hub.ocpi.services import Ocpi
from hub.ocpi.urls import CREDENTIALS
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import MessageHeaders, TokenEncoding, authorization_value, write_headers
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES, Method
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.reading import read_page
from schemas.ocpi221.versions import Version
from schemas.ocpi221.writing import encode
from schemas.ocpi_versions.port import Peer

LARGEST_ANSWER: Final = 1024 * 1024
"""Bytes: a list of versions, of endpoints, or of parties."""
MOST_VERSIONS: Final = 50
MOST_ENDPOINTS: Final = 200
BUDGET_S: Final = 25.0
"""For a whole handshake, or a whole call back within one."""

Module = Literal["versions", "details", "credentials"]

_KNOWN_MODULES: Final = FUNCTIONAL_MODULES | {CREDENTIALS, HUB_CLIENT_INFO}


class Failed(Exception):
    """A handshake came to nothing: why, and the status code that says so to a partner (C3). `doubtful`: the other side may have
    done what it was asked for, its answer did not come."""

    def __init__(self, status_code: StatusCode, why: str, *, doubtful: bool = False) -> None:
        super().__init__(why)
        self.status_code = status_code
        self.why = why
        self.doubtful = doubtful


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a platform offers in one version. `encoding`: how it took our token (A6)."""

    version: str
    endpoints: tuple[PartnerEndpoint, ...]
    encoding: TokenEncoding

    @property
    def credentials_url(self) -> str:
        return next(endpoint.url for endpoint in self.endpoints if endpoint.identifier == CREDENTIALS)


class Line:
    """Asks one platform with one token; everything is in the log of messages."""

    def __init__(self, ocpi: Ocpi, partner: Partner, token: str) -> None:
        self._ocpi = ocpi
        self._partner = partner
        self._token = token
        self._encoding: TokenEncoding | None = partner.settings.token_encoding

    async def offer(self, versions_url: str, spoken: list[str], partner_is: Peer | None) -> Offer:
        """Read the platform's versions, and the details of the highest among `spoken` (V4). Raises Failed."""
        found = await self._versions(versions_url)
        common = [number for number in spoken if number in found]
        if not common:
            theirs = ", ".join(sorted(found)) or "none"
            raise Failed(
                StatusCode.UNSUPPORTED_VERSION, f"no common version: the platform has {theirs}, wanted is {' or '.join(spoken)}"
            )
        version = common[-1]
        encoding = self._encoding or versions.default_encoding(version)
        endpoints = await self._endpoints(version, found[version], partner_is)
        return Offer(version=version, endpoints=endpoints, encoding=encoding)

    async def send(self, method: Method, url: str, body: object, *, version: str, encoding: TokenEncoding) -> OcpiResponse:
        """A request to the credentials module. Raises Failed unless it succeeds."""
        self._encoding = encoding
        answer = await self._ask(method, "credentials", url, body, version=version)
        if answer.successful:
            return answer
        code = answer.status_code
        known = answer.failure is None and code in StatusCode.__members__.values()
        said = answer.status_message or "nothing more"
        why = f"{method} of credentials: {answer.failure or f'HTTP {answer.http_status}, status {code}: {said}'}"
        raise Failed(StatusCode(code) if known else StatusCode.UNABLE_TO_USE_CLIENT_API, why, doubtful=answer.failure is not None)

    async def _versions(self, url: str) -> dict[str, str]:
        answer = await self._ask("GET", "versions", url)
        if answer.http_status == 401 and self._encoding is None:
            # A6: some take tokens as they are only, and it is not known yet which version this is
            self._encoding = "raw"
            answer = await self._ask("GET", "versions", url)
        if not answer.successful:
            raise _unusable("its versions", answer)
        try:
            page = read_page(Version, answer.data)
        except Unreadable as fault:
            raise Failed(StatusCode.UNABLE_TO_USE_CLIENT_API, f"its versions cannot be read: {fault}") from None
        if len(page.readings) > MOST_VERSIONS:
            raise Failed(StatusCode.UNABLE_TO_USE_CLIENT_API, f"its versions are more than {MOST_VERSIONS}")
        return {reading.value.version: reading.value.url for reading in page.readings.values()}

    async def _endpoints(self, version: str, url: str, partner_is: Peer | None) -> tuple[PartnerEndpoint, ...]:
        answer = await self._ask("GET", "details", url, version=version)
        if not answer.successful:
            raise _unusable(f"its details of {version}", answer)
        if isinstance(answer.data, dict) and answer.data.get("endpoints") == []:
            raise Failed(StatusCode.NO_MATCHING_ENDPOINTS, f"it has no endpoints in {version}")
        try:
            details = versions.adapter_of(version).details_up(answer.data, partner_is).value
        except Unreadable as fault:
            raise Failed(StatusCode.UNABLE_TO_USE_CLIENT_API, f"its details of {version} cannot be read: {fault}") from None
        if len(details.endpoints) > MOST_ENDPOINTS:
            raise Failed(StatusCode.UNABLE_TO_USE_CLIENT_API, f"its endpoints are more than {MOST_ENDPOINTS}")
        endpoints = []
        for endpoint in details.endpoints:
            try:
                self._ocpi.client.check_url(endpoint.url)
            except BadUrl as error:
                if endpoint.identifier not in _KNOWN_MODULES:
                    continue  # V7
                raise Failed(
                    StatusCode.UNABLE_TO_USE_CLIENT_API, f"the URL of its endpoint {endpoint.identifier} {error}"
                ) from None
            role = endpoint.role if endpoint.role in ("SENDER", "RECEIVER") else None
            endpoints.append(PartnerEndpoint(endpoint.identifier, endpoint.url, role))  # type: ignore[arg-type]  # narrowed above
        if not any(endpoint.identifier == CREDENTIALS for endpoint in endpoints):
            raise Failed(StatusCode.NO_MATCHING_ENDPOINTS, f"it has no endpoint credentials in {version}")
        return tuple(endpoints)

    async def _ask(
        self, method: Method, module: Module, url: str, body: object = None, *, version: str | None = None
    ) -> OcpiResponse:
        ocpi, partner = self._ocpi, self._partner
        ids = MessageHeaders(request_id=str(ocpi.ids.uuid4()), correlation_id=str(ocpi.ids.uuid4()))
        request = OcpiRequest(method=method, module=module, role=None, headers=ids, body=body, url=url)
        encoding = self._encoding or versions.default_encoding(version)
        headers = {"Authorization": authorization_value(self._token, encoding), **write_headers(ids)}
        begun = ocpi.clock.monotonic()
        try:
            answer = await ocpi.client.request(
                method,
                url,
                headers,
                None if body is None else encode(body),
                timeout_s=min(partner.settings.timeout_s, BUDGET_S),
                largest=LARGEST_ANSWER,
            )
        except NoAnswer as error:
            response = platform.failed(StatusCode.HUB_TIMEOUT if error.timed_out else StatusCode.HUB_CONNECTION_PROBLEM, error.why)
        except trio.Cancelled:
            why = platform.failed(StatusCode.HUB_TIMEOUT, "it was not waited for any longer")
            self._note(request, why, begun, version)
            raise
        else:
            response = platform.read_answer(answer, functional=False)
        self._note(request, response, begun, version)
        return response

    def _note(self, request: OcpiRequest, response: OcpiResponse, begun: float, version: str | None) -> None:
        self._ocpi.log.record(
            self._partner.tenant_id,
            "out",
            request,
            response,
            seconds=self._ocpi.clock.monotonic() - begun,
            partner_id=self._partner.partner_id,
            version=version,
        )


def _unusable(what: str, answer: OcpiResponse) -> Failed:
    said = answer.failure or f"HTTP {answer.http_status}, status {answer.status_code}: {answer.status_message or 'nothing more'}"
    return Failed(StatusCode.UNABLE_TO_USE_CLIENT_API, f"{what} cannot be had: {said}")
