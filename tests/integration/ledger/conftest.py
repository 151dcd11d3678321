"""A running ledger on a real database, with one connected station."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import trio

from csms.clock import SystemClock, SystemIds
from csms.domain.metering import Channel, Reading
from csms.domain.operations import (
    Connected,
    ConnectStation,
    RecordMeterValues,
    RecordTransactionEvent,
    StartTransaction,
    StopTransaction,
)
from csms.domain.times import parse_station_time
from csms.health import HealthRegistry
from csms.ledger import Ledger
from csms.store import Connection, Store, open_store
from csms.store.ledger_transaction import PostgresLedgerStore
from csms.store.pool import run_with_owner
from csms.store.tenants import refresh_tenants
from csms.tenants import TenantDirectory

ENERGY = (Channel(),)
KEY = bytes(32)


@dataclass
class Bench:
    """The ledger under test and shorthand for what stations do."""

    store: Store
    ledger: Ledger
    tenants: TenantDirectory
    health: HealthRegistry
    dsn: str

    async def rows(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        async def work(conn: Connection) -> list[dict[str, Any]]:
            return [dict(r) for r in await conn.fetch(sql, *arguments)]

        return await self.store.gateway.unit(work)

    async def owner(self, sql: str) -> None:
        """Run a statement as the owner of the database."""

        async def work(conn: Connection) -> None:
            await conn.execute(sql)

        await run_with_owner(self.dsn, work)

    async def owner_unit(self, work: Any) -> None:
        """Run `work` in one transaction of the owner's."""

        async def transaction(conn: Connection) -> None:
            async with conn.transaction():
                await work(conn)

        await run_with_owner(self.dsn, transaction)

    async def kill_backends(self) -> None:
        """End every server process that works for this database, as a restart of the server would."""
        await self.owner(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND usename = current_user"
        )

    async def connect(self, identity: str, *, tenant_id: int = 1) -> Connected:
        """Connect a station, which is made at the first time."""
        known = await self.rows("SELECT station_id FROM stations WHERE tenant_id = $1 AND identity = $2", tenant_id, identity)
        outcome = await self.ledger.commit(
            ConnectStation(
                tenant_id=tenant_id,
                station_id=known[0]["station_id"] if known else 0,
                identity=identity,
                process_id=uuid4(),
                ocpp_version="ocpp1.6",
                remote_address="127.0.0.1",
                security_profile=0,
                create=not known,
            )
        )
        assert isinstance(outcome, Connected)
        return outcome

    async def start(self, station_id: int, **changes: Any) -> Any:
        fields: dict[str, Any] = {
            "tenant_id": 1,
            "station_id": station_id,
            "evse_id": 1,
            "connector_id": 1,
            "id_token": "TAG1",
            "time": parse_station_time("2026-03-01T10:00:00Z"),
            "meter_start_wh": 1000,
        }
        return await self.ledger.commit(StartTransaction(**(fields | changes)))

    async def stop(self, station_id: int, transaction_ref: str | int, **changes: Any) -> Any:
        fields: dict[str, Any] = {
            "tenant_id": 1,
            "station_id": station_id,
            "transaction_ref": str(transaction_ref),
            "time": parse_station_time("2026-03-01T11:00:00Z"),
            "meter_stop_wh": 5000,
            "payload": b'{"meterStop":5000}',
        }
        return await self.ledger.commit(StopTransaction(**(fields | changes)))

    async def meter(self, station_id: int, transaction_ref: str | int | None, *readings: Reading, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "tenant_id": 1,
            "station_id": station_id,
            "evse_id": 1,
            "connector_id": 1,
            "readings": list(readings),
            "payload": b"[]",
            "transaction_ref": None if transaction_ref is None else str(transaction_ref),
        }
        await self.ledger.commit(RecordMeterValues(**(fields | changes)))

    async def event(self, station_id: int, kind: str, seq_no: int, time: str, **changes: Any) -> Any:
        fields: dict[str, Any] = {
            "tenant_id": 1,
            "station_id": station_id,
            "ocpp_version": "ocpp2.0.1",
            "type": kind,
            "transaction_ref": "tx-1",
            "seq_no": seq_no,
            "time": parse_station_time(time),
            "trigger_reason": "MeterValuePeriodic",
            "details": b"{}",
            "payload": b"{}",
        }
        return await self.ledger.commit(RecordTransactionEvent(**(fields | changes)))


def reading(minute: int, wh: str) -> Reading:
    return Reading(datetime(2026, 3, 1, 10, minute, tzinfo=UTC), None, 0, ENERGY, [wh])


@asynccontextmanager
async def open_bench(database: str, *, shared: bool = False, linger_s: float = 0.01) -> AsyncIterator[Bench]:
    clock = SystemClock()
    async with open_store(database) as store:
        tenants = TenantDirectory(try_out=True)
        await refresh_tenants(store.gateway, tenants)
        health = HealthRegistry()
        ledger = Ledger(
            PostgresLedgerStore(store.gateway),
            tenants,
            clock,
            SystemIds(clock),
            transaction_id_key=KEY,
            health=health,
            shared=shared,
            linger_s=linger_s,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(ledger.run)
            yield Bench(store, ledger, tenants, health, database)
            await ledger.close()


@pytest.fixture
async def bench(database: str) -> AsyncIterator[Bench]:
    async with open_bench(database) as made:
        yield made
