"""Publication beside a hub, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from csms.outbox import reader as reader_module
from csms.roaming.publication import worker
from hub.ocpi.delivery import Deliveries
from tests.integration.billing.conftest import bills
from tests.integration.billing.harness import Bills
from tests.integration.hub.conftest import admin, boss, cheap, field, hub
from tests.integration.hub.harness import Person
from tests.integration.roaming.harness import Roaming, open_roaming

__all__ = ["admin", "bills", "boss", "cheap", "field", "hub"]


@pytest.fixture(autouse=True)
def undelivered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is queued for receivers is looked at here, and stays."""
    monkeypatch.setattr(Deliveries, "_look", _nothing)


@pytest.fixture
async def roaming(bills: Bills, boss: Person, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Roaming]:
    monkeypatch.setattr(reader_module, "POLL_S", 0.05)
    monkeypatch.setattr(worker, "LOOK_FOR_WHOLES_S", 0.05)
    monkeypatch.setattr(worker, "LOOK_FOR_PARTIES_S", 0.05)
    async with open_roaming(bills, boss) as opened:
        yield opened


async def _nothing(*_: object) -> None:
    return
