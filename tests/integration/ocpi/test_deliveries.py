"""What receivers are told: in order, each apart from the others, after failures and restarts (design 9, T5, L3, D1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from csms.roaming.partners import Partner, PartnerEndpoint, PartnerSettings
from csms.roaming.topics import PUSHES_TOPIC
from csms.store import Connection
from csms.store.leases import Leases
from csms.store.queries import ocpi_objects
from csms.store.queries.ocpi_objects import NewObject, NewPush, ObjectKey
from hub.ocpi import delivery
from hub.ocpi.delivery import Deliveries
from tests.integration.ocpi.roaming import Roaming
from tests.ocpi import documents
from tests.ocpi.platform import Platform, running_platform
from tests.ocpi.wire import Fault

OWNER = ("NL", "OWN")


class Told:
    """A tenant NL-OWN and its partners, each a platform with one eMSP."""

    def __init__(self, roaming: Roaming, tenant_id: int) -> None:
        self.roaming = roaming
        self.tenant_id = tenant_id

    async def partner(self, platform: Platform, **settings: Any) -> Partner:
        country_code, party_id = platform.party
        platform.granted.add("their-token")
        endpoints = tuple(
            PartnerEndpoint(module, platform.endpoint(module, "RECEIVER"), "RECEIVER")
            for module in ("locations", "tariffs", "cdrs")
        )
        code = f"{country_code}-{party_id}"
        return await self.roaming.partner(self.tenant_id, (code, "EMSP"), settings=PartnerSettings(**settings), endpoints=endpoints)

    async def change(self, module: str, document: dict[str, Any], *to: Platform, part: str = "") -> None:
        """Our object is this now, and these are to be told."""
        key = ObjectKey(module, ("nl", "own"), document["id"].lower())

        async def work(conn: Connection) -> None:
            now = self.roaming.ocpi.clock.now()
            new = NewObject(key=key, origin="own", document=document, last_updated=now)
            await ocpi_objects.put_object(conn, self.tenant_id, new)
            pushes = [
                NewPush(to=(one.party[0].lower(), one.party[1].lower()), sender=("nl", "own"), key=key, part=part) for one in to
            ]
            await ocpi_objects.queue_pushes(conn, self.tenant_id, pushes)

        await self.roaming.store.hub.tenant_unit(self.tenant_id, work)
        await self.roaming.ocpi.bus.publish(PUSHES_TOPIC, str(self.tenant_id).encode())

    async def waiting(self) -> int:
        (row,) = await self.roaming.sql("SELECT count(*) AS n FROM ocpi_pushes WHERE tenant_id = $1", self.tenant_id)
        return int(row["n"])

    async def until(self, condition: Callable[[], Any], seconds: float = 10.0) -> None:
        with trio.fail_after(seconds):
            while not condition():
                await trio.sleep(0.02)

    async def until_none_waits(self) -> None:
        with trio.fail_after(10):
            while await self.waiting():
                await trio.sleep(0.05)

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """A hub process that delivers, until it ends."""
        deliveries = Deliveries(self.roaming.ocpi, self.roaming.part.router, self.roaming.ocpi.ids.uuid4())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(deliveries.run)
            try:
                yield
            finally:
                nursery.cancel_scope.cancel()


@pytest.fixture
async def told(roaming: Roaming) -> Told:
    return Told(roaming, await roaming.tenant("own", ("NL-OWN", "CPO")))


def _location(name: str, *evses: dict[str, Any], identifier: str = "LOC-1") -> dict[str, Any]:
    return documents.location(identifier, OWNER, name=name, evses=list(evses) or [documents.evse()])


def _names(platform: Platform) -> list[str]:
    return [seen.body["name"] for seen in platform.requests("locations", "PUT") if "name" in seen.body]


async def test_each_receiver_gets_the_newest_state_and_a_stalled_one_delays_nobody(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "PAUSES_S", (0.1,))
    monkeypatch.setattr(delivery, "LOOK_S", 0.2)
    async with running_platform("EMSP:DE:ABC") as quick, running_platform("EMSP:DE:XYZ") as stalled, told.delivering():
        await told.partner(quick)
        behind = await told.partner(stalled, timeout_s=1)
        stalled.faults.add(Fault("stall", module="locations"))
        for name in ("one", "two", "three"):
            await told.change("locations", _location(name), quick, stalled)
            await told.until(lambda name=name: _names(quick) and _names(quick)[-1] == name)
        assert _names(quick) == ["one", "two", "three"]
        await told.until(lambda: len(stalled.requests("locations", "PUT")) >= 2)
        await told.roaming.ocpi.directory.changed()
        known = await told.roaming.ocpi.directory.partner(told.tenant_id, behind.partner_id)
        assert known is not None
        assert known.needs_resync
        stalled.faults.clear()
        told.roaming.ocpi.client.try_again(told.tenant_id, behind.partner_id)
        await told.until_none_waits()
        answered = [seen.body["name"] for seen in stalled.requests("locations", "PUT") if seen.status is not None]
        assert answered == ["three"]
        assert await told.roaming.sql("SELECT FROM ocpi_receivers") == []


async def test_an_evse_goes_alone_and_with_its_location_to_who_does_not_know_it(told: Told) -> None:
    async with running_platform("EMSP:DE:ABC") as platform, told.delivering():
        await told.partner(platform)
        changed = _location("Market", documents.evse("E-1", status="CHARGING"), documents.evse("E-2"))
        await told.change("locations", changed, platform, part="e-1")
        await told.until_none_waits()
        assert [(seen.rest[2:], seen.status) for seen in platform.requests("locations", "PUT")] == [
            (("LOC-1", "E-1"), 404),
            (("LOC-1",), 201),
        ]
        await told.change("locations", changed, platform, part="e-2")
        await told.until_none_waits()
        last = platform.requests("locations", "PUT")[-1]
        assert (last.rest[2:], last.status, last.body) == (("LOC-1", "E-2"), 200, changed["evses"][1])


async def test_what_a_process_left_is_delivered_by_the_next(told: Told) -> None:
    async with running_platform("EMSP:DE:ABC") as platform:
        await told.partner(platform)
        await told.change("locations", _location("before"), platform)
        await told.change("tariffs", {"country_code": "NL", "party_id": "OWN", "id": "T1", "currency": "EUR"}, platform)
        assert platform.seen == []
        async with told.delivering():
            await told.until_none_waits()
        assert {(seen.method, seen.module) for seen in platform.seen} == {("PUT", "locations"), ("PUT", "tariffs")}
        assert all(seen.party("to") == platform.party and seen.party("from") == OWNER for seen in platform.seen)


async def test_a_refusal_is_final_but_for_cdrs(told: Told) -> None:
    async with running_platform("EMSP:DE:ABC") as platform, told.delivering():
        await told.partner(platform)
        platform.faults.add(Fault("code_3000", module="locations"))
        platform.faults.add(Fault("code_3000", module="cdrs"))
        await told.change("locations", _location("refused"), platform)
        await told.change("cdrs", {"country_code": "NL", "party_id": "OWN", "id": "C1"}, platform)
        await told.until(lambda: platform.requests("cdrs", "POST") and platform.requests("locations", "PUT"))
        with trio.fail_after(5):
            while not (rows := await told.roaming.sql("SELECT module, attempts, not_before FROM ocpi_pushes WHERE attempts > 0")):
                await trio.sleep(0.05)
        assert [(row["module"], row["attempts"]) for row in rows] == [("cdrs", 1)]
        assert rows[0]["not_before"] > told.roaming.ocpi.clock.now()
        platform.faults.clear()
        await told.roaming.sql("UPDATE ocpi_pushes SET not_before = now()")
        await told.until_none_waits()
        assert platform.find("cdrs", "C1") is not None


async def test_an_object_that_a_receiver_fails_at_holds_up_no_other(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PAUSES_S", (0.05,))
    monkeypatch.setattr(delivery, "LOOK_S", 0.1)
    async with running_platform("EMSP:DE:ABC") as platform:
        await told.partner(platform)
        platform.faults.add(Fault("error_500", module="tariffs"))
        await told.change("tariffs", {"country_code": "NL", "party_id": "OWN", "id": "BAD", "currency": "EUR"}, platform)
        async with told.delivering():
            await told.until(lambda: platform.requests("tariffs", "PUT"))
            await told.change("locations", _location("good"), platform)
            await told.until(lambda: platform.find("locations", "LOC-1"))
            with trio.fail_after(5):
                while await told.waiting() != 1:
                    await trio.sleep(0.02)
            platform.faults.clear()
            await told.until_none_waits()


async def test_a_long_look_does_not_cost_the_lease(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes to look at all tenants, nobody else begins to deliver; once it ends, the next may."""
    monkeypatch.setattr(delivery, "LEASE_S", 0.6)
    looked = trio.Event()

    async def look(self: Deliveries, *_: Any) -> None:
        looked.set()
        await trio.sleep(5)

    monkeypatch.setattr(Deliveries, "_look", look)
    another, lease = told.roaming.ocpi.ids.uuid4(), Leases(told.roaming.store.gateway)
    async with told.delivering():
        await looked.wait()
        for _ in range(30):
            assert not await lease.take(delivery.LEASE, another, 0.1)
            await trio.sleep(0.05)
    assert await lease.take(delivery.LEASE, another, 0.1)
