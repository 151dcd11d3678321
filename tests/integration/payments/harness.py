"""A tenant that takes payments: its stations on a real ledger, billing and the payments' worker beside it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import trio

from csms.clock import SystemClock
from csms.commands import CommandService
from csms.external_authorization.sealing import Sealer
from csms.health import HealthRegistry
from csms.ledger import Ledger
from csms.outbox import OutboxReader
from csms.payments.providers import built_in
from csms.payments.service import PaymentService
from csms.payments.worker import PaymentWorker
from csms.qr_tokens import QrCodes
from csms.secret import PAYMENT_METHODS, QR_TOKENS, RootSecret
from csms.store.ledger_transaction import PostgresLedgerStore
from csms.store.outbox import OutboxStore
from tests.integration.billing.harness import Bills, open_bills
from tests.integration.hub.harness import Field, Person, RunningHub

SETTINGS = {"provider": "test", "currency": "EUR", "hold_amount": "20.00", "max_amount": "100.00"}
SIMPLE = {
    "id": "simple",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.25, "vat": 20, "step_size": 1}]}],
}


@dataclass
class Till:
    hub: RunningHub
    boss: Person
    field: Field
    bills: Bills
    service: PaymentService
    worker: PaymentWorker
    nursery: trio.Nursery
    station: int = 0

    async def sql(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return await self.hub.sql(statement, *arguments)

    async def open(self) -> None:
        """A tariff, a station, and the provider `test`."""
        await self.bills.tariff("north", SIMPLE)
        self.station = await self.field.connect("north", "CP1")
        answer = await self.boss.put("/api/v1/payment-settings", SETTINGS)
        assert answer.status_code == 200, answer.text

    async def pay(self, method: str = "test_ok", **fields: Any) -> dict[str, Any]:
        answer = await self.boss.post(
            "/api/v1/payments", {"charge_point_id": "CP1", "evse_id": 1, "payment_method": method} | fields
        )
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def see(self, payment: dict[str, Any], fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The payment, once it fits."""
        found: dict[str, Any] = {}
        try:
            with trio.fail_after(20):
                while True:
                    answer = await self.boss.get(f"/api/v1/payments/{payment['payment_id']}")
                    found = answer.json()
                    if fits(found):
                        return found
                    await trio.sleep(0.05)
        except trio.TooSlowError:
            raise AssertionError(f"never: {found}") from None

    async def state(self, payment: dict[str, Any], state: str) -> dict[str, Any]:
        return await self.see(payment, lambda found: found["state"] == state)

    async def token(self, payment: dict[str, Any]) -> str:
        rows = await self.sql("SELECT id_token FROM payments WHERE payment_id = $1", UUID(payment["payment_id"]))
        return str(rows[0]["id_token"])

    async def start(self, payment: dict[str, Any]) -> str:
        """The station begins the session that it was told to."""
        await self.state(payment, "starting")
        transaction = await self.field.start("north", self.station, tag=await self.token(payment))
        await self.state(payment, "charging")
        return transaction

    async def hold(self, payment: dict[str, Any]) -> dict[str, Any]:
        """What the provider says of it."""
        rows = await self.sql("SELECT * FROM test_payment_holds WHERE reference = $1", payment["payment_id"])
        return rows[0] if rows else {}

    async def calls(self, payment: dict[str, Any]) -> dict[str, tuple[int, str | None]]:
        """By the end of their key: how often each call was made, and what came of it."""
        rows = await self.sql("SELECT * FROM test_payment_calls WHERE reference = $1", payment["payment_id"])
        return {row["idempotency_key"].partition(":")[2]: (row["calls"], row["outcome"]) for row in rows}

    async def hasten(self, payment: dict[str, Any], **columns: str) -> None:
        """Change what the payment waits for, and have it taken up."""
        changes = "".join(f", {name} = {value}" for name, value in columns.items())
        await self.sql(
            f"UPDATE payments SET due_at = now(), turn = turn + 1{changes} WHERE payment_id = $1", UUID(payment["payment_id"])
        )

    async def events(self, payment: dict[str, Any]) -> list[str]:
        rows = await self.sql("SELECT type, data FROM outbox WHERE type LIKE 'payment.%' ORDER BY xid, id")
        return [row["type"][8:] for row in rows if json.loads(row["data"])["payment_id"] == payment["payment_id"]]


def make_service(hub: RunningHub, secret: RootSecret) -> PaymentService:
    clock, ids = hub.services.clock, hub.services.ids
    commands = CommandService(hub.store.hub, hub.bus, clock, ids)
    sealer = Sealer(secret.derive(PAYMENT_METHODS), ids)
    return PaymentService(hub.store.hub, commands, clock, ids, built_in(hub.store.hub), sealer)


@asynccontextmanager
async def open_till(hub: RunningHub, boss: Person, secret: RootSecret) -> AsyncIterator[Till]:
    ledger = Ledger(
        PostgresLedgerStore(hub.store.gateway),
        hub.services.tenants,
        hub.services.clock,
        hub.services.ids,
        transaction_id_key=bytes(32),
        qr_codes=QrCodes(secret.derive(QR_TOKENS)),
        health=HealthRegistry(),
    )
    payments = make_service(hub, secret)
    worker = PaymentWorker(hub.store, payments, SystemClock())
    reader = OutboxReader(worker, OutboxStore(hub.store.gateway), hub.bus, HealthRegistry(), uuid4(), component="payments")
    async with trio.open_nursery() as nursery:
        await nursery.start(ledger.run)
        field = Field(hub, ledger)
        async with open_bills(field) as bills:
            nursery.start_soon(worker.run)
            nursery.start_soon(reader.run)
            till = Till(hub, boss, field, bills, payments, worker, nursery)
            await till.open()
            yield till
        nursery.cancel_scope.cancel()
        await ledger.close()
