"""What the hub keeps of its parties, how much, and agreements that are for some places only (cases of test_hub_routing)."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import trio

from csms.store import Connection
from csms.store.queries.ocpi_objects import NewObject, ObjectKey, put_object
from tests.integration.ocpi.behind_hub import CPO, EMSP, EMSP2, HUB, NORTH, Behind, Cases, code
from tests.ocpi.documents import cdr, evse, instant, location, session, tariff, token
from tests.ocpi.replies import Reply

rule = Cases()


@rule("17.2")
async def of_two_first_messages_the_newer_one_stays(b: Behind) -> None:
    """W8, whichever of them is stored first: the older one has been read before the newer one could be seen."""
    hub = await b.sql("SELECT tenant_id FROM tenants WHERE kind = 'hub'")
    newer = location("K-1", name="newer", last_updated=instant(minutes=1))
    begun = trio.Event()

    async def store(conn: Connection) -> None:
        new = NewObject(
            key=ObjectKey("locations", ("nl", "xcp"), "k-1"),
            origin="received",
            document=newer,
            last_updated=b.ocpi.clock.now() + timedelta(minutes=1),
            partner_id=UUID(b.partner_ids["NL-XCP"]),
        )
        await put_object(conn, hub[0]["tenant_id"], new)
        trio.from_thread.run_sync(begun.set, trio_token=trio_token)
        await conn.execute("SELECT pg_sleep(0.5)")

    trio_token = trio.lowlevel.current_trio_token()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(b.ocpi.store.hub.tenant_unit, hub[0]["tenant_id"], store)
        await begun.wait()
        reply = await b.cpo.push("locations", location("K-1", name="older"), to=HUB)
    assert code(reply) == (200, 1000)
    assert (await b.emsp.request("GET", "locations", "SENDER", "K-1", to=HUB)).data["name"] == "newer"
    assert not b.emsp.requests("locations", "PUT")
    # what is deleted is not brought back by what was told before
    assert (await b.cpo.push("tariffs", tariff("K-T"), to=HUB)).ok
    assert (await b.cpo.push("tariffs", tariff("K-T"), to=HUB, method="DELETE")).ok
    assert (await b.cpo.push("tariffs", tariff("K-T", last_updated="2020-01-01T00:00:00Z"), to=HUB)).ok
    assert "K-T" not in {one["id"] for one in await b.cpo.pull("tariffs", to=HUB)}


@rule("17.2")
async def a_partner_stores_so_much_and_no_more(b: Behind) -> None:
    """Of each module, and in all; what is there can be changed, and others are not touched."""
    (stored,) = await b.sql(
        "SELECT count(*) AS n FROM ocpi_objects o JOIN ocpi_partners p USING (tenant_id, partner_id) "
        "WHERE p.name = 'NL-XCP' AND module = 'locations' AND origin = 'received'"
    )
    await b.settings(b.cpo, timeout_s=1, most_objects=stored["n"])
    refused = await b.cpo.push("locations", location("K-2"), to=HUB)
    assert (code(refused), f"no more than {stored['n']} objects" in (refused.message or "")) == ((200, 2000), True)
    again = location("K-1", name="changed", last_updated=instant(minutes=2))
    assert code(await b.cpo.push("locations", again, to=HUB)) == (200, 1000)
    assert (await b.cpo.push("tariffs", tariff("K-T2"), to=HUB)).ok
    assert (await b.cpo2.push("locations", location("K-3", ("BE", "CP2")), to=HUB)).ok
    shown = (await b.scene.admin.get("/api/v1/ocpi/storage", headers={"X-CSMS-Tenant": "hub"})).json()["items"]
    (own,) = [one for one in shown if one["name"] == "NL-XCP"]
    assert (own["full"], own["party"], own["partner_id"]) == (True, None, b.partner_ids["NL-XCP"])
    modules = {one["module"]: (one["objects"], one["most_objects"]) for one in own["modules"]}
    assert modules["locations"] == (stored["n"], stored["n"])
    assert own["bytes"] == sum(one["bytes"] for one in own["modules"]) > len(json.dumps(again))
    assert not any(one["full"] for one in shown if one is not own)
    await b.settings(b.cpo, timeout_s=1, most_megabytes=1)
    long = location("K-1", last_updated=instant(minutes=3), remark="x" * 600_000)
    assert (await b.cpo.push("locations", long, to=HUB)).ok
    refused = await b.cpo.push("locations", long | {"id": "K-5"}, to=HUB)
    assert (code(refused), "1 MB" in (refused.message or "")) == ((200, 2000), True)
    part = evse("EVSE-1", last_updated=instant(minutes=4), remark="x" * 600_000)
    reply = await b.cpo.request("PUT", "locations", "RECEIVER", *CPO, "K-1", "EVSE-1", body=part, to=HUB)
    assert code(reply) == (200, 2000)
    assert code(await b.cpo.push("locations", location("K-1", last_updated=instant(minutes=5)), to=HUB)) == (200, 1000)
    await b.settings(b.cpo, timeout_s=1)
    assert (await b.cpo.push("locations", location("K-2"), to=HUB)).ok


@rule("R8", "R13", "17.2")
async def what_is_between_two_is_in_no_list_of_the_hub(b: Behind) -> None:
    """Sessions and CDRs are told to one party and never broadcast: the hub keeps none, so its lists of them are empty."""
    driver = token("K-DRIVER")
    assert (await b.cpo.push("sessions", session("K-S", driver=driver), to=EMSP)).ok
    assert (await b.cpo.push("cdrs", cdr("K-C", driver=driver), to=EMSP)).ok
    assert (await b.cpo.push("locations", location("K-D"), to=EMSP)).ok
    for platform in (b.emsp, b.cpo):
        for module in ("sessions", "cdrs"):
            reply = await platform.request("GET", module, "SENDER", to=HUB, query={"date_from": "2020-01-01T00:00:00Z"})
            assert (code(reply), reply.data, reply.headers["X-Total-Count"]) == ((200, 1000), [], "0")
    assert "K-D" not in {one["id"] for one in await b.emsp.pull("locations", to=HUB)}


async def agree_on(b: Behind, owner: tuple[str, str], party: tuple[str, str], **places: list[str]) -> None:
    await b.sql(
        "INSERT INTO ocpi_agreements (tenant_id, agreement_id, owner_country_code, owner_party_id, party_country_code, "
        "party_party_id, location_ids, countries, created_by) SELECT tenant_id, gen_random_uuid(), $1, $2, $3, $4, $5, $6, 'test' "
        "FROM tenants WHERE kind = 'hub'",
        *owner,
        *party,
        places.get("location_ids"),
        places.get("countries"),
    )
    await b.scene.forget()


async def order(b: Behind, location_id: str, *, to: tuple[str, str] | None = CPO) -> Reply:
    body = {"location_id": location_id, "token": token(), "response_url": b.emsp.response_url()[1]}
    return await b.emsp.request("POST", "commands", "RECEIVER", "START_SESSION", body=body, to=to)


@rule("R14")
async def agreements_hold_for_places_between_two(b: Behind) -> None:
    """Of another location nothing is told, nothing answered and nothing ordered there; nobody else is touched."""
    b.cpo.own("locations", location("P-YES"), location("P-NO"))
    await agree_on(b, CPO, EMSP, location_ids=["p-yes"])
    assert (await b.cpo.push("locations", location("P-YES"), to=EMSP)).ok
    changed = evse("EVSE-1", status="CHARGING")
    for segments, body in ((("P-NO",), location("P-NO")), (("P-NO", "EVSE-1"), changed)):
        reply = await b.cpo.request("PUT", "locations", "RECEIVER", *CPO, *segments, body=body, to=EMSP)
        assert code(reply) == (200, 4001)
    patch = {"name": "x", "last_updated": instant()}
    assert code(await b.cpo.request("PATCH", "locations", "RECEIVER", *CPO, "P-NO", body=patch, to=EMSP)) == (200, 4001)
    assert b.emsp.find("locations", "P-NO") is None
    b.cpo.seen.clear()
    for segments in (("P-NO",), ("P-NO", "EVSE-1"), ("P-NO", "EVSE-1", "1")):
        assert code(await b.emsp.request("GET", "locations", "SENDER", *segments, to=CPO)) == (404, 2003)
    assert code(await order(b, "P-NO")) == (200, 2003)
    assert not b.cpo.seen
    assert (await b.emsp.request("GET", "locations", "SENDER", "p-yes", to=CPO)).ok
    assert (await order(b, "P-YES")).ok
    # in lists too, page by page
    reply = await b.emsp.request("GET", "locations", "SENDER", to=CPO, query={"limit": "1"})
    found = list(reply.data)
    while reply.next_url:
        reply = await b.emsp.request("GET", "locations", url=reply.next_url, to=CPO)
        found += reply.data
    assert [one["id"] for one in found] == ["P-YES"]
    assert (await b.emsp2.request("GET", "locations", "SENDER", "P-NO", to=CPO)).ok
    assert (await b.cpo.push("locations", location("P-NO"), to=EMSP2)).ok
    # of a tenant of ours the same
    await agree_on(b, NORTH, EMSP, location_ids=["p-yes"])
    assert code(await order(b, "11111111-1111-1111-1111-111111111111", to=NORTH)) == (200, 2003)
    await b.disagree()


@rule("R14", "17.2")
async def where_a_location_is_counts_when_it_is_not_said(b: Behind) -> None:
    """Agreements by country: parts, commands and single EVSEs do not name it; the hub remembers what has passed it."""
    await agree_on(b, CPO, EMSP, countries=["NL"])
    b.cpo.own("locations", location("C-NL"), location("C-BE", country="BEL"))

    async def status(location_id: str) -> tuple[int, int]:
        body = {"status": "CHARGING", "last_updated": instant()}
        return code(await b.cpo.request("PATCH", "locations", "RECEIVER", *CPO, location_id, "EVSE-1", body=body, to=EMSP))

    assert await status("C-NL") == (404, 2003)  # all of it first (L3)
    assert code(await order(b, "C-NL")) == (200, 2003)
    assert (await b.cpo.push("locations", location("C-NL"), to=EMSP)).ok
    assert code(await b.cpo.push("locations", location("C-BE", country="BEL"), to=EMSP)) == (200, 4001)
    assert await status("C-NL") == (200, 1000)
    assert await status("C-BE") == (404, 2003)
    assert (await order(b, "c-nl")).ok
    assert code(await order(b, "C-BE")) == (200, 2003)
    # what is asked for is looked at when it is there
    b.cpo.own("locations", location("C-NL2"))
    assert (await b.emsp.request("GET", "locations", "SENDER", "C-NL2", to=CPO)).ok
    assert (await b.emsp.request("GET", "locations", "SENDER", "C-NL2", "EVSE-1", to=CPO)).ok
    for segments in (("C-BE",), ("C-BE", "EVSE-1")):
        assert code(await b.emsp.request("GET", "locations", "SENDER", *segments, to=CPO)) == (404, 2003)
    shown = {one["id"] for one in await b.emsp.pull("locations", to=CPO)}
    assert ("C-BE" in shown, {"C-NL", "C-NL2"} <= shown) == (False, True)
    # what everybody was told is known as well; another country ends it
    assert (await b.cpo.push("locations", location("C-ALL"), to=HUB)).ok
    assert await status("C-ALL") in ((200, 1000), (404, 2000), (404, 2003))  # the receiver's word, if it has it yet
    assert (await order(b, "C-ALL")).ok
    await b.disagree()
    await agree_on(b, CPO, EMSP, countries=["DE"])
    assert await status("C-NL") == (200, 4001)
    await b.disagree()
