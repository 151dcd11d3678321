"""Tolerance rules and what they lead to, for tests of the gateway."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from csms.store.queries.tolerance import NewRule, StoredRule, insert_rule
from csms.store.tenants import refresh_tenants
from tests.integration.gateway.site import Site


async def add_rule(site: Site, **fields: Any) -> UUID:
    """A rule of the default tenant for the vendor of the tests' stations, in force."""
    given = {"kind": "call", "vendor": "vendor", "model": None, "ocpp_version": None, "action": None, "path": None, "note": None}
    rule = NewRule(**(given | {"rule_id": site.services.ids.uuid7(), "effect": "spare", "created_by": "test"} | fields))
    made = await site.store.hub.tenant_unit(1, lambda conn: insert_rule(conn, 1, rule))
    assert isinstance(made, StoredRule)
    await refresh_tenants(site.store.gateway, site.services.tenants)
    return made.rule_id


async def relaxations(site: Site) -> list[tuple[Any, ...]]:
    """(kind, action, path, rule, cause, times)"""
    rows = await site.rows("SELECT kind, action, path, rule, cause, times FROM relaxations ORDER BY 1, 2, 3, 4")
    return [tuple(row.values()) for row in rows]
