"""Requests to partners: limited in time and size, to allowed addresses only, each partner apart from all others."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import httpcore2
import structlog
import trio

from csms.clock import Clock
from csms.external_authorization.breaker import CircuitBreaker
from hub.external_authorization.destinations import BadUrl, GuardedBackend, Resolver, check_url
from hub.ocpi import metrics
from schemas.ocpi221.interfaces import Method

log = structlog.get_logger()

LARGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes: a page of a thousand locations with all their members."""
ROOM: Final = 128 * 1024 * 1024
"""Bytes that all answers which are being read may take together, beyond a small one each."""
SMALL_ANSWER: Final = 64 * 1024
MOST_AT_ONCE: Final = 20
"""Requests to one partner at the same time; others wait for their turn within their time."""
KEPT_OPEN_S: Final = 60.0
MOST_KEPT_OPEN: Final = 4
"""Connections to one partner that stay open between requests."""
MOST_PARTNERS: Final = 10_000
"""That have places, a breaker and connections of their own; those beyond share what strangers have."""

_JSON: Final = "application/json"


class NoAnswer(Exception):
    """There is no answer. `timed_out`: 4002, else 4003; `left_alone`: it was not even tried."""

    def __init__(self, why: str, *, timed_out: bool = False, left_alone: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.timed_out = timed_out
        self.left_alone = left_alone


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back; names of headers in lower case, of repeated ones all values joined by a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class _Line:
    """The way to one partner. `pools`: its connections by scheme; in a pool for all, each request would look at everybody's."""

    pools: dict[str, httpcore2.AsyncConnectionPool] = field(default_factory=dict)
    places: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(MOST_AT_ONCE))
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)


