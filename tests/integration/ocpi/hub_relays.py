"""Cases of the hub about URLs that it puts in place of others (OCPI 2.2.1; 17.1 of our digest)."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from csms.store.maintenance import prune_relays, prune_routes
from csms.store.pool import run_with_owner
from hub.ocpi.message import OcpiRequest, OcpiResponse, Requester
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.table import HANDLERS
from hub.ocpi.routing.router import HubRouter
from schemas.ocpi221.headers import Party
from tests.integration.ocpi.behind_hub import CPO, EMSP, HUB, NORTH, Behind, Cases, code, last
from tests.ocpi.documents import cdr, instant, location, token
from tests.ocpi.wire import Fault

rule = Cases()


@rule("17.1")
async def results_of_commands_come_by_way_of_the_hub(b: Behind) -> None:
    """The receiver gets a URL of ours; only its platform may use it, once, whatever ids it makes up."""
    key, url = b.emsp.response_url()
    body = {"session_id": "S", "response_url": url, "x": 1}
    b.cpo.commands["STOP_SESSION"] = ("ACCEPTED", None)
    reply = await b.emsp.request("POST", "commands", "RECEIVER", "STOP_SESSION", body=body, to=CPO, correlation="one-chain")
    assert reply.data["result"] == "ACCEPTED"
    given = last(b.cpo, "commands").body
    assert {**given, "response_url": url} == body
    ours = given["response_url"]
    assert ours.startswith(f"{b.scene.hub.url}/ocpi/2.2.1/sender/commands/")
    result = {"result": "ACCEPTED", "message": [{"language": "en", "text": "done"}]}
    for stranger in (b.cpo2, b.emsp):
        assert (await stranger.request("POST", "commands", url=ours, body=result, to=EMSP)).status == 404
    assert (await b.cpo.request("POST", "commands", url=ours[:-2] + "__", body=result)).status == 404
    answer = await b.cpo.request("POST", "commands", url=ours, body=result, to=HUB, correlation="foreign")
    assert answer.ok, answer
    assert b.emsp.results[key] == [result]
    seen = last(b.emsp, "results")
    assert (seen.party("to"), seen.party("from")) == (EMSP, CPO)
    assert seen.headers["x-correlation-id"] == "one-chain"
    assert code(await b.cpo.request("POST", "commands", url=ours, body=result)) == (200, 2001)
    assert b.emsp.results[key] == [result]
    stored = await b.sql("SELECT relay_key, original_url FROM ocpi_relays WHERE original_url = $1", url)
    assert len(stored) == 1
    assert ours.rpartition("/")[2].encode() not in bytes(stored[0]["relay_key"])


@rule("17.1")
async def a_result_that_could_not_be_passed_on_may_come_again(b: Behind) -> None:
    key, url = b.emsp.response_url()
    b.cpo.commands["STOP_SESSION"] = ("ACCEPTED", None)
    body = {"session_id": "S", "response_url": url}
    assert (await b.emsp.request("POST", "commands", "RECEIVER", "STOP_SESSION", body=body, to=CPO)).ok
    ours = last(b.cpo, "commands").body["response_url"]
    b.emsp.faults.add(Fault("drop", module="results", times=1))
    assert code(await b.cpo.request("POST", "commands", url=ours, body={"result": "FAILED"})) == (200, 4003)
    assert (await b.cpo.request("POST", "commands", url=ours, body={"result": "FAILED"})).ok
    assert b.emsp.results[key] == [{"result": "FAILED"}]


@rule("17.1")
async def a_restart_loses_no_result(b: Behind) -> None:
    """Any process passes on what comes; a process that ended while it did so does not stand in the way for long."""
    key, url = b.emsp.response_url()
    b.cpo.commands["STOP_SESSION"] = ("ACCEPTED", None)
    body = {"session_id": "S", "response_url": url}
    assert (await b.emsp.request("POST", "commands", "RECEIVER", "STOP_SESSION", body=body, to=CPO)).ok
    ours = last(b.cpo, "commands").body["response_url"]
    await b.sql("UPDATE ocpi_relays SET claimed_at = now() - interval '10 s' WHERE original_url = $1", url)
    assert (await b.cpo.request("POST", "commands", url=ours, body={"result": "FAILED"})).code == 2001
    await b.sql("UPDATE ocpi_relays SET claimed_at = now() - interval '2 min' WHERE original_url = $1", url)
    requester = Requester(party=Party(*CPO), parties=frozenset({Party(*CPO).folded}), partner_id=UUID(b.partner_ids["NL-XCP"]))
    answer = await HubRouter(b.ocpi).route(
        requester,
        OcpiRequest(
            method="POST", module="commands", role="SENDER", segments=("relay", ours.rpartition("/")[2]), body={"result": "FAILED"}
        ),
    )
    assert answer.successful, answer
    assert b.emsp.results[key] == [{"result": "FAILED"}]


@rule("17.1")
async def a_reservation_may_be_cancelled_later(b: Behind) -> None:
    """M7: its URL is good until it is over; that of a command that was refused is good for nothing."""
    key, url = b.emsp.response_url()
    reserve = {
        "reservation_id": "R",
        "location_id": "L",
        "expiry_date": instant(hours=3),
        "token": token(),
        "response_url": url,
    }
    b.cpo.commands["RESERVE_NOW"] = ("ACCEPTED", None)
    assert (await b.emsp.request("POST", "commands", "RECEIVER", "RESERVE_NOW", body=reserve, to=CPO)).ok
    ours = last(b.cpo, "commands").body["response_url"]
    for result in ("ACCEPTED", "CANCELED_RESERVATION"):
        assert (await b.cpo.request("POST", "commands", url=ours, body={"result": result})).ok
    assert [one["result"] for one in b.emsp.results[key]] == ["ACCEPTED", "CANCELED_RESERVATION"]
    (row,) = await b.sql("SELECT extract(epoch FROM expires_at - now()) AS left FROM ocpi_relays WHERE original_url = $1", url)
    assert 3 * 3600 < row["left"] < 3 * 3600 + 400
    b.cpo.commands["RESERVE_NOW"] = ("REJECTED", None)
    url = b.emsp.response_url()[1]
    refused = await b.emsp.request("POST", "commands", "RECEIVER", "RESERVE_NOW", body={**reserve, "response_url": url}, to=CPO)
    assert refused.data["result"] == "REJECTED"
    assert not await b.sql("SELECT 1 FROM ocpi_relays WHERE original_url = $1", url)
    await b.sql("UPDATE ocpi_relays SET expires_at = now()")
    assert (await b.cpo.request("POST", "commands", url=ours, body={"result": "CANCELED_RESERVATION"})).status == 404
    # what is over is deleted after a while
    prune = partial(prune_relays, days=1)
    assert await run_with_owner(b.scene.hub.dsn, prune) == 0
    await b.sql("UPDATE ocpi_relays SET expires_at = now() - interval '25 h'")
    assert await run_with_owner(b.scene.hub.dsn, prune) > 0
    assert not await b.sql("SELECT 1 FROM ocpi_relays")
    await b.sql("UPDATE ocpi_routes SET seen_at = now() - interval '91 days' WHERE object_id = 'o-s'")
    assert await run_with_owner(b.scene.hub.dsn, partial(prune_routes, days=90)) == 1


@rule("17.1")
async def charging_profiles_are_answered_by_way_of_the_hub(b: Behind) -> None:
    profile = {"charging_rate_unit": "A", "charging_profile_period": [{"start_period": 0, "limit": 16.0}]}
    for method, body in (("PUT", profile), ("GET", None), ("DELETE", None)):
        outcome = await b.emsp.profile(method, "P-S", to=CPO, body=body)
        assert outcome["result"]["result"] == "ACCEPTED", outcome
        seen = last(b.cpo, "chargingprofiles", method)
        url = seen.body["response_url"] if method == "PUT" else seen.query["response_url"]
        assert url.startswith(f"{b.scene.hub.url}/ocpi/2.2.1/sender/chargingprofiles/")
        assert method != "GET" or seen.query["duration"] == "600"
    assert not b.cpo.troubles


@rule("17.1")
async def urls_that_lead_elsewhere_are_refused(b: Behind) -> None:
    for url in (
        "ftp://a.example/x",
        "http://169.254.169.254/meta",
        f"{b.scene.hub.url}/ocpi/2.2.1/sender/commands/relay/x",
        "no url",
    ):
        body = {"session_id": "S", "response_url": url}
        reply = await b.emsp.request("POST", "commands", "RECEIVER", "STOP_SESSION", body=body, to=CPO)
        assert (reply.code, "response_url" in (reply.message or "")) == (2001, True), url
    assert not b.cpo.requests("commands")


@rule("17.1", "R4")
async def pages_of_a_list_come_by_way_of_the_hub(b: Behind) -> None:
    b.cpo.owned["locations"].clear()
    b.cpo.own("locations", *(location(f"Q-{number}") for number in range(8)))
    reply = await b.emsp.request("GET", "locations", "SENDER", to=CPO, query={"date_from": "2020-01-01T00:00:00Z"})
    following = reply.next_url or ""
    assert following.startswith(f"{b.scene.hub.url}/ocpi/2.2.1/sender/locations?relay=")
    assert "offset=3&limit=3" in following
    assert (reply.headers["X-Total-Count"], reply.headers["X-Limit"]) == ("8", "3")
    found = await b.emsp.pull("locations", to=CPO, date_from="2020-01-01T00:00:00Z")
    assert [one["id"] for one in found] == [f"Q-{number}" for number in range(8)]
    seen = last(b.cpo, "locations")
    assert seen.query == {"date_from": "2020-01-01T00:00:00Z", "offset": "6", "limit": "3"}
    assert (seen.party("to"), seen.party("from")) == (CPO, EMSP)
    assert (await b.emsp2.request("GET", "locations", url=following)).status == 404
    (row,) = await b.sql("SELECT count(*) FROM ocpi_relays WHERE kind = 'page'")
    assert row["count"] == 2  # one for each list, not for each page


@rule("17.1")
async def a_cdr_can_be_looked_at_where_it_was_posted(b: Behind) -> None:
    made = await b.cpo.push("cdrs", cdr("C-1"), to=EMSP)
    assert code(made) == (201, 1000)
    where = made.headers["Location"]
    assert where.startswith(f"{b.scene.hub.url}/ocpi/2.2.1/receiver/cdrs/")
    found = await b.cpo.request("GET", "cdrs", url=where)
    assert found.data["id"] == "C-1"
    seen = last(b.emsp, "cdrs", "GET")
    assert (seen.party("to"), seen.party("from")) == (EMSP, CPO)
    for stranger in (b.cpo2, b.emsp):
        assert (await stranger.request("GET", "cdrs", url=where)).status == 404
    b.emsp.faults.add(Fault("no_location", module="cdrs"))
    assert "Location" not in (await b.cpo.push("cdrs", cdr("C-2"), to=EMSP)).headers


@rule("17.1", "17.3")
async def commands_between_tenants_of_ours_and_platforms(b: Behind) -> None:
    """The URLs of our own tenants are replaced as all others; results go to them and come from them within this process."""
    calls: list[OwnCall] = []

    async def accept(call: OwnCall) -> OcpiResponse:
        calls.append(call)
        return OcpiResponse(data={"result": "ACCEPTED", "timeout": 5})

    async def take(call: OwnCall) -> OcpiResponse:
        calls.append(call)
        return OcpiResponse()

    b.patch.setitem(HANDLERS, ("commands", "RECEIVER", "POST"), accept)
    b.patch.setitem(HANDLERS, ("commands", "SENDER", "POST"), take)
    north, outgoing = await b.north(), b.ocpi.outgoing
    # a platform orders, our tenant answers
    key, url = b.emsp.response_url()
    body = {"session_id": "S", "response_url": url}
    reply = await b.emsp.request("POST", "commands", "RECEIVER", "STOP_SESSION", body=body, to=NORTH, correlation="ordered")
    assert reply.data == {"result": "ACCEPTED", "timeout": 5}
    ordered = calls.pop()
    assert (ordered.tenant_id, ordered.party.party, ordered.requester.party) == (north.tenant_id, NORTH, EMSP)
    assert (ordered.requester.parties, ordered.requester.partner_id) == (frozenset({Party(*EMSP).folded}), None)
    ours = ordered.request.body["response_url"]
    assert ours != url
    result = OcpiRequest(method="POST", module="commands", role="SENDER", url=ours, body={"result": "ACCEPTED"})
    assert (await outgoing.send(north, Party(*EMSP), result)).successful
    assert b.emsp.results[key] == [{"result": "ACCEPTED"}]
    assert (last(b.emsp, "results").party("from"), last(b.emsp, "results").headers["x-correlation-id"]) == (NORTH, "ordered")
    assert (await outgoing.send(north, Party(*EMSP), result)).status_code == 2001
    # our tenant orders, a platform answers
    made = await b.scene.boss.put("/api/v1/ocpi/parties/nl/nor/emsp", {"business_details": {"name": "North drives"}})
    assert made.status_code == 200, made.text
    await b.ocpi.directory.changed()
    mine = b.ocpi.urls.endpoint("2.2.1", "commands", "SENDER", "STOP_SESSION", "mine")
    order = OcpiRequest(
        method="POST",
        module="commands",
        role="RECEIVER",
        segments=("STOP_SESSION",),
        body={"session_id": "S", "response_url": mine},
    )
    (emsp,) = (await b.ocpi.directory.parties()).of_tenant(north.tenant_id, "EMSP")
    b.cpo.commands["STOP_SESSION"] = ("ACCEPTED", "FAILED")
    answer = await outgoing.send(emsp, Party(*CPO), order)
    assert answer.data["result"] == "ACCEPTED", answer
    assert last(b.cpo, "commands").body["response_url"] != mine

    async def come() -> bool:
        return bool(calls)

    await b.until(come)
    taken = calls.pop()
    assert (taken.request.segments, taken.request.body) == (("STOP_SESSION", "mine"), {"result": "FAILED"})
    assert (taken.party.party, taken.requester.party) == (NORTH, CPO)
    assert not b.cpo.troubles
