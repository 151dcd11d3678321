"""The hub between platforms (OCPI 2.2.1, message routing; the rules by the ids of our digest)."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any, Final

import pytest
import trio

from csms.secret import RootSecret
from hub.ocpi.message import OcpiRequest, plain
from hub.ocpi.routing import router, traffic
from schemas.ocpi221.headers import Party
from tests.integration.ocpi import hub_keeping, hub_relays
from tests.integration.ocpi.behind_hub import (
    CPO,
    CPO2,
    EMSP,
    EMSP2,
    HUB,
    NORTH,
    Behind,
    Cases,
    code,
    last,
    open_behind,
    routed,
    run_cases,
)
from tests.ocpi import documents
from tests.ocpi.documents import cdr, evse, instant, location, session, tariff, token
from tests.ocpi.replies import Reply
from tests.ocpi.wire import Fault

RULES: Final = {*(f"R{number}" for number in range(1, 19)), "17.1", "17.2", "17.3", "17.4", "17.5", "V5", "7.2"}

rule = Cases()


async def test_every_rule_of_the_hub(
    database: str, root_secret: RootSecret, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All cases at one running hub with four platforms behind it."""
    rule.all += hub_relays.rule.all + hub_keeping.rule.all
    assert rule.rules == RULES
    monkeypatch.setattr(traffic, "MOST_TO_RECEIVER", 30)
    async with open_behind(database, root_secret, nursery) as behind:
        behind.patch = monkeypatch
        await run_cases(behind, rule)


@rule("7.2", "R1", "R18")
async def a_direct_request_keeps_its_parties_on_every_leg(b: Behind) -> None:
    b.cpo.own("locations", location("L-1"))
    for fault in (None, "no_routing", "no_ids"):
        if fault is not None:
            b.cpo.faults.add(Fault(fault, module="locations"))
        mine = {"X-Request-ID": str(uuid.uuid4()), "X-Correlation-ID": str(uuid.uuid4())}
        reply = await b.emsp.request("GET", "locations", "SENDER", "L-1", to=CPO, headers=mine)
        assert reply.ok, reply
        assert reply.data["id"] == "L-1"
        seen = last(b.cpo, "locations")
        assert (seen.party("to"), seen.party("from")) == (CPO, EMSP)
        assert seen.headers["x-correlation-id"] == mine["X-Correlation-ID"]
        assert seen.headers["x-request-id"] not in (mine["X-Request-ID"], "")
        assert routed(reply) == {"to": EMSP, "from": CPO}
        assert {name: reply.headers[name] for name in mine} == mine
    # the other spelling names the same party (B2)
    assert (await b.emsp.request("GET", "locations", "SENDER", "L-1", to=("nl", "xcp"))).ok


@rule("R2")
async def what_the_receiver_says_is_passed_on(b: Behind) -> None:
    reply = await b.emsp.request("GET", "locations", "SENDER", "NOWHERE", to=CPO)
    assert (code(reply), reply.message) == ((404, 2003), "no such location")
    b.cpo.faults.add(Fault("code_3000", module="locations", times=1))
    assert code(await b.emsp.request("GET", "locations", "SENDER", to=CPO)) == (200, 3000)
    made = await b.cpo.push("sessions", session("R2", driver=token()), to=EMSP)
    assert code(made) == (201, 1000)
    again = await b.cpo.push("sessions", session("R2", driver=token()), to=EMSP)
    assert code(again) == (200, 1000)


@rule("R3")
async def failures_of_the_hub_are_contents(b: Behind) -> None:
    """4001 to 4003 and 4000, in HTTP 200; nothing of what the receiver holds against us is passed on (17.3)."""

    async def ask(to: tuple[str, str] = CPO) -> tuple[int, int]:
        return code(await b.emsp.request("GET", "locations", "SENDER", to=to))

    assert await ask(("XX", "YYY")) == (200, 4001)
    assert await ask(EMSP2) == (200, 4001)  # known, but nobody's CPO
    for kind, expected in (
        ("stall", 4002),
        ("drop", 4003),
        ("not_http", 4003),
        ("unauthorized", 4003),
        ("error_500", 4000),
        ("garbage", 4000),
        ("no_envelope", 4000),
        ("too_many", 4000),
        ("redirect", 4000),
    ):
        b.cpo.faults.add(Fault(kind, module="locations", times=1))
        assert await ask() == (200, expected), kind
        assert await ask() == (200, 1000)
    for status in ("OFFLINE", "PLANNED", "SUSPENDED"):
        await b.set_status(CPO, status)
        b.cpo.seen.clear()
        assert await ask() == (200, 4003)
        assert not b.cpo.requests("locations")
    await b.set_status(CPO, "CONNECTED")
    assert await ask() == (200, 1000)


