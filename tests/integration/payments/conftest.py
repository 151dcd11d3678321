"""Payments beside a hub, a ledger and billing, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from csms.secret import RootSecret
from tests.integration.hub.conftest import admin, boss, cheap, hub
from tests.integration.hub.harness import Person, RunningHub
from tests.integration.payments.harness import Till, open_till

__all__ = ["admin", "boss", "cheap", "hub"]


@pytest.fixture
async def till(hub: RunningHub, boss: Person, root_secret: RootSecret) -> AsyncIterator[Till]:
    async with open_till(hub, boss, root_secret) as opened:
        yield opened
