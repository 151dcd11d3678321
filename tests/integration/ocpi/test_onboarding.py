"""Parties, partners, agreements and messages by API; what goes wrong in handshakes, and who tries to make it so."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx
import pytest
import trio

from csms.secret import RootSecret
from hub.ocpi.registration import serving, starting
from hub.ocpi.registration.starting import Unfit, register, rotate
from tests.integration.hub.harness import RunningHub, running_hub
from tests.integration.ocpi.onboarding import DETAILS, PARTNERS, enveloped, open_scene, scripted
from tests.ocpi.platform import encoded
from tests.ocpi.wire import Fault


async def test_parties_and_the_hub(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    async with open_scene(database, root_secret, nursery) as scene:
        boss, admin, hub = scene.boss, scene.admin, {"headers": {"X-CSMS-Tenant": "hub"}}
        parties = "/api/v1/ocpi/parties"
        (listed,) = (await boss.get(parties)).json()["items"]
        assert (listed["country_code"], listed["party_id"], listed["role"], listed["on_hub"]) == ("NL", "NOR", "CPO", True)
        for path, body, status in (
            (f"{parties}/N1/NOR/CPO", {"business_details": DETAILS}, 422),
            (f"{parties}/NL/N-R/CPO", {"business_details": DETAILS}, 422),
            (f"{parties}/NL/NOR/HUB", {"business_details": DETAILS}, 422),
            (f"{parties}/NL/NOR/CPO", {"business_details": {"name": ""}}, 422),
            (f"{parties}/NL/NOR/CPO", {"business_details": {**DETAILS, "website": "javascript:alert(1)"}}, 422),
            ("/api/v1/ocpi/hub", {"country_code": "NL", "party_id": "HU2", "business_details": DETAILS}, 403),
        ):
            assert (await boss.put(path, body)).status_code == status, path
        # a party is one tenant's alone, and the hub's tenant is no operator
        east = await scene.hub.make_tenant(admin, "east")
        assert (await east.put(f"{parties}/NL/NOR/CPO", {"business_details": DETAILS})).status_code == 409
        assert (await east.put(f"{parties}/NL/EAS/EMSP", {"business_details": DETAILS, "on_hub": False})).status_code == 200
        assert (await admin.put(f"{parties}/NL/ABC/CPO", {"business_details": DETAILS}, **hub)).status_code == 409
        assert (await admin.delete(f"{parties}/NL/HUB/HUB", **hub)).status_code == 404
        assert (await admin.post("/api/v1/chargepoints", {"charge_point_id": "CP-1"}, **hub)).status_code == 409
        refreshed = await scene.hub.sql("SELECT slug, kind FROM tenants ORDER BY tenant_id")
        assert [tuple(row.values()) for row in refreshed][-2:] == [("hub", "hub"), ("east", "operator")]

        async def roles() -> dict[str, str]:
            found = await scene.hub.sql("SELECT party_id, status FROM ocpi_roles WHERE own_tenant IS NOT NULL")
            return {row["party_id"]: row["status"] for row in found}

        assert await roles() == {"NOR": "CONNECTED"}
        assert (await east.put(f"{parties}/NL/EAS/EMSP", {"business_details": DETAILS})).status_code == 200
        assert (await boss.put(f"{parties}/NL/NOR/CPO", {"business_details": DETAILS, "on_hub": False})).status_code == 200
        assert await roles() == {"NOR": "SUSPENDED", "EAS": "CONNECTED"}
        assert (await boss.put(f"{parties}/NL/NOR/CPO", {"business_details": DETAILS})).status_code == 200
        assert (await east.delete(f"{parties}/nl/eas/emsp")).status_code == 204
        assert (await east.delete(f"{parties}/nl/eas/emsp")).status_code == 404
        assert await roles() == {"NOR": "CONNECTED", "EAS": "SUSPENDED"}
        # the hub changes who it is
        changed = await admin.put(
            "/api/v1/ocpi/hub", {"country_code": "DE", "party_id": "NEW", "business_details": {"name": "New"}}
        )
        assert changed.json()["tenant"] == "hub"
        shown = (await boss.get("/api/v1/ocpi/hub")).json()
        assert (shown["country_code"], shown["party_id"], shown["versions_url"]) == ("DE", "NEW", scene.url("versions"))
        # a viewer looks, but does not touch
        viewer = await scene.hub.make_user(boss, "operator")
        assert (await viewer.get(PARTNERS)).status_code == 200
        assert (await viewer.post(PARTNERS, {"name": "x"})).status_code == 403
        assert (await east.post(PARTNERS, {"name": "x"})).status_code == 409  # no party (any more)


async def test_no_hub_where_its_name_is_an_operator_s(hub: RunningHub) -> None:
    admin = await hub.admin()
    await hub.make_tenant(admin, "hub")
    body = {"country_code": "NL", "party_id": "HUB", "business_details": DETAILS}
    answer = await admin.put("/api/v1/ocpi/hub", body)
    assert (answer.status_code, "the tenant hub is an operator" in answer.json()["detail"]) == (409, True)
    assert (await admin.get("/api/v1/ocpi/hub")).status_code == 404


async def test_partners(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    async with open_scene(database, root_secret, nursery) as scene, AsyncExitStack() as scene.stack:
        invited, platform = await scene.connected()
        other = await scene.invite("Planned", requests_per_minute=10)
        boss, token = scene.boss, platform.peer and platform.peer.token
        listed = (await boss.get(PARTNERS)).json()["items"]
        assert [(one["name"], one["status"]) for one in listed] == [("A platform", "connected"), ("Planned", "planned")]
        assert [one["name"] for one in (await boss.get(f"{PARTNERS}?status=planned")).json()["items"]] == ["Planned"]
        first = (await boss.get(f"{PARTNERS}?limit=1")).json()
        second = (await boss.get(f"{PARTNERS}?limit=1&cursor={first['next_cursor']}")).json()
        assert [one["name"] for one in (*first["items"], *second["items"])] == ["A platform", "Planned"]
        changed = await boss.patch(f"{PARTNERS}/{invited.partner_id}", {"name": "Renamed", "settings": {"timeout_s": 5}})
        assert (changed.json()["name"], changed.json()["settings"]) == ("Renamed", {"timeout_s": 5})
        for body in ({"settings": {"versions": ["3.0"]}}, {"settings": {"timeout_s": 0}}, {"settings": {"x": 1}}, {"name": ""}):
            assert (await boss.patch(f"{PARTNERS}/{invited.partner_id}", body)).status_code == 422, body
        # the limit of requests
        assert 429 in [(await scene.ask("GET", other.versions_url, other.token)).status_code for _ in range(12)]
        # suspended: neither asked nor answered
        assert (await scene.order(invited.partner_id, "suspend")).json()["status"] == "suspended"
        assert (await scene.ask("GET", invited.versions_url, token)).status_code == 401
        for order in ("rotate", "refresh", "registration-token"):
            assert (await scene.order(invited.partner_id, order)).status_code == 409, order
        assert (await scene.order(invited.partner_id, "resume")).json()["status"] == "connected"
        assert (await scene.order(invited.partner_id, "resume")).status_code == 409
        assert (await scene.ask("GET", invited.versions_url, token)).status_code == 200
        # refresh reads the endpoints with the same tokens
        platform.roles.append(platform.roles[0]._replace(role="CPO"))
        before = len((await scene.partner(invited.partner_id))["endpoints"])
        refreshed = (await scene.order(invited.partner_id, "refresh")).json()
        assert len(refreshed["endpoints"]) > before
        assert platform.peer is not None
        assert platform.peer.token == token
        assert (
            await scene.order(invited.partner_id, "register", {"versions_url": platform.versions_url, "token": "x"})
        ).status_code == 409
        # a new token A, while the connection goes on; who registers with it takes its place
        again = (await scene.order(invited.partner_id, "registration-token")).json()
        assert (await scene.ask("GET", invited.versions_url, token)).status_code == 200
        assert (await platform.register(again["versions_url"], again["token"])).ok
        assert (await scene.ask("GET", invited.versions_url, token)).status_code == 401
        assert (await scene.order(str(uuid4()), "suspend")).status_code == 404
        # receivers that wait, and those that fail, are shown
        (country, party), tenant = platform.party, "(SELECT tenant_id FROM tenants WHERE slug = 'north')"
        await scene.hub.sql(
            "INSERT INTO ocpi_receivers (tenant_id, country_code, party_id, failures, next_attempt_at, last_failure) "
            f"VALUES ({tenant}, $1, $2, 3, now() + interval '1 day', 'gone')",
            country.lower(),
            party.lower(),
        )
        (receiver,) = (await scene.partner(invited.partner_id))["receivers"]
        assert (receiver["party_id"], receiver["failures"], receiver["waiting"]) == (party.lower(), 3, 0)
        # no token is anywhere to be read
        text = (await boss.get(PARTNERS)).text + (await boss.get("/api/v1/ocpi/messages?limit=500")).text
        dump = await scene.hub.sql(
            "SELECT concat(t::text) AS row FROM ocpi_partners t UNION ALL SELECT t::text FROM ocpi_messages t"
        )
        text += "".join(row["row"] for row in dump)
        assert platform.peer is not None
        for secret in (platform.peer.token, *platform.granted, other.token, again["token"]):
            assert secret not in text
            assert encoded(secret, "base64") not in text


async def test_agreements_and_messages(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    async with open_scene(database, root_secret, nursery) as scene, AsyncExitStack() as scene.stack:
        boss, agreements = scene.boss, "/api/v1/ocpi/agreements"
        body = {
            "owner": "nl-nor",
            "party": "DE-ABC",
            "modules": ["locations"],
            "location_ids": ["LOC-1", "loc-1"],
            "countries": ["NLD"],
        }
        made = (await boss.post(agreements, body)).json()
        assert (made["owner"], made["party"], made["location_ids"], made["allowed"]) == ("NL-NOR", "DE-ABC", ["loc-1"], True)
        for wrong, field in (
            ({"modules": ["credentials"]}, "modules[0]"),
            ({"modules": ["cdrs"], "countries": ["NL"]}, "countries"),
            ({"countries": ["XX"]}, "countries[0]"),
            ({"party": "ABC"}, "party"),
            ({"modules": []}, "modules"),
        ):
            answer = await boss.post(agreements, wrong)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
        path = f"{agreements}/{made['agreement_id']}"
        changed = (await boss.put(path, {"allowed": False, "note": "no"})).json()
        assert (changed["owner"], changed["allowed"], changed["modules"], changed["note"]) == (None, False, None, "no")
        assert (await boss.get(path)).json() == changed
        assert [one["agreement_id"] for one in (await boss.get(agreements)).json()["items"]] == [made["agreement_id"]]
        assert (await boss.delete(path)).status_code == 204
        assert (await boss.delete(path)).status_code == 404
        assert (await boss.get("/api/v1/ocpi/visibility")).json() == {"visibility": "everyone"}
        assert (await boss.put("/api/v1/ocpi/visibility", {"visibility": "listed"})).json() == {"visibility": "listed"}

        invited, platform = await scene.connected()
        assert platform.peer is not None
        await platform.request("GET", "locations", "SENDER", to=("NL", "NOR"), correlation="follow-me")
        await platform.request("GET", "locations", "SENDER", to=("NL", "XXX"))
        messages = "/api/v1/ocpi/messages"

        async def search(**query: Any) -> list[dict[str, Any]]:
            answer = await boss.get(messages, params=query)
            assert answer.status_code == 200, answer.text
            found: list[dict[str, Any]] = answer.json()["items"]
            return found

        with trio.fail_after(5):
            while len(await search(module="locations")) < 2:
                await trio.sleep(0.05)
        modules = [one["module"] for one in reversed(await search(partner_id=invited.partner_id))]
        assert modules == ["versions", "details", "versions", "details", "credentials", "locations", "locations"]
        (followed,) = await search(correlation_id="follow-me")
        assert (followed["direction"], followed["from_party"], followed["to_party"]) == ("in", "-".join(platform.party), "NL-NOR")
        assert [one["to_party"] for one in await search(failed=True)] == ["NL-XXX"]
        assert len(await search(party="nl-xxx")) == 1
        assert [one["module"] for one in await search(text="business_details")] == ["credentials"]
        assert await search(until=followed["recorded_at"], module="locations") == []
        (posted,) = await search(module="credentials")
        whole = (await boss.get(f"{messages}/{posted['message_id']}")).json()
        assert '"token":"…"' in whole["request"]
        assert '"token":"…"' in whole["response"]
        assert (await boss.get(f"{messages}/{uuid4()}")).status_code == 404
        page = (await boss.get(f"{messages}?limit=3")).json()
        rest = (await boss.get(f"{messages}?limit=3&cursor={page['next_cursor']}")).json()
        assert len({one["message_id"] for one in (*page["items"], *rest["items"])}) == 6


async def test_two_at_the_same_time(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    """Two POSTs with one token A: one wins (C4). Of handshakes that we start the later is refused before it has told anything."""
    async with (
        open_scene(database, root_secret, nursery) as scene,
        scripted() as first,
        scripted() as second,
        AsyncExitStack() as scene.stack,
    ):
        invited = await scene.invite()
        codes = []

        async def post(platform: Any, token: str) -> None:
            body = platform.credentials(("EMSP", "DE", scene.party_id()), token=token)
            answer = await scene.ask("POST", scene.url("2.2.1", "credentials"), invited.token, body)
            codes.append((answer.status_code, answer.json()["status_code"]))

        async with trio.open_nursery() as together:
            together.start_soon(post, first, "token-one")
            together.start_soon(post, second, "token-two")
        assert sorted(codes) in ([(200, 1000), (405, 2000)], [(200, 1000), (401, 2000)])
        shown = await scene.partner(invited.partner_id)
        assert (shown["status"], len(shown["roles"]), await scene.hash_count(invited.partner_id)) == ("connected", 1, 1)

        invited, slow = await scene.connected()
        slow.faults.add(Fault("slow", module="credentials", seconds=0.5))
        partner = await scene.stored(invited.partner_id)
        outcomes: list[str] = []

        async def renew() -> None:
            try:
                await rotate(scene.ocpi, partner)
                outcomes.append("renewed")
            except Unfit:
                outcomes.append("refused")

        async with trio.open_nursery() as together:
            for _ in range(3):
                together.start_soon(renew)
        assert sorted(outcomes) == ["refused", "refused", "renewed"]
        assert len(slow.requests("credentials", "PUT")) == 1
        slow.faults.clear()
        assert (await scene.order(invited.partner_id, "refresh")).status_code == 200  # both still know one another


async def test_lost_answers(database: str, root_secret: RootSecret, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform that has done its part, but whose answer is lost, or comes too late, or was none."""
    async with open_scene(database, root_secret, nursery) as scene, AsyncExitStack() as scene.stack:
        platform, invited = await scene.platform(), await scene.invite()
        order = {"versions_url": platform.versions_url, "token": platform.offer()}
        for kind in ("drop", "garbage", "error_500", "huge", "redirect", "not_http", "unauthorized", "code_3000"):
            for module in ("versions", "details", "credentials"):
                platform.faults.add(Fault(kind, module=module))
                answer = await scene.order(invited.partner_id, "register", order)
                platform.faults.clear()
                assert (answer.status_code, answer.json()["type"]) == (502, "urn:open-csms:problem:partner-failed"), (kind, module)
                assert await scene.hash_count(invited.partner_id) == 1, (kind, module)
        monkeypatch.setattr(starting, "BUDGET_S", 0.3)
        platform.faults.add(Fault("stall", module="credentials"))
        answer = await scene.order(invited.partner_id, "register", order)
        assert (answer.status_code, "within 0.3 s" in answer.json()["detail"]) == (502, True)
        assert await scene.hash_count(invited.partner_id) == 1
        platform.faults.clear()
        monkeypatch.setattr(starting, "BUDGET_S", 25.0)
        assert (await scene.order(invited.partner_id, "register", order)).status_code == 200

        # a renewal whose answer is lost: the platform may use the new token already, so both are good
        platform.faults.add(Fault("garbage", module="credentials"))
        assert (await scene.order(invited.partner_id, "rotate")).status_code == 502
        platform.faults.clear()
        assert await scene.hash_count(invited.partner_id) == 2
        # a renewal that was refused: nothing has changed
        await scene.hub.sql("UPDATE ocpi_tokens SET created_at = created_at - interval '2 minutes'")
        platform.faults.add(Fault("code_3000", module="credentials"))
        assert (await scene.order(invited.partner_id, "rotate")).status_code == 502
        platform.faults.clear()
        assert await scene.hash_count(invited.partner_id) == 2
        assert (await scene.order(invited.partner_id, "rotate")).status_code == 200

        # as the receiver: a call back that never ends
        monkeypatch.setattr(serving, "BUDGET_S", 0.3)
        slow, second = await scene.platform(), await scene.invite()
        slow.faults.add(Fault("stall", module="details"))
        reply = await slow.register(second.versions_url, second.token)
        assert (reply.code, "0.3 s" in (reply.message or "")) == (3001, True)
        slow.faults.clear()
        assert (await slow.register(second.versions_url, second.token)).ok


