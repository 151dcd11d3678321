"""A gateway, a hub and the rounds of local lists on one database, with simulated stations on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio

from csms.clock import SystemClock, SystemIds
from csms.local_lists import worker
from csms.local_lists.worker import LocalLists
from csms.secret import RootSecret
from csms.simulate import SimulateOptions
from csms.simulate.fleet import DIALECTS
from csms.simulate.options import Version
from csms.simulate.report import Ledger
from csms.simulate.station import Station
from csms.simulate.timeline import Timeline
from tests.integration.gateway.site import Site, running
from tests.integration.hub.harness import Person, RunningHub, running_hub


@dataclass
class Network:
    site: Site
    hub: RunningHub
    boss: Person
    nursery: trio.Nursery
    stations: dict[str, Station] = field(default_factory=dict)

    async def station(self, identity: str, version: Version = "1.6", **settings: str | None) -> Station:
        """A station that has booted. `settings`: values that its configuration begins with; None: it does not know the key."""
        options = SimulateOptions(
            url=f"ws://127.0.0.1:{self.site.port}/ocpp",
            stations=1,
            version=version,
            prefix=identity,
            sessions_per_day=0.001,
            offline_spells_per_day=0,
            backoff_minimum=0.1,
            backoff_random=0.1,
        )
        clock = SystemClock()
        station = Station(1, DIALECTS[version](), options, Timeline.meeting_now(clock, 1.0, None), SystemIds(clock), Ledger())
        variables = station.configuration._variables
        for key, value in settings.items():
            variable = station.configuration.by_key(key)
            assert variable is not None
            if value is None:
                variables.remove(variable)
            else:
                variable.value = value
        self.stations[station.identity] = station
        self.nursery.start_soon(station.run, trio.Event())
        await self.until(
            lambda: self.sql("SELECT FROM stations WHERE identity = $1 AND booted_at IS NOT NULL", station.identity), bool
        )
        return station

    async def sql(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return await self.hub.sql(statement, *arguments)

    async def until(self, look: Callable[[], Any], fits: Callable[[Any], bool], timeout: float = 20) -> Any:
        """What `look` gives, once it fits."""
        found = None
        with trio.move_on_after(timeout):
            while True:
                found = await look()
                if fits(found):
                    return found
                await trio.sleep(0.03)
        raise AssertionError(f"not within {timeout} s: {found}")

    async def offline(self, identity: str, fits: Callable[[dict[str, Any]], bool] = lambda view: True) -> dict[str, Any]:
        """What the API says of a station, once it fits."""

        async def look() -> dict[str, Any]:
            answer = await self.boss.get(f"/api/v1/chargepoints/{identity}/offline")
            assert answer.status_code == 200, answer.text
            view: dict[str, Any] = answer.json()
            return view

        found: dict[str, Any] = await self.until(look, fits)
        return found

    async def in_sync(self, identity: str, count: int) -> dict[str, Any]:
        return await self.offline(
            identity, lambda view: (view["local_list"]["state"], view["local_list"]["count"]) == ("in_sync", count)
        )

    async def token(self, id_token: str, **fields: Any) -> str:
        answer = await self.boss.post("/api/v1/id-tokens", {"id_token": id_token, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token_id"])

    async def put(self, path: str, **policy: Any) -> None:
        answer = await self.boss.put(f"/api/v1{path}", policy)
        assert answer.status_code == 200, answer.text

    async def commands(self, action: str) -> list[dict[str, Any]]:
        return await self.sql(
            "SELECT c.*, s.identity FROM commands c JOIN stations s USING (tenant_id, station_id) "
            "WHERE action = $1 ORDER BY command_id",
            action,
        )

    def rounds(self) -> LocalLists:
        services = self.hub.services
        return LocalLists(self.hub.store, self.site.bus, services.clock, services.ids)


@asynccontextmanager
async def open_network(database: str, secret: RootSecret, *, rounds: int = 1) -> AsyncIterator[Network]:
    """`rounds`: how many processes do them."""
    async with running(database) as site, trio.open_nursery() as nursery:
        async with running_hub(database, secret, nursery, bus=site.bus) as hub:
            network = Network(site, hub, await hub.admin(), nursery)
            async with trio.open_nursery() as workers:
                for _ in range(rounds):
                    workers.start_soon(network.rounds().run)
                yield network
                workers.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look all the time."""
    for name, value in {
        "LOOK_EVERY_S": 0.05,
        "BOOTS_EVERY_S": 0.2,
        "LEAST_REST_S": 0.05,
        "REST": 0.0,
        "COMMANDS_PER_SECOND": 500.0,
    }.items():
        monkeypatch.setattr(worker, name, value)
