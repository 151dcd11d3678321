"""Sessions with prices: tariffs on the database, stations that charge, billing that follows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import trio

from csms.billing import worker
from csms.billing.worker import Billing
from csms.health import HealthRegistry
from csms.outbox import OutboxReader
from csms.store.outbox import OutboxStore
from tests.integration.hub.harness import Field

SIMPLE = {
    "id": "simple",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.25, "vat": 20, "step_size": 1}]}],
}


@dataclass
class Bills:
    field: Field
    billing: Billing

    async def sql(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return await self.field.hub.sql(statement, *arguments)

    async def tariff(
        self,
        tenant: str,
        tariff: dict[str, Any] = SIMPLE,
        *,
        version: int = 1,
        on_change: str = "keep",
        valid_from: str = "2020-01-01",
    ) -> None:
        """A version of a tariff that all sessions of the tenant have from then on."""
        tenant_id = await self.field.tenant_id(tenant)
        await self.sql(
            "INSERT INTO tariffs (tenant_id, tariff_id, name, on_change) VALUES ($1, $2, $2, $3) ON CONFLICT DO NOTHING",
            tenant_id,
            tariff["id"],
            on_change,
        )
        await self.sql(
            "INSERT INTO tariff_versions (tenant_id, tariff_id, version, valid_from, tariff, created_by) "
            "VALUES ($1, $2, $3, $4::text::timestamptz, $5::json, 'test')",
            tenant_id,
            tariff["id"],
            version,
            valid_from,
            json.dumps(tariff),
        )
        if version == 1:
            await self.sql(
                "INSERT INTO tariff_assignments (tenant_id, assignment_id, tariff_id, created_by) VALUES ($1, $2, $3, 'test')",
                tenant_id,
                uuid4(),
                tariff["id"],
            )

    async def session(self, transaction: str) -> UUID:
        rows = await self.sql("SELECT session_id FROM sessions WHERE transaction_ref = $1 ORDER BY incarnation DESC", transaction)
        session_id: UUID = rows[0]["session_id"]
        return session_id

    async def cost(self, transaction: str, fits: Callable[[dict[str, Any]], bool] = lambda row: True) -> dict[str, Any]:
        """The cost of a session, once it fits."""
        session_id = await self.session(transaction)
        with trio.fail_after(20):
            while True:
                rows = await self.sql("SELECT * FROM session_costs WHERE session_id = $1", session_id)
                if rows and fits(rows[0]):
                    return rows[0]
                await trio.sleep(0.05)

    async def cdrs(self, transaction: str, count: int) -> list[dict[str, Any]]:
        """The CDRs of a session, once there are so many."""
        session_id = await self.session(transaction)
        rows: list[dict[str, Any]] = []
        with trio.fail_after(20):
            while len(rows) < count:
                rows = await self.sql("SELECT * FROM cdrs WHERE session_id = $1 ORDER BY revision", session_id)
                await trio.sleep(0.05)
        assert len(rows) == count
        return [row | {"document": json.loads(row["document"])} for row in rows]

    async def settled(self) -> None:
        """Wait until billing has taken all events."""
        with trio.fail_after(20):
            while await self.sql(
                "SELECT FROM outbox o WHERE type = ANY($1) AND NOT EXISTS "
                "(SELECT FROM outbox_readers r WHERE r.sink = 'billing' AND (r.xid, r.id) >= (o.xid, o.id))",
                list(worker.TYPES),
            ):
                await trio.sleep(0.05)


@asynccontextmanager
async def open_bills(field: Field) -> AsyncIterator[Bills]:
    """Billing that looks at running sessions all the time."""
    hub, services = field.hub, field.hub.services
    billing = Billing(hub.store, hub.bus, services.clock, services.ids, interval_s=0.05)
    outbox = OutboxReader(billing, OutboxStore(hub.store.gateway), hub.bus, HealthRegistry(), uuid4(), component="billing")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(billing.run)
        nursery.start_soon(outbox.run)
        yield Bills(field, billing)
        nursery.cancel_scope.cancel()
