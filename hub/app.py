"""The web application: routes from the table, errors as problem details, headers that keep browsers safe."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import msgspec
import structlog
import trio
from quart import Response, g, has_request_context, request
from quart_trio import QuartTrio
from quart_trio.wrappers.request import TrioRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from csms.accounts import TooManyHashes
from csms.store import StoreUnavailable
from hub import metrics
from hub.api.decoding import decode_body, decode_query, take_upload
from hub.api.problems import MEDIA_TYPE, Problem, not_found, unavailable
from hub.api.routing import Call, Document, Route, Stream
from hub.api.streaming import stream_response
from hub.bodies import DrainedBody, LongBodies, connections_for
from hub.ocpi.entry import METHODS
from hub.ocpi.urls import PREFIX
from hub.services import Hub

log = structlog.get_logger()

_BODY_TIMEOUT_S: Final = 30
_CHANGE_TIMEOUT_S: Final = 30

_PROXY_HEADERS: Final = ("Origin", "Forwarded", "Via")
_SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_encoder: Final = msgspec.json.Encoder(decimal_format="number")


class HubRequest(TrioRequest):
    body_class = DrainedBody


class HubApp(QuartTrio):
    request_class = HubRequest


def make_app(hub: Hub, routes: Iterable[Route]) -> HubApp:
    """The application of one process."""
    routes = list(routes)
    app = HubApp("hub", static_folder=None)
    app.asgi_http_class = connections_for(LongBodies(routes))
    app.config.update(BODY_TIMEOUT=_BODY_TIMEOUT_S, RESPONSE_TIMEOUT=60, PROPAGATE_EXCEPTIONS=False)
    # one spelling per address: no redirects to another
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    for row in routes:
        app.add_url_rule(
            row.rule,
            f"{row.method} {row.path}",
            _view(hub, row),
            methods=[row.method],
            provide_automatic_options=False,
            strict_slashes=True,
        )

    app.add_url_rule(
        f"{PREFIX}/<path:rest>",
        "ocpi",
        _ocpi_view(hub),
        methods=list(METHODS),
        provide_automatic_options=False,
        strict_slashes=False,
    )

    @app.before_request
    async def take_request() -> None:
        g.started = hub.clock.monotonic()
        body = request.body
        await request.get_data()
        if isinstance(body, DrainedBody) and body.too_long:
            raise Problem(413, "body-too-large", f"a body has at most {body.most} bytes", headers={"Connection": "close"})
        if isinstance(body, DrainedBody) and body.no_room:
            raise unavailable("too many long bodies are being read at this moment")
        if hub.settings.try_out:
            _refuse_proxies()

    @app.after_request
    async def finish_response(response: Response) -> Response:
        for name, value in _SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        rule = request.url_rule.rule if request.url_rule is not None else "unmatched"
        metrics.REQUESTS.labels(request.method if rule != "unmatched" else "-", rule, str(response.status_code)).inc()
        if rule != "unmatched":
            metrics.DURATION.labels(request.method, rule).observe(hub.clock.monotonic() - g.started)
        return response

    @app.errorhandler(Problem)
    async def answer_problem(problem: Problem) -> Response:
        return _problem_response(problem)

    @app.errorhandler(StoreUnavailable)
    async def answer_unavailable(error: StoreUnavailable) -> Response:
        log.warning("hub.store_unavailable", error=str(error))
        return _problem_response(unavailable("the database is not available at this moment"))

    @app.errorhandler(TooManyHashes)
    async def answer_flood(_: TooManyHashes) -> Response:
        return _problem_response(unavailable("too many passwords are being checked or stored at this moment"))

    @app.errorhandler(HTTPException)
    async def answer_http(error: HTTPException) -> Response:
        return _problem_response(_of_http(error))

    @app.errorhandler(Exception)
    async def answer_failure(error: Exception) -> Response:
        incident = f"urn:uuid:{hub.ids.uuid4()}"
        rule = str(request.url_rule) if has_request_context() else "websocket"
        log.error("hub.request_failed", incident=incident, rule=rule, exc_info=error)
        return _problem_response(Problem(500, "internal-error", "something went wrong on our side", instance=incident))

    return app


def _view(hub: Hub, row: Route) -> Callable[..., Awaitable[Response]]:
    async def view(**path: str) -> Response:
        caller = None
        if row.permission is not None:
            caller = await hub.authenticator.identify(request.headers)
            caller.require(row.permission)
        if any("\0" in value for value in path.values()):
            raise not_found()  # PostgreSQL stores no NUL, so nothing is called that
        query = decode_query(request.query_string, row.query)
        body: Any = None
        if row.takes:
            body = take_upload(await _body(), request.headers.get("Content-Type", ""), row.takes)
        elif row.body is not None:
            raw = await _body()
            absent = not raw and row.body_optional
            body = row.body() if absent else decode_body(raw, request.headers.get("Content-Type", ""), row.body)
        call: Call[Any, Any] = Call(hub, row, caller, path, query, body, _source())
        if row.changes and not row.waits:
            # quart-trio cancels the handler when the client goes away: a change that has begun is finished
            try:
                with trio.fail_after(_CHANGE_TIMEOUT_S, shield=True):
                    answer = await row.handler(call)
            except trio.TooSlowError:
                raise unavailable("the change took too long; look whether it was made before trying again") from None
        else:
            answer = await row.handler(call)
        if isinstance(answer, Document):
            return Response(answer.content, 200, dict(answer.headers), content_type=answer.media_type)
        if isinstance(answer, Stream):
            return stream_response(answer)
        content = b"" if answer.body is None else _encoder.encode(answer.body)
        return Response(content, answer.status, dict(answer.headers), content_type="application/json")

    return view


def _ocpi_view(hub: Hub) -> Callable[..., Awaitable[Response]]:
    async def view(rest: str) -> Response:  # OCPI reads the path as it was sent (Z26)
        return await hub.ocpi.entry.answer()

    return view


async def _body() -> bytes:
    data = await request.get_data()
    return data.encode() if isinstance(data, str) else data


def _source() -> str:
    client = request.scope.get("client")
    return client[0] if client else ""


def _refuse_proxies() -> None:
    """Try-out mode trusts the machine it runs on: what comes through a proxy or from a web page is refused (design 2)."""
    for name in request.headers.keys():  # noqa: SIM118 - werkzeug's headers iterate over pairs
        if name in _PROXY_HEADERS or name.startswith("X-Forwarded-"):
            raise Problem(403, "try-out-mode", f"try-out mode takes no requests with the header {name}")


def _of_http(error: HTTPException) -> Problem:
    status = error.code or 500
    headers: dict[str, str] = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if status in (408, 413):
        headers["Connection"] = "close"
    slug, detail = {
        404: ("not-found", "there is no such resource"),
        405: ("method-not-allowed", "the resource does not have this method"),
        408: ("request-timeout", "the request did not arrive in time"),
    }.get(status, ("http-error", error.name))
    return Problem(status, slug, detail, headers=headers)


def _problem_response(problem: Problem) -> Response:
    return Response(_encoder.encode(problem.details()), problem.status, problem.headers, content_type=MEDIA_TYPE)
