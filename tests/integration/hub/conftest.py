"""The hub under test, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
import structlog
import trio
from argon2 import PasswordHasher

from csms import accounts
from csms.secret import RootSecret
from tests.integration.hub.harness import Field, Person, RunningHub, open_field, running_hub


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Passwords hashed in a millisecond instead of a hundred, and tracebacks that are not drawn in boxes."""
    hasher = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "PasswordHasher", hasher)
    monkeypatch.setattr(accounts, "_DECOY", hasher().hash("decoy"))
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def hub(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> AsyncIterator[RunningHub]:
    async with running_hub(database, root_secret, nursery) as running:
        yield running


@pytest.fixture
async def admin(hub: RunningHub) -> Person:
    """The platform's administrator."""
    return await hub.admin()


@pytest.fixture
async def boss(hub: RunningHub, admin: Person) -> Person:
    """The administrator of a tenant `north`."""
    return await hub.make_tenant(admin, "north")


@pytest.fixture
async def field(hub: RunningHub) -> AsyncIterator[Field]:
    """Stations on the same database."""
    async with open_field(hub) as opened:
        yield opened
