"""Where requests of ours may go, decided on the address that is connected to (SSRF, reference V16).

A tenant names the URL, so the name may lead anywhere: into our own network, to the cloud's metadata service, or to one address when
it is checked and to another when it is used. Here the name is resolved, what it gives is checked, and the connection is made
to the very address that was checked.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import trio
from httpcore2 import AsyncNetworkBackend, AsyncNetworkStream, ConnectError, ConnectTimeout, TrioBackend

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_URL: Final = 2000
MOST_ADDRESSES: Final = 4
"""Addresses of one name that are tried, one after the other."""
CONNECT_S: Final = 1.0
"""Seconds for each of them."""
LOOK_UPS_PER_HOST: Final = 2
"""Threads that may hang in the resolver for one name, so that a dead name server is no matter of other tenants."""
MOST_HOSTS: Final = 1000

UNREACHABLE: Final = "its host has no address that may be connected to"
"""Said of a name that cannot be resolved and of one that leads to a forbidden address: nobody learns names of our network here."""

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_PRIVATE: Final = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))


class BadUrl(ValueError):
    """The URL cannot be asked; the text says why."""


def check_url(url: str, *, private: bool) -> None:
    """Raises BadUrl for what can never be asked. `private`: addresses of our own network and plain HTTP to them are allowed."""
    if len(url) > LONGEST_URL or not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise BadUrl(f"is no URL of at most {LONGEST_URL} visible ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadUrl("is not a URL") from None
    if parts.scheme not in (("https", "http") if private else ("https",)):
        raise BadUrl("must begin with https://")
    if not host or "\\" in url:
        raise BadUrl("names no host")
    if "@" in parts.netloc:
        raise BadUrl("must not hold a user or a password")
    if "#" in url:
        raise BadUrl("must not have a fragment")
    if port == 0:
        raise BadUrl("names port 0")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not _allowed(private=private, plain=parts.scheme == "http")(address):
        raise BadUrl("is at an address that is not allowed")


def origin(url: str) -> tuple[str, str | None, int | None]:
    """To whom a request with this URL goes."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def is_public(address: Address) -> bool:
    """Does the address belong to the public internet? Those that stand for another address are as public as that one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_of_our_network(address: Address) -> bool:
    """Loopback or private, of those kinds that laboratories use; never link-local, where clouds keep their metadata."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return is_of_our_network(address.ipv4_mapped)
    if address.is_loopback:
        return True
    return any(address in network for network in _PRIVATE if network.version == address.version)


def _allowed(*, private: bool, plain: bool) -> Callable[[Address], bool]:
    def allows(address: Address) -> bool:
        return (private and is_of_our_network(address)) or (not plain and is_public(address))

    return allows


class Resolver:
    """Looks names up in threads, of which one name cannot take many."""

    def __init__(self) -> None:
        self._limiters: dict[str, trio.CapacityLimiter] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """The addresses of a name or of a literal, in whatever notation. An empty list: there are none."""
        limiter = self._limiters.get(host)
        if limiter is None:
            self._forget_idle()
            limiter = self._limiters[host] = trio.CapacityLimiter(LOOK_UPS_PER_HOST)
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = await trio.to_thread.run_sync(look_up, limiter=limiter, abandon_on_cancel=True)
        except (OSError, UnicodeError):
            return []
        texts = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
        return [ipaddress.ip_address(text) for text in texts]

    def _forget_idle(self) -> None:
        if len(self._limiters) >= MOST_HOSTS:
            self._limiters = {host: limiter for host, limiter in self._limiters.items() if limiter.borrowed_tokens}


class _Stream(AsyncNetworkStream):
    """A connection that does not outlive a question which is given up while it is made.

    The library closes it after failures only, and keeps one for ever that was given up between its making and its first use. So
    whether it was given up is looked at here, last of all: there is no other point up to the first use.
    """

    def __init__(self, stream: AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> AsyncNetworkStream:
        try:
            secured = await self._stream.start_tls(ssl_context, server_hostname, timeout)
            await trio.lowlevel.checkpoint_if_cancelled()
        except BaseException:
            await self.drop()
            raise
        return secured

    async def drop(self) -> None:
        with trio.CancelScope(shield=True):  # nothing is waited for: the socket is closed as it is
            await self._stream.aclose()


class GuardedBackend(AsyncNetworkBackend):
    """Connects to allowed addresses only. `plain`: for HTTP without TLS, which stays in our own network."""

    def __init__(self, resolver: Resolver, *, private: bool, plain: bool) -> None:
        self._resolver = resolver
        self._allows = _allowed(private=private, plain=plain)
        self._connect = TrioBackend().connect_tcp

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        found = await self._resolver.addresses(host.strip("[]"), port)
        allowed = [address for address in found if self._allows(address)][:MOST_ADDRESSES]
        failure = ConnectError(UNREACHABLE)
        for address in allowed:
            try:
                stream = _Stream(await self._connect(str(address), port, CONNECT_S, local_address, socket_options))
            except ConnectError:
                failure = ConnectError("the connection was refused")
            except ConnectTimeout:
                failure = ConnectError("the host does not take the connection")
            else:
                try:
                    await trio.lowlevel.checkpoint_if_cancelled()
                except BaseException:
                    await stream.drop()
                    raise
                return stream
        raise failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> AsyncNetworkStream:
        raise ConnectError(UNREACHABLE)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)
