"""The hub between platforms of different versions: what one says reaches the others as theirs has it (digest, 20 to 22).

Around one running hub: a CPO and an eMSP of 2.1.1, an eMSP of 2.2.1 and one of 2.3.0.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pytest
import trio

from csms.secret import RootSecret
from csms.store.maintenance import prune_reservation_numbers, prune_shown_tokens
from csms.store.pool import run_with_owner
from csms.store.queries import ocpi_conversion
from tests.integration.ocpi.onboarding import Scene, open_scene
from tests.ocpi.documents import Document, cdr, instant, location, tariff, token
from tests.ocpi.documents import session as session_of
from tests.ocpi.platform import Platform, running_platform
from tests.ocpi.wire import Seen

CPO, OLD_EMSP, EMSP, NEW_EMSP = ("BE", "OLD"), ("AT", "OLE"), ("DE", "ABC"), ("FR", "NEW")

PLUG_211: Final = {
    "id": "1",
    "standard": "IEC_62196_T2",
    "format": "SOCKET",
    "power_type": "AC_3_PHASE",
    "voltage": 230,
    "amperage": 32,
    "tariff_id": "T-OLD",
    "last_updated": "2026-01-01T00:00:00Z",
}
EVSE_211: Final = {
    "uid": "E-1",
    "evse_id": "BE*OLD*E1",
    "status": "AVAILABLE",
    "capabilities": ["RESERVABLE", "REMOTE_START_STOP_CAPABLE"],
    "connectors": [PLUG_211],
    "last_updated": "2026-01-01T00:00:00Z",
}
LOCATION_211: Final = {
    "id": "L-OLD",
    "type": "UNDERGROUND_GARAGE",
    "name": "Below the station",
    "address": "Stationsstraat 1",
    "city": "Gent",
    "postal_code": "9000",
    "country": "BEL",
    "coordinates": {"latitude": "51.035700", "longitude": "3.710600"},
    "time_zone": "Europe/Brussels",
    "evses": [EVSE_211],
    "last_updated": "2026-01-01T00:00:00Z",
}
TARIFF_211: Final = {
    "id": "T-OLD",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.4, "step_size": 1}]}],
    "last_updated": "2026-01-01T00:00:00Z",
}
SESSION_211: Final = {
    "id": "S-OLD",
    "start_datetime": "2026-05-01T10:00:00Z",
    "kwh": 3.5,
    "auth_id": "FR-NEW-C1",
    "auth_method": "AUTH_REQUEST",
    "location": LOCATION_211,
    "currency": "EUR",
    "total_cost": 1.4,
    "status": "ACTIVE",
    "last_updated": "2026-05-01T10:30:00Z",
}
CDR_211: Final = {
    "id": "C-OLD",
    "start_date_time": "2026-05-01T10:00:00Z",
    "stop_date_time": "2026-05-01T11:00:00Z",
    "auth_id": "FR-NEW-C1",
    "auth_method": "AUTH_REQUEST",
    "location": LOCATION_211,
    "currency": "EUR",
    "tariffs": [TARIFF_211],
    "charging_periods": [{"start_date_time": "2026-05-01T10:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 10}]}],
    "total_cost": 4,
    "total_energy": 10,
    "total_time": 1,
    "last_updated": "2026-05-01T11:05:00Z",
}


@dataclass
class Around:
    """`cpo` BE-OLD and `old` AT-OLE of 2.1.1, `emsp` DE-ABC of 2.2.1, `new` FR-NEW of 2.3.0; `driver`: a token of the newest."""

    scene: Scene
    stack: AsyncExitStack
    cpo: Platform
    old: Platform
    emsp: Platform
    new: Platform
    driver: Document


Case = Callable[[Around], Awaitable[None]]


async def join(scene: Scene, stack: AsyncExitStack, party: str, version: str, versions_url: str | None = None) -> Platform:
    platform = await stack.enter_async_context(running_platform(party, version=version))
    invited = await scene.invite(party, tenant="hub")
    reply = await platform.register(versions_url or invited.versions_url, invited.token)
    assert reply.ok, reply
    await scene.forget()
    return platform


@asynccontextmanager
async def open_around(dsn: str, secret: RootSecret, nursery: trio.Nursery) -> AsyncIterator[Around]:
    async with open_scene(dsn, secret, nursery) as scene, AsyncExitStack() as stack:
        emsp = await join(scene, stack, "EMSP:DE:ABC", "2.2.1")
        new = await join(scene, stack, "EMSP:FR:NEW", "2.3.0")
        # 2.1.1 knows CPOs and eMSPs only: by the URL that a platform registers at, the hub is the other one to it
        cpo = await join(scene, stack, "CPO:BE:OLD", "2.1.1", scene.url("emsp", "versions"))
        old = await join(scene, stack, "EMSP:AT:OLE", "2.1.1", scene.url("cpo", "versions"))
        driver = token("CAR-1", NEW_EMSP, type="EMAID", contract_id="FR-NEW-C1")
        new.own("tokens", driver)
        yield Around(scene, stack, cpo, old, emsp, new, driver)


async def test_every_relay_between_versions(
    database: str, root_secret: RootSecret, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocpi_conversion, "MOST_NUMBERED", 5)
    failures = []
    async with open_around(database, root_secret, nursery) as around:
        for case in (
            everybody_is_told_who_is_behind_the_hub,
            what_the_cpo_tells_reaches_both,
            tokens_and_real_time_authorization,
            a_command_and_its_result,
            a_session_and_its_cdr,
            sessions_of_tokens_that_nobody_has_told_of,
            reservations_have_numbers,
            a_reservation_of_2_1_1_has_a_name,
        ):
            try:
                with trio.fail_after(20):
                    await case(around)
            except Exception as error:
                error.add_note(case.__name__)
                failures.append(error)
        troubles = [trouble for one in (around.cpo, around.old, around.emsp, around.new) for trouble in one.troubles]
    if failures:
        raise ExceptionGroup("between versions", failures)
    assert troubles == []


async def everybody_is_told_who_is_behind_the_hub(a: Around) -> None:
    """2.3.0 has no role HUB: the hub's party has a member of its own, and its roles are the parties behind it."""
    told = (await a.new.request("GET", "credentials")).data
    assert told["hub_party_id"] == "NLHUB"
    assert {(role["role"], role["country_code"], role["party_id"]) for role in told["roles"]} == {
        ("CPO", "NL", "NOR"),
        ("CPO", *CPO),
        ("EMSP", *EMSP),
        ("EMSP", *OLD_EMSP),
        ("EMSP", *NEW_EMSP),
    }
    told = (await a.emsp.request("GET", "credentials")).data
    assert [(role["role"], role["party_id"]) for role in told["roles"]] == [("HUB", "HUB")]
    told = (await a.cpo.request("GET", "credentials")).data
    assert ("roles" not in told, told["url"]) == (True, a.scene.url("emsp", "versions"))
    for platform in (a.emsp, a.new):
        await platform.wait(lambda seen=platform: {"old", "ole"} <= {key[1] for key in seen.received["hubclientinfo"]})