@rule("R4", "R5")
async def a_message_is_passed_on_as_it_is(b: Behind) -> None:
    told = session("R4/ *é", driver=token(), x_unknown={"deep": [1, None, 2.50]}, last_updated="2020-02-03T04:05:06.789Z")
    reply = await b.cpo.request(
        "PUT", "sessions", "RECEIVER", *CPO, told["id"], query={"x": "1 &2", "type": "é"}, body=told, to=EMSP
    )
    assert reply.ok, reply
    seen = last(b.emsp, "sessions")
    assert seen.body == told
    assert seen.rest == (*CPO, told["id"])
    assert seen.query == {"x": "1 &2", "type": "é"}
    deeper = await b.emsp.request("GET", "locations", "SENDER", "L-1", "E", "C", "more", to=CPO)
    assert deeper.code != 4000
    assert last(b.cpo, "locations").rest == ("L-1", "E", "C", "more")


@rule("R6", "R7", "R9", "R10", "17.2")
async def what_is_for_everybody_is_told_by_the_hub(b: Behind) -> None:
    """Kept, answered by the hub, and told to all opposite parties, whatever one of them says."""
    b.emsp2.faults.add(Fault("unauthorized", module="locations"))
    told = location("B-1", x_unknown=[1])
    made = await b.cpo.push("locations", told, to=HUB, correlation="for-all")
    assert code(made) == (201, 1000)
    assert routed(made) == {"to": CPO, "from": HUB}
    await b.emsp.wait(lambda: b.emsp.find("locations", "B-1"))
    seen = last(b.emsp, "locations", "PUT")
    assert (seen.party("from"), seen.party("to")) == (HUB, EMSP)
    assert seen.headers["x-correlation-id"] == "for-all"
    assert (seen.rest, seen.body) == ((*CPO, "B-1"), told)
    await b.asked(b.emsp2, "locations")
    assert not b.cpo2.requests("locations")
    assert not b.cpo.requests("locations")
    # parts of it, put together at the hub
    changed = evse("EVSE-1", status="CHARGING")
    reply = await b.cpo.request("PUT", "locations", "RECEIVER", *CPO, "B-1", "EVSE-1", body=changed, to=HUB)
    assert code(reply) == (200, 1000)
    await b.emsp.wait(lambda: last(b.emsp, "locations", "PUT").rest == (*CPO, "B-1", "EVSE-1"))
    assert last(b.emsp, "locations", "PUT").body["status"] == "CHARGING"
    patch = {"name": "Another name", "last_updated": instant()}
    assert (await b.cpo.request("PATCH", "locations", "RECEIVER", *CPO, "B-1", body=patch, to=HUB)).ok
    await b.emsp.wait(lambda: (b.emsp.find("locations", "B-1") or {}).get("name") == "Another name")
    status = {"status": "BLOCKED", "last_updated": instant()}
    assert (await b.cpo.request("PATCH", "locations", "RECEIVER", *CPO, "b-1", "evse-1", body=status, to=HUB)).ok
    await b.emsp.wait(lambda: b.emsp.find("locations", "B-1")["evses"][0]["status"] == "BLOCKED")  # type: ignore[index]
    plug = documents.connector(max_amperage=16, last_updated=instant())
    assert (await b.cpo.request("PUT", "locations", "RECEIVER", *CPO, "B-1", "EVSE-1", "1", body=plug, to=HUB)).ok
    kept = (await b.emsp.request("GET", "locations", "SENDER", "B-1", to=HUB)).data
    assert kept["evses"][0]["connectors"][0]["max_amperage"] == 16
    assert (kept["evses"][0]["status"], kept["name"], kept["x_unknown"]) == ("BLOCKED", "Another name", [1])
    # what comes too late is nothing (W8), what is unknown is not made of a part (W4)
    late = {"name": "Old", "last_updated": "2020-01-01T00:00:00Z"}
    assert code(await b.cpo.request("PATCH", "locations", "RECEIVER", *CPO, "B-1", body=late, to=HUB)) == (200, 1000)
    assert (await b.emsp.request("GET", "locations", "SENDER", "B-1", to=HUB)).data["name"] == "Another name"
    none = await b.cpo.request("PUT", "locations", "RECEIVER", *CPO, "NONE", "EVSE-1", body=changed, to=HUB)
    assert code(none) == (404, 2003)
    # R6: a tariff can be withdrawn again
    assert code(await b.cpo.push("tariffs", tariff("B-T"), to=HUB)) == (201, 1000)
    await b.emsp.wait(lambda: b.emsp.find("tariffs", "B-T"))
    assert (await b.cpo.push("tariffs", tariff("B-T"), to=HUB, method="DELETE")).ok
    await b.emsp.wait(lambda: b.emsp.find("tariffs", "B-T") is None)
    assert code(await b.cpo.push("tariffs", tariff("B-T"), to=HUB, method="DELETE"))[0] == 404
    # tokens go the other way
    assert (await b.emsp.push("tokens", token("B-TOKEN"), to=HUB)).ok
    for platform in (b.cpo, b.cpo2):
        await platform.wait(partial(platform.find, "tokens", "B-TOKEN"))
    assert not b.emsp2.requests("tokens")

    async def ours() -> Any:
        return await b.sql(
            "SELECT 1 FROM ocpi_objects o JOIN tenants t USING (tenant_id) WHERE t.slug = 'north' AND module = 'tokens' "
            "AND object_id = 'b-token'"
        )

    await b.until(ours)  # our own tenants are told in this process
    assert (await b.cpo.push("tokens", token("X", owner=CPO), to=HUB)).code == 2001  # R7: a CPO has none
    await b.sql("DELETE FROM ocpi_receivers")


