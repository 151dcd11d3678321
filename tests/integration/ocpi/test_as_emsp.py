"""Our tenant as eMSP: what it answers about its tokens (K5 to K7), and what it orders at CPOs (digest, chapters 14 to 16)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from csms.roaming.partners import Partner
from csms.store.queries.ocpi_objects import NewObject, ObjectKey, put_object
from hub.ocpi import sending
from tests.integration.ocpi.roaming import Roaming, data
from tests.integration.ocpi.street import OWN, Street
from tests.ocpi import documents
from tests.ocpi.documents import Document, instant
from tests.ocpi.operations import operation
from tests.ocpi.platform import Platform
from tests.ocpi.wire import Fault

CPO = ("NL", "XCP")


@operation(31)
async def test_our_tokens_are_judged_as_at_our_own_stations(roaming: Roaming) -> None:
    tenant = await roaming.tenant("north", ("NL-NOR", "EMSP"))
    await roaming.tenant("south", ("NL-SOU", "EMSP"))
    partner = await roaming.partner(tenant, ("NL-XCP", "CPO"))
    evses = [
        documents.evse("E1", connectors=[documents.connector()]),
        documents.evse("E2", connectors=[documents.connector(standard="CHADEMO", format="CABLE", power_type="DC")]),
    ]
    place = documents.location("LOC-1", evses=evses)
    key = ObjectKey("locations", ("nl", "xcp"), "loc-1")

    async def store(conn: Any) -> None:
        new = NewObject(key=key, origin="received", document=place, last_updated=roaming.ocpi.clock.now())
        await put_object(conn, tenant, new)

    await roaming.store.hub.tenant_unit(tenant, store)
    restrictions: dict[str, str | None] = {
        "PLAIN": None,
        "TYPE2": '{"connector_types": ["cType2", "sType2"]}',
        "DUTCH": '{"countries": ["NL"]}',
        "GERMAN": '{"countries": ["DEU"]}',
        "ATHOME": '{"charge_points": ["CP-HOME"]}',
        "NEARBY": '{"areas": [{"latitude": 52.0, "longitude": 4.35, "radius_km": 5}]}',
        "NEVER": '{"hours": [{"start": "03:00", "end": "03:01", "days": ["MONDAY"]}], "time_zone": "UTC"}',
        "BROKE": '{"max_amount_per_month": "0"}',
    }
    for uid, restricted in restrictions.items():
        await roaming.sql(
            "INSERT INTO id_tokens (tenant_id, id_token, type, contract_id, restrictions) "
            "VALUES ($1, $2, 'ISO14443', $3, $4::jsonb)",
            tenant,
            uid,
            f"NLNORC{uid}",
            restricted,
        )
    for uid, columns in (
        ("BLOCKED", "status = 'blocked'"),
        ("OVER", "valid_until = now() - interval '1 day'"),
        ("RETIRED", "retired_at = now()"),
        ("SEEN", "status = 'unknown'"),
        ("THEIRS", "owner_country_code = 'FR', owner_party_id = 'XYZ'"),
        ("ONCE", "single_use = true"),
    ):
        await roaming.sql("INSERT INTO id_tokens (tenant_id, id_token, type) VALUES ($1, $2, 'ISO14443')", tenant, uid)
        await roaming.sql(f"UPDATE id_tokens SET {columns} WHERE id_token = $1", uid)

    async def ask(uid: str, location: Document | None = None, **query: str) -> tuple[str, Document | None]:
        answer = await roaming.ask(
            partner, "NL-NOR", "POST", "tokens", "SENDER", uid, "authorize", body=location, query={"type": "RFID"} | query
        )
        if not answer.successful:
            return f"{answer.http_status} {int(answer.status_code)}", None
        info = data(answer)
        assert info["token"]["uid"].lower() == uid.lower()
        assert ("authorization_reference" in info) is (info["allowed"] == "ALLOWED")
        return info["allowed"], info.get("location")

    here = {"location_id": "loc-1"}
    for uid, expected in (
        ("PLAIN", ("ALLOWED", None)),
        ("plain", ("ALLOWED", None)),  # B2
        ("BLOCKED", ("BLOCKED", None)),
        ("RETIRED", ("BLOCKED", None)),
        ("OVER", ("EXPIRED", None)),
        ("BROKE", ("NO_CREDIT", None)),
        ("NEVER", ("NOT_ALLOWED", None)),
        ("DUTCH", ("200 2002", None)),  # K5: where?
        ("SEEN", ("404 2004", None)),
        ("THEIRS", ("404 2004", None)),
        ("ONCE", ("404 2004", None)),
        ("NOBODYS", ("404 2004", None)),
    ):
        assert await ask(uid) == expected, uid
    assert await ask("PLAIN", type="APP_USER") == ("404 2004", None)  # K1
    for uid, location, expected in (
        ("PLAIN", here, ("ALLOWED", here)),
        ("PLAIN", here | {"evse_uids": ["e1"]}, ("ALLOWED", here | {"evse_uids": ["e1"]})),
        ("DUTCH", here, ("ALLOWED", here)),
        ("GERMAN", here, ("NOT_ALLOWED", None)),
        ("ATHOME", here, ("NOT_ALLOWED", None)),
        ("NEARBY", here, ("ALLOWED", here)),
        # K6: the EVSEs where charging is allowed
        ("TYPE2", here, ("ALLOWED", here | {"evse_uids": ["E1"]})),
        ("TYPE2", here | {"evse_uids": ["E2", "E1"]}, ("ALLOWED", here | {"evse_uids": ["E1"]})),
        ("TYPE2", here | {"evse_uids": ["E2"]}, ("NOT_ALLOWED", None)),
        # a location that we do not know
        ("PLAIN", {"location_id": "private"}, ("ALLOWED", {"location_id": "private"})),
        ("NEARBY", {"location_id": "private"}, ("NOT_ALLOWED", None)),
    ):
        assert await ask(uid, location) == expected, (uid, location)
    bad = await roaming.ask(partner, "NL-NOR", "POST", "tokens", "SENDER", "PLAIN", "authorize", body={"evse_uids": ["E1"]})
    assert (bad.status_code, "location_id" in (bad.status_message or "")) == (2001, True)
    await _counts_abroad(roaming, partner, tenant, ask)
    await roaming.sql(
        "INSERT INTO ocpi_agreements (tenant_id, agreement_id, party_country_code, party_party_id, allowed, modules, created_by) "
        "VALUES ($1, gen_random_uuid(), 'NL', 'XCP', false, '{tokens}', 'test')",
        tenant,
    )
    await roaming.ocpi.directory.changed()
    assert await ask("PLAIN") == ("404 2004", None)


async def _counts_abroad(roaming: Roaming, partner: Partner, tenant: int, ask: Any) -> None:
    """What was charged at others counts towards the limits of a token, as they have told it."""
    for uid, restricted in (
        ("ABROAD", '{"max_amount_per_month": "10", "max_concurrent_sessions": 2, "sessions_per_month": 4}'),
        ("CHILD", None),
    ):
        await roaming.sql(
            "INSERT INTO id_tokens (tenant_id, id_token, type, restrictions) VALUES ($1, $2, 'ISO14443', $3::jsonb)",
            tenant,
            uid,
            restricted,
        )
    await roaming.sql(
        "UPDATE id_tokens SET parent_token_id = (SELECT token_id FROM id_tokens WHERE id_token = 'ABROAD') WHERE id_token = 'CHILD'"
    )

    async def tell(identifier: str, uid: str = "abroad", **members: Any) -> None:
        told = documents.session(identifier, CPO, driver=documents.token(uid, ("NL", "NOR")), **members)
        answer = await roaming.ask(partner, "NL-NOR", "PUT", "sessions", "RECEIVER", *CPO, identifier, body=told)
        assert answer.successful, answer

    elsewhere, there = {"location_id": "LOC-2"}, {"location_id": "LOC-2", "evse_uids": ["EVSE-9"]}
    assert await ask("ABROAD", elsewhere) == ("ALLOWED", elsewhere)
    await tell("A-1")
    await tell("A-2", location_id="LOC-2", evse_uid="EVSE-9", status="ACTIVE")
    assert (await ask("ABROAD"))[0] == "NOT_ALLOWED"  # two run, and nobody says where he stands
    assert (await ask("ABROAD", {"location_id": "LOC-3"}))[0] == "NOT_ALLOWED"
    for place in (elsewhere, there):  # perhaps to end what runs there
        assert await ask("ABROAD", place) == ("ALLOWED", place)
    assert (await ask("ABROAD", there | {"evse_uids": ["EVSE-8"]}))[0] == "NOT_ALLOWED"
    assert (await ask("PLAIN", {"location_id": "LOC-3"}))[0] == "ALLOWED"  # another's sessions
    # those of which nothing is heard any more keep nobody from charging
    await roaming.sql("UPDATE ocpi_objects SET updated_at = now() - interval '25 h' WHERE object_id = 'a-1'")
    assert (await ask("ABROAD"))[0] == "ALLOWED"
    # what it has cost: the CDR's word where there is one, credits taken back, other currencies left out
    await tell("A-2", status="COMPLETED", total_cost={"excl_vat": 8, "incl_vat": 9.5})
    assert (await ask("ABROAD"))[0] == "ALLOWED"
    await tell("A-3", "CHILD", status="COMPLETED", total_cost={"excl_vat": 1}, kwh=1)
    assert (await ask("ABROAD"))[0] == "NO_CREDIT"
    assert (await ask("CHILD"))[0] == "NO_CREDIT"  # it stands for the other one

    async def charge(identifier: str, session_id: str | None, total: float, **members: Any) -> None:
        told = documents.cdr(identifier, CPO, driver=documents.token("ABROAD", ("NL", "NOR"))) | {
            "session_id": session_id,
            "total_cost": {"excl_vat": total},
            **members,
        }
        answer = await roaming.ask(partner, "NL-NOR", "POST", "cdrs", "RECEIVER", body=told)
        assert answer.successful, answer

    await charge("C-2", "A-2", 4)
    assert (await ask("ABROAD"))[0] == "ALLOWED"
    await charge("C-4", None, 20, currency="SEK")  # the fourth session of the month
    assert (await ask("ABROAD"))[0] == "NO_CREDIT"
    await roaming.sql("UPDATE ocpi_objects SET created_at = now() - interval '40 days' WHERE object_id IN ('c-4', 'a-3')")
    assert (await ask("ABROAD"))[0] == "ALLOWED"
    await charge("C-5", None, 6)
    assert (await ask("ABROAD"))[0] == "NO_CREDIT"
    await charge("C-6", None, 6, credit=True, credit_reference_id="C-5")
    assert (await ask("ABROAD"))[0] == "ALLOWED"


class Driver:
    """Orders of our tenant at a CPO."""

    def __init__(self, street: Street, platform: Platform, token_id: str) -> None:
        self.street = street
        self.platform = platform
        self.token_id = token_id

    async def order(self, command: str, wait: float = 10, **fields: Any) -> dict[str, Any]:
        answer = await self.street.admin.post(f"/api/v1/ocpi/commands?wait={wait}", {"command": command, **fields})
        assert answer.status_code in (200, 202), answer.text
        shown: dict[str, Any] = answer.json()
        assert (answer.status_code == 202) is (shown["status"] in ("asked", "waiting"))
        return shown

    async def refused(self, command: str, **fields: Any) -> tuple[int, str]:
        answer = await self.street.admin.post("/api/v1/ocpi/commands", {"command": command, **fields})
        body = answer.json()
        return answer.status_code, body["errors"][0]["field"] if answer.status_code == 422 else body["detail"]


@pytest.fixture
async def driver(street: Street) -> Driver:
    platform = await street.connected("CPO:NL:XCP")
    made = await street.admin.post(
        "/api/v1/id-tokens",
        {
            "id_token": "OWNCARD",
            "type": "ISO14443",
            "contract_id": "NLOWNC1",
            "restrictions": {"max_concurrent_sessions": 2},  # it charges already
        },
    )
    for module, document in (
        ("locations", documents.location()),
        ("sessions", documents.session(driver=documents.token("OWNCARD", OWN))),
    ):
        platform.own(module, document)
        reply = await platform.push(module, document, to=OWN)
        assert reply.ok, reply
    return Driver(street, platform, made.json()["token_id"])


@operation(33)
async def test_what_we_order_at_a_cpo(driver: Driver) -> None:
    platform, street = driver.platform, driver.street
    start = {"token_id": driver.token_id, "location_id": "loc-1", "evse_uid": "evse-1", "connector_id": "1"}
    begun = await driver.order("start_session", **start, authorization_reference="drv-1")
    assert (begun["status"], begun["response"], begun["result"], begun["party"]) == ("done", "ACCEPTED", "ACCEPTED", "NL-XCP")
    (sent,) = platform.requests("commands", "POST")
    body = sent.body
    assert (sent.rest, sent.party("from"), sent.party("to")) == (("START_SESSION",), OWN, CPO)
    assert (body["location_id"], body["evse_uid"], body["connector_id"]) == ("LOC-1", "EVSE-1", "1")
    token = {name: body["token"][name] for name in ("country_code", "party_id", "uid", "type", "contract_id", "valid")}
    assert token == {
        "country_code": "NL", "party_id": "OWN", "uid": "OWNCARD", "type": "RFID", "contract_id": "NLOWNC1", "valid": True
    }  # fmt: skip
    assert body["authorization_reference"] == "drv-1"
    # nobody else learns the address, and it is used once
    url, key = body["response_url"], urlsplit(body["response_url"]).path.rpartition("/")[2]
    assert len(key) >= 32
    assert key not in str(begun)
    again = await platform.request("POST", "commands", url=url, body={"result": "ACCEPTED"}, to=OWN)
    assert again.code == 2001
    other = await street.connected("CPO:FR:YYY")
    assert (await other.request("POST", "commands", url=url, body={"result": "FAILED"}, to=OWN)).status == 404
    assert (await platform.request("POST", "commands", url=url[:-1] + "!", body={"result": "FAILED"}, to=OWN)).status == 404

    # other answers and results
    platform.commands["STOP_SESSION"] = ("REJECTED", None)
    stopped = await driver.order("stop_session", session_id="session-1")
    assert (stopped["status"], stopped["response"], stopped["result"], stopped["session_id"]) == (
        "done",
        "REJECTED",
        None,
        "SESSION-1",
    )
    platform.commands["UNLOCK_CONNECTOR"] = ("ACCEPTED", "TIMEOUT")
    unlocked = await driver.order("unlock_connector", location_id="LOC-1", evse_uid="EVSE-1", connector_id="1")
    assert (unlocked["status"], unlocked["result"]) == ("done", "TIMEOUT")
    platform.faults.add(Fault("error_500", module="commands", times=1))
    failed = await driver.order("stop_session", session_id="SESSION-1")
    assert (failed["status"], failed["response"]) == ("failed", None)
    assert failed["error"]

    # reservations: CANCELED_RESERVATION may follow (M7)
    reserve = {"token_id": driver.token_id, "location_id": "LOC-1", "evse_uid": "EVSE-1", "expires_at": instant(hours=1)}
    held = await driver.order("reserve_now", **reserve)
    assert held["result"] == "ACCEPTED"
    asked = platform.requests("commands", "POST")[-1].body
    assert asked["reservation_id"] == held["reservation_id"]
    assert asked["expiry_date"][:16] == reserve["expires_at"][:16]
    gone = await platform.request("POST", "commands", url=asked["response_url"], body={"result": "CANCELED_RESERVATION"}, to=OWN)
    assert gone.ok, gone
    shown = (await street.admin.get(f"/api/v1/ocpi/commands/{held['ocpi_command_id']}")).json()
    assert shown["result"] == "CANCELED_RESERVATION"
    cancelled = await driver.order("cancel_reservation", reservation_id=held["reservation_id"], owner="NL-XCP")
    assert cancelled["result"] == "ACCEPTED"

    listed = (await street.admin.get("/api/v1/ocpi/commands?direction=sent&limit=3")).json()
    assert [one["command"] for one in listed["items"]] == ["CANCEL_RESERVATION", "RESERVE_NOW", "STOP_SESSION"]
    assert all("response_url" not in str(one) for one in listed["items"])


@operation(37, 38)
async def test_profiles_and_wishes_for_a_session_at_a_cpo(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    platform, street = driver.platform, driver.street
    profile = {"charging_rate_unit": "W", "charging_profile_period": [{"start_period": 0, "limit": "7400"}]}
    done = await driver.order("set_charging_profile", session_id="SESSION-1", charging_profile=profile)
    assert (done["status"], done["result"]) == ("done", "ACCEPTED")
    assert platform.active_profiles["SESSION-1"]["charging_profile_period"] == [{"start_period": 0, "limit": 7400}]
    got = await driver.order("get_charging_profile", session_id="SESSION-1", duration=900)
    assert got["result_document"]["profile"]["charging_profile"]["charging_profile_period"][0]["limit"] == 7400
    assert platform.requests("chargingprofiles", "GET")[0].query["duration"] == "900"
    # Q3: what changes later is told to us
    change = {
        "start_date_time": instant(),
        "charging_profile": {**profile, "charging_profile_period": [{"start_period": 0, "limit": 1400}]},
    }
    told = await platform.request("PUT", "chargingprofiles", "SENDER", "session-1", body=change, to=OWN)
    assert told.ok, told
    shown = (await street.admin.get(f"/api/v1/ocpi/commands/{done['ocpi_command_id']}")).json()
    assert shown["result_document"]["profile"]["charging_profile"]["charging_profile_period"][0]["limit"] == 1400
    assert (await platform.request("PUT", "chargingprofiles", "SENDER", "other", body=change, to=OWN)).status == 404
    cleared = await driver.order("clear_charging_profile", session_id="SESSION-1")
    assert (cleared["result"], platform.active_profiles) == ("ACCEPTED", {})
    platform.profiles = ("TOO_OFTEN", None)
    assert (await driver.order("get_charging_profile", session_id="SESSION-1", duration=900))["response"] == "TOO_OFTEN"

    path = "/api/v1/ocpi/sessions/SESSION-1/charging-preferences"
    wishes = {"profile_type": "GREEN", "departure_time": instant(hours=2), "energy_need": "22.5"}
    platform.preferences = "DEPARTURE_REQUIRED"
    answer = await street.admin.put(path, wishes)
    assert answer.json() == {"answer": "DEPARTURE_REQUIRED"}
    seen = platform.requests("sessions", "PUT")[-1]
    assert (seen.rest, seen.body["energy_need"]) == (("SESSION-1", "charging_preferences"), 22.5)
    platform.faults.add(Fault("error_500", module="sessions", times=1))
    assert (await street.admin.put(path, wishes)).status_code == 502
    assert (await street.admin.put(path.replace("SESSION-1", "nope"), wishes)).status_code == 404

    # a CPO that accepts and says nothing more: the wait ends, then the time that it has named
    monkeypatch.setattr(sending, "LONGEST_S", 0)
    monkeypatch.setattr(sending, "MARGIN", sending.MARGIN * 0)
    platform.commands["STOP_SESSION"] = ("ACCEPTED", None)
    waited = await driver.order("stop_session", wait=0, session_id="SESSION-1")
    assert waited["status"] in ("waiting", "failed")

    async def over() -> bool:
        found = (await street.admin.get(f"/api/v1/ocpi/commands/{waited['ocpi_command_id']}")).json()
        return (found["status"], found["error"]) == ("failed", "no result came in time")

    await street.until(over, "no result came")


async def test_orders_that_make_no_sense_are_not_sent(driver: Driver) -> None:
    street, token = driver.street, {"token_id": driver.token_id}
    for command, fields, expected in (
        ("start_session", {"location_id": "LOC-1"}, (422, "token_id")),
        ("start_session", {"token_id": str(uuid4()), "location_id": "LOC-1"}, (422, "token_id")),
        ("start_session", token, (422, "location_id")),
        ("start_session", token | {"location_id": "LOC-9"}, (422, "location_id")),
        ("start_session", token | {"location_id": "LOC-1", "owner": "FR-YYY"}, (422, "location_id")),
        ("start_session", token | {"location_id": "LOC-1", "evse_uid": "E-9"}, (422, "evse_uid")),
        ("start_session", token | {"location_id": "LOC-1", "connector_id": "1"}, (422, "evse_uid")),  # M5
        ("start_session", token | {"location_id": "LOC-1", "evse_uid": "EVSE-1", "connector_id": "9"}, (422, "connector_id")),
        ("reserve_now", token | {"location_id": "LOC-1"}, (422, "expires_at")),
        ("cancel_reservation", {"reservation_id": "R"}, (422, "owner")),
        ("stop_session", {"session_id": "nope"}, (422, "session_id")),
        ("set_charging_profile", {"session_id": "SESSION-1"}, (422, "charging_profile")),
        ("get_charging_profile", {"session_id": "SESSION-1"}, (422, "duration")),
        ("unlock_connector", {"location_id": "LOC-1", "evse_uid": "EVSE-1"}, (422, "connector_id")),
    ):
        assert await driver.refused(command, **fields) == expected, (command, fields)
    for periods in (
        [{"start_period": 1, "limit": "1"}],
        [{"start_period": 0, "limit": "1.25"}],
        [{"start_period": 0, "limit": "-1"}],
    ):
        profile = {"charging_rate_unit": "A", "charging_profile_period": periods}
        status, field = await driver.refused("set_charging_profile", session_id="SESSION-1", charging_profile=profile)
        assert (status, field.startswith("charging_profile.charging_profile_period[0]")) == (422, True), periods
    await street.sql("UPDATE id_tokens SET status = 'blocked' WHERE id_token = 'OWNCARD'")
    assert await driver.refused("start_session", **token, location_id="LOC-1") == (409, "the token may not charge there: Blocked")
    assert driver.platform.requests("commands") == []
    viewer = await street.hub.make_user(await street.hub.make_tenant(street.admin, "north"), "operator")
    assert (await viewer.get("/api/v1/ocpi/commands")).json()["items"] == []
    alone = await viewer.post("/api/v1/ocpi/commands", {"command": "stop_session", "session_id": "SESSION-1"})
    assert alone.status_code == 422


async def test_two_tenants_of_ours_behind_our_hub(street: Street) -> None:
    """A driver of one charges at a station of the other, and nothing leaves this process but what its station is told."""
    made = await street.admin.put(
        "/api/v1/ocpi/hub", {"country_code": "NL", "party_id": "HUB", "business_details": {"name": "The hub"}}
    )
    assert made.status_code == 200, made.text
    boss = await street.hub.make_tenant(street.admin, "north")
    party = await boss.put("/api/v1/ocpi/parties/nl/nor/emsp", {"business_details": {"name": "North"}})
    assert party.status_code == 200, party.text
    card = await boss.post(
        "/api/v1/id-tokens", {"id_token": "NORTHCARD", "type": "ISO14443", "contract_id": "NLNORC1", "whitelist": "NEVER"}
    )
    uid = await street.add("CP1")
    station = await street.station("CP1", "ocpp1.6")
    (north,) = await street.sql("SELECT tenant_id FROM tenants WHERE slug = 'north'")
    services = street.hub.services

    async def tell(module: str, document: Document) -> None:
        new = NewObject(
            key=ObjectKey(module, ("nl", "own"), document["id"]),
            origin="received",
            document=document,
            last_updated=services.clock.now(),
            with_party=("nl", "nor") if module == "sessions" else None,
        )

        async def work(conn: Any) -> None:
            await put_object(conn, north["tenant_id"], new)

        await services.store.hub.tenant_unit(north["tenant_id"], work)

    await tell("locations", documents.location(street.location_id, OWN, evses=[documents.evse(uid)]))
    await street.switch_on()

    async def order(command: str, **fields: Any) -> dict[str, Any]:
        answer = await boss.post("/api/v1/ocpi/commands?wait=10", {"command": command, **fields})
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    begun = await order("start_session", token_id=card.json()["token_id"], location_id=street.location_id, evse_uid=uid)
    assert (begun["response"], begun["result"], begun["error"]) == ("ACCEPTED", "ACCEPTED", None)
    assert (await station.ordered("RemoteStartTransaction"))["idTag"] == "NORTHCARD"
    assert await station.start("NORTHCARD") == "Accepted"
    session = await street.session_of("NORTHCARD")
    session_id = str(session["session_id"])
    place = {"location_id": street.location_id, "evse_uid": uid}
    await tell("sessions", documents.session(session_id, OWN, driver=documents.token("NORTHCARD", ("NL", "NOR")), **place))
    profile = {"charging_rate_unit": "A", "charging_profile_period": [{"start_period": 0, "limit": "10"}]}
    limited = await order("set_charging_profile", session_id=session_id, charging_profile=profile)
    assert (limited["response"], limited["result"]) == ("ACCEPTED", "ACCEPTED")
    assert (await station.ordered("SetChargingProfile"))["csChargingProfiles"]["transactionId"] == int(session["transaction_ref"])
    stopped = await order("stop_session", session_id=session_id)
    assert (stopped["response"], stopped["result"]) == ("ACCEPTED", "ACCEPTED")
    # asked in real time, the driver's tenant answers by its own rules
    await street.sql("UPDATE ocpi_authorizations SET created_at = created_at - interval '1 hour'")
    assert await station.authorize("NORTHCARD") == "Accepted"
    await boss.patch(f"/api/v1/id-tokens/{card.json()['token_id']}", {"status": "blocked"})
    assert await station.authorize("NORTHCARD") == "Blocked"
