"""A network of stations with local lists, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from csms.secret import RootSecret
from tests.integration.hub.conftest import cheap
from tests.integration.local_lists.harness import Network, hurry, open_network

__all__ = ["cheap"]


@pytest.fixture
async def network(database: str, root_secret: RootSecret, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Network]:
    hurry(monkeypatch)
    async with open_network(database, root_secret) as opened:
        yield opened
