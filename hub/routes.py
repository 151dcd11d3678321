"""All routes of the hub, and the document that describes them."""

from __future__ import annotations

from functools import cache
from typing import Any

from hub.api.routing import Route
from hub.endpoints import (
    api_keys,
    auth,
    cdrs,
    chargepoints,
    commands,
    events,
    external_authorization,
    id_tokens,
    local_lists,
    locations,
    ocpi_agreements,
    ocpi_check,
    ocpi_commands,
    ocpi_details,
    ocpi_invoices,
    ocpi_messages,
    ocpi_objects,
    ocpi_parties,
    ocpi_partners,
    ocpi_published,
    ocpi_pulls,
    ocpi_received_invoices,
    ocpi_storage,
    offline_policy,
    payments,
    price_series,
    qr_tokens,
    quarantine,
    reservations,
    session_costs,
    session_decisions,
    sessions,
    signed_values,
    statements,
    station_events,
    station_groups,
    system,
    tariff_assignments,
    tariff_preview,
    tariffs,
    tenants,
    token_check,
    token_groups,
    token_transfer,
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
        *reservations.ROUTES,
        *sessions.ROUTES,
        *session_decisions.ROUTES,
        *session_costs.ROUTES,
        *signed_values.ROUTES,
        *cdrs.ROUTES,
        *statements.ROUTES,
        *id_tokens.ROUTES,
        *qr_tokens.ROUTES,
        *payments.ROUTES,
        *token_check.ROUTES,
        *token_transfer.ROUTES,
        *token_groups.ROUTES,
        *station_groups.ROUTES,
        *external_authorization.ROUTES,
        *offline_policy.ROUTES,
        *local_lists.ROUTES,
        *locations.ROUTES,
        *tariffs.ROUTES,
        *tariff_preview.ROUTES,
        *tariff_assignments.ROUTES,
        *price_series.ROUTES,
        *ocpi_parties.ROUTES,
        *ocpi_partners.ROUTES,
        *ocpi_check.ROUTES,
        *ocpi_agreements.ROUTES,
        *ocpi_details.ROUTES,
        *ocpi_published.ROUTES,
        *ocpi_objects.ROUTES,
        *ocpi_storage.ROUTES,
        *ocpi_invoices.ROUTES,
        *ocpi_received_invoices.ROUTES,
        *ocpi_pulls.ROUTES,
        *ocpi_messages.ROUTES,
        *ocpi_commands.ROUTES,
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
