"""All routes of the hub, and the document that describes them."""

from __future__ import annotations

from functools import cache
from typing import Any

from hub.api.routing import Route
from hub.endpoints import (
    api_keys,
    auth,
    chargepoints,
    commands,
    events,
    id_tokens,
    locations,
    quarantine,
    session_decisions,
    sessions,
    station_events,
    system,
    tenants,
    tolerance,
    users,
)
from hub.openapi import write_document


@cache
def all_routes() -> tuple[Route, ...]:
    """Every row of every resource's table, in the order of the documentation."""
    return (
        *auth.ROUTES,
        *tenants.ROUTES,
        *chargepoints.ROUTES,
        *commands.ROUTES,
        *sessions.ROUTES,
        *session_decisions.ROUTES,
        *id_tokens.ROUTES,
        *locations.ROUTES,
        *users.ROUTES,
        *api_keys.ROUTES,
        *events.ROUTES,
        *station_events.ROUTES,
        *quarantine.ROUTES,
        *tolerance.ROUTES,
        *system.ROUTES,
        *system.documentation(document),
    )


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document of all routes."""
    return write_document(all_routes())