@rule("R8", "R15")
async def the_hub_takes_nothing_that_is_for_one(b: Behind) -> None:
    refused = [
        await b.cpo.push("sessions", session(), to=HUB),
        await b.cpo.push("cdrs", cdr(), to=HUB),
        await b.emsp.request("POST", "commands", "RECEIVER", "STOP_SESSION", body={"session_id": "1"}, to=HUB),
        await b.emsp.request("GET", "chargingprofiles", "RECEIVER", "1", to=HUB),
        await b.emsp.request("GET", "locations", "RECEIVER", *EMSP, "1", to=HUB),
        await b.cpo.request("POST", "tokens", "SENDER", "T", "authorize", to=HUB),
        await b.emsp.request("PUT", "sessions", "SENDER", "S", "charging_preferences", body={}, to=HUB),
    ]
    assert [code(reply) for reply in refused] == [(200, 2001)] * len(refused)
    found = await b.emsp.request("GET", "locations", "SENDER", "B-1", "EVSE-1", "1", to=HUB)
    assert (found.data["id"], routed(found)["from"]) == ("1", HUB)
    assert code(await b.emsp.request("GET", "locations", "SENDER", "B-9", to=HUB)) == (404, 2003)


@rule("R11", "17.4")
async def a_message_without_receiver_finds_its_own(b: Behind) -> None:
    """The steps of 17.4, by what the hub has seen before."""
    assert (await b.cpo2.push("locations", location("O-1", CPO2), to=HUB)).ok
    b.cpo2.own("locations", location("O-1", CPO2))
    # 2: the location is known; the caller learns whom it was asked of
    reply = await b.emsp.request("GET", "locations", "SENDER", "o-1", to=None)
    assert reply.ok
    assert routed(reply) == {"to": EMSP, "from": CPO2}
    assert last(b.cpo2, "locations").party("to") == CPO2
    # 2: a session that passed the hub
    riding = session("O-S", CPO2, driver=token())
    assert (await b.cpo2.push("sessions", riding, to=EMSP)).ok
    stop = {"session_id": "O-S", "response_url": b.emsp.response_url()[1]}
    assert (await b.emsp.request("POST", "commands", "RECEIVER", "STOP_SESSION", body=stop)).ok
    assert last(b.cpo2, "commands").party("from") == EMSP
    patch = {"kwh": 3.0, "last_updated": instant()}
    assert (await b.cpo2.request("PATCH", "sessions", "RECEIVER", *CPO2, "O-S", body=patch)).ok
    assert last(b.emsp, "sessions", "PATCH").party("to") == EMSP
    # 4: a reservation that passed the hub
    reserve = {
        "reservation_id": "O-R",
        "location_id": "O-1",
        "expiry_date": instant(minutes=10),
        "token": token(),
        "response_url": b.emsp.response_url()[1],
    }
    assert (await b.emsp.request("POST", "commands", "RECEIVER", "RESERVE_NOW", body=reserve, to=CPO2)).ok
    cancel = {"reservation_id": "O-R", "response_url": b.emsp.response_url()[1]}
    assert (await b.emsp.request("POST", "commands", "RECEIVER", "CANCEL_RESERVATION", body=cancel)).ok
    assert last(b.cpo2, "commands").rest == ("CANCEL_RESERVATION",)
    # 3: the token is known to the hub, or its contract tells
    b.emsp.own("tokens", token("B-TOKEN"), token("DE-ABC-7"))
    for uid in ("B-TOKEN", "DE-ABC-7"):
        reply = await b.cpo.request("POST", "tokens", "SENDER", uid, "authorize")
        assert (reply.data["allowed"], routed(reply)["from"]) == ("ALLOWED", EMSP)
    assert not b.emsp2.requests("tokens")
    # 3: an EVSE's id
    start = {"location_id": "?", "evse_uid": "BE*CP2*E1", "token": token(), "response_url": b.emsp.response_url()[1]}
    assert (await b.emsp.request("POST", "commands", "RECEIVER", "START_SESSION", body=start)).ok
    assert last(b.cpo2, "commands").rest == ("START_SESSION",)
    # 6: whose token it was; a push for everybody is broadcast
    assert (await b.cpo.push("cdrs", cdr("O-C", driver=token("X", owner=EMSP2)), to=None)).ok
    assert b.emsp2.find("cdrs", "O-C")
    assert not b.emsp.requests("cdrs")
    assert routed(await b.cpo.push("tariffs", tariff("O-T"), to=None))["from"] == HUB
    await b.emsp2.wait(lambda: b.emsp2.find("tariffs", "O-T"))
    # 1 and 7: nothing, or nobody, is meant
    for body in ({"location_id": "?"}, {}):
        reply = await b.emsp.request("POST", "commands", "RECEIVER", "START_SESSION", body=body)
        assert (code(reply), routed(reply)) == ((200, 4001), {"to": EMSP, "from": HUB})
    assert code(await b.cpo.push("cdrs", cdr("O-D", driver=token("X", owner=("XX", "YYY"))), to=None)) == (200, 4001)
    assert code(await b.cpo.request("GET", "locations", "RECEIVER", *CPO, "B-1")) == (200, 4001)  # several have a copy


