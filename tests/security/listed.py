"""What the rounds of local lists leave behind, for the tests of tenant isolation."""

from __future__ import annotations

from csms.local_lists.refresh import Refresh
from tests.integration.hub.harness import Person, RunningHub


async def furnish_listed(hub: RunningHub, boss: Person, tenant_id: int) -> None:
    """A policy, a list that its station ought to have, and the mark of a change."""
    policy = await boss.put("/api/v1/offline-policy", {"local_list": True})
    assert policy.status_code == 200, policy.text
    services = hub.services
    assert await Refresh(hub.store.hub, services.clock, services.ids.uuid4()).refresh(tenant_id) == 1
    await hub.sql("INSERT INTO offline_changes (tenant_id) VALUES ($1)", tenant_id)
