"""HTTP connections, each behind a boundary: hypercorn's protocol code serves them, and nothing but cancellation leaves.

Measured with hypercorn 0.18's Trio worker: an upgrade request with a WebSocket frame in the same packet raises out of the
whole server, and a peer that has stopped reading keeps it from ending. Here the first ends one connection, the second is
cut off by a write deadline, and at the end of the drain by closing its socket.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import h11
import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed as ConnectionClosed
from hypercorn.events import Event, RawData
from hypercorn.logging import Logger
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from hub import metrics
from hub.app import HubApp

log = structlog.get_logger()

MAX_CONNECTIONS: Final = 500
WRITE_DEADLINE_S: Final = 30.0
_CLOSE_DEADLINE_S: Final = 5.0
KEEP_ALIVE_S: Final = 15.0
_EXITS: Final = (trio.Cancelled, KeyboardInterrupt, SystemExit)
_OVERLOADED: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"


class Http1Protocol(H11Protocol):
    """HTTP/1.1 only: HTTP/2 would multiply what one connection may ask for at once."""

    async def _check_protocol(self, event: h11.Request) -> None:
        """Never change to HTTP/2."""


class Connection(TCPServer):
    """One connection of a client."""

    stream: trio.SocketStream  # type: ignore[assignment]  # TLS ends before the hub

    async def run(self) -> None:
        """Serve it to its end. Raises only cancellation and the exits of the process."""
        try:
            await self._serve()
        except BaseException as error:  # the boundary: whatever a client provokes ends with its connection
            passing, ours = _split(error)
            if ours is not None:
                metrics.CONNECTION_FAILURES.inc()
                log.warning("hub.connection_failed", exc_info=ours)
            if passing is not None:
                raise passing from None
        finally:
            self.abort()

    async def protocol_send(self, event: Event) -> None:
        """As hypercorn's, but a peer that does not read is given up after the write deadline, and what follows an answer
        is done although quart-trio cancels the task that gave it: else a connection that is to be closed stays open, and
        one that is kept alive has no idle time-out."""
        if not isinstance(event, RawData):
            with trio.move_on_after(_CLOSE_DEADLINE_S, shield=True):
                await super().protocol_send(event)
            return
        async with self.send_lock:
            sent = False
            with trio.move_on_after(WRITE_DEADLINE_S, shield=True):
                try:
                    await self.stream.send_all(event.data)
                    sent = True
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    pass  # the peer is gone, or `abort` was called
            if not sent:
                self.abort()
                await self.protocol.handle(ConnectionClosed())

    def abort(self) -> None:
        """Close the socket at once; whoever waits on it wakes up. May be called at any time, more than once."""
        self.stream.socket.close()

    async def _serve(self) -> None:
        socket = self.stream.socket
        try:
            client = parse_socket_addr(socket.family, socket.getpeername())
            server = parse_socket_addr(socket.family, socket.getsockname())
        except OSError:
            return  # gone before it was accepted
        async with TaskGroup() as task_group:
            self._task_group = task_group
            self.protocol = Http1Protocol(  # type: ignore[assignment]  # all that is used of the wrapper: handle
                self.app,
                self.config,
                self.context,
                task_group,
                ConnectionState({}),
                False,
                client,
                server,
                self.protocol_send,
            )
            await self.idle_task.restart(task_group, self._idle_timeout)
            await self._read_data()
            # the peer is gone: nothing to wait for but the handler, which is told so
            await self.idle_task.stop()
        await self._close()


class Connections:
    """All open connections of one server."""

    def __init__(self, app: HubApp) -> None:
        self._app = ASGIWrapper(app)
        self._config = _config()
        self._context = WorkerContext(None)
        self._open: set[Connection] = set()

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one accepted connection; for `trio.serve_listeners`."""
        if len(self._open) >= MAX_CONNECTIONS:
            await _turn_away(stream)
            return
        connection = Connection(
            self._app,
            self._config,
            self._context,
            ConnectionState({}),
            stream,  # type: ignore[arg-type]  # see Connection.stream
        )
        self._open.add(connection)
        metrics.CONNECTIONS.inc()
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
            metrics.CONNECTIONS.dec()

    async def let_go(self) -> None:
        """Close idle connections now and the others after their present answer."""
        await self._context.terminated.set()

    def abort_all(self) -> None:
        for connection in list(self._open):
            connection.abort()


def _split(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """(what must go on, what ends here)"""
    if isinstance(error, BaseExceptionGroup):
        return error.split(_EXITS)
    return (error, None) if isinstance(error, _EXITS) else (None, error)


async def _turn_away(stream: trio.SocketStream) -> None:
    with trio.move_on_after(1):
        try:
            await stream.send_all(_OVERLOADED)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
    await trio.aclose_forcefully(stream)


class _StructuredLog(Logger):
    """What hypercorn has to say, as events of ours; requests are counted, not logged."""

    async def access(self, request: Any, response: Any, request_time: float) -> None:
        """Not logged: paths hold identities."""

    async def exception(self, message: str, *args: Any, **kwargs: Any) -> None:
        metrics.CONNECTION_FAILURES.inc()
        log.error("hub.server_error", message=message, exc_info=sys.exception())

    async def warning(self, message: str, *args: Any, **kwargs: Any) -> None:
        log.warning("hub.server_warning", message=message)


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = None
    config.logger_class = _StructuredLog
    config.include_server_header = False
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.h11_max_incomplete_size = 16 * 1024
    config.websocket_max_message_size = 64 * 1024
    return config
