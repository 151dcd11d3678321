"""OCPI of a hub process on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from csms.secret import RootSecret
from tests.integration.hub.conftest import admin, boss, cheap, field, hub
from tests.integration.ocpi.roaming import Roaming, open_roaming
from tests.integration.ocpi.street import Street, open_street

__all__ = ["admin", "boss", "cheap", "field", "hub"]


@pytest.fixture
async def roaming(database: str, root_secret: RootSecret) -> AsyncIterator[Roaming]:
    async with open_roaming(database, root_secret) as opened:
        yield opened


@pytest.fixture
async def street(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> AsyncIterator[Street]:
    """A CPO with real stations, and a hub."""
    async with open_street(database, root_secret, nursery) as opened:
        yield opened
