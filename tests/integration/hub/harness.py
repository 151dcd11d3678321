"""A running hub over real HTTP on a real database, and what its tests do with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import trio

from csms.accounts import ensure_first_admin
from csms.bus import Bus
from csms.bus.local import LocalBus
from csms.clock import SystemClock, SystemIds
from csms.credentials import StationPasswords
from csms.domain.metering import Channel, Reading
from csms.domain.operations import ConnectStation, RecordMeterValues, StartTransaction, StopTransaction
from csms.domain.times import parse_station_time
from csms.health import HealthRegistry
from csms.ledger import Ledger
from csms.secret import STATION_PASSWORD_PEPPER, RootSecret
from csms.settings import Settings, load_settings
from csms.store import Connection, Store, open_store
from csms.store.ledger_transaction import PostgresLedgerStore
from csms.store.pool import run_with_owner
from csms.store.tenants import refresh_tenants
from csms.tenants import TenantDirectory
from hub.server import HubServices, run_hub
from tests.e2e.running import TRUST

ADMIN = ("admin@example.org", "admin-password")
PASSWORD = "a-good-password"


@dataclass
class Person:
    """Somebody signed in. `client` sends his credentials."""

    client: httpx.AsyncClient
    email: str
    tenant: str
    access_token: str
    refresh_token: str

    async def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return await self.client.request(method, path, **arguments)

    async def get(self, path: str, **arguments: Any) -> httpx.Response:
        return await self.client.get(path, **arguments)

    async def post(self, path: str, json: Any, **arguments: Any) -> httpx.Response:
        return await self.client.post(path, json=json, **arguments)

    async def patch(self, path: str, json: Any, **arguments: Any) -> httpx.Response:
        return await self.client.patch(path, json=json, **arguments)

    async def put(self, path: str, json: Any, **arguments: Any) -> httpx.Response:
        return await self.client.put(path, json=json, **arguments)

    async def delete(self, path: str, **arguments: Any) -> httpx.Response:
        return await self.client.delete(path, **arguments)


@dataclass
class RunningHub:
    """The hub under test."""

    url: str
    dsn: str
    store: Store
    bus: Bus
    services: HubServices
    shutdown: trio.Event
    process_id: UUID
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
        made = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30, verify=TRUST)
        self.clients.append(made)
        return made

    async def sign_in(self, email: str, password: str, tenant: str = "default") -> Person:
        anonymous = self.client()
        answer = await anonymous.post("/api/v1/auth/login", json={"email": email, "password": password, "tenant": tenant})
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        client = self.client({"Authorization": f"Bearer {tokens['access_token']}"})
        return Person(client, email, tenant, tokens["access_token"], tokens["refresh_token"])

    async def admin(self) -> Person:
        return await self.sign_in(*ADMIN)

    async def make_tenant(self, admin: Person, slug: str) -> Person:
        """A tenant, and its administrator signed in."""
        email = f"boss@{slug}.example.org"
        answer = await admin.post(
            "/api/v1/tenants", {"id": slug, "name": slug.title(), "admin": {"email": email, "password": PASSWORD}}
        )
        assert answer.status_code == 201, answer.text
        return await self.sign_in(email, PASSWORD, slug)

    async def make_user(self, boss: Person, role: str) -> Person:
        email = f"{role}@{boss.tenant}.example.org"
        answer = await boss.post("/api/v1/users", {"email": email, "password": PASSWORD, "role": role})
        assert answer.status_code == 201, answer.text
        return await self.sign_in(email, PASSWORD, boss.tenant)

    async def sql(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        """Run a statement as the owner of the tables."""

        async def work(conn: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in await conn.fetch(statement, *arguments)]

        return await run_with_owner(self.dsn, work)

    async def connect_station(self, tenant: str, identity: str) -> None:
        """As a gateway process would: the station is online from now on."""
        await self.sql(
            "INSERT INTO gateway_processes (process_id) VALUES ($1) ON CONFLICT (process_id) DO UPDATE SET seen_at = now()",
            self.process_id,
        )
        await self.sql(
            "UPDATE stations SET connected_process = $3, connected_at = now(), last_seen_at = now(), "
            "registration = 'accepted', ocpp_version = 'ocpp1.6' "
            "WHERE identity = $2 AND tenant_id = (SELECT tenant_id FROM tenants WHERE slug = $1)",
            tenant,
            identity,
            self.process_id,
        )


@dataclass
class Field:
    """Stations that talk to the ledger, as the gateway would have them do."""

    hub: RunningHub
    ledger: Ledger

    async def tenant_id(self, slug: str) -> int:
        rows = await self.hub.sql("SELECT tenant_id FROM tenants WHERE slug = $1", slug)
        return int(rows[0]["tenant_id"])

    async def connect(self, tenant: str, identity: str) -> int:
        """Connect and register a station, known or not; gives its internal id."""
        outcome = await self.ledger.commit(
            ConnectStation(
                tenant_id=await self.tenant_id(tenant),
                station_id=0,
                identity=identity,
                process_id=self.hub.process_id,
                ocpp_version="ocpp1.6",
                remote_address="127.0.0.1",
                security_profile=0,
                create=True,
            )
        )
        await self.hub.connect_station(tenant, identity)
        return int(outcome.station_id)

    async def start(self, tenant: str, station_id: int, *, tag: str = "TAG1", at: str = "2026-03-01T10:00:00Z") -> str:
        """Start a transaction at 1000 Wh; gives its id."""
        outcome = await self.ledger.commit(
            StartTransaction(
                tenant_id=await self.tenant_id(tenant),
                station_id=station_id,
                evse_id=1,
                connector_id=1,
                id_token=tag,
                time=parse_station_time(at),
                meter_start_wh=1000,
            )
        )
        return str(outcome.transaction_id)

    async def meter(self, tenant: str, station_id: int, transaction: str, *readings: Reading) -> None:
        await self.ledger.commit(
            RecordMeterValues(
                tenant_id=await self.tenant_id(tenant),
                station_id=station_id,
                evse_id=1,
                connector_id=1,
                readings=list(readings),
                payload=b"[]",
                transaction_ref=transaction,
            )
        )

    async def stop(
        self, tenant: str, station_id: int, transaction: str, *, meter_wh: int = 5000, at: str = "2026-03-01T11:00:00Z"
    ) -> None:
        await self.ledger.commit(
            StopTransaction(
                tenant_id=await self.tenant_id(tenant),
                station_id=station_id,
                transaction_ref=transaction,
                time=parse_station_time(at),
                meter_stop_wh=meter_wh,
                payload=b'{"meterStop":5000}',
            )
        )


POWER = (Channel(), Channel("Power.Active.Import", "L1", "Outlet", "W"))


def reading(minute: int, *values: str, second: int = 0) -> Reading:
    """A reading of the energy register and, with two values, of the power of L1."""
    return Reading(datetime(2026, 3, 1, 10, minute, second, tzinfo=UTC), None, 0, POWER[: len(values)], list(values))


@asynccontextmanager
async def open_field(hub: RunningHub) -> AsyncIterator[Field]:
    """A ledger beside the hub, on the same database."""
    ledger = Ledger(
        PostgresLedgerStore(hub.store.gateway),
        hub.services.tenants,
        hub.services.clock,
        hub.services.ids,
        transaction_id_key=bytes(32),
        health=HealthRegistry(),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(ledger.run)
        yield Field(hub, ledger)
        await ledger.close()


@asynccontextmanager
async def running_hub(
    dsn: str, secret: RootSecret, nursery: trio.Nursery, *, bus: Bus | None = None, **environment: str
) -> AsyncIterator[RunningHub]:
    """A hub on any free port; it is shut down at the end, and must be gone then."""
    settings: Settings = load_settings(
        {"CSMS_HTTP_PORT": "0", "CSMS_ADMIN_EMAIL": ADMIN[0], "CSMS_ADMIN_PASSWORD": ADMIN[1], **environment}
    )
    clock = SystemClock()
    ids = SystemIds(clock)
    async with open_store(dsn, connections=4) as store, LocalBus() as local:
        tenants = TenantDirectory(try_out=settings.try_out)
        await refresh_tenants(store.gateway, tenants)
        await ensure_first_admin(store, settings, ids)
        services = HubServices(
            settings=settings,
            clock=clock,
            ids=ids,
            store=store,
            bus=bus or local,
            tenants=tenants,
            passwords=StationPasswords(secret.derive(STATION_PASSWORD_PEPPER), ids),
            secret=secret,
            health=HealthRegistry(),
        )
        shutdown = trio.Event()
        ended = trio.Event()

        async def run(task_status: trio.TaskStatus[list[str]]) -> None:
            await run_hub(services, shutdown, task_status=task_status)
            ended.set()

        (url,) = await nursery.start(run)
        hub = RunningHub(url, dsn, store, services.bus, services, shutdown, ids.uuid4())
        try:
            yield hub
        finally:
            with trio.CancelScope(shield=True):
                for client in hub.clients:
                    await client.aclose()
                shutdown.set()
                with trio.fail_after(20):
                    await ended.wait()
