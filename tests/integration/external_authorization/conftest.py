"""A third party, a hub that may ask it, and a gateway with stations, all on one bus."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from csms.secret import RootSecret
from tests.integration.external_authorization.network import Network, network
from tests.integration.external_authorization.third_party import ThirdPartyServer, third_party
from tests.integration.hub.conftest import admin, boss, cheap, hub

__all__ = ["admin", "boss", "cheap", "hub"]


@pytest.fixture
async def server() -> AsyncIterator[ThirdPartyServer]:
    async with third_party() as running:
        yield running


@pytest.fixture
async def net(database: str, root_secret: RootSecret, server: ThirdPartyServer, nursery: trio.Nursery) -> AsyncIterator[Network]:
    async with network(database, root_secret, server, nursery) as running:
        yield running