@rule("17.4")
async def an_unknown_token_is_asked_of_all_who_may_know_it(b: Behind) -> None:
    b.emsp2.own("tokens", token("U-1", owner=EMSP2), token("U-2", owner=EMSP2, valid=False))
    reply = await b.cpo.request("POST", "tokens", "SENDER", "U-1", "authorize")
    assert (reply.data["allowed"], routed(reply)) == ("ALLOWED", {"to": CPO, "from": EMSP2})
    asked = last(b.emsp, "tokens")
    assert (asked.party("to"), asked.party("from")) == (EMSP, CPO)
    assert (await b.cpo.request("POST", "tokens", "SENDER", "U-2", "authorize")).data["allowed"] == "BLOCKED"
    assert code(await b.cpo.request("POST", "tokens", "SENDER", "U-9", "authorize")) == (404, 2004)
    # the first that allows it wins: nobody waits for the others
    b.emsp.faults.add(Fault("stall", module="tokens"))
    b.patch.setattr(router, "AUTHORIZE_S", 15)
    with trio.fail_after(10):
        assert (await b.cpo.request("POST", "tokens", "SENDER", "U-1", "authorize")).data["allowed"] == "ALLOWED"
    b.patch.setattr(router, "AUTHORIZE_S", 0.4)
    # and who did not answer may have known it
    assert code(await b.cpo.request("POST", "tokens", "SENDER", "U-9", "authorize")) == (200, 4002)
    await b.settings(b.emsp, timeout_s=1, ask_unknown_tokens=False)
    b.emsp.seen.clear()
    assert code(await b.cpo.request("POST", "tokens", "SENDER", "U-9", "authorize")) == (404, 2004)
    assert not b.emsp.requests("tokens")
    await b.settings(b.emsp, timeout_s=1)


