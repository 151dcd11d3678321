"""Who is behind the hub, and who of them is there (OCPI 2.2.1, HubClientInfo; the rules by the ids of our digest)."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import pytest
import trio

from csms.external_authorization import breaker
from csms.roaming.publication.publisher import Publisher
from csms.roaming.topics import tell_of_pushes
from csms.secret import RootSecret
from csms.store import Connection
from csms.store.queries.ocpi_objects import NewObject, NewPush, ObjectKey, put_object, queue_pushes
from csms.store.queries.ocpi_publication import next_whole
from hub.ocpi.message import OcpiRequest
from hub.ocpi.registration.departures import see_off_once
from hub.ocpi.routing import watching
from hub.ocpi.routing.watching import Watching
from schemas.ocpi221.headers import Party
from tests.integration.ocpi.behind_hub import CPO, EMSP, EMSP2, HUB, NORTH, Behind, Cases, last, open_behind, run_cases
from tests.ocpi.documents import instant, location, session, tariff
from tests.ocpi.operations import operation
from tests.ocpi.platform import Platform
from tests.ocpi.wire import Fault

rule = Cases()
MODULE: Final = "hubclientinfo"
RULES: Final = {*(f"I{number}" for number in range(1, 9)), "17.3", "R16"}


async def test_every_rule_of_hub_client_info(
    database: str, root_secret: RootSecret, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All cases at one running hub with four platforms behind it."""
    assert rule.rules == RULES
    async with open_behind(database, root_secret, nursery) as behind:
        behind.patch = monkeypatch
        await run_cases(behind, rule)


def _taken_back(platform: Platform, place: str) -> bool:
    """Its EVSE is REMOVED, and its tariff gone."""
    location = platform.find("locations", place)
    assert location is not None
    return location["evses"][0]["status"] == "REMOVED" and platform.find("tariffs", "north") is None


def told(platform: Platform, party: tuple[str, str], role: str) -> dict[str, Any] | None:
    """What a platform was told of a party last."""
    key = (party[0].lower(), party[1].lower(), role)
    return platform.received[MODULE].get(key)


async def until_told(platform: Platform, party: tuple[str, str], role: str, status: str) -> None:
    await platform.wait(lambda: (told(platform, party, role) or {}).get("status") == status)


@rule("I1", "I7", "I8")
@operation(7, by="HUB")
async def the_hub_lists_its_parties(b: Behind) -> None:
    """Paged, filtered by date, in one order, at the URL that the version details name, with last_updated."""
    reply = await b.emsp.request("GET", MODULE, "SENDER")
    assert reply.ok, reply
    assert [(one["country_code"], one["party_id"], one["role"], one["status"]) for one in reply.data] == [
        ("NL", "NOR", "CPO", "CONNECTED"),
        ("NL", "XCP", "CPO", "CONNECTED"),
        ("BE", "CP2", "CPO", "CONNECTED"),
        ("FR", "XYZ", "EMSP", "CONNECTED"),
    ]
    assert all(datetime.fromisoformat(one["last_updated"]) for one in reply.data)
    assert (reply.headers["X-Total-Count"], reply.next_url) == ("4", None)
    pages = [await b.emsp.request("GET", MODULE, "SENDER", query={"limit": "3"})]
    while following := pages[-1].next_url:
        pages.append(await b.emsp.request("GET", MODULE, url=following))
    assert [one for page in pages for one in page.data] == reply.data
    assert [len(page.data) for page in pages] == [3, 1]
    assert (await b.emsp.request("GET", MODULE, "SENDER", query={"date_from": instant(minutes=1)})).data == []
    assert len((await b.emsp.request("GET", MODULE, "SENDER", query={"date_to": instant(minutes=1)})).data) == 4
    for query in ({"limit": "0"}, {"offset": "x"}, {"date_from": "soon"}):
        assert (await b.emsp.request("GET", MODULE, "SENDER", query=query)).code == 2001
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await b.emsp.request(method, MODULE, "SENDER", body={} if method != "DELETE" else None)).status == 405
    assert (await b.emsp.request("GET", MODULE, "SENDER", "NL", "XCP")).status == 404


