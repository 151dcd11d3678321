"""The service itself: health, metrics, documentation, and the page at `/`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from csms.health import State
from csms.store import Connection, StoreUnavailable
from csms.store.queries.gateways import count_gateways
from hub.api.routing import Answer, Call, Document, NoQuery, Route, route
from hub.docs_page import STYLE, write_landing, write_page

_HTML: Final = "text/html; charset=utf-8"
_PAGE_POLICY: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}
_PROBE_TIMEOUT_S: Final = 2.0


class Component(msgspec.Struct):
    """`detail` says why a component is not ok."""

    state: State
    detail: str


class Health(msgspec.Struct):
    """`status` is ok when every component of this process is."""

    status: Literal["ok", "degraded"]
    components: dict[str, Component]


async def health(call: Call[NoQuery, None]) -> Answer:
    components = {name: Component(c.state, c.detail) for name, c in call.hub.health.snapshot().items()}
    components["database"] = await _database(call)
    components["gateways"] = await _gateways(call)
    components["hub"] = Component("ok", "")
    status: Literal["ok", "degraded"] = "ok" if all(c.state == "ok" for c in components.values()) else "degraded"
    return Answer(200, Health(status, dict(sorted(components.items()))))


async def metrics(call: Call[NoQuery, None]) -> Document:
    return Document(generate_latest(REGISTRY), CONTENT_TYPE_LATEST)


def documentation(document: Callable[[], dict[str, Any]]) -> tuple[Route, ...]:
    """The rows that show the document made from all rows, themselves included."""

    async def openapi(call: Call[NoQuery, None]) -> Document:
        return Document(msgspec.json.encode(document()), "application/json")

    async def docs(call: Call[NoQuery, None]) -> Document:
        return Document(write_page(document()).encode(), _HTML, _PAGE_POLICY)

    return (
        route(
            "GET",
            "/openapi.json",
            openapi,
            permission=None,
            answers={200: dict[str, Any]},
            tag="Service",
            summary="This documentation as an OpenAPI 3.1 document",
        ),
        route(
            "GET",
            "/docs",
            docs,
            permission=None,
            answers={200: str},
            media_type="text/html",
            tag="Service",
            summary="This documentation",
        ),
    )


async def style(call: Call[NoQuery, None]) -> Document:
    return Document(STYLE.encode(), "text/css; charset=utf-8", {"Cache-Control": "max-age=3600"})


async def landing(call: Call[NoQuery, None]) -> Document:
    page = write_landing({"/docs": "API documentation", "/health": "Health", "/metrics": "Metrics"})
    return Document(page.encode(), _HTML, _PAGE_POLICY)


async def _database(call: Call[NoQuery, None]) -> Component:
    async def probe(conn: Connection) -> None:
        await conn.execute("SELECT 1")

    try:
        await call.hub.store.auth.unit(probe, timeout=_PROBE_TIMEOUT_S)
    except StoreUnavailable:
        return Component("down", "does not answer")
    return Component("ok", "")


async def _gateways(call: Call[NoQuery, None]) -> Component:
    """The gateway processes of the whole installation, this one included when it is one."""
    try:
        found = await call.hub.store.hub.unit(count_gateways, timeout=_PROBE_TIMEOUT_S)
    except StoreUnavailable:
        return Component("down", "the database does not tell")
    # none at all is a hub that was started first; one that is missing leaves others who serve its stations
    state: State = "ok" if found.alive or not found.known else "degraded"
    return Component(state, f"{found.alive} alive")


ROUTES = (
    route(
        "GET",
        "/health",
        health,
        permission=None,
        answers={200: Health},
        tag="Service",
        summary="The states of this process's parts",
        description=(
            "Always 200 while the process can answer: `status` tells whether something is amiss. `gateways` counts the gateway "
            "processes of the whole installation that gave a sign of life within 30 seconds."
        ),
    ),
    route(
        "GET",
        "/metrics",
        metrics,
        permission=None,
        answers={200: str},
        media_type="text/plain",
        tag="Service",
        summary="Figures for Prometheus",
    ),
    route(
        "GET",
        "/docs/style.css",
        style,
        permission=None,
        answers={200: str},
        media_type="text/css",
        tag="Service",
        summary="How the documentation looks",
    ),
    route(
        "GET",
        "/",
        landing,
        permission=None,
        answers={200: str},
        media_type="text/html",
        tag="Service",
        summary="Where to go from here",
    ),
)
