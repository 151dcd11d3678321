"""Stations that take reservations, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from csms.secret import RootSecret
from tests.integration.hub.conftest import admin, boss, cheap, field, hub
from tests.integration.local_lists.harness import Network, open_network

__all__ = ["admin", "boss", "cheap", "field", "hub"]


@pytest.fixture
async def network(database: str, root_secret: RootSecret) -> AsyncIterator[Network]:
    async with open_network(database, root_secret, rounds=0) as opened:
        yield opened
