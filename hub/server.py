"""Runs the hub. Whatever happens in it, the stations in the same process do not notice (design 6)."""

from __future__ import annotations

import socket
from functools import partial
from typing import Final

import structlog
import trio

from csms.addresses import not_to_be_had
from hub import metrics
from hub.app import HubApp, make_app
from hub.connections import Connections
from hub.routes import all_routes
from hub.services import Hub, HubServices

__all__ = ["HubServices", "run_hub"]

log = structlog.get_logger()

DRAIN_S: Final = 5.0
"""Seconds that running requests get at the end."""

_FIRST_DELAY_S: Final = 0.5
_LONGEST_DELAY_S: Final = 30.0
_HEALTHY_AFTER_S: Final = 60.0
_BACKLOG: Final = 512


async def run_hub(services: HubServices, shutdown: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
    """Serve HTTP until `shutdown` is set, then let running requests end for a few seconds.

    `task_status.started` gets the URLs. Raises OSError when the address cannot be had at the start; later failures restart
    the server with growing delays and never leave this function.
    """
    hub = Hub(services)
    listeners = await _listen(services.settings.http_host, services.settings.http_port)
    hub.ocpi.listens_at(_url(listeners[0]))
    task_status.started([_url(listener) for listener in listeners])
    async with trio.open_nursery() as beside:
        beside.start_soon(hub.limits.run)
        beside.start_soon(hub.commands.run)
        beside.start_soon(hub.external_authorization.run)
        await beside.start(hub.ocpi.run)
        await _keep_serving(services, make_app(hub, all_routes()), listeners, shutdown)
        beside.cancel_scope.cancel(reason="shutdown")


async def _keep_serving(services: HubServices, app: HubApp, listeners: list[trio.SocketListener], shutdown: trio.Event) -> None:
    host, port = services.settings.http_host, listeners[0].socket.getsockname()[1]
    delay = _FIRST_DELAY_S
    while listeners:
        begun = services.clock.monotonic()
        services.health.report("hub", "ok")
        try:
            await _serve(app, listeners, shutdown)
            return
        except Exception as error:
            log.error("hub.server_failed", exc_info=error)
            services.health.report("hub", "down", "the HTTP server failed and is started again")
            metrics.RESTARTS.inc()
        if services.clock.monotonic() - begun > _HEALTHY_AFTER_S:
            delay = _FIRST_DELAY_S
        listeners = await _listen_again(host, port, delay, shutdown)
        delay = min(delay * 2, _LONGEST_DELAY_S)


async def _serve(app: HubApp, listeners: list[trio.SocketListener], shutdown: trio.Event) -> None:
    """Accept and serve until `shutdown`; returns within DRAIN_S and the time limit of a change that has begun."""
    connections = Connections(app)
    async with trio.open_nursery() as watch:
        async with trio.open_nursery() as handlers:
            try:
                async with trio.open_nursery() as accepting:
                    accepting.start_soon(partial(trio.serve_listeners, connections.handle, listeners, handler_nursery=handlers))
                    await shutdown.wait()
                    accepting.cancel_scope.cancel(reason="shutdown")
            except BaseException:
                connections.abort_all()
                raise
            await connections.let_go()
            handlers.cancel_scope.deadline = trio.current_time() + DRAIN_S
            watch.start_soon(_abort_later, connections)
        watch.cancel_scope.cancel(reason="all connections have ended")


async def _abort_later(connections: Connections) -> None:
    """A peer that does not read holds its connection in a shielded send: closing the socket ends that."""
    await trio.sleep(DRAIN_S)
    connections.abort_all()


async def _listen(host: str, port: int) -> list[trio.SocketListener]:
    """Several hub processes of one host may share the port, so that one can be replaced by another (design 8)."""
    listeners: list[trio.SocketListener] = []
    try:
        for family, kind, protocol, _, address in await trio.socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            if listeners and port == 0:
                break  # any free port: one is enough
            listeners.append(await _bind(trio.socket.socket(family, kind, protocol), address))
    except OSError as error:
        for listener in listeners:
            listener.socket.close()
        raise not_to_be_had(error, host, port) from error
    return listeners


async def _bind(sock: trio.socket.SocketType, address: object) -> trio.SocketListener:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        await sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return trio.SocketListener(sock)


async def _listen_again(host: str, port: int, delay: float, shutdown: trio.Event) -> list[trio.SocketListener]:
    """Listen after `delay` seconds, as often as it takes; an empty list when `shutdown` comes first."""
    while not shutdown.is_set():
        with trio.move_on_after(delay):
            await shutdown.wait()
            break
        try:
            return await _listen(host, port)
        except OSError as error:
            log.error("hub.cannot_listen", host=host, port=port, error=str(error))
    return []


def _url(listener: trio.SocketListener) -> str:
    host, port = listener.socket.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
