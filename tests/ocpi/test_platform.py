"""The platform of the tests, tried on itself: what cannot be trusted to be another's behaviour proves nothing about ours."""

from __future__ import annotations

import httpx
import pytest

from tests.ocpi import documents
from tests.ocpi.platform import encoded, running_platform
from tests.ocpi.process import PlatformProcess
from tests.ocpi.wire import Fault

CPO, EMSP = ("NL", "XCP"), ("DE", "ABC")


async def test_two_of_them_register_push_pull_and_command() -> None:
    async with running_platform("CPO:NL:XCP") as cpo, running_platform("EMSP:DE:ABC") as emsp:
        assert (await emsp.register(cpo.versions_url, cpo.offer())).ok
        assert cpo.peer is not None
        assert cpo.peer.roles[0]["party_id"] == "ABC"

        places = [documents.location(f"LOC-{n}") for n in range(7)]
        cpo.own("locations", *places)
        assert await emsp.pull("locations", to=CPO) == places
        for _ in range(2):
            assert (await cpo.push("locations", places[0], to=EMSP)).ok
        part = await cpo.request(
            "PATCH", "locations", "RECEIVER", *CPO, "LOC-0", "evse-1", to=EMSP, body={"status": "CHARGING", "last_updated": "2099"}
        )
        assert part.ok
        held = emsp.find("locations", "loc-0")
        assert held is not None
        assert (held["evses"][0]["status"], held["last_updated"]) == ("CHARGING", "2099")

        cpo.drives = True
        driver = documents.token(owner=EMSP)
        emsp.own("tokens", driver)
        started = await emsp.command("START_SESSION", {"token": driver, "location_id": "LOC-1"}, to=CPO)
        assert started["result"] == {"result": "ACCEPTED"}
        (session,) = await emsp.wait(lambda: list(emsp.received["sessions"].values()))
        assert session["status"] == "ACTIVE"
        stopped = await emsp.command("STOP_SESSION", {"session_id": session["id"]}, to=CPO)
        assert stopped["result"] == {"result": "ACCEPTED"}
        (cdr,) = await emsp.wait(lambda: list(emsp.received["cdrs"].values()))
        assert cdr["session_id"] == session["id"]
        assert (await emsp.command("STOP_SESSION", {"session_id": "nothing"}, to=CPO))["response"]["result"] == "UNKNOWN_SESSION"
        got = await emsp.profile("GET", session["id"], to=CPO)
        assert got["result"]["profile"]["charging_profile"]["charging_rate_unit"] == "A"

        said = await cpo.request("POST", "tokens", "SENDER", "TOKEN-1", "authorize", to=EMSP)
        assert said.data["allowed"] == "ALLOWED"
        unknown = await cpo.request("POST", "tokens", "SENDER", "TOKEN-9", "authorize", to=EMSP)
        assert (unknown.status, unknown.code) == (404, 2004)
        assert [*cpo.troubles, *emsp.troubles] == []

        assert (await emsp.update()).ok
        assert (await emsp.request("GET", "locations", "SENDER", to=CPO)).ok
        assert (await emsp.unregister()).ok
        assert (await emsp.request("GET", "locations", "SENDER", to=CPO)).status == 401


@pytest.mark.parametrize("kind", ["error_500", "garbage", "code_3000", "no_envelope", "unauthorized", "redirect", "too_many"])
async def test_an_answer_can_be_wrong(kind: str) -> None:
    async with running_platform("CPO:NL:XCP") as cpo, running_platform("EMSP:DE:ABC") as emsp:
        assert (await emsp.register(cpo.versions_url, cpo.offer())).ok
        cpo.faults.add(Fault(kind, module="locations", times=1))
        assert not (await emsp.request("GET", "locations", "SENDER", to=CPO)).ok
        assert (await emsp.request("GET", "locations", "SENDER", to=CPO)).ok


async def test_no_answer_at_all() -> None:
    async with running_platform("CPO:NL:XCP") as cpo, running_platform("EMSP:DE:ABC") as emsp:
        assert (await emsp.register(cpo.versions_url, cpo.offer())).ok
        lost = httpx.RemoteProtocolError
        for kind, error in (("drop", lost), ("not_http", lost), ("stall", httpx.ReadTimeout)):
            cpo.faults.add(Fault(kind, times=1))
            with pytest.raises(error):
                await emsp.request("GET", "locations", "SENDER", to=CPO, timeout=0.2)


async def test_tokens_are_wanted_as_they_should_be() -> None:
    async with running_platform("CPO:NL:XCP") as cpo, httpx.AsyncClient() as client:
        token = cpo.offer()
        cpo.style.expects = "raw"
        for way, status in (("base64", 401), ("raw", 200)):
            answer = await client.get(cpo.versions_url, headers={"Authorization": f"Token {encoded(token, way)}"})
            assert answer.status_code == status


def test_it_runs_as_a_process() -> None:
    with PlatformProcess("CPO:NL:XCP") as cpo, PlatformProcess("EMSP:DE:ABC") as emsp:
        assert emsp.do("register", versions_url=cpo.versions_url, token=cpo.do("offer"))["code"] == 1000
        cpo.do("push", module="tariffs", document=documents.tariff(), to=EMSP)
        assert emsp.received("tariffs")[0]["id"] == "TARIFF-1"
        assert emsp.do("seen", module="tariffs")[0]["status"] == 201


async def test_it_ends_with_its_scope() -> None:
    async with running_platform("CPO:NL:XCP") as cpo:
        url = cpo.versions_url
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