@rule("R12", "R13", "17.5")
async def the_hub_lists_what_all_have_told_it(b: Behind) -> None:
    """In one order over all owners, in pages, with dates; without receiver too, for the hub is all that this platform has here."""
    for number in range(3):
        for platform, owner in ((b.cpo, CPO), (b.cpo2, CPO2)):
            assert (await platform.push("locations", location(f"P-{number}", owner), to=HUB)).ok
    for to in (HUB, None):
        reply = await b.emsp.request("GET", "locations", "SENDER", to=to, query={"limit": "3"})
        assert (len(reply.data), routed(reply)) == (3, {"to": EMSP, "from": HUB})
        assert (int(reply.headers["X-Total-Count"]), reply.headers["X-Limit"]) == (8, "500")
        everything = await b.emsp.pull("locations", to=to, limit="3")
        assert [(one["party_id"], one["id"]) for one in everything[-6:]] == [
            (party, f"P-{number}") for number in range(3) for party in ("XCP", "CP2")
        ]
        assert len(everything) == 8
    assert (await b.emsp.pull("locations", to=HUB, date_from=instant(minutes=5))) == []
    assert not b.cpo.requests("locations")
    both = await b.emsp.request("GET", "locations", "SENDER", "P-1", to=HUB)
    assert (both.code, "BE-CP2, NL-XCP" in (both.message or "")) == (2001, True)
    # a CPO gets no locations of others, and tokens of all
    assert {one["party_id"] for one in await b.cpo.pull("locations", to=HUB)} == {"XCP"}
    assert [one["uid"] for one in await b.cpo.pull("tokens", to=HUB)] == ["B-TOKEN"]
    assert await b.emsp.pull("sessions", to=HUB, date_from="2020-01-01T00:00:00Z") == []
    assert (await b.emsp.request("GET", "sessions", "SENDER", to=HUB)).code == 2001  # E9


@rule("R14")
async def agreements_say_who_sees_whom(b: Behind) -> None:
    """Not allowed is as unknown: direct, in lists, and in what is broadcast."""
    await b.agree(CPO, EMSP, allowed=False)
    assert code(await b.emsp.request("GET", "locations", "SENDER", to=CPO)) == (200, 4001)
    assert code(await b.cpo.push("sessions", session(), to=EMSP)) == (200, 4001)
    assert (await b.emsp2.request("GET", "locations", "SENDER", to=CPO)).ok
    shown = {one["party_id"] for one in await b.emsp.pull("locations", to=HUB)}
    assert shown == {"CP2"}
    assert {one["party_id"] for one in await b.emsp2.pull("locations", to=HUB)} == {"CP2", "XCP"}
    assert code(await b.emsp.request("GET", "locations", "SENDER", "B-1", to=HUB)) == (404, 2003)
    assert (await b.cpo.push("locations", location("A-1"), to=HUB)).ok
    await b.emsp2.wait(lambda: b.emsp2.find("locations", "A-1"))
    assert (await b.cpo2.push("locations", location("A-2", CPO2), to=HUB)).ok
    await b.emsp.wait(lambda: b.emsp.find("locations", "A-2"))
    assert b.emsp.find("locations", "A-1") is None
    await b.disagree()
    await b.agree(CPO, EMSP, allowed=False, modules=["tariffs"])
    assert (await b.emsp.request("GET", "locations", "SENDER", to=CPO)).ok
    assert code(await b.emsp.request("GET", "tariffs", "SENDER", to=CPO)) == (200, 4001)
    await b.disagree()


