"""Partners that speak another version than 2.2.1: registered in it, asked in it, answered in it (digest, 20 to 22)."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import Any

import trio

from csms.secret import RootSecret
from hub.ocpi import platform as connection
from hub.ocpi.message import OcpiRequest
from tests.integration.ocpi.onboarding import DETAILS, Scripted, enveloped, open_scene, scripted
from tests.ocpi.platform import running_platform

LOCATION: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "NOR",
    "id": "LOC-1",
    "publish": True,
    "address": "Street 1",
    "city": "Town",
    "postal_code": "1000",
    "country": "NLD",
    "coordinates": {"latitude": "52.000000", "longitude": "4.000000"},
    "parking_type": "ON_STREET",
    "time_zone": "Europe/Amsterdam",
    "evses": [
        {
            "uid": "E1",
            "status": "AVAILABLE",
            "connectors": [
                {
                    "id": "1",
                    "standard": "IEC_62196_T2",
                    "format": "SOCKET",
                    "power_type": "AC_3_PHASE",
                    "max_voltage": 230,
                    "max_amperage": 32,
                    "last_updated": "2026-01-01T00:00:00Z",
                }
            ],
            "last_updated": "2026-01-01T00:00:00Z",
        }
    ],
    "last_updated": "2026-01-01T00:00:00Z",
}


def as_211(platform: Scripted, party_id: str, token: str = "token-c") -> dict[str, Any]:
    """Somebody's Credentials in the form of 2.1.1."""
    party = {"country_code": "DE", "party_id": party_id, "business_details": {"name": "Old platform"}}
    return {"token": token, "url": platform.versions_url, **party}


def speak_211(platform: Scripted, party_id: str) -> None:
    platform.versions("2.0", "2.1.1")
    modules = ("credentials", "locations", "sessions", "cdrs", "tariffs", "tokens", "commands")
    platform.details("2.1.1", raw=[{"identifier": name, "url": f"{platform.url}/cpo/2.1.1/{name}"} for name in modules])
    platform.answers["POST /cpo/2.1.1/credentials"] = enveloped(as_211(platform, party_id))
    platform.answers["PUT /cpo/2.1.1/credentials"] = enveloped(as_211(platform, party_id, "token-d"))


