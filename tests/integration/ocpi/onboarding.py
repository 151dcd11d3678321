"""Tenants that become partners of platforms: the hub's API on one side, somebody else's platform on the other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import trio

from csms.commands import CommandService
from csms.limits import SharedLimits
from csms.roaming.partners import Partner
from csms.secret import RootSecret
from hub.ocpi.services import Ocpi
from hub.ocpi.wiring import OcpiPart
from tests.integration.hub.harness import Person, RunningHub, running_hub
from tests.ocpi.platform import Platform, encoded, running_platform
from tests.ocpi.wire import Answer, Seen, start_serving

PARTNERS = "/api/v1/ocpi/partners"
DETAILS = {"name": "North Charging", "website": "https://north.example"}
AT = "2026-01-01T00:00:00Z"


@dataclass
class Invited:
    """What a new partner is told, and how its requests are made by hand."""

    partner_id: str
    versions_url: str
    token: str


@dataclass
class Scene:
    """`boss` is the administrator of the tenant `north`, a CPO; the installation is a hub, managed by `admin`. `ocpi` is OCPI of
    another process on the same database, without its workers."""

    hub: RunningHub
    ocpi: Ocpi
    admin: Person
    boss: Person
    stack: AsyncExitStack
    by_hand: httpx.AsyncClient
    numbers: count[int]

    async def platform(self, role: str = "EMSP") -> Platform:
        """A platform with a party that nobody else has."""
        return await self.stack.enter_async_context(running_platform(f"{role}:DE:{self.party_id()}"))

    def party_id(self) -> str:
        return f"P{next(self.numbers):02}"

    async def invite(self, name: str = "A platform", *, tenant: str = "north", **settings: Any) -> Invited:
        made = await self.person(tenant).post(PARTNERS, {"name": name, "settings": settings}, **self.acting(tenant))
        assert made.status_code == 201, made.text
        body = made.json()
        return Invited(body["partner"]["partner_id"], body["versions_url"], body["token"])

    async def connected(self, role: str = "EMSP", *, tenant: str = "north", **settings: Any) -> tuple[Invited, Platform]:
        """A platform that has registered here."""
        platform, invited = await self.platform(role), await self.invite(tenant=tenant, **settings)
        reply = await platform.register(invited.versions_url, invited.token)
        assert reply.ok, reply
        return invited, platform

    def person(self, tenant: str) -> Person:
        return self.boss if tenant == "north" else self.admin

    def acting(self, tenant: str) -> dict[str, Any]:
        return {} if tenant == "north" else {"headers": {"X-CSMS-Tenant": tenant}}

    async def partner(self, partner_id: str, *, tenant: str = "north") -> dict[str, Any]:
        found = await self.person(tenant).get(f"{PARTNERS}/{partner_id}", **self.acting(tenant))
        assert found.status_code == 200, found.text
        shown: dict[str, Any] = found.json()
        return shown

    async def stored(self, partner_id: str, *, tenant: str = "north") -> Partner:
        """The partner as OCPI knows it."""
        rows = await self.hub.sql("SELECT tenant_id FROM tenants WHERE slug = $1", tenant)
        found = await self.ocpi.directory.partner(rows[0]["tenant_id"], UUID(partner_id))
        assert found is not None
        return found

    async def order(self, partner_id: str, what: str, body: Any = None, *, tenant: str = "north") -> httpx.Response:
        """Register, rotate, refresh, suspend, resume, registration-token."""
        return await self.person(tenant).request(
            "POST", f"{PARTNERS}/{partner_id}/{what}", **({} if body is None else {"json": body}), **self.acting(tenant)
        )

    async def ask(
        self,
        method: str,
        url: str,
        token: str | None,
        body: Any = None,
        *,
        way: str = "base64",
        scheme: str = "Token",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A request to our OCPI by hand."""
        sent = {} if token is None else {"Authorization": f"{scheme} {encoded(token, way)}"}
        content = None if body is None else json.dumps(body)
        if content is not None:
            sent["Content-Type"] = "application/json"
        return await self.by_hand.request(method, url, content=content, headers={**sent, **(headers or {})})

    def url(self, *segments: str) -> str:
        return "/".join((self.hub.url, "ocpi", *segments))

    async def hash_count(self, partner_id: str) -> int:
        rows = await self.hub.sql("SELECT count(*) FROM ocpi_tokens WHERE partner_id = $1::text::uuid", partner_id)
        return int(rows[0]["count"])

    async def forget(self) -> None:
        """What was changed behind its back is seen by the hub."""
        await self.hub.bus.publish("ocpi.changed", b"")
        await trio.sleep(0.05)