@rule("R16")
async def a_message_that_comes_back_is_refused(b: Behind) -> None:
    b.cpo.faults.add(Fault("slow", module="locations", seconds=0.3))
    replies: list[Reply] = []

    async def ask(correlation: str) -> None:
        replies.append(await b.emsp.request("GET", "locations", "SENDER", to=CPO, correlation=correlation))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "round-and-round")
        await b.asked(b.cpo, "locations")
        for correlation in ("round-and-round", "another"):
            nursery.start_soon(ask, correlation)
    assert sorted(reply.code for reply in replies) == [1000, 1000, 4000]
    assert (await b.emsp.request("GET", "locations", "SENDER", to=CPO, correlation="round-and-round")).ok


@rule("R17")
async def configuration_is_not_routed(b: Behind) -> None:
    routing = {"OCPI-to-country-code": "NL", "OCPI-to-party-id": "XCP", "OCPI-from-country-code": "DE", "OCPI-from-party-id": "ABC"}
    for module, role in (("credentials", ""), ("hubclientinfo", "SENDER")):
        reply = await b.emsp.request("GET", module, role, headers=routing)
        assert reply.ok
        assert routed(reply) == {"to": None, "from": None}
    assert not b.cpo.requests()


@rule("17.3")
async def one_slow_partner_delays_nobody_else(b: Behind) -> None:
    """Neither when it is asked nor when it is told; beyond what it can have waiting it is not asked at all."""
    await b.settings(b.cpo, timeout_s=60)
    await b.settings(b.emsp, timeout_s=60)
    for platform in (b.emsp, b.cpo):
        platform.faults.add(Fault("stall", module="locations"))
    replies: list[Reply] = []

    async def ask() -> None:
        replies.append(await b.emsp.request("GET", "locations", "SENDER", to=CPO, timeout=60))

    async with trio.open_nursery() as nursery:
        for _ in range(traffic.MOST_TO_RECEIVER + 5):
            nursery.start_soon(ask)
        await b.asked(b.cpo, "locations")
        assert (await b.emsp2.request("GET", "locations", "SENDER", to=CPO2)).ok
        assert (await b.cpo2.push("locations", location("S-1", CPO2), to=HUB)).ok
        await b.emsp2.wait(lambda: b.emsp2.find("locations", "S-1"))
        await b.until(lambda: _have(replies, 5))
        assert [reply.code for reply in replies] == [4003] * 5
        nursery.cancel_scope.cancel()
    await b.settings(b.cpo, timeout_s=1)
    await b.settings(b.emsp, timeout_s=1)
    b.clear()

    async def back() -> bool:
        return (await b.emsp.request("GET", "locations", "SENDER", to=CPO)).ok

    await b.until(back)


async def _have(replies: list[Reply], number: int) -> bool:
    return len(replies) >= number


@rule("R3", "17.3")
async def authorizations_are_short(b: Behind) -> None:
    """Whatever time the receiver has for all else."""
    await b.settings(b.emsp, timeout_s=60)
    b.patch.setattr(router, "AUTHORIZE_S", 0.4)
    b.emsp.faults.add(Fault("stall", module="tokens"))
    with trio.fail_after(15):
        assert code(await b.cpo.request("POST", "tokens", "SENDER", "T", "authorize", to=EMSP)) == (200, 4002)
    await b.settings(b.emsp, timeout_s=1)


@rule("R9", "R14")
async def nobody_speaks_for_others(b: Behind) -> None:
    """A5, W6: neither as another party nor of its objects; the hub answers for this to those behind it."""
    assert (await b.cpo.request("GET", "tokens", "SENDER", to=EMSP, sender=CPO2)).code == 2001
    for to in (EMSP, HUB, None):
        stolen = await b.cpo.push("locations", location("W-1", CPO2), to=to)
        assert code(stolen) == (404, 2001)
    assert code(await b.cpo.push("cdrs", cdr("W-2", owner=CPO2), to=EMSP)) == (404, 2001)
    both = await b.join("CPO:AT:ONE", "CPO:AT:TWO")
    assert (await both.push("locations", location("W-3", ("AT", "TWO")), to=HUB, sender=("AT", "ONE"))).ok
    both.style.routing = False
    silent = await both.request("GET", "tokens", "SENDER", headers={"OCPI-to-country-code": "DE", "OCPI-to-party-id": "ABC"})
    assert (silent.code, "OCPI-from" in (silent.message or "")) == (2001, True)
    both.style.routing = True
    await b.leave(both)