@rule("I2", "I6")
async def platforms_are_told_who_comes(b: Behind) -> None:
    """All but the one that comes; once for each role, whatever number of parties they have; without routing headers."""
    for platform in (b.cpo, b.emsp2):
        platform.received[MODULE].clear()
    both = await b.join("CPO:AT:ONE", "EMSP:AT:ONE", "EMSP:AT:TWO")
    for party, role in ((("AT", "ONE"), "CPO"), (("AT", "ONE"), "EMSP"), (("AT", "TWO"), "EMSP")):
        await until_told(b.cpo, party, role, "CONNECTED")
        await until_told(b.emsp2, party, role, "CONNECTED")
    seen = last(b.cpo, MODULE, "PUT")
    assert (seen.party("to"), seen.party("from")) == (None, None)
    assert seen.rest[:1] == ("AT",)
    assert len([one for one in b.cpo.requests(MODULE, "PUT") if one.rest[0] == "AT"]) == 3
    assert not both.requests(MODULE)
    assert {one["party_id"] for one in (await both.request("GET", MODULE, "SENDER")).data} == {"NOR", "XCP", "CP2", "ABC", "XYZ"}
    # told once, though it has three parties
    await b.set_status(CPO, "OFFLINE")
    await until_told(both, CPO, "CPO", "OFFLINE")
    await b.set_status(CPO, "CONNECTED")
    await until_told(both, CPO, "CPO", "CONNECTED")
    assert [one.body["status"] for one in both.requests(MODULE, "PUT")] == ["OFFLINE", "CONNECTED"]
    assert not b.cpo.requests(MODULE, "PUT")[3:]
    await b.leave(both)


@rule("I3")
async def who_leaves_is_suspended(b: Behind) -> None:
    guest = await b.join("CPO:AT:SUS")
    await until_told(b.emsp, ("AT", "SUS"), "CPO", "CONNECTED")
    await b.leave(guest)
    await until_told(b.emsp, ("AT", "SUS"), "CPO", "SUSPENDED")
    listed = (await b.emsp.request("GET", MODULE, "SENDER")).data
    assert {one["status"] for one in listed if one["party_id"] == "SUS"} == {"SUSPENDED"}
    assert (await b.emsp.request("GET", "locations", "SENDER", to=("AT", "SUS"))).code == 4003


@rule("I4")
async def what_is_told_to_nobody_who_is_away(b: Behind) -> None:
    """OFFLINE: told later; PLANNED and SUSPENDED: not at all."""
    for status in ("PLANNED", "SUSPENDED"):
        await b.set_status(EMSP2, status)
        assert (await b.cpo.push("locations", location(f"I-{status}"), to=HUB)).ok
        await b.emsp.wait(partial(b.emsp.find, "locations", f"I-{status}"))
    await b.set_status(EMSP2, "OFFLINE")
    assert (await b.cpo.push("locations", location("I-OFFLINE"), to=HUB)).ok
    await b.emsp.wait(lambda: b.emsp.find("locations", "I-OFFLINE"))
    assert not b.emsp2.requests("locations")
    await b.sql("DELETE FROM ocpi_receivers")
    await b.set_status(EMSP2, "CONNECTED")
    await b.emsp2.wait(lambda: b.emsp2.find("locations", "I-OFFLINE"))
    assert {key[2] for key in b.emsp2.received["locations"]} == {"i-offline"}