async def test_call_backs_into_our_own_network(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    """SSRF: by default nobody has us call addresses that are not public, not by name either, and learns nothing of them."""
    async with running_hub(database, root_secret, nursery) as hub:
        admin = await hub.admin()
        boss = await hub.make_tenant(admin, "north")
        assert (await boss.put("/api/v1/ocpi/parties/NL/NOR/CPO", {"business_details": DETAILS})).status_code == 200
        made = (await boss.post(PARTNERS, {"name": "x"})).json()
        role = {"role": "EMSP", "country_code": "DE", "party_id": "ABC", "business_details": {"name": "x"}}
        said = set()
        for host in (
            "http://127.0.0.1:1/",
            f"{hub.url}/ocpi/versions",
            "https://127.0.0.1:1/",
            "https://localhost:1/",
            "https://169.254.169.254/latest",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://10.0.0.1/",
            "https://2130706433/",
            "https://user:secret@example.org/",
        ):
            answer = await hub.client().post(
                f"{hub.url}/ocpi/2.2.1/credentials",
                json={"token": "token-b", "url": host, "roles": [role]},
                headers={"Authorization": f"Token {encoded(made['token'], 'base64')}"},
            )
            assert (answer.status_code, answer.json()["status_code"]) == (200, 3001), (host, answer.text)
            said.add(answer.json()["status_message"])
            order: httpx.Response = await boss.post(
                f"{PARTNERS}/{made['partner']['partner_id']}/register", {"versions_url": host, "token": "token-a"}
            )
            assert order.status_code in (422, 502), (host, order.text)
        assert len(said) < 6


async def test_endpoints_at_forbidden_addresses(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    """Also with partners in our own network allowed, nobody leads us to where clouds keep their secrets."""
    async with open_scene(database, root_secret, nursery) as scene, scripted() as platform:
        invited = await scene.invite()
        for url in ("http://169.254.169.254/x", "https://169.254.169.254/x", "http://example.org/x\n", "ftp://example.org/"):
            platform.details("2.2.1", raw=[{"identifier": "credentials", "role": "SENDER", "url": url}])
            order = {"versions_url": platform.versions_url, "token": "token-a"}
            answer = await scene.order(invited.partner_id, "register", order)
            assert answer.status_code == 502, (url, answer.text)
        assert {seen.method for seen in platform.seen} == {"GET"}
        platform.details("2.2.1")
        # what cannot be used of its Credentials is called off at the platform
        for members in ({"roles": []}, {"url": "https://169.254.169.254/"}):
            body = {**platform.credentials(("EMSP", "DE", scene.party_id())), **members}
            platform.answers["POST /2.2.1/credentials/SENDER"] = enveloped(body)
            platform.answers["DELETE /2.2.1/credentials/SENDER"] = enveloped(None)
            answer = await scene.order(invited.partner_id, "register", {"versions_url": platform.versions_url, "token": "token-a"})
            assert (answer.status_code, "cannot be used" in answer.json()["detail"]) == (502, True), answer.text
            assert await scene.hash_count(invited.partner_id) == 1
        assert [seen.method for seen in platform.seen][-1] == "DELETE"


async def test_a_client_that_goes_away(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    """Whoever ordered a registration need not stay; cancelled within, nothing is left behind."""
    async with open_scene(database, root_secret, nursery) as scene, AsyncExitStack() as scene.stack:
        platform, invited = await scene.platform(), await scene.invite()
        platform.faults.add(Fault("slow", module="credentials", seconds=0.5))
        partner = await scene.stored(invited.partner_id)
        with trio.move_on_after(0.3):
            await register(scene.ocpi, partner, platform.versions_url, platform.offer())
        assert await scene.hash_count(invited.partner_id) == 1
        order = {"versions_url": platform.versions_url, "token": platform.offer()}
        with trio.move_on_after(0.3):
            await scene.order(invited.partner_id, "register", order)
        with trio.fail_after(5):
            while (await scene.partner(invited.partner_id))["status"] != "connected":
                await trio.sleep(0.05)
