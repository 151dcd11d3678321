"""Two tenants with the same things in them, on a running hub."""

from __future__ import annotations

from tests.integration.hub.conftest import admin, boss, cheap, field, hub

__all__ = ["admin", "boss", "cheap", "field", "hub"]