class PlatformClient:
    """Use as an async context: it owns the connections, which are kept open between requests."""

    def __init__(self, clock: Clock, *, private: bool, tls: ssl.SSLContext | None = None) -> None:
        """`private`: partners may be in our own network, there also without TLS. `tls`: whom to trust, by default the authorities
        that the operating system trusts."""
        self._clock = clock
        self._private = private
        self._tls = tls
        self._strangers: dict[str, httpcore2.AsyncConnectionPool] = {}
        self._lines: dict[tuple[int, UUID], _Line] = {}
        self._resolver = Resolver()
        self._room = ROOM

    async def __aenter__(self) -> Self:
        if self._tls is None:
            self._tls = await trio.to_thread.run_sync(ssl.create_default_context)
        self._strangers = self._make_pools(self._tls)
        metrics.CIRCUITS_OPEN.set_function(lambda: sum(not line.breaker.closed for line in self._lines.values()))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with trio.CancelScope(shield=True), trio.move_on_after(1.0):
            for pools in (self._strangers, *(line.pools for line in self._lines.values())):
                for pool in pools.values():
                    await pool.aclose()

    def _make_pools(self, tls: ssl.SSLContext) -> dict[str, httpcore2.AsyncConnectionPool]:
        return {
            scheme: httpcore2.AsyncConnectionPool(
                tls,
                max_connections=None,  # bounded by the places of each partner
                max_keepalive_connections=MOST_KEPT_OPEN,
                keepalive_expiry=KEPT_OPEN_S,
                network_backend=GuardedBackend(self._resolver, private=self._private, plain=scheme == "http"),
            )
            for scheme in (("https", "http") if self._private else ("https",))
        }

    def check_url(self, url: str) -> None:
        """Raises BadUrl for what will never be asked, whatever its name leads to."""
        check_url(url, private=self._private)

    def is_left_alone(self, tenant_id: int, partner_id: UUID) -> bool:
        """Whether the partner has failed so often that nothing is sent to it at this moment (17.3)."""
        line = self._lines.get((tenant_id, partner_id))
        return line is not None and line.breaker.state(self._clock.monotonic()) == "open"

    def try_again(self, tenant_id: int, partner_id: UUID) -> None:
        """Something was heard of the partner: what is known of its failures is void."""
        line = self._lines.get((tenant_id, partner_id))
        if line is not None and not line.breaker.closed:
            line.breaker = CircuitBreaker()

    async def request(
        self,
        method: Method,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        timeout_s: float,
        partner: tuple[int, UUID] | None = None,
        largest: int = LARGEST_ANSWER,
    ) -> HttpAnswer:
        """One request, over within `timeout_s`. `partner` (tenant, partner): whose places and breaker count; None: nobody's, for a
        platform that is not registered yet. `largest`: bytes of the answer. Raises NoAnswer."""
        line = _Line() if partner is None else self._line(partner)
        attempt = line.breaker.begin(self._clock.monotonic())
        if attempt is None:
            raise NoAnswer(f"left alone after {line.breaker.failures} failures in a row", left_alone=True)
        succeeded: bool | None = None
        try:
            with trio.move_on_after(timeout_s):
                async with line.places:
                    answer = await self._send(line.pools or self._strangers, method, url, headers, body, largest)
                succeeded = answer.status < 500
                return answer
            succeeded = False
            raise NoAnswer(f"timed out after {timeout_s:g} s", timed_out=True)
        except NoAnswer:
            succeeded = False
            raise
        finally:
            line.breaker.end(attempt, self._clock.monotonic(), succeeded=succeeded)

    async def _send(
        self,
        pools: Mapping[str, httpcore2.AsyncConnectionPool],
        method: Method,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        largest: int,
    ) -> HttpAnswer:
        try:
            check_url(url, private=self._private)
        except BadUrl as error:
            raise NoAnswer(f"its URL {error}") from None
        pool = pools.get(url.partition(":")[0])
        if pool is None:
            raise NoAnswer("plain HTTP is not allowed")
        sent = [("Accept", _JSON), ("Accept-Encoding", "identity"), ("User-Agent", "Open-CSMS"), *headers.items()]
        if body is not None:
            sent.append(("Content-Type", _JSON))
        try:
            return await self._exchange(pool, method, url, sent, body, largest)
        except httpcore2.ConnectError as error:
            raise NoAnswer(_why_unconnected(error)) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, ssl.SSLError, OSError):
            raise NoAnswer("the connection was lost") from None
        except httpcore2.UnsupportedProtocol:
            raise NoAnswer("plain HTTP is not allowed") from None

    async def _exchange(
        self,
        pool: httpcore2.AsyncConnectionPool,
        method: Method,
        url: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
        largest: int,
    ) -> HttpAnswer:
        received = bytearray()
        taken = 0
        try:
            async with pool.stream(method, url, headers=headers, content=body) as response:
                read = _headers(response.headers)
                if read.get("content-encoding", "identity").lower() != "identity":
                    raise NoAnswer("its answer is compressed although we asked for none")
                async with aclosing(response.aiter_stream()) as parts:
                    async for part in parts:
                        received += part
                        if len(received) > largest:
                            raise NoAnswer(f"its answer is larger than {largest // 1024} KB")
                        if len(received) > SMALL_ANSWER:
                            if self._room < len(part):
                                raise NoAnswer("too many long answers are being read at this moment")
                            self._room -= len(part)
                            taken += len(part)
                return HttpAnswer(response.status, read, bytes(received))
        finally:
            self._room += taken

    def _line(self, partner: tuple[int, UUID]) -> _Line:
        line = self._lines.get(partner)
        if line is None:
            line = _Line()
            if len(self._lines) < MOST_PARTNERS and self._tls is not None:
                line.pools = self._make_pools(self._tls)
                self._lines[partner] = line
        return line


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    read: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        read[key] = f"{read[key]}, {text}" if key in read else text
    return read


def _why_unconnected(error: httpcore2.ConnectError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted"
        if isinstance(cause, ssl.SSLError):
            return "the TLS handshake failed"
        cause = cause.__cause__ or cause.__context__
    return str(error) or "the connection failed"
