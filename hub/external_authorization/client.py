"""One question to a third party over HTTP: signed, limited in time and size, its answer checked."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from contextlib import aclosing
from datetime import datetime
from functools import cache
from types import TracebackType
from typing import Annotated, Final, Self
from uuid import UUID

import httpcore2
import msgspec
import trio
from msgspec import Meta

from csms.clock import Clock
from csms.domain.decisions import AuthorizationStatus
from csms.domain.times import EARLIEST, LATEST
from csms.external_authorization.messages import Answered, Failed, Outcome, Question
from hub.external_authorization.destinations import GuardedBackend, Resolver

LARGEST_ANSWER: Final = 64 * 1024
KEPT_OPEN_S: Final = 30.0
MOST_KEPT_OPEN: Final = 50
SIGNATURE_HEADER: Final = "X-CSMS-Signature"

_JSON: Final = "application/json"
_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*\Z"


class ThirdParty(msgspec.Struct, frozen=True):
    """Whom to ask, with which secrets. `timeout_ms`: milliseconds for the whole question."""

    url: str
    timeout_ms: int
    authorization: str | None
    signing_secret: str | None


class _Body(msgspec.Struct):
    """What is sent. Members without a value are null, so that all are always there."""

    request_id: UUID
    tenant: str
    charge_point_id: str
    evse_id: int | None
    id_token: str
    type: str | None
    purpose: str
    time: str


class _Reply(msgspec.Struct, forbid_unknown_fields=True):
    """What must come back. A member that is not known is a misunderstanding, not an extension."""

    status: AuthorizationStatus
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    group_id_token: Annotated[str, Meta(min_length=1, max_length=36, pattern=_PRINTABLE)] | None = None
    reason: Annotated[str, Meta(max_length=200, pattern=_PRINTABLE)] | None = None


_read_reply: Final = msgspec.json.Decoder(_Reply).decode


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that the operating system trusts; reading them takes a tenth of a second."""
    return ssl.create_default_context()


class ThirdPartyClient:
    """Use as an async context: it owns the connections, which are kept open between questions."""

    def __init__(self, clock: Clock, *, private: bool, tls: ssl.SSLContext | None = None) -> None:
        """`private`: third parties may be in our own network, there also without TLS. `tls`: whom to trust, by default the
        authorities that the operating system trusts."""
        self._clock = clock
        resolver = Resolver()
        context = tls or _trusted()
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                context,
                max_connections=None,  # bounded by those who ask
                max_keepalive_connections=MOST_KEPT_OPEN,
                keepalive_expiry=KEPT_OPEN_S,
                network_backend=GuardedBackend(resolver, private=private, plain=scheme == "http"),
            )
            for scheme in (("https", "http") if private else ("https",))
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with trio.CancelScope(shield=True), trio.move_on_after(1.0):
            for pool in self._pools.values():
                await pool.aclose()

    async def ask(self, party: ThirdParty, tenant: str, question: Question, request_id: UUID) -> Outcome:
        """Ends within the third party's time, whatever it does. Never raises but for cancellation."""
        with trio.move_on_after(party.timeout_ms / 1000):
            try:
                return await self._ask(party, tenant, question, request_id)
            except httpcore2.ConnectError as error:
                return Failed(_why_unconnected(error))
            except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, ssl.SSLError, OSError):
                return Failed("the connection was lost")
            except httpcore2.UnsupportedProtocol:
                return Failed("plain HTTP is not allowed")
        return Failed(f"timed out after {party.timeout_ms} ms")

    async def _ask(self, party: ThirdParty, tenant: str, question: Question, request_id: UUID) -> Outcome:
        body = msgspec.json.encode(
            _Body(
                request_id,
                tenant,
                question.charge_point_id,
                question.evse_id,
                question.id_token,
                question.token_type,
                question.purpose,
                question.at.isoformat().replace("+00:00", "Z"),
            )
        )
        pool = self._pools.get(party.url.partition(":")[0])
        if pool is None:
            raise httpcore2.UnsupportedProtocol
        headers = [("Content-Type", _JSON), ("Accept", _JSON), ("Accept-Encoding", "identity"), ("User-Agent", "Open-CSMS")]
        if party.authorization is not None:
            headers.append(("Authorization", party.authorization))
        if party.signing_secret is not None:
            headers.append((SIGNATURE_HEADER, signature(party.signing_secret, int(self._clock.now().timestamp()), body)))
        async with pool.stream("POST", party.url, headers=headers, content=body) as response:
            if response.status != 200:
                return Failed(f"it answered with status {response.status}")
            if any(name.lower() == b"content-encoding" and value.lower() != b"identity" for name, value in response.headers):
                return Failed("its answer is compressed")
            received = bytearray()
            async with aclosing(response.aiter_stream()) as parts:
                async for part in parts:
                    received += part
                    if len(received) > LARGEST_ANSWER:
                        return Failed(f"its answer is larger than {LARGEST_ANSWER // 1024} KB")
        return read_reply(bytes(received))


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """`t=<seconds since 1970>,v1=<HMAC-SHA-256 of "<t>.<body>" in hex>`: who knows the secret can tell who sent it, and when."""
    mac = hmac.new(secret.encode(), b"%d.%b" % (timestamp, body), hashlib.sha256)
    return f"t={timestamp},v1={mac.hexdigest()}"


def read_reply(body: bytes) -> Outcome:
    """The answer, or why it is none."""
    try:
        reply = _read_reply(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        said = "".join(character if character.isprintable() else "?" for character in str(error)[:200])
        return Failed(f"its answer cannot be understood: {said}")
    if reply.expires_at is not None and not _in_calendar(reply.expires_at):
        return Failed("its answer cannot be understood: expires_at is not a time from 1970 to 2099")
    return Answered(reply.status, reply.expires_at, reply.group_id_token, reply.reason)


def _why_unconnected(error: httpcore2.ConnectError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted"
        if isinstance(cause, ssl.SSLError):
            return "the TLS handshake failed"
        cause = cause.__cause__ or cause.__context__
    return str(error) or "the connection failed"


def _in_calendar(time: datetime) -> bool:
    try:
        return EARLIEST <= time < LATEST
    except OverflowError:  # year 1 or 9999 with an offset that leaves the calendar
        return False
