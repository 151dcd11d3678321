"""Platforms behind our hub, each somebody else's, and a tenant of ours among them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import trio

from csms.roaming.parties import OwnParty
from csms.secret import RootSecret
from hub.ocpi.services import Ocpi
from tests.integration.ocpi.onboarding import Scene, open_scene
from tests.ocpi.platform import Platform, running_platform
from tests.ocpi.replies import Reply
from tests.ocpi.wire import Seen

HUB: Final = ("NL", "HUB")
NORTH: Final = ("NL", "NOR")
"""A CPO of ours, as a party of the hub."""
CPO, CPO2, EMSP, EMSP2 = ("NL", "XCP"), ("BE", "CP2"), ("DE", "ABC"), ("FR", "XYZ")

Case = Callable[["Behind"], Awaitable[None]]


@dataclass
class Behind:
    """`cpo` NL-XCP, `cpo2` BE-CP2; `emsp` DE-ABC, `emsp2` FR-XYZ, which are eMSPs."""

    scene: Scene
    stack: AsyncExitStack
    cpo: Platform
    cpo2: Platform
    emsp: Platform
    emsp2: Platform
    partner_ids: dict[str, str] = field(default_factory=dict)
    patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)

    @property
    def ocpi(self) -> Ocpi:
        """OCPI of another process of the installation."""
        return self.scene.ocpi

    @property
    def platforms(self) -> list[Platform]:
        return [self.cpo, self.cpo2, self.emsp, self.emsp2]

    async def join(self, *roles: str, tenant: str = "hub", **settings: Any) -> Platform:
        """Another platform that has registered at the hub, or at a tenant; it does not answer any more after the case."""
        platform = await self.stack.enter_async_context(running_platform(*roles))
        await self.register(platform, tenant=tenant, **settings)
        return platform

    async def register(self, platform: Platform, *, tenant: str = "hub", **settings: Any) -> None:
        invited = await self.scene.invite("-".join(platform.party), tenant=tenant, **settings)
        reply = await platform.register(invited.versions_url, invited.token)
        assert reply.ok, reply
        self.partner_ids["-".join(platform.party)] = invited.partner_id
        await self.scene.forget()

    async def leave(self, platform: Platform) -> None:
        await platform.unregister()
        await self.scene.forget()

    def clear(self) -> None:
        """What one case has done wrong or seen is nothing to the next."""
        for platform in self.platforms:
            platform.faults.clear()
            platform.seen.clear()

    async def sql(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return await self.scene.hub.sql(statement, *arguments)

    async def settings(self, platform: Platform, **settings: Any) -> None:
        """What the hub knows of how to treat a platform, from now on."""
        await self.sql(
            "UPDATE ocpi_partners SET settings = $2::json WHERE name = $1", "-".join(platform.party), json.dumps(settings)
        )
        await self.scene.forget()

    async def offer(self, platform: Platform, module: str, role: str, url: str) -> None:
        """The platform has a module of its own making."""
        (row,) = await self.sql("SELECT endpoints FROM ocpi_partners WHERE name = $1", "-".join(platform.party))
        endpoints = [*json.loads(row["endpoints"]), {"identifier": module, "role": role, "url": url}]
        await self.sql(
            "UPDATE ocpi_partners SET endpoints = $2::json WHERE name = $1", "-".join(platform.party), json.dumps(endpoints)
        )
        await self.scene.forget()

    async def agree(
        self, owner: tuple[str, str], party: tuple[str, str], *, allowed: bool, modules: list[str] | None = None
    ) -> None:
        await self.sql(
            "INSERT INTO ocpi_agreements (tenant_id, agreement_id, owner_country_code, owner_party_id, party_country_code, "
            "party_party_id, allowed, modules, created_by) SELECT tenant_id, gen_random_uuid(), $1, $2, $3, $4, $5, $6, 'test' "
            "FROM tenants WHERE kind = 'hub'",
            *owner,
            *party,
            allowed,
            modules,
        )
        await self.scene.forget()

    async def disagree(self) -> None:
        await self.sql("DELETE FROM ocpi_agreements")
        await self.scene.forget()

    async def status(self, party: tuple[str, str]) -> str:
        rows = await self.sql("SELECT status FROM ocpi_roles WHERE country_code = $1 AND party_id = $2", *party)
        return str(rows[0]["status"])

    async def set_status(self, party: tuple[str, str], status: str) -> None:
        """Of the party alone, behind the hub's back."""
        await self.sql(
            "UPDATE ocpi_roles SET status = $3, last_updated = clock_timestamp() WHERE country_code = $1 AND party_id = $2",
            *party,
            status,
        )
        await self.scene.forget()

    async def north(self) -> OwnParty:
        parties = await self.ocpi.directory.parties()
        found = parties.find(("nl", "nor"), ("CPO",))
        assert found is not None
        return found

    async def asked(self, platform: Platform, module: str) -> None:
        """Until a request has come, answered or not."""

        async def come() -> bool:
            return bool(platform.requests(module))

        await self.until(come)

    async def until(self, condition: Callable[[], Awaitable[Any]], seconds: float = 8.0) -> Any:
        with trio.move_on_after(seconds):
            while True:
                if found := await condition():
                    return found
                await trio.sleep(0.02)
        raise AssertionError(f"not within {seconds} s")


def last(platform: Platform, module: str, method: str | None = None) -> Seen:
    """The newest request of a module that a platform has got."""
    found = platform.requests(module, method)
    assert found, [(seen.method, seen.target) for seen in platform.seen]
    return found[-1]


def code(reply: Reply) -> tuple[int, int]:
    """HTTP status and OCPI status code."""
    return reply.status, reply.code


def routed(reply: Reply) -> dict[str, tuple[str, str] | None]:
    """The routing headers of an answer."""
    headers = {name.lower(): value for name, value in reply.headers.items()}

    def party(direction: str) -> tuple[str, str] | None:
        country, code = (headers.get(f"ocpi-{direction}-{name}") for name in ("country-code", "party-id"))
        return None if country is None or code is None else (country, code)

    return {"to": party("to"), "from": party("from")}


@asynccontextmanager
async def open_behind(dsn: str, secret: RootSecret, nursery: trio.Nursery) -> AsyncIterator[Behind]:
    async with open_scene(dsn, secret, nursery) as scene, AsyncExitStack() as stack:
        made = [
            await stack.enter_async_context(running_platform(role))
            for role in ("CPO:NL:XCP", "CPO:BE:CP2", "EMSP:DE:ABC", "EMSP:FR:XYZ")
        ]
        behind = Behind(scene, stack, *made)
        for platform in made:
            await behind.register(platform, timeout_s=1)
        yield behind


class Cases:
    """Cases by the rules that they are about: `@rule("R1", "R2")`."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Case]] = []

    def __call__(self, *ids: str) -> Callable[[Case], Case]:
        def note(case: Case) -> Case:
            self.all.append((" ".join(ids), case))
            return case

        return note

    @property
    def rules(self) -> set[str]:
        return {one for ids, _ in self.all for one in ids.split()}


async def run_cases(behind: Behind, cases: Cases) -> None:
    """All of them, one after the other; a failure names its rule."""
    failures = []
    for ids, case in cases.all:
        behind.clear()
        try:
            with trio.fail_after(60):
                async with AsyncExitStack() as behind.stack:
                    await case(behind)
        except Exception as error:
            error.add_note(f"rule {ids}: {case.__name__}")
            failures.append(error)
    if failures:
        raise ExceptionGroup("rules that do not hold", failures)