async def what_the_cpo_tells_reaches_both(a: Around) -> None:
    assert (await a.cpo.push("locations", LOCATION_211)).ok
    assert (await a.cpo.push("tariffs", TARIFF_211)).ok
    for platform in (a.emsp, a.new):
        place = await platform.wait(lambda seen=platform: seen.find("locations", "L-OLD"))
        assert (place["country_code"], place["party_id"]) == CPO
        assert (place["publish"], place["parking_type"], "type" in place) == (True, "UNDERGROUND_GARAGE", False)
        plug = place["evses"][0]["connectors"][0]
        assert (plug["max_voltage"], plug["max_amperage"], plug["tariff_ids"]) == (230, 32, ["T-OLD"])
        price = await platform.wait(lambda seen=platform: seen.find("tariffs", "T-OLD"))
        assert price.get("tax_included") == ("NO" if platform is a.new else None)
    place = await a.old.wait(lambda: a.old.find("locations", "L-OLD"))
    assert place == LOCATION_211
    names = [f"L-{index}" for index in range(7)]
    for name in names:
        assert (await a.cpo.push("locations", {**LOCATION_211, "id": name, "evses": []})).ok
    assert {place["id"] for place in await a.old.pull("locations", to=None, limit="3")} == {"L-OLD", *names}
    part = {"status": "CHARGING", "last_updated": instant()}
    assert (await a.cpo.request("PATCH", "locations", "RECEIVER", *CPO, "L-OLD", "E-1", body=part)).ok
    for platform in (a.emsp, a.new, a.old):
        await platform.wait(lambda seen=platform: status(seen) == "CHARGING")
    for platform in (a.emsp, a.new):
        listed = {place["id"]: place for place in await platform.pull("locations", to=("NL", "HUB"), limit="5")}
        assert (len(listed), listed["L-OLD"]["evses"][0]["status"]) == (8, "CHARGING")


