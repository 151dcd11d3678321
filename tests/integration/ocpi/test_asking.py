"""Real-time authorization as CPO (K4 to K9, 17.4): stations of a tenant whose tokens' parties are asked."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.integration.ocpi.street import OWN, VERSIONS, LiveStation, Street
from tests.ocpi import documents
from tests.ocpi.documents import Document
from tests.ocpi.platform import Platform
from tests.ocpi.wire import Fault

by_version = pytest.mark.parametrize("version", VERSIONS)


def _asked(platform: Platform) -> list[str]:
    return [seen.rest[0] for seen in platform.requests("tokens", "POST")]


async def _told(platform: Platform, *tokens: Document) -> None:
    """The platform has these, and has told us of them."""
    platform.own("tokens", *tokens)
    for token in tokens:
        reply = await platform.push("tokens", token, to=OWN)
        assert reply.ok, reply


@by_version
async def test_the_party_of_a_token_is_asked_as_its_whitelist_mode_demands(street: Street, version: str) -> None:
    platform = await street.connected("EMSP:DE:ABC")
    uid = await street.add("CP1")
    station = await street.station("CP1", version)
    modes = ("ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER")
    await _told(
        platform,
        *(documents.token(mode.replace("_", ""), whitelist=mode) for mode in modes),
        documents.token("REVOKED", valid=False, whitelist="ALWAYS"),
    )
    platform.own("tokens", documents.token("NEW", whitelist="ALLOWED", group_id="FLEET"))
    await street.admin.post("/api/v1/id-tokens", {"id_token": "STAFF", "type": "ISO14443"})
    invalid, unknown = ("Invalid", "Invalid") if station.is_16 else ("Invalid", "Unknown")

    async def statuses() -> list[str]:
        return [await station.authorize(token) for token in ("ALWAYS", "ALLOWED", "ALLOWEDOFFLINE", "NEVER", "REVOKED", "STAFF")]

    # nobody is asked at all: who wants to be asked is not taken at our word
    assert await statuses() == ["Accepted", "Accepted", "Accepted", invalid, "Blocked", "Accepted"]
    assert _asked(platform) == []
    await street.switch_on()
    assert await statuses() == ["Accepted", "Accepted", "Accepted", "Accepted", "Blocked", "Accepted"]
    assert _asked(platform) == ["ALLOWEDOFFLINE", "NEVER"]
    seen = platform.requests("tokens", "POST")[0]
    assert (seen.party("from"), seen.party("to"), seen.query) == (OWN, ("DE", "ABC"), {"type": "RFID"})
    assert seen.body == {"location_id": street.location_id}
    # the tenant wants ALLOWED asked too
    await street.switch_on(asks="all_tokens")
    assert await station.authorize("ALLOWED") == await station.authorize("STAFF") == "Accepted"
    assert _asked(platform)[2:] == ["ALLOWED"]
    for said, told in (
        ("BLOCKED", "Blocked"),
        ("EXPIRED", "Expired"),
        ("NO_CREDIT", "NoCredit"),
        ("NOT_ALLOWED", "NotAtThisLocation"),
    ):
        platform.allowed["ALLOWED"] = said
        expected = {"NoCredit": "Blocked", "NotAtThisLocation": "Invalid"}.get(told, told) if station.is_16 else told
        assert await station.authorize("ALLOWED") == expected
    # a token that nobody has told us of: a single party that may know it
    assert await station.authorize("NOBODYS") == unknown
    assert await station.start("NEW") == "Accepted"
    session = await street.session_of("NEW")
    assert session["authorization_reason"].startswith("external: DE-ABC: ALLOWED")
    (token,) = await street.sql("SELECT * FROM id_tokens WHERE id_token = 'NEW'")
    assert (token["owner_party_id"], token["whitelist"], token["contract_id"]) == ("ABC", "ALLOWED", "DEABCCNEW")
    (vouched,) = await street.sql("SELECT * FROM ocpi_authorizations WHERE token_key = 'new'")
    assert vouched["method"] == "AUTH_REQUEST"
    assert vouched["reference"].startswith("ref-")
    assert vouched["station_id"] == session["station_id"]
    assert platform.requests("tokens", "POST")[-1].body == {"location_id": street.location_id, "evse_uids": [uid]}


@by_version
async def test_without_an_answer_the_list_counts_as_far_as_the_party_wants(street: Street, version: str) -> None:
    platform = await street.connected("EMSP:DE:ABC")
    await street.add("CP1")
    station = await street.station("CP1", version)
    await _told(platform, documents.token("OFFLINE", whitelist="ALLOWED_OFFLINE"), documents.token("NEVER", whitelist="NEVER"))
    unknown = "Invalid" if station.is_16 else "Unknown"
    await street.switch_on(timeout_ms=250, fallback="own_data")
    platform.faults.add(Fault("stall", module="tokens"))
    begun = trio.current_time()
    assert await station.authorize("OFFLINE") == "Accepted"
    assert await station.authorize("NEVER") == "Invalid"
    assert await station.authorize("NOBODYS") == unknown
    assert trio.current_time() - begun < 3 * (0.25 + 0.8)
    # the fallback is for tokens that nobody knows
    for fallback, told in (("accept", "Accepted"), ("refuse", "Invalid")):
        await street.switch_on(timeout_ms=200, fallback=fallback)
        assert [await station.authorize(token) for token in ("OFFLINE", "NEVER", "NOBODYS")] == ["Accepted", "Invalid", told]
    platform.faults.clear()
    # an answer about another token, or in another's name, is none
    platform.own("tokens", documents.token("NEVER", ("FR", "XYZ")))
    platform.owned["tokens"].pop(("de", "abc", "never", "RFID"))
    await street.switch_on(fallback="accept")
    assert await station.authorize("NEVER") == "Invalid"


async def test_several_parties_that_may_know_a_token(street: Street) -> None:
    first = await street.connected("EMSP:DE:ABC")
    second = await street.connected("EMSP:FR:XYZ")
    silent = await street.connected("EMSP:BE:ZZZ", ask_unknown_tokens=False)
    await street.add("CP1")
    station = await street.station("CP1", "ocpp2.0.1")
    await street.switch_on()
    contract = "FR-XYZ-C12345678"
    second.own("tokens", documents.token("XCARD", ("FR", "XYZ")), documents.token(contract, ("FR", "XYZ"), type="OTHER"))
    silent.own("tokens", documents.token("ZCARD", ("BE", "ZZZ")))
    # all are asked at once, the first that allows it wins; who does not want it is not asked
    assert await station.authorize("XCARD") == "Accepted"
    assert await station.authorize("ZCARD") == "Unknown"
    assert (_asked(first), _asked(second), _asked(silent)) == (["XCARD", "ZCARD"], ["XCARD", "ZCARD"], [])
    # 17.4, 3: a contract names its party
    assert await station.authorize(contract, "eMAID") == "Accepted"
    assert len(_asked(first)) == 2
    assert second.requests("tokens", "POST")[-1].query == {"type": "OTHER"}
    # passwords are nobody's business
    assert await station.authorize("1234", "KeyCode") == "Unknown"
    assert len(_asked(second)) == 3
    # one of them does not answer, the other does not know it: nobody can say
    first.faults.add(Fault("error_500", module="tokens"))
    assert await station.authorize("YCARD") == "Unknown"
    second.allowed["XCARD"] = "BLOCKED"
    await street.sql("DELETE FROM id_tokens WHERE id_token = 'XCARD'")
    assert await station.authorize("XCARD") == "Blocked"


async def test_after_a_command_nobody_is_asked(street: Street) -> None:
    """M4: for 15 minutes for a card, at all for what is no card."""
    platform = await street.connected("EMSP:DE:ABC")
    uid = await street.add("CP1")
    station: LiveStation = await street.station("CP1", "ocpp2.0.1")
    await street.switch_on()
    card, app = documents.token("CARD", whitelist="NEVER"), documents.token("APP", type="APP_USER", whitelist="NEVER")
    platform.own("tokens", card, app)
    platform.allowed |= {"CARD": "BLOCKED", "APP": "BLOCKED"}
    for token in (card, app):
        done: Any = await platform.command("START_SESSION", street.start_body(token, evse_uid=uid), to=OWN)
        assert done["result"] == {"result": "ACCEPTED"}
    assert (await station.authorize("CARD"), await station.authorize("APP", "Central")) == ("Accepted", "Accepted")
    assert _asked(platform) == []
    await street.sql("UPDATE ocpi_authorizations SET created_at = created_at - interval '16 min'")
    assert (await station.authorize("CARD"), await station.authorize("APP", "Central")) == ("Blocked", "Accepted")
    assert _asked(platform) == ["CARD"]


async def test_the_settings(street: Street) -> None:
    answer = await street.admin.put("/api/v1/external-authorization", {"via": "ocpi", "asks": "all_tokens", "timeout_ms": 3000})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["via"], shown["url"], shown["asks"], shown["timeout_ms"]) == ("ocpi", None, "all_tokens", 3000)
    for body, field in (
        ({"via": "ocpi", "url": "https://x.example"}, "url"),
        ({"via": "ocpi", "authorization": "secret"}, "authorization"),
        ({"via": "http"}, "url"),
        ({}, "url"),
    ):
        refused = await street.admin.put("/api/v1/external-authorization", body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == field
    kept = {"url": "http://127.0.0.1:9/ask", "authorization": "Bearer s3cret"}
    assert (await street.admin.put("/api/v1/external-authorization", kept)).json()["has_authorization"] is True
    # secrets do not outlive the server that they were for
    assert (await street.admin.put("/api/v1/external-authorization", {"via": "ocpi"})).json()["has_authorization"] is False
    back = await street.admin.put("/api/v1/external-authorization", {"url": "http://127.0.0.1:10/ask"})
    assert back.json()["has_authorization"] is False
    tried = await street.admin.post("/api/v1/external-authorization/test", {"id_token": "X"})
    assert tried.status_code == 200
