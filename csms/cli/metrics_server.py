"""`/metrics` and `/health` of a process that has no HTTP API: a small server in threads of its own, for operators."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import orjson
import structlog
from prometheus_client import make_wsgi_app

from csms.addresses import not_to_be_had
from csms.health import HealthRegistry

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = structlog.get_logger()

_MOST_AT_ONCE: Final = 8
_PATIENCE_S: Final = 5.0
"""For each read and write."""
_STOP_POLL_S: Final = 0.1


class MetricsServer(WSGIServer):
    """A thread per request, a few at most; whoever comes beyond them is turned away."""

    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, host: str, port: int, health: HealthRegistry, *, held: bool) -> None:
        """`held`: our launcher holds the port for us. Raises OSError when the port cannot be had."""
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = family
        self._held = held
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__((str(address[0]), port), _Handler)
        self.set_app(_application(health))

    def server_bind(self) -> None:
        # not the parent's, which asks the resolver for a name
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._held:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind(self.server_address)
        host, port = self.socket.getsockname()[:2]
        self.server_name, self.server_port = str(host), int(port)
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        threading.Thread(target=self._serve, args=(request, client_address), daemon=True, name="metrics").start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception as error:  # noqa: BLE001 - the boundary of one request: nothing of it may reach the rest
            log.debug("metrics.request_failed", error=str(error))
        finally:
            self.shutdown_request(request)
            self._room.release()


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name for it
        log.debug("metrics.request", line=format % args)


def _application(health: HealthRegistry) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    metrics = make_wsgi_app()

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if environ.get("REQUEST_METHOD") != "GET":
            return _answer(start_response, "405 Method Not Allowed", {"error": "only GET"})
        if path == "/metrics":
            found: Iterable[bytes] = metrics(environ, start_response)
            return found
        if path == "/health":
            return _health(start_response, health)
        return _answer(start_response, "404 Not Found", {"error": "there are /health and /metrics"})

    return application


def _health(start_response: StartResponse, health: HealthRegistry) -> Iterable[bytes]:
    components = health.snapshot()
    ok = all(told.state == "ok" for told in components.values())
    body = {
        "status": "ok" if ok else "degraded",
        "components": {name: {"state": told.state, "detail": told.detail} for name, told in sorted(components.items())},
    }
    return _answer(start_response, "200 OK" if health.serving else "503 Service Unavailable", body)


def _answer(start_response: StartResponse, status: str, body: dict[str, Any]) -> Iterable[bytes]:
    content = orjson.dumps(body)
    start_response(
        status, [("Content-Type", "application/json"), ("Content-Length", str(len(content))), ("Cache-Control", "no-store")]
    )
    return [content]


@contextmanager
def metrics_server(host: str, port: int | None, health: HealthRegistry, *, held: bool = False) -> Iterator[None]:
    """Serve while the context is open; `port` None: nothing is served. `held`: our launcher holds the port for us.

    Raises OSError when the port cannot be had.
    """
    if port is None:
        yield
        return
    try:
        server = MetricsServer(host, port, health, held=held)
    except OSError as error:
        raise not_to_be_had(error, host, port) from error
    thread = threading.Thread(target=server.serve_forever, args=(_STOP_POLL_S,), daemon=True, name="metrics")
    thread.start()
    log.info("metrics.serving", host=host, port=port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_PATIENCE_S)