def status(platform: Platform) -> str:
    found = platform.find("locations", "L-OLD")
    return "" if found is None else str(found["evses"][0]["status"])


async def tokens_and_real_time_authorization(a: Around) -> None:
    """A type of tokens that a version does not have is OTHER there, and asked about as such."""
    assert (await a.new.push("tokens", a.driver, to=("NL", "HUB"))).ok
    shown = await a.cpo.wait(lambda: a.cpo.find("tokens", "CAR-1"))
    assert (shown["type"], shown["auth_id"]) == ("OTHER", "FR-NEW-C1")
    assert not {"country_code", "contract_id"} & shown.keys()

    asked: dict[str, Any] = {"query": {"type": "OTHER"}, "body": {"location_id": "L-OLD", "connector_ids": ["1"]}}
    said = await a.cpo.request("POST", "tokens", "SENDER", "CAR-1", "authorize", **asked)
    assert said.data["allowed"] == "ALLOWED", said
    assert (said.data["location"]["location_id"], "token" in said.data) == ("L-OLD", False)
    seen = last(a.new, "tokens")
    assert (seen.rest, seen.query, seen.party("from")) == (("CAR-1", "authorize"), {"type": "EMAID"}, CPO)
    # one that nobody has told of: everybody is asked
    a.emsp.own("tokens", token("SECRET", EMSP))
    said = await a.cpo.request("POST", "tokens", "SENDER", "SECRET", "authorize", query={"type": "RFID"})
    assert said.data == {"allowed": "ALLOWED"}, said
    said = await a.cpo.request("POST", "tokens", "SENDER", "NOBODY", "authorize", query={"type": "RFID"})
    assert (said.code, said.data) == (2000, None)  # 2.1.1 has no 2004
    assert not said.ok


async def a_command_and_its_result(a: Around) -> None:
    start = {"token": a.driver, "location_id": "L-OLD", "evse_uid": "E-1", "connector_id": "1"}
    for word, known_as in (("ACCEPTED", "ACCEPTED"), ("TIMEOUT", "TIMEOUT"), ("REJECTED", "REJECTED")):
        a.cpo.commands["START_SESSION"] = ("ACCEPTED", word)
        outcome = await a.new.command("START_SESSION", start, to=CPO)
        assert outcome["response"]["result"] == "ACCEPTED", outcome
        assert outcome["response"]["timeout"] > 0
        assert outcome["result"] == {"result": known_as}
    got = last(a.cpo, "commands").body
    assert (got["token"]["auth_id"], got["token"]["type"], got["location_id"], got["evse_uid"]) == (
        "FR-NEW-C1",
        "OTHER",
        "L-OLD",
        "E-1",
    )
    assert "connector_id" not in got
    assert got["response_url"].startswith(a.scene.url("2.1.1", "sender", "commands"))
    a.cpo.commands["STOP_SESSION"] = ("UNKNOWN_SESSION", None)
    outcome = await a.new.command("STOP_SESSION", {"session_id": "S-0"}, to=CPO)
    assert outcome["response"]["result"] == "UNKNOWN_SESSION"
    cancelled = {"reservation_id": "R", "response_url": a.emsp.response_url()[1]}
    refused = await a.emsp.request("POST", "commands", "RECEIVER", "CANCEL_RESERVATION", body=cancelled, to=CPO)
    assert (refused.ok, "2.1.1" in (refused.message or "")) == (False, True)