@rule("I4")
async def who_has_nothing_to_do_with_one_another_is_planned(b: Behind) -> None:
    """Only to whom it concerns, from the agreement on and until its end."""

    async def shown(platform: Platform, party: tuple[str, str]) -> str:
        listed = (await platform.request("GET", MODULE, "SENDER")).data
        return next(str(one["status"]) for one in listed if (one["country_code"], one["party_id"]) == party)

    acting = b.scene.acting("hub")
    made = await b.scene.admin.post("/api/v1/ocpi/agreements", {"owner": "NL-XCP", "party": "DE-ABC", "allowed": False}, **acting)
    assert made.status_code == 201, made.text
    await until_told(b.emsp, CPO, "CPO", "CONNECTED")  # tokens are the eMSP's own: the other way is open
    other = await b.scene.admin.post("/api/v1/ocpi/agreements", {"owner": "DE-ABC", "party": "NL-XCP", "allowed": False}, **acting)
    await until_told(b.emsp, CPO, "CPO", "PLANNED")
    await until_told(b.cpo, EMSP, "EMSP", "PLANNED")
    await until_told(b.emsp2, CPO, "CPO", "CONNECTED")
    assert (await shown(b.emsp, CPO), await shown(b.emsp2, CPO), await shown(b.cpo, EMSP)) == ("PLANNED", "CONNECTED", "PLANNED")
    assert (await b.emsp.request("GET", "locations", "SENDER", to=CPO)).code == 4001
    await b.set_status(CPO, "SUSPENDED")
    assert await shown(b.emsp, CPO) == "SUSPENDED"
    await b.set_status(CPO, "CONNECTED")
    for one in (made, other):
        gone = await b.scene.admin.delete(f"/api/v1/ocpi/agreements/{one.json()['agreement_id']}", **acting)
        assert gone.status_code == 204, gone.text
    await until_told(b.emsp, CPO, "CPO", "CONNECTED")
    listed = {"visibility": "listed"}
    assert (await b.scene.admin.put("/api/v1/ocpi/visibility", listed, **acting)).status_code == 200
    for platform, party, role in ((b.emsp, CPO, "CPO"), (b.cpo, EMSP2, "EMSP"), (b.cpo, NORTH, "CPO")):
        await until_told(platform, party, role, "PLANNED")
    assert (await b.scene.admin.put("/api/v1/ocpi/visibility", {"visibility": "everyone"}, **acting)).status_code == 200
    await until_told(b.emsp, CPO, "CPO", "CONNECTED")


@rule("I3")
async def a_party_of_ours_takes_back_what_it_has_told(b: Behind) -> None:
    """L2, F1, K2: while it is still there, so that everybody is told; then it is gone, and SUSPENDED at the hub."""
    north, place = await b.north(), "22222222-2222-2222-2222-222222222222"
    told_of = {
        "locations": location(place, NORTH, last_updated=instant(minutes=-5)),
        "tariffs": tariff("north", NORTH, last_updated=instant(minutes=-5)),
    }

    async def tell(conn: Connection) -> None:
        for module, document in told_of.items():
            key = ObjectKey(module, ("nl", "nor"), document["id"])
            new = NewObject(key=key, origin="own", document=document, last_updated=b.ocpi.clock.now() - timedelta(minutes=5))
            await put_object(conn, north.tenant_id, new)
            await queue_pushes(conn, north.tenant_id, [NewPush(to=("nl", "hub"), sender=("nl", "nor"), key=key)])

    await b.ocpi.store.hub.tenant_unit(north.tenant_id, tell)
    await tell_of_pushes(b.ocpi.bus, north.tenant_id)
    for platform in (b.emsp, b.emsp2):
        await platform.wait(partial(platform.find, "locations", place))
        await platform.wait(partial(platform.find, "tariffs", "north"))
    path = "/api/v1/ocpi/parties/nl/nor/cpo"
    assert (await b.scene.boss.delete(path)).status_code == 204
    assert (await b.scene.boss.delete(path)).status_code == 204
    (leaving,) = (await b.scene.boss.get("/api/v1/ocpi/parties")).json()["items"]
    assert leaving["leaving_since"] is not None
    # nothing has been taken back yet: it is there, and answers
    await b.scene.forget()
    assert await see_off_once(b.ocpi) == 0
    assert (await b.emsp.request("GET", "locations", "SENDER", to=NORTH)).ok
    assert await b.status(NORTH) == "CONNECTED"
    publisher = Publisher(b.ocpi.store, b.ocpi.bus, b.ocpi.clock)
    # tariffs are gone through by their table
    await b.sql("INSERT INTO tariffs (tenant_id, tariff_id, name) VALUES ($1, 'north', 'North')", north.tenant_id)
    while whole := await b.ocpi.store.gateway.unit(next_whole):
        await publisher.go_on(whole)
    for platform in (b.emsp, b.emsp2):
        await platform.wait(partial(_taken_back, platform, place))
        await until_told(platform, NORTH, "CPO", "SUSPENDED")
    assert (await b.scene.boss.get("/api/v1/ocpi/parties")).json()["items"] == []
    assert (await b.scene.boss.delete(path)).status_code == 404
    # who comes back is there again; who cannot wait goes at once
    back = await b.scene.boss.put(path, {"business_details": {"name": "North"}})
    assert back.status_code == 200, back.text
    await until_told(b.emsp, NORTH, "CPO", "CONNECTED")
    assert (await b.scene.boss.delete(path)).status_code == 204  # its location is told no more, but the row is there
    kept = await b.scene.boss.put(path, {"business_details": {"name": "North"}})
    assert kept.json()["leaving_since"] is None
    assert (await b.scene.boss.delete(f"{path}?at_once=true")).status_code == 204
    assert (await b.scene.boss.get("/api/v1/ocpi/parties")).json()["items"] == []
    assert (await b.scene.boss.put(path, {"business_details": {"name": "North"}})).status_code == 200
    await until_told(b.emsp, NORTH, "CPO", "CONNECTED")


