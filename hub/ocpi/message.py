"""One OCPI message, whoever carries it: HTTP to or from a partner, or a call within this process.

Both are in the terms of OCPI 2.2.1; other versions are converted where HTTP begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec

from schemas.ocpi221.base import Remark
from schemas.ocpi221.envelope import StatusCode, is_success
from schemas.ocpi221.headers import MessageHeaders, Party
from schemas.ocpi221.interfaces import Method
from schemas.ocpi221.reading import parse
from schemas.ocpi221.versions import InterfaceRole

NO_HEADERS: Final = MessageHeaders()


@dataclass(frozen=True, slots=True, kw_only=True)
class OcpiRequest:
    """A request to the interface `role` of `module`; `segments` come after the endpoint's URL, decoded. `role` None: the module has
    none (credentials). `body` is what JSON held, None without a body. `url`: where it goes instead of an endpoint (response_url,
    the Location of a CDR)."""

    method: Method
    module: str
    role: InterfaceRole | None
    segments: tuple[str, ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    headers: MessageHeaders = NO_HEADERS
    body: Any = None
    url: str | None = None

    def parameter(self, name: str) -> str | None:
        """The last value of a query parameter; None where it is absent or empty."""
        values = [value for key, value in self.query if key == name and value]
        return values[-1] if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OcpiResponse:
    """An answer. `data` is a document, a list of them, an OcpiObject, a string, or None for no data; a stored document that only
    has to be sent on is msgspec.Raw: whoever looks into it takes `plain`. `headers` are those beside the message
    headers (Link, X-Total-Count, X-Limit, Location). `failure` is set where no answer of the other side is behind it, but the
    reason why there is none."""

    http_status: int = 200
    status_code: int = StatusCode.SUCCESS
    status_message: str | None = None
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    message: MessageHeaders = NO_HEADERS
    remarks: tuple[Remark, ...] = ()
    failure: str | None = None

    @property
    def successful(self) -> bool:
        """S6: only 1xxx is success, and only in HTTP 2xx."""
        return self.failure is None and 200 <= self.http_status < 300 and is_success(self.status_code)


def plain(data: Any) -> Any:
    """`data` of an answer with stored documents decoded, as `schemas.ocpi221.reading.parse` gives them."""
    if isinstance(data, msgspec.Raw):
        return parse(bytes(data))
    if isinstance(data, list | tuple) and any(isinstance(item, msgspec.Raw) for item in data):
        return [plain(item) for item in data]
    return data


class OcpiProblem(Exception):
    """Ends a request with an error: an OCPI status code, and an HTTP status where S1 to S5 demand one."""

    def __init__(self, status_code: StatusCode, message: str, *, http_status: int = 200, data: Any = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.message = message
        self.http_status = http_status
        self.data = data

    def response(self) -> OcpiResponse:
        return OcpiResponse(http_status=self.http_status, status_code=self.status_code, status_message=self.message, data=self.data)


def not_found(message: str, status_code: StatusCode = StatusCode.CLIENT_ERROR) -> OcpiProblem:
    """S3, W4: there is no such object."""
    return OcpiProblem(status_code, message, http_status=404)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who asks. `party` is what OCPI-from says, or the only party of the connection; `parties`: all for whom the connection may
    speak, folded. Exactly one of `partner_id` and `own_tenant_id` (a tenant of ours, in process) is set. `via_hub`: a hub speaks,
    for any party behind it (R9)."""

    party: Party | None
    parties: frozenset[tuple[str, str]]
    partner_id: UUID | None = None
    own_tenant_id: int | None = None
    via_hub: bool = False

    def speaks_for(self, party: Party) -> bool:
        """W6: whether objects of this owner may come from it."""
        return self.via_hub or party.folded in self.parties