async def a_session_and_its_cdr(a: Around) -> None:
    """2.1.1 names a contract: whose it is, the hub knows from the tokens that it was told."""
    assert (await a.cpo.push("sessions", SESSION_211)).ok
    session = await a.new.wait(lambda: a.new.find("sessions", "S-OLD"))
    assert session["cdr_token"] == {
        "country_code": "FR",
        "party_id": "NEW",
        "uid": "CAR-1",
        "type": "EMAID",
        "contract_id": "FR-NEW-C1",
    }
    assert (session["location_id"], session["evse_uid"], session["connector_id"]) == ("L-OLD", "E-1", "1")
    assert session["total_cost"]["before_taxes"] == 1.4
    assert "excl_vat" not in session["total_cost"]
    assert a.emsp.find("sessions", "S-OLD") is None
    where = ("sessions", "RECEIVER", *CPO, "S-OLD")
    changed = {"kwh": 7, "auth_id": "FR-NEW-C1", "last_updated": "2026-05-01T10:45:00Z"}
    assert (await a.cpo.request("PATCH", *where, body=changed)).ok
    assert (a.new.find("sessions", "S-OLD") or {})["kwh"] == 7
    # E2: periods are replaced by 2.1.1 and added by later versions; the hub has none of them, and the session is to be PUT (W4)
    periods = {"charging_periods": CDR_211["charging_periods"], **changed}
    assert (await a.cpo.request("PATCH", *where, body=periods)).status == 404

    posted = await a.cpo.push("cdrs", CDR_211)
    assert posted.ok, posted
    bill = await a.new.wait(lambda: a.new.find("cdrs", "C-OLD"))
    assert (bill["total_cost"]["before_taxes"], bill["cdr_location"]["id"], bill["cdr_token"]["uid"]) == (4, "L-OLD", "CAR-1")
    assert bill["tariffs"][0]["tax_included"] == "NO"
    seen_again = await a.cpo.request("GET", "cdrs", "RECEIVER", url=posted.headers["Location"])
    assert (seen_again.data["id"], seen_again.data["total_cost"], seen_again.data["auth_id"]) == ("C-OLD", 4, "FR-NEW-C1")

    # and as a list, page by page by way of the hub
    a.cpo.own("cdrs", *({**CDR_211, "id": f"C-{index}"} for index in range(5)))
    listed = await a.new.pull("cdrs", to=CPO)
    assert [(one["id"], one["total_cost"]["before_taxes"], one["party_id"]) for one in listed] == [
        (f"C-{index}", 4, "OLD") for index in range(5)
    ]

    # with VAT: from a CPO of 2.2.1, to both
    async with AsyncExitStack() as stack:
        modern = await join(a.scene, stack, "CPO:NL:XCP", "2.2.1")
        known = token("CARD-3", OLD_EMSP, contract_id="AT-OLE-C3")
        old = {"uid": "CARD-3", "type": "RFID", "auth_id": "AT-OLE-C3", "issuer": "Old", "valid": True, "whitelist": "ALLOWED"}
        assert (await a.old.push("tokens", {**old, "last_updated": "2026-01-01T00:00:00Z"}, query={"type": "RFID"})).ok
        assert (await modern.push("locations", location(), to=("NL", "HUB"))).ok
        for driver, to in ((a.driver, NEW_EMSP), (known, OLD_EMSP)):
            driven = {**driver, "type": "OTHER" if to == NEW_EMSP else "RFID"}
            made = cdr(f"C-{to[1]}", ("NL", "XCP"), driver=driven, tariffs=[tariff(owner=("NL", "XCP"))])
            answer = await modern.push("cdrs", made, to=to)
            assert answer.ok, answer
            going = session_of(f"S-{to[1]}", ("NL", "XCP"), driver=driven, total_cost={"excl_vat": 1, "incl_vat": 1.21})
            answer = await modern.push("sessions", going, to=to)
            assert answer.ok, answer
        bill = a.new.find("cdrs", "C-NEW") or {}
        assert bill["total_cost"] == {"before_taxes": 4.0, "taxes": [{"name": "VAT", "amount": 0.84}]}
        assert (bill["total_energy_cost"], bill["cdr_token"]["uid"]) == (bill["total_cost"], "CAR-1")
        bill = a.old.find("cdrs", "C-OLE") or {}
        assert (bill["total_cost"], bill["auth_id"], bill["location"]["evses"][0]["connectors"][0]["voltage"]) == (
            4.0,
            "AT-OLE-C3",
            230,
        )
        added = {"charging_periods": cdr()["charging_periods"], "last_updated": instant()}
        answer = await modern.request("PATCH", "sessions", "RECEIVER", "NL", "XCP", "S-OLE", body=added, to=OLD_EMSP)
        assert (answer.status, answer.code) == (404, 2000), answer
        going = a.old.find("sessions", "S-OLE") or {}
        assert (going["location"]["id"], going["total_cost"]) == ("LOC-1", 1)
        assert (await modern.unregister()).ok