@rule("I5", "17.3")
async def who_does_not_answer_is_offline_until_it_does(b: Behind) -> None:
    """After failures in a row it is left alone and others are told; when something is heard of it, it is looked for."""
    b.patch.setattr(watching, "PAUSE_S", 0.3)
    b.emsp2.faults.add(Fault("drop"))
    for _ in range(breaker.FAILURES):
        assert (await b.cpo.push("sessions", session(), to=EMSP2)).code == 4003
    await until_told(b.cpo, EMSP2, "EMSP", "OFFLINE")
    await b.scene.forget()
    b.emsp2.seen.clear()
    assert (await b.cpo.push("sessions", session(), to=EMSP2)).code == 4003
    assert not b.emsp2.requests("sessions")
    # it speaks, but cannot be spoken to: nothing changes
    assert (await b.emsp2.request("GET", MODULE, "SENDER")).ok
    await b.asked(b.emsp2, "versions")
    assert await b.status(EMSP2) == "OFFLINE"
    b.emsp2.faults.clear()
    b.emsp2.seen.clear()

    async def back() -> bool:
        return (await b.emsp2.request("GET", MODULE, "SENDER")).ok and await b.status(EMSP2) == "CONNECTED"

    await b.until(back, 20)
    assert last(b.emsp2, "versions").headers["authorization"].startswith("Token ")
    await until_told(b.cpo, EMSP2, "EMSP", "CONNECTED")
    assert (await b.cpo.push("sessions", session(), to=EMSP2)).ok


@rule("I5")
async def who_is_silent_is_looked_for(b: Behind) -> None:
    """After five minutes: who answers stays, who does not is offline; who was heard meanwhile is not asked."""
    watcher = Watching(b.ocpi)
    long_ago = b.ocpi.clock.now() - timedelta(minutes=6)
    for platform in b.platforms:
        platform.seen.clear()
    await b.sql("UPDATE ocpi_partners SET heard_at = $1 WHERE name = ANY($2)", long_ago, ["DE-ABC", "NL-XCP"])
    b.emsp.faults.add(Fault("error_500", module="versions"))
    await watcher.look_once()
    assert len(b.emsp.requests("versions")) == len(b.cpo.requests("versions")) == 1
    assert not b.emsp2.requests("versions")
    assert (await b.status(EMSP), await b.status(CPO)) == ("OFFLINE", "CONNECTED")
    await until_told(b.cpo, EMSP, "EMSP", "OFFLINE")
    # looked for again after a minute, but not before
    await watcher.look_once()
    assert len(b.emsp.requests("versions")) == 1
    b.emsp.faults.clear()
    await b.sql("UPDATE ocpi_partners SET status_since = $1 WHERE name = 'DE-ABC'", long_ago)
    await Watching(b.ocpi).look_once()
    assert await b.status(EMSP) == "CONNECTED"
    await until_told(b.cpo, EMSP, "EMSP", "CONNECTED")

    async def noted() -> Any:
        return await b.sql("SELECT 1 FROM ocpi_partners WHERE name = 'NL-XCP' AND heard_at > $1", long_ago)

    # heard_at is written in batches, by the process that has heard
    assert (await b.cpo.request("GET", MODULE, "SENDER")).ok
    await b.until(noted, 15)


