"""A tenant that roams: its parties, its partners, and the publication that follows its events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import trio

from csms.health import HealthRegistry
from csms.outbox import OutboxReader
from csms.roaming.publication.worker import Publication
from csms.store.outbox import ROAMING, OutboxStore
from csms.store.queries.ocpi_objects import decode_document
from tests.integration.billing.harness import Bills
from tests.integration.hub.harness import Person

ENDPOINTS = [
    {"identifier": module, "role": "RECEIVER", "url": f"https://partner.example/{module}"}
    for module in ("locations", "tariffs", "sessions", "cdrs", "tokens")
]


@dataclass
class Roaming:
    bills: Bills
    boss: Person
    publication: Publication
    tenant_id: int

    async def sql(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return await self.bills.sql(statement, *arguments)

    async def party(self, role: str = "CPO", party_id: str = "ABC", *, country_code: str = "DE", on_hub: bool = False) -> None:
        await self.sql(
            "INSERT INTO ocpi_parties (tenant_id, country_code, party_id, role, business_details, on_hub) "
            "VALUES ($1, $2, $3, $4, $5::json, $6) ON CONFLICT (tenant_id, country_code, party_id, role) "
            "DO UPDATE SET on_hub = excluded.on_hub, updated_at = now()",
            self.tenant_id,
            country_code,
            party_id,
            role,
            json.dumps({"name": f"{party_id} Energy"}),
            on_hub,
        )

    async def partner(self, party_id: str, role: str = "EMSP", *, country_code: str = "NL", status: str = "connected") -> UUID:
        partner_id = uuid4()
        await self.sql(
            "INSERT INTO ocpi_partners (tenant_id, partner_id, name, status, endpoints) VALUES ($1, $2, $3, $4, $5::json)",
            self.tenant_id,
            partner_id,
            f"{party_id} platform",
            status,
            json.dumps(ENDPOINTS),
        )
        await self.sql(
            "INSERT INTO ocpi_roles (tenant_id, country_code, party_id, role, partner_id, status, last_updated) "
            "VALUES ($1, $2, $3, $4, $5, 'CONNECTED', now())",
            self.tenant_id,
            country_code,
            party_id,
            role,
            partner_id,
        )
        return partner_id

    async def agreement(self, party: str | None, **values: Any) -> None:
        await self.sql(
            "INSERT INTO ocpi_agreements (tenant_id, agreement_id, party_country_code, party_party_id, allowed, modules, "
            "location_ids, countries, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'test')",
            self.tenant_id,
            uuid4(),
            None if party is None else "NL",
            party,
            values.get("allowed", True),
            values.get("modules"),
            values.get("location_ids"),
            values.get("countries"),
        )

    async def location(self, name: str = "Market", **values: Any) -> UUID:
        location_id = uuid4()
        await self.sql(
            "INSERT INTO locations (tenant_id, location_id, name, address, city, postal_code, country, latitude, longitude, "
            "time_zone) VALUES ($1, $2, $3, $4, $5, '12345', $6, $7, 13.4, 'Europe/Berlin')",
            self.tenant_id,
            location_id,
            name,
            values.get("address", "Marktplatz 1"),
            values.get("city", "Berlin"),
            values.get("country", "DE"),
            values.get("latitude", 52.5),
        )
        return location_id

    async def station(self, identity: str, location_id: UUID | None, *, connector_type: str | None = "cType2") -> int:
        """A station that is online, with one connector."""
        station_id = await self.bills.field.connect("north", identity)
        await self.sql("UPDATE stations SET location_id = $2 WHERE station_id = $1", station_id, location_id)
        await self.sql(
            "INSERT INTO evses (tenant_id, station_id, evse_id) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING",
            self.tenant_id,
            station_id,
        )
        await self.sql(
            "INSERT INTO connectors (tenant_id, station_id, evse_id, connector_id, connector_type, max_power_w) "
            "VALUES ($1, $2, 1, 1, $3, 11000) ON CONFLICT DO NOTHING",
            self.tenant_id,
            station_id,
            connector_type,
        )
        return station_id

    async def foreign_token(self, id_token: str = "CARD1", party_id: str = "EMP") -> None:
        await self.sql(
            "INSERT INTO id_tokens (tenant_id, id_token, type, contract_id, owner_country_code, owner_party_id, ocpi_type) "
            "VALUES ($1, $2, 'ISO14443', 'NLEMPC123456', 'NL', $3, 'RFID')",
            self.tenant_id,
            id_token,
            party_id,
        )

    async def objects(self, module: str) -> list[dict[str, Any]]:
        rows = await self.sql(
            "SELECT country_code, party_id, object_id, kind, document, last_updated, deleted_at, with_country_code, with_party_id "
            "FROM ocpi_objects WHERE tenant_id = $1 AND module = $2 AND origin = 'own' ORDER BY object_no",
            self.tenant_id,
            module,
        )
        return [{**row, "document": decode_document(row["document"])} for row in rows]

    async def published(self, module: str, fits: Callable[[Sequence[dict[str, Any]]], bool] = bool) -> list[dict[str, Any]]:
        """The own objects of a module, once they fit."""
        found: list[dict[str, Any]] = []
        with trio.move_on_after(8) as limit:
            while True:
                found = await self.objects(module)
                if fits(found):
                    return found
                await trio.sleep(0.02)
        raise AssertionError(f"{limit.cancelled_caught}: {module} are {json.dumps(found, default=str, indent=1)}")

    async def pushes(self, module: str | None = None) -> list[tuple[str, str, str, str, int]]:
        """(receiver, module, object, part, version)."""
        rows = await self.sql(
            "SELECT to_party_id, module, object_id, part, version FROM ocpi_pushes WHERE tenant_id = $1 "
            "AND ($2::text IS NULL OR module = $2) ORDER BY push_no",
            self.tenant_id,
            module,
        )
        return [tuple(row.values()) for row in rows]  # type: ignore[misc]

    async def settled(self) -> None:
        """Return once everything that was asked for has been gone through and all events have been read."""
        with trio.fail_after(10):
            while await self.sql("SELECT FROM ocpi_publications") or await self.sql(
                "SELECT FROM outbox o, outbox_readers r WHERE r.sink = 'roaming' AND o.type = ANY($1::text[]) "
                "AND (o.xid, o.id) > (r.xid, r.id)",
                sorted(Publication.takes),
            ):
                await trio.sleep(0.02)

    async def forget_pushes(self) -> None:
        await self.settled()
        await self.sql("DELETE FROM ocpi_pushes")


@asynccontextmanager
async def open_roaming(bills: Bills, boss: Person) -> AsyncIterator[Roaming]:
    services = bills.field.hub.services
    health = HealthRegistry()
    publication = Publication(services.store, services.bus, services.clock, health)
    outbox = OutboxStore(services.store.gateway)

    def reader(sink: Publication) -> OutboxReader:
        return OutboxReader(sink, outbox, services.bus, health, uuid4(), component="roaming", tenants=ROAMING)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(publication.run, reader)
        yield Roaming(bills, boss, publication, await bills.field.tenant_id("north"))
        nursery.cancel_scope.cancel()