async def sessions_of_tokens_that_nobody_has_told_of(a: Around) -> None:
    """Tokens of apps, and those that are asked about in real time, are never pushed: the hub knows them from what has passed."""
    app = token("APP-1", EMSP, type="APP_USER", contract_id="DE-ABC-C7", whitelist="NEVER")
    a.cpo.commands["START_SESSION"] = ("ACCEPTED", None)
    started = await a.emsp.command("START_SESSION", {"token": app, "location_id": "L-OLD"}, to=CPO, wait=0)
    assert started["response"]["result"] == "ACCEPTED"
    # another one's word does not make it his contract
    stolen = token("X", NEW_EMSP, contract_id="DE-ABC-C7")
    for driver in (
        stolen,
        token("CAR-1", NEW_EMSP, type="APP_USER", contract_id="FR-NEW-C1"),
        token("Y", EMSP, contract_id="FR-NEW-C1"),
    ):
        to = a.new if driver["party_id"] == "NEW" else a.emsp
        await to.command("START_SESSION", {"token": driver, "location_id": "L-OLD"}, to=CPO, wait=0)
    for name, auth_id, method, platform, uid in (
        ("S-app", "DE-ABC-C7", "AUTH_REQUEST", a.emsp, ("APP-1", "APP_USER")),
        ("S-asked", "SECRET", "AUTH_REQUEST", a.emsp, ("SECRET", "RFID")),  # it was not told the contract
        ("S-car", "FR-NEW-C1", "AUTH_REQUEST", a.new, ("CAR-1", "APP_USER")),
        ("S-list", "FR-NEW-C1", "WHITELIST", a.new, ("CAR-1", "EMAID")),
    ):
        told = {**SESSION_211, "id": name, "auth_id": auth_id, "auth_method": method}
        answer = await a.cpo.push("sessions", told)
        assert answer.ok, (name, answer)
        session = platform.find("sessions", name) or {}
        assert (session["cdr_token"]["uid"], session["cdr_token"]["type"]) == uid
    answer = await a.cpo.push("sessions", {**SESSION_211, "id": "S-none", "auth_id": "GB-XYZ-C1"})
    assert not answer.ok
    assert all(platform.find("sessions", "S-none") is None for platform in (a.emsp, a.new, a.old))
    await a.scene.hub.sql("UPDATE ocpi_shown_tokens SET seen_at = now() - interval '91 days' WHERE uid = 'app-1'")
    assert await run_with_owner(a.scene.hub.dsn, lambda conn: prune_shown_tokens(conn, 90)) == 1
    left = await a.scene.hub.sql("SELECT DISTINCT uid FROM ocpi_shown_tokens WHERE party_id = 'abc' ORDER BY uid")
    assert [row["uid"] for row in left] == ["secret", "y"]