@rule("I1", "I2", "I6", "R16")
async def another_hub_tells_of_its_parties(b: Behind) -> None:
    """They are reached through it, and it may speak for them; not for those that are connected with us."""
    other = await b.join("EMSP:SE:HB2")
    await b.sql("UPDATE ocpi_roles SET role = 'HUB' WHERE party_id = 'HB2'")
    await b.scene.forget()
    url = f"{b.scene.hub.url}/ocpi/2.2.1/receiver/{MODULE}"

    async def put(party: tuple[str, str], role: str, status: str, **members: Any) -> tuple[int, int]:
        body = {"country_code": party[0], "party_id": party[1], "role": role, "status": status, "last_updated": instant()}
        reply = await other.request("PUT", MODULE, "", *party, url=url, body=body | members)
        return reply.status, reply.code

    far = ("SE", "FAR")
    assert (await b.emsp.request("GET", "locations", "SENDER", to=far)).code == 4001
    assert await put(far, "EMSP", "CONNECTED") == (201, 1000)
    assert await put(far, "EMSP", "CONNECTED") == (200, 1000)
    await b.scene.forget()
    found = await other.request("GET", MODULE, "", *far, url=url)
    assert (found.data["status"], found.data["role"]) == ("CONNECTED", "EMSP")
    reply = await b.cpo.push("sessions", session("FAR"), to=far)
    assert reply.ok
    seen = last(other, "sessions")
    assert (seen.party("to"), seen.party("from")) == (far, CPO)
    # it speaks for those behind it
    assert (await other.request("GET", "locations", "SENDER", to=CPO, sender=far)).ok
    assert (await other.request("GET", "locations", "SENDER", to=CPO, sender=("SE", "NEW"))).ok
    assert last(b.cpo, "locations").party("from") == ("SE", "NEW")
    for party in (EMSP, ("NL", "NOR"), HUB):
        assert (await other.request("GET", "locations", "SENDER", to=CPO, sender=party)).code == 2001
    # and may not take away what is connected with us (C12)
    for party, role in ((EMSP, "EMSP"), (("NL", "NOR"), "CPO")):
        before = await b.status(party)
        await put(party, role, "SUSPENDED")
        assert await b.status(party) == before
    await b.set_status(EMSP2, "SUSPENDED")  # by us, not gone
    assert await put(EMSP2, "EMSP", "CONNECTED") == (200, 1000)
    assert await b.status(EMSP2) == "SUSPENDED"
    await b.set_status(EMSP2, "CONNECTED")
    assert (await put(far, "EMSP", "HALF"))[1] == 2001
    assert (await put(far, "EMSP", "CONNECTED", party_id="NOT"))[1] == 2001
    assert (await b.emsp.request("PUT", MODULE, "", *far, url=url, body={})).code == 2001
    late = {"last_updated": "2020-01-01T00:00:00Z"}
    assert (await put(far, "EMSP", "OFFLINE", **late)) == (200, 1000)
    assert await b.status(far) == "CONNECTED"
    assert await put(far, "EMSP", "OFFLINE") == (200, 1000)
    await b.scene.forget()
    assert (await b.cpo.push("sessions", session("FAR"), to=far)).code == 4003
    await until_told(b.emsp, far, "EMSP", "OFFLINE")
    await b.leave(other)


@rule("I1")
async def an_operator_is_no_hub(b: Behind) -> None:
    """Its partners find no list there; our own tenants are parties like others at the hub."""
    direct = await b.join("EMSP:DE:DIR", tenant="north")
    url = f"{b.scene.hub.url}/ocpi/2.2.1"
    assert (await direct.request("GET", MODULE, url=f"{url}/sender/{MODULE}")).status == 404
    assert (await direct.request("GET", MODULE, url=f"{url}/receiver/{MODULE}/NL/XCP")).status == 404
    answer = await b.ocpi.outgoing.send(await b.north(), Party(*EMSP), OcpiRequest(method="GET", module="tokens", role="SENDER"))
    assert answer.successful, answer