@dataclass
class Scripted:
    """A platform whose answers are written down: path -> answer. It takes any token."""

    url: str
    answers: dict[str, Answer]
    seen: list[Seen]

    @property
    def versions_url(self) -> str:
        return f"{self.url}/versions"

    def versions(self, *numbers: str, **urls: str) -> None:
        listed = [{"version": number, "url": f"{self.url}/{number}"} for number in numbers]
        self.answers["/versions"] = enveloped(listed)
        for number in numbers:
            self.details(number)

    def details(self, number: str, *endpoints: tuple[str, str], raw: Any = None) -> None:
        """By default locations and credentials."""
        named = endpoints or (("credentials", "SENDER"), ("locations", "SENDER"), ("locations", "RECEIVER"))
        listed = [{"identifier": module, "role": role, "url": f"{self.url}/{number}/{module}/{role}"} for module, role in named]
        self.answers[f"/{number}"] = enveloped({"version": number, "endpoints": listed if raw is None else raw})

    def credentials(self, *roles: tuple[str, str, str], token: str = "token-b", **members: Any) -> dict[str, Any]:
        listed = [
            {"role": role, "country_code": country, "party_id": party, "business_details": {"name": f"{country} {party}"}}
            for role, country, party in roles
        ]
        return {"token": token, "url": self.versions_url, "roles": listed, **members}


def enveloped(data: Any, code: int = 1000, status: int = 200, message: str | None = None) -> Answer:
    body = {"data": data, "status_code": code, "status_message": message, "timestamp": AT}
    return Answer(status, [("Content-Type", "application/json")], json.dumps(body).encode())


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    platform = Scripted("", {}, [])

    async def answer(seen: Seen) -> Answer:
        platform.seen.append(seen)
        return platform.answers.get(f"{seen.method} {seen.path}") or platform.answers.get(seen.path) or Answer(404)

    async with trio.open_nursery() as nursery:
        platform.url = f"http://127.0.0.1:{await start_serving(nursery, answer)}"
        platform.versions("2.2.1")
        yield platform
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_scene(dsn: str, secret: RootSecret, nursery: trio.Nursery) -> AsyncIterator[Scene]:
    async with (
        running_hub(dsn, secret, nursery, CSMS_OUTGOING_PRIVATE="1") as hub,
        AsyncExitStack() as stack,
    ):
        services = hub.services
        part = OcpiPart(
            settings=services.settings,
            clock=services.clock,
            ids=services.ids,
            store=services.store,
            bus=services.bus,
            tenants=services.tenants,
            commands=CommandService(services.store.hub, services.bus, services.clock, services.ids),
            secret=services.secret,
            limits=SharedLimits(services.bus, services.clock),
        )
        part.listens_at(hub.url)
        await stack.enter_async_context(part.ocpi.client)
        admin = await hub.admin()
        boss = await hub.make_tenant(admin, "north")
        party = await boss.put("/api/v1/ocpi/parties/nl/nor/cpo", {"business_details": DETAILS})
        assert party.status_code == 200, party.text
        made = await admin.put(
            "/api/v1/ocpi/hub", {"country_code": "NL", "party_id": "HUB", "business_details": {"name": "The hub"}}
        )
        assert made.status_code == 200, made.text
        yield Scene(hub, part.ocpi, admin, boss, stack, hub.client(), count(1))
