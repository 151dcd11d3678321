"""What a WebSocket upgrade asks for, without any I/O: path, credentials, sub-protocol, refusals (rules C1 to C8)."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from csms.tenants import DEFAULT_TENANT

LONGEST_IDENTITY: Final = 48
LONGEST_PASSWORD: Final = 128
"""Bytes. The longest that any OCPP version allows is 64; more is refused without hash work."""

# rule C1: the 2.x alphabet without ':', which splits Basic credentials; never a leading dot
_IDENTITY: Final = re.compile(r"(?!\.)[A-Za-z0-9*\-_=+|@.]{1,48}", re.ASCII)
_SLUG: Final = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_STEVE_PREFIX: Final = ["steve", "websocket", "CentralSystemService"]
_BROWSER_OR_PROXY: Final = frozenset({"origin", "forwarded", "via"})

Headers = list[tuple[str, str]]
V = TypeVar("V")


class Upgrade(NamedTuple):
    """A syntactically right WebSocket upgrade, as the codec read it; header names are lower case."""

    target: str
    headers: Headers
    subprotocols: list[str]
    deflate_offered: bool


class Target(NamedTuple):
    tenant: str
    identity: str


class Credentials(NamedTuple):
    """Basic credentials as bytes: OCPP 1.6 keys may be binary (security.md section 1.2)."""

    user: bytes
    password: bytes


class Rejection(msgspec.Struct, frozen=True):
    """A refusal before the upgrade. `reason` is for logs and metrics only."""

    status: int
    reason: str
    headers: Headers = []
    body: bytes = b""


class BadRequest(Exception):
    """The upgrade is refused with 400; the message names what is wrong, without repeating it."""


class BadCredentials(Exception):
    """The Authorization header is no readable Basic one; refused like a wrong password."""


UNAUTHORIZED: Final = Rejection(
    401, "unauthorized", [("WWW-Authenticate", 'Basic realm="OCPP"')], b"wrong or missing credentials\n"
)
"""One and the same answer for an unknown station and a wrong password (rule C6, attack V4)."""
NOT_FOUND: Final = Rejection(404, "not_found", [], b"unknown station\n")
CONFLICT: Final = Rejection(409, "flapping", [("Retry-After", "60")], b"another client with this identity is connected\n")
TOO_MANY_FAILURES: Final = Rejection(429, "too_many_failures", [("Retry-After", "60")], b"too many failed attempts\n")
TOO_MANY_NEW_STATIONS: Final = Rejection(429, "too_many_new_stations", [("Retry-After", "3600")], b"too many new stations\n")
FORBIDDEN_IN_TRY_OUT: Final = Rejection(
    403, "try_out_proxied", [], b"try-out mode takes neither browsers nor requests through a proxy\n"
)


def parse_target(target: str) -> Target:
    """The tenant and the station identity that a request target names (rule C1). Raises BadRequest.

    Served are /ocpp/{tenant}/{station}, /ocpp/{station} and SteVe's /steve/websocket/CentralSystemService/{station}.
    Every segment is percent-decoded exactly once. A query is ignored: it decides nothing.
    """
    path = target.partition("?")[0]
    if not path.startswith("/"):
        raise BadRequest("the request target is no path")
    segments = path[1:].split("/")
    if segments[0] == "ocpp" and len(segments) in (2, 3):
        tenant = _decoded(segments[1]) if len(segments) == 3 else DEFAULT_TENANT
    elif segments[:3] == _STEVE_PREFIX and len(segments) == 4:
        tenant = DEFAULT_TENANT
    else:
        raise BadRequest("the path is not /ocpp/{tenant}/{station} or /ocpp/{station}")
    if not _SLUG.fullmatch(tenant):
        raise BadRequest("the tenant in the path is not well-formed")
    identity = _decoded(segments[-1])
    if not _IDENTITY.fullmatch(identity):
        raise BadRequest(f"the station identity is empty, longer than {LONGEST_IDENTITY} or has a forbidden character")
    return Target(tenant, identity)


def _decoded(segment: str) -> str:
    # latin-1 keeps every byte apart; anything beyond ASCII then fails the alphabet
    return unquote_to_bytes(segment.encode("latin-1", "replace")).decode("latin-1")


def parse_basic(headers: Headers) -> Credentials | None:
    """The Basic credentials of a request, None without an Authorization header. Raises BadCredentials."""
    values = [value for name, value in headers if name == "authorization"]
    if not values:
        return None
    if len(values) > 1:
        raise BadCredentials("more than one Authorization header")
    scheme, _, encoded = values[0].strip().partition(" ")
    if scheme.lower() != "basic":
        raise BadCredentials("the Authorization header is not Basic")
    try:
        decoded = base64.b64decode(encoded.strip().encode("latin-1"), validate=True)
    except binascii.Error as error:
        raise BadCredentials("the Authorization header is not base64") from error
    user, colon, password = decoded.partition(b":")
    if not colon:
        raise BadCredentials("the Authorization header has no colon between user and password")
    return Credentials(user, password)


def names_station(credentials: Credentials, identity: str) -> bool:
    """The user name must equal the identity in the path byte for byte (rule C7)."""
    return hmac.compare_digest(credentials.user, identity.encode("ascii"))


def choose_subprotocol(offered: Iterable[str], served: Mapping[str, V]) -> V | None:
    """The first offered name that is served (rule C3: the client's list is an order of preference)."""
    return next((served[name] for name in offered if name in served), None)


def came_through_browser_or_proxy(headers: Headers) -> bool:
    """True when a browser or a proxy is involved: refused in try-out mode, so that no proxy opens it to the world."""
    return any(name in _BROWSER_OR_PROXY or name.startswith("x-forwarded-") for name, _ in headers)


def overloaded(reason: str, retry_after_s: int) -> Rejection:
    """503 with a time to come back: the ledger is away, the process drains or is full."""
    return Rejection(503, reason, [("Retry-After", str(retry_after_s))], b"not now\n")


def bad_request(error: BadRequest) -> Rejection:
    return Rejection(400, "bad_request", [], f"{error}\n".encode())
