"""Each operation of the standard from one platform to another, by way of our hub: what arrives, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import trio

from csms.secret import RootSecret
from schemas.ocpi221.interfaces import OPERATIONS
from tests.integration.ocpi.behind_hub import HUB, Behind, last, open_behind, routed
from tests.ocpi import documents
from tests.ocpi.documents import CPO, EMSP, Document
from tests.ocpi.operations import operation
from tests.ocpi.platform import Platform
from tests.ocpi.replies import Reply

SOUTH: Final = ("NL", "SOU")

CASES: Final[list[Callable[[Route], Awaitable[None]]]] = []


@dataclass
class Route:
    """`cpo` and `emsp` are behind the hub; `done` are the operations that went through."""

    cpo: Platform
    emsp: Platform
    done: set[int]

    async def to_cpo(self, number: int, *segments: str, **more: Any) -> Reply:
        """An operation that is served by the CPO."""
        return await self._send(number, self.emsp, self.cpo, *segments, **more)

    async def to_emsp(self, number: int, *segments: str, **more: Any) -> Reply:
        return await self._send(number, self.cpo, self.emsp, *segments, **more)

    async def _send(self, number: int, asker: Platform, asked: Platform, *segments: str, status: int = 200, **more: Any) -> Reply:
        row = next(row for row in OPERATIONS if row.number == number)
        reply = await asker.request(row.method, row.module, row.role or "", *segments, to=asked.party, **more)
        assert (reply.status, reply.code) == (status, 1000), (number, reply)
        assert routed(reply) == {"to": asker.party, "from": asked.party}, number
        self.arrived(number, asker, asked)
        seen = last(asked, row.module)
        assert seen.rest == segments, number
        if isinstance(more.get("body"), dict) and "response_url" not in more["body"]:
            assert seen.body == more["body"], number
        return reply

    def arrived(self, number: int, asker: Platform, asked: Platform, module: str | None = None) -> None:
        """The last request of the module has come to the party that it was for, from who sent it."""
        row = next(row for row in OPERATIONS if row.number == number)
        seen = last(asked, module or row.module)
        assert seen.method == row.method, number
        assert (seen.party("from"), seen.party("to")) == (asker.party, asked.party), number
        self.done.add(number)


def case(work: Callable[[Route], Awaitable[None]]) -> Callable[[Route], Awaitable[None]]:
    CASES.append(work)
    return work


async def test_every_operation_passes_the_hub(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    async with open_behind(database, root_secret, nursery) as behind:
        route = Route(behind.cpo, behind.emsp, set())
        for work in CASES:
            await work(route)
        await the_hub_answers_for_itself(behind)
        await an_emsp_of_ours(behind)
        await tenants_hear_of_the_parties_of_a_hub(behind)
        await a_tenant_lists_its_tokens(behind)
        assert route.cpo.troubles + route.emsp.troubles == []
    assert route.done == {row.number for row in OPERATIONS if row.routed}


@case
@operation(10, 11, 12, 13, 14, by="HUB")
async def locations(route: Route) -> None:
    place = documents.location()
    route.cpo.own("locations", place)
    assert (await route.to_cpo(10)).data == [place]
    evse = place["evses"][0]
    for parts, data in (((), place), (("EVSE-1",), evse), (("EVSE-1", "1"), evse["connectors"][0])):
        assert (await route.to_cpo(11, "LOC-1", *parts)).data == data
    await route.to_emsp(13, *CPO, "LOC-1", body=place, status=201)
    await route.to_emsp(14, *CPO, "LOC-1", "EVSE-1", body={"status": "BLOCKED", "last_updated": documents.instant()})
    assert (await route.to_emsp(12, *CPO, "LOC-1", "EVSE-1")).data["status"] == "BLOCKED"


@case
@operation(15, 16, 17, 18, 19, by="HUB")
async def sessions(route: Route) -> None:
    session = documents.session()
    route.cpo.own("sessions", session)
    assert (await route.to_cpo(15, query={"date_from": "2000-01-01T00:00:00Z"})).data == [session]
    assert (await route.to_cpo(16, "SESSION-1", "charging_preferences", body={"profile_type": "FAST"})).data == "ACCEPTED"
    await route.to_emsp(18, *CPO, "SESSION-1", body=session, status=201)
    await route.to_emsp(19, *CPO, "SESSION-1", body={"kwh": 3.5, "last_updated": documents.instant()})
    assert (await route.to_emsp(17, *CPO, "SESSION-1")).data["kwh"] == 3.5


@case
@operation(20, 21, 22, by="HUB")
async def cdrs(route: Route) -> None:
    record = documents.cdr()
    route.cpo.own("cdrs", record)
    assert (await route.to_cpo(20)).data == [record]
    posted = await route.to_emsp(21, body=record, status=201)
    kept = await route.cpo.request("GET", "cdrs", url=posted.headers["Location"], to=EMSP)
    assert kept.data == record
    route.arrived(22, route.cpo, route.emsp)


@case
@operation(23, 24, 25, 26, by="HUB")
async def tariffs(route: Route) -> None:
    tariff = documents.tariff()
    route.cpo.own("tariffs", tariff)
    assert (await route.to_cpo(23)).data == [tariff]
    await route.to_emsp(25, *CPO, "TARIFF-1", body=tariff, status=201)
    assert (await route.to_emsp(24, *CPO, "TARIFF-1")).data == tariff
    await route.to_emsp(26, *CPO, "TARIFF-1")
    assert route.emsp.find("tariffs", "TARIFF-1") is None


@case
@operation(27, 28, 29, 30, 31, by="HUB")
async def tokens(route: Route) -> None:
    token = documents.token(type="APP_USER")
    route.emsp.own("tokens", token)
    typed = {"query": {"type": "APP_USER"}}
    await route.to_cpo(28, *EMSP, "TOKEN-1", body=token, status=201, **typed)
    await route.to_cpo(29, *EMSP, "TOKEN-1", body={"valid": False, "last_updated": documents.instant()}, **typed)
    assert (await route.to_cpo(27, *EMSP, "TOKEN-1", **typed)).data["valid"] is False
    assert (await route.to_emsp(30)).data == [token]
    place = {"location_id": "LOC-1", "evse_uids": ["EVSE-1"]}
    said = await route.to_emsp(31, "TOKEN-1", "authorize", body=place, **typed)
    assert (said.data["allowed"], said.data["location"]) == ("ALLOWED", place)


@case
@operation(32, 33, by="HUB")
async def commands(route: Route) -> None:
    place = {"location_id": "LOC-1", "evse_uid": "EVSE-1"}
    held = {"reservation_id": "R-1"}
    bodies: dict[str, Document] = {
        "RESERVE_NOW": {"token": documents.token(), "expiry_date": documents.instant(hours=1), **held, **place},
        "CANCEL_RESERVATION": held,
        "START_SESSION": {"token": documents.token(), **place},
        "STOP_SESSION": {"session_id": "SESSION-1"},
        "UNLOCK_CONNECTOR": {"connector_id": "1", **place},
    }
    for command, body in bodies.items():
        key, url = route.emsp.response_url()
        reply = await route.to_cpo(32, command, body={"response_url": url, **body})
        assert reply.data["result"] == "ACCEPTED"
        told = last(route.cpo, "commands").body
        assert told.pop("response_url") != url
        assert told == body
        assert await route.emsp.result(key) == {"result": "ACCEPTED"}
        route.arrived(33, route.cpo, route.emsp, "results")


@case
@operation(34, 35, 36, 37, 38, by="HUB")
async def charging_profiles(route: Route) -> None:
    profile = {"charging_rate_unit": "A", "charging_profile_period": [{"start_period": 0, "limit": 16.0}]}
    for number in (35, 34, 36):
        key, url = route.emsp.response_url()
        query = {"response_url": url} | ({"duration": "600"} if number == 34 else {})
        sent = {"body": {"charging_profile": profile, "response_url": url}} if number == 35 else {"query": query}
        reply = await route.to_cpo(number, "SESSION-1", **sent)
        assert reply.data["result"] == "ACCEPTED"
        result = await route.emsp.result(key)
        assert result is not None
        assert result["result"] == "ACCEPTED"
        assert number != 34 or result["profile"]["charging_profile"] == profile
        seen = last(route.emsp, "results")
        assert (seen.method, seen.party("from"), seen.party("to")) == ("POST", CPO, EMSP)
        route.done.add(37)
    active = {"start_date_time": documents.instant(), "charging_profile": profile}
    await route.to_emsp(38, "SESSION-1", body=active)
    assert route.emsp.active_profiles["SESSION-1"] == active


@operation(1, 2, 3, 7, by="HUB")
async def the_hub_answers_for_itself(behind: Behind) -> None:
    """What is not routed: whom else there is, and who the hub is."""
    emsp = behind.emsp
    assert emsp.peer is not None
    versions = await emsp.request("GET", url=emsp.peer.versions_url)
    details = await emsp.request("GET", url={one["version"]: one["url"] for one in versions.data}["2.2.1"])
    assert {one["role"] for one in details.data["endpoints"] if one["identifier"] == "sessions"} == {"SENDER", "RECEIVER"}
    credentials = await emsp.request("GET", "credentials")
    assert [(role["country_code"], role["party_id"], role["role"]) for role in credentials.data["roles"]] == [(*HUB, "HUB")]
    infos = await emsp.request("GET", "hubclientinfo", "SENDER")
    assert {(info["party_id"], info["status"]) for info in infos.data} >= {("XCP", "CONNECTED"), ("CP2", "CONNECTED")}


@operation(8, 9)
async def tenants_hear_of_the_parties_of_a_hub(behind: Behind) -> None:
    """I1, I4: a CPO and an eMSP of ours that are connected with a hub which is not ours."""
    url = f"{behind.scene.hub.url}/ocpi/2.2.1/receiver/hubclientinfo"
    for tenant, role in (("north", "EMSP"), ("south", "CPO")):
        other = await behind.join(f"{role}:SE:{behind.scene.party_id()}", tenant=tenant)
        await behind.sql("UPDATE ocpi_roles SET role = 'HUB' WHERE party_id = $1", other.party[1])
        await behind.scene.forget()
        far = ("SE", behind.scene.party_id())
        info = {
            "country_code": far[0],
            "party_id": far[1],
            "role": role,
            "status": "CONNECTED",
            "last_updated": documents.instant(),
        }
        told = await other.request("PUT", "hubclientinfo", "", *far, url=url, body=info)
        assert (told.status, told.code) == (201, 1000), (tenant, told)
        await behind.scene.forget()
        assert (await other.request("GET", "hubclientinfo", "", *far, url=url)).data["status"] == "CONNECTED"


@operation(30)
async def a_tenant_lists_its_tokens(behind: Behind) -> None:
    token = documents.token("OURS", SOUTH)
    await behind.sql(
        "INSERT INTO ocpi_objects (tenant_id, module, country_code, party_id, object_id, kind, origin, document, last_updated) "
        "SELECT tenant_id, 'tokens', 'nl', 'sou', 'ours', 'RFID', 'own', $1::text::json, $2::text::timestamptz FROM tenants "
        "WHERE slug = 'south'",
        json.dumps(token),
        token["last_updated"],
    )
    partner = await behind.join("CPO:SE:LST", tenant="south")
    assert await partner.pull("tokens", to=SOUTH) == [token]


async def an_emsp_of_ours(behind: Behind) -> None:
    """The tenant `south`."""
    scene = behind.scene
    await scene.hub.make_tenant(scene.admin, "south")
    names = {"business_details": {"name": "South"}, "on_hub": False}
    party = await scene.admin.put("/api/v1/ocpi/parties/nl/sou/emsp", names, **scene.acting("south"))
    assert party.status_code == 200, party.text