async def reservations_have_numbers(a: Around) -> None:
    """M10: towards 2.1.1 every reservation has a number of its own, and keeps it."""
    numbers = {}
    wanted = [(a.emsp, "R-one"), (a.new, "R-one"), (a.emsp, "17"), (a.new, "17"), (a.emsp, "R-two"), (a.emsp, "r-ONE")]
    for platform, reservation_id in wanted:
        outcome = await platform.command("RESERVE_NOW", reservation(platform, reservation_id), to=CPO)
        assert outcome["result"] == {"result": "ACCEPTED"}, outcome
        numbers[platform, reservation_id] = last(a.cpo, "commands").body["reservation_id"]
    assert numbers[a.emsp, "17"] == 17
    assert numbers.pop((a.emsp, "r-ONE")) == numbers[a.emsp, "R-one"]
    assert len(set(numbers.values())) == len(numbers)
    assert all(0 <= number < 2**31 for number in numbers.values())

    # what is taken is passed over, whoever has it, and what was forgotten gets the same number again
    first = numbers[a.emsp, "R-two"]
    await a.scene.hub.sql("UPDATE ocpi_reservation_numbers SET seen_at = now() - interval '91 days' WHERE number = $1", first)
    assert await prune(a.scene) == 1
    for one in (first, first + 1):
        await a.new.command("RESERVE_NOW", reservation(a.new, str(one)), to=CPO, wait=0)
    await a.emsp.command("RESERVE_NOW", reservation(a.emsp, "R-two"), to=CPO, wait=0)
    assert last(a.cpo, "commands").body["reservation_id"] == first + 2

    # nobody has more than a few
    for index in range(2):
        await a.emsp.command("RESERVE_NOW", reservation(a.emsp, f"more-{index}"), to=CPO, wait=0)
    before = len(a.cpo.requests("commands"))
    refused = await a.emsp.command("RESERVE_NOW", reservation(a.emsp, "one-too-many"), to=CPO, wait=0)
    assert "reservation_id" in refused["response"]["message"], refused
    assert len(a.cpo.requests("commands")) == before
    for hostile in ("\x00", "x" * 300, {"a": 1}, None):
        refused = await a.emsp.command("RESERVE_NOW", reservation(a.emsp, hostile), to=CPO, wait=0)
        assert refused["response"]["code"] in range(2000, 5000), refused
        assert "went wrong" not in refused["response"]["message"]
    # at the same time, by whoever wants the same number
    await a.scene.hub.sql("DELETE FROM ocpi_reservation_numbers")
    a.cpo.seen.clear()
    async with trio.open_nursery() as nursery:
        for platform in (a.emsp, a.new, a.emsp, a.new):
            nursery.start_soon(partial(platform.command, "RESERVE_NOW", reservation(platform, "99"), to=CPO, wait=0))
    by_contract: dict[str, set[int]] = {}
    for seen in a.cpo.requests("commands"):
        by_contract.setdefault(seen.body["token"]["auth_id"], set()).add(seen.body["reservation_id"])
    assert [len(found) for found in by_contract.values()] == [1, 1]
    assert {99} < set().union(*by_contract.values())


async def a_reservation_of_2_1_1_has_a_name(a: Around) -> None:
    """A number of 2.1.1 is one among two parties; beyond the hub others have the same."""
    async with AsyncExitStack() as stack:
        modern = await join(a.scene, stack, "CPO:NL:XC2", "2.2.1")
        place = location("L-NEW", ("NL", "XC2"))
        assert (await modern.push("locations", place, to=("NL", "HUB"))).ok
        old = {"uid": "CARD-3", "type": "RFID", "auth_id": "AT-OLE-C3", "issuer": "Old", "valid": True, "whitelist": "ALLOWED"}
        body = {"token": {**old, "last_updated": "2026-01-01T00:00:00Z"}, "expiry_date": instant(hours=1)[:19] + "Z"}
        for location_id, platform in (("L-NEW", modern), ("L-OLD", a.cpo)):
            outcome = await a.old.command("RESERVE_NOW", {**body, "location_id": location_id, "reservation_id": 5})
            assert outcome["response"] == {"result": "ACCEPTED"}, outcome
            assert outcome["result"] == {"result": "ACCEPTED"}
            got = last(platform, "commands").body
            if platform is modern:
                assert (got["reservation_id"], got["token"]["contract_id"]) == ("ATOLE-5", "AT-OLE-C3")
                assert (got["token"]["country_code"], got["token"]["party_id"]) == OLD_EMSP
            else:
                assert isinstance(got["reservation_id"], int)
        assert (await modern.unregister()).ok


def reservation(platform: Platform, reservation_id: Any) -> Document:
    driver = token("CARD-9", platform.party)
    return {"token": driver, "expiry_date": instant(hours=1), "reservation_id": reservation_id, "location_id": "L-OLD"}


async def prune(scene: Scene) -> int:
    return await run_with_owner(scene.hub.dsn, lambda conn: prune_reservation_numbers(conn, 90), timeout=10)


def last(platform: Platform, module: str) -> Seen:
    return platform.requests(module)[-1]