async def test_a_partner_with_2_1_1(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    async with open_scene(database, root_secret, nursery) as scene, scripted() as platform, AsyncExitStack() as scene.stack:
        party_id = scene.party_id()
        speak_211(platform, party_id)
        invited = await scene.invite()
        answer = await scene.order(invited.partner_id, "register", {"versions_url": platform.versions_url, "token": "token-a"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["version"] == "2.1.1"
        assert [(role["role"], role["party_id"]) for role in answer.json()["roles"]] == [("EMSP", party_id)]
        posted = platform.seen[-1]
        assert posted.headers["authorization"] == "Token token-a"  # as it is (A6)
        told = posted.body
        assert {name: told[name] for name in ("country_code", "party_id", "business_details")} == {
            "country_code": "NL",
            "party_id": "NOR",
            "business_details": DETAILS,
        }
        token_b = told["token"]

        # it asks us in its version
        details = (await scene.ask("GET", scene.url("2.1.1"), token_b, way="raw")).json()["data"]
        assert {one["identifier"] for one in details["endpoints"]} >= {"credentials", "locations", "tokens", "commands"}
        assert all(set(one) == {"identifier", "url"} for one in details["endpoints"])
        ours = {one["identifier"]: one["url"] for one in details["endpoints"]}
        listed = await scene.ask("GET", ours["locations"], token_b, way="raw")
        assert (listed.status_code, listed.json()["status_code"], listed.json()["data"]) == (200, 1000, [])
        token = {
            "uid": "CARD",
            "type": "RFID",
            "auth_id": "DE-OLD-C1",
            "issuer": "Old",
            "valid": True,
            "whitelist": "ALLOWED",
            "last_updated": "2026-01-01T00:00:00Z",
        }
        put = await scene.ask("PUT", f"{ours['tokens']}/DE/{party_id}/CARD", token_b, token, way="raw")
        assert put.json()["status_code"] == 1000, put.text
        got = (await scene.ask("GET", f"{ours['tokens']}/DE/{party_id}/CARD", token_b, way="raw")).json()["data"]
        assert (got["auth_id"], "contract_id" in got) == ("DE-OLD-C1", False)
        nowhere = scene.url("9.9", "sender", "cdrs")
        for method, path, status in (("DELETE", f"{ours['tokens']}/DE/{party_id}/CARD", 405), ("GET", nowhere, 404)):
            assert (await scene.ask(method, path, token_b, way="raw")).status_code == status

        # we ask it in its version
        platform.answers["PUT /cpo/2.1.1/locations/NL/NOR/LOC-1"] = enveloped(None)
        partner = await scene.stored(invited.partner_id)
        push = OcpiRequest(method="PUT", module="locations", role="RECEIVER", segments=("NL", "NOR", "LOC-1"), body=LOCATION)
        response = await connection.send(scene.ocpi, partner, push)
        assert response.successful, response
        sent = platform.seen[-1]
        assert (sent.headers["authorization"], sent.body["type"]) == ("Token token-c", "ON_STREET")
        assert sent.body["evses"][0]["connectors"][0]["voltage"] == 230
        seen = len(platform.seen)
        preferences = OcpiRequest(method="PUT", module="sessions", role="SENDER", segments=("S", "charging_preferences"), body={})
        refused = await connection.send(scene.ocpi, partner, preferences)
        assert (refused.status_code, "2.1.1" in (refused.failure or ""), len(platform.seen)) == (2000, True, seen)

        # C5: it comes to speak 2.2.1 too, and both change to it
        platform.versions("2.1.1", "2.2.1")
        modern = platform.credentials(("EMSP", "DE", party_id), token="token-e")
        platform.answers["PUT /2.2.1/credentials/SENDER"] = enveloped(modern)
        answer = await scene.order(invited.partner_id, "rotate")
        assert (answer.status_code, answer.json()["version"]) == (200, "2.2.1"), answer.text
        put_body = platform.seen[-1].body
        back = as_211(platform, party_id, "token-f")
        # and back again, from its side, on the credentials endpoint of the other version
        platform.details("2.1.1", raw=[{"identifier": "credentials", "url": f"{platform.url}/x"}])
        reply = await scene.ask("PUT", scene.url("2.1.1", "credentials"), put_body["token"], back)
        assert reply.json()["data"]["party_id"] == "NOR", reply.text
        assert (await scene.partner(invited.partner_id))["version"] == "2.1.1"


async def test_what_a_tenant_of_both_roles_is_to_2_1_1(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    """Each side is one thing there (digest, 21): which one is told by the URL that it registers at, or is a setting of the partner.
    Where nothing tells it, 2.1.1 is not offered."""
    async with open_scene(database, root_secret, nursery) as scene:

        async def listed(url: str, token: str) -> dict[str, str]:
            found = (await scene.ask("GET", url, token)).json()["data"]
            return {one["version"]: one["url"] for one in found}

        early = await scene.invite()
        async with running_platform(f"EMSP:DE:{scene.party_id()}", version="2.1.1") as first:
            assert (await first.register(early.versions_url, early.token)).ok  # the tenant is a CPO and nothing else
            assert (await scene.boss.put("/api/v1/ocpi/parties/NL/NOR/EMSP", {"business_details": DETAILS})).status_code == 200
            assert (await first.request("GET", "locations", "SENDER")).ok  # and stays that to it

        modules = {
            "CPO": {("locations", "SENDER"), ("sessions", "SENDER"), ("tokens", "RECEIVER"), ("commands", "RECEIVER")},
            "EMSP": {("locations", "RECEIVER"), ("sessions", "RECEIVER"), ("tokens", "SENDER"), ("commands", "SENDER")},
        }
        for role, other in (("CPO", "EMSP"), ("EMSP", "CPO")):
            invited = await scene.invite()
            versions = scene.url(role.lower(), "versions")
            urls = await listed(versions, invited.token)
            assert urls["2.1.1"] == scene.url(role.lower(), "2.1.1")
            assert urls["2.2.1"] == scene.url("2.2.1")
            assert "2.1.1" not in await listed(invited.versions_url, invited.token)
            for path in (("2.1.1",), (role.lower(), "2.2.1"), (role.lower(),), (role.lower(), "2.1.1", "sender", "locations")):
                assert (await scene.ask("GET", scene.url(*path), invited.token)).status_code in (401, 404), path
            async with running_platform(f"{other}:DE:{scene.party_id()}", version="2.1.1") as platform:
                reply = await platform.register(versions, invited.token)
                assert (reply.data["url"], reply.data["party_id"]) == (versions, "NOR")
                assert platform.peer is not None
                assert modules[role] <= platform.peer.endpoints.keys()
                assert not modules[other] & platform.peer.endpoints.keys()
                shown = await scene.partner(invited.partner_id)
                assert (shown["settings"]["own_role"], [one["role"] for one in shown["roles"]]) == (role, [other])
                assert (await platform.request("GET", "locations" if role == "CPO" else "tokens", "SENDER")).ok
                assert (await platform.update()).ok
                # it is not the other thing too
                token = platform.peer.token
                assert "2.1.1" not in await listed(scene.url(other.lower(), "versions"), token)
                assert (await scene.ask("GET", scene.url(other.lower(), "2.1.1"), token)).status_code == 404
            by_setting = await scene.invite(own_role=role)
            assert by_setting.versions_url == versions
            assert (await scene.ask("GET", scene.url("2.1.1"), by_setting.token)).status_code == 200
        # the hub stands for the parties behind it, once there are some
        hub = await scene.invite(tenant="hub", own_role="EMSP")
        details = (await scene.ask("GET", scene.url("2.1.1"), hub.token)).json()["data"]
        assert details["version"] == "2.1.1"
        told = (await scene.ask("GET", scene.url("2.1.1", "credentials"), hub.token)).json()["data"]
        assert (told["country_code"], told["party_id"], told["token"]) == ("NL", "NOR", hub.token)


async def test_the_hub_with_2_3_0_and_2_2(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    async with open_scene(database, root_secret, nursery) as scene:
        hub = await scene.invite(tenant="hub")
        told = (await scene.ask("GET", scene.url("2.3.0", "credentials"), hub.token)).json()["data"]
        assert told["hub_party_id"] == "NLHUB"
        assert [(role["role"], role["party_id"]) for role in told["roles"]] == [("CPO", "NOR")]
        for version in ("2.2", "2.3.0"):
            invited = await scene.invite(tenant="hub")
            async with scripted() as platform:
                party = ("CPO", "DE", scene.party_id())
                platform.versions("2.2", "2.2.1", "2.3.0")
                body = platform.credentials(party)
                answer = await scene.ask("POST", scene.url(version, "credentials"), invited.token, body)
                assert answer.json()["status_code"] == 1000, answer.text
                shown = await scene.partner(invited.partner_id, tenant="hub")
                assert (shown["version"], shown["roles"][0]["party_id"]) == (version, party[2])
                token = answer.json()["data"]["token"]
                push = {**LOCATION, "country_code": "DE", "party_id": party[2], "help_phone": "+49 30 1"}
                url = scene.url(version, "receiver", "locations", "DE", party[2], "LOC-1")
                routed = {
                    "OCPI-from-country-code": "DE",
                    "OCPI-from-party-id": party[2],
                    "OCPI-to-country-code": "NL",
                    "OCPI-to-party-id": "HUB",
                }
                pushed = await scene.ask("PUT", url, token, push, headers=routed)
                assert pushed.json()["status_code"] == 1000, pushed.text
                (row,) = await scene.hub.sql("SELECT document FROM ocpi_objects WHERE party_id = $1", party[2].lower())
                assert json.loads(row["document"])["id"] == "LOC-1"