@rule("V5")
async def modules_of_their_own_are_passed_on_between_those_who_have_them(b: Behind) -> None:
    await b.offer(b.cpo, "nltnm-tokens", "SENDER", b.cpo.endpoint("locations", "SENDER"))
    b.cpo.own("locations", location("V-1"))
    url = f"{b.scene.hub.url}/ocpi/2.2.1/sender/nltnm-tokens/V-1?a=b"
    assert (await b.emsp.request("GET", "nltnm-tokens", url=url, to=CPO)).status == 404
    await b.offer(b.emsp, "nltnm-tokens", "RECEIVER", "https://x.example")
    for platform, shown in ((b.emsp, ["SENDER"]), (b.cpo, ["RECEIVER"]), (b.emsp2, [])):
        details = (await platform.request("GET", url=f"{b.scene.hub.url}/ocpi/2.2.1")).data["endpoints"]
        assert [one["role"] for one in details if one["identifier"] == "nltnm-tokens"] == shown
    reply = await b.emsp.request("GET", "nltnm-tokens", url=url, to=CPO)
    assert reply.data["id"] == "V-1"
    assert routed(reply) == {"to": EMSP, "from": CPO}
    assert last(b.cpo, "locations").query == {"a": "b"}
    assert (await b.emsp.request("GET", "nltnm-tokens", url=url, to=CPO2)).code == 4001
    assert (await b.emsp.request("GET", "nltnm-tokens", url=url)).code == 2001


@rule("17.3")
async def our_own_tenants_are_parties_like_others(b: Behind) -> None:
    """As receiver and as requester: the same headers, errors and entries in the logs, without HTTP."""
    reply = await b.emsp.request("GET", "locations", "SENDER", to=NORTH, correlation="inside-1")
    assert code(reply) == (200, 1000), reply
    assert routed(reply) == {"to": EMSP, "from": NORTH}
    assert code(await b.emsp.request("GET", "locations", "SENDER", "NOWHERE", to=NORTH)) == (404, 2003)
    assert code(await b.emsp.request("DELETE", "locations", "SENDER", "NOWHERE", to=NORTH))[0] == 405
    assert (await b.emsp.push("tokens", token("N-1"), to=NORTH)).ok
    north, outgoing = await b.north(), b.ocpi.outgoing
    b.emsp.own("tokens", token("N-2"), *(token(f"N-{number}") for number in range(3, 9)))
    request = OcpiRequest(method="GET", module="tokens", role="SENDER")
    answer = await outgoing.send(north, Party(*EMSP), request, correlation_id="inside-2")
    assert answer.successful, answer
    assert (answer.message.from_party, answer.message.to_party) == (EMSP, NORTH)
    assert len(plain(answer.data)) == 3
    seen = last(b.emsp, "tokens")
    assert (seen.party("from"), seen.party("to"), seen.headers["x-correlation-id"]) == (NORTH, EMSP, "inside-2")
    # it follows the pages by way of the hub as everybody does
    link = answer.headers["Link"].partition("<")[2].partition(">")[0]
    following = await outgoing.send(north, Party(*EMSP), OcpiRequest(method="GET", module="tokens", role="SENDER", url=link))
    assert following.successful, following
    assert last(b.emsp, "tokens").query["offset"] == "3"
    unknown = await outgoing.send(north, Party("XX", "YYY"), request)
    assert (unknown.status_code, unknown.failure is not None, unknown.successful) == (4001, True, False)

    async def logged() -> bool:
        rows = await b.sql(
            "SELECT t.slug, m.direction, m.correlation_id FROM ocpi_messages m JOIN tenants t USING (tenant_id) "
            "WHERE m.correlation_id = 'inside-1'"
        )
        return sorted((row["slug"], row["direction"]) for row in rows) == [
            ("hub", "in"),
            ("hub", "inside"),
            ("north", "inside"),
        ]

    await b.until(logged)
