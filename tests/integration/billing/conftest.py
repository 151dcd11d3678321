"""Billing beside a hub, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from csms.billing import worker
from tests.integration.billing.harness import Bills, open_bills
from tests.integration.hub.conftest import admin, boss, cheap, field, hub
from tests.integration.hub.harness import Field

__all__ = ["admin", "boss", "cheap", "field", "hub"]


@pytest.fixture
async def bills(field: Field, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bills]:
    monkeypatch.setattr(worker, "LOOK_EVERY_S", 0.05)
    async with open_bills(field) as opened:
        yield opened
