"""Listening sockets of our own, and accept loops that no weather ends."""

from __future__ import annotations

import errno
import resource
import socket
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog
import trio

from csms.addresses import not_to_be_had
from gateway import metrics
from gateway.tls import TlsContext

log = structlog.get_logger()

BACKLOG: Final = 4096
ACCEPTS_PER_TURN: Final = 64
NO_ROOM_PAUSE_S: Final = 0.1
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Serve = Callable[[socket.socket, str], Awaitable[None]]
"""Serves one socket until it is over; the address is the peer's. A TLS socket has its handshake still before it."""


class Entrance(Protocol):
    """Where stations come in."""

    @property
    def urls(self) -> list[str]:
        """Where they connect to, without their identity."""
        ...

    async def accept(self, connections: trio.Nursery, serve: Serve) -> None:
        """Start `serve` in `connections` for each that comes. Runs until cancelled, then nobody comes in any more."""
        ...


class Listeners:
    """The entrance of the network: listening sockets, with and without TLS."""

    def __init__(self, host: str, port: int, tls: TlsContext | None = None, tls_port: int = 0) -> None:
        """Raises OSError when a port cannot be had."""
        self._plain = open_listeners(host, port)
        self._tls = tls
        self._encrypted: list[socket.socket] = []
        if tls is not None:
            try:
                self._encrypted = open_listeners(host, tls_port)
            except OSError:
                for listener in self._plain:
                    listener.close()
                raise

    @property
    def urls(self) -> list[str]:
        return [url_of(listener, "ws") for listener in self._plain] + [url_of(listener, "wss") for listener in self._encrypted]

    async def accept(self, connections: trio.Nursery, serve: Serve) -> None:
        async with trio.open_nursery() as nursery:
            for listener in self._plain:
                nursery.start_soon(accept_connections, listener, None, connections, serve)
            for listener in self._encrypted:
                nursery.start_soon(accept_connections, listener, self._tls, connections, serve)


def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Listen on every address that `host` stands for; with port 0 all take the port that the first got. Raises OSError."""
    listeners = bind_addresses(host, port)
    try:
        for sock in listeners:
            sock.listen(BACKLOG)
    except OSError:
        for sock in listeners:
            sock.close()
        raise
    return listeners


def bind_addresses(host: str, port: int) -> list[socket.socket]:
    """Sockets that hold the port without listening. Raises OSError.

    SO_REUSEPORT lets several gateway processes of a host, of one user, share the port.
    """
    bound: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            sock = socket.socket(family, kind, protocol)
            bound.append(sock)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            chosen = address[1] or bound[0].getsockname()[1]
            sock.bind((address[0], chosen, *address[2:]))
    except OSError as error:
        for sock in bound:
            sock.close()
        raise not_to_be_had(error, host, port) from error
    return bound


def url_of(listener: socket.socket, scheme: str) -> str:
    """Where stations connect to, without their identity."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}/ocpp" if listener.family == socket.AF_INET6 else f"{scheme}://{host}:{port}/ocpp"


async def accept_connections(listener: socket.socket, tls: TlsContext | None, nursery: trio.Nursery, serve: Serve) -> None:
    """Start `serve(socket, peer address)` in `nursery` for each connection. Runs until cancelled, then stops listening.

    Whoever waits to be accepted at that moment still is: closing the socket would reset them.
    """
    with listener:
        try:
            while True:
                await trio.lowlevel.wait_readable(listener)
                for _ in range(ACCEPTS_PER_TURN):
                    try:
                        if not _accept(listener, tls, nursery, serve):
                            break
                    except OSError as error:
                        metrics.ACCEPT_ERRORS.labels(errno.errorcode.get(error.errno or 0, "other")).inc()
                        if error.errno in _NO_ROOM:
                            log.error("gateway.no_room_to_accept", error=str(error))
                            await trio.sleep(NO_ROOM_PAUSE_S)
                        break  # anything else is the fate of that one connection
        finally:
            try:
                for _ in range(BACKLOG):
                    if not _accept(listener, tls, nursery, serve):
                        break
            except OSError as error:
                log.warning("gateway.backlog_lost", error=str(error))


def _accept(listener: socket.socket, tls: TlsContext | None, nursery: trio.Nursery, serve: Serve) -> bool:
    """Take one connection; False when none waits. Raises OSError."""
    try:
        sock, address = listener.accept()
    except (BlockingIOError, InterruptedError):
        return False
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            sock = tls.wrap(sock)
    except OSError:
        sock.close()  # gone before it began
    else:
        nursery.start_soon(serve, sock, address[0], name="gateway.station")
    return True


def raise_file_limit() -> int:
    """Allow as many open files as this process may have; gives the number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
