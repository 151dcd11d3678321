"""Commands of an eMSP for our stations (digest, chapter 15): its platform on one side, a gateway with stations on the other."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import trio

from csms.roaming.mapping.tokens import cdr_token
from csms.roaming.sources import SessionSource, Vouching
from csms.store import Connection
from csms.store.queries import ocpi_sources
from tests.integration.ocpi.street import OWN, VERSIONS, Street
from tests.ocpi import documents
from tests.ocpi.documents import Document, instant
from tests.ocpi.operations import operation
from tests.ocpi.platform import Platform

by_version = pytest.mark.parametrize("version", VERSIONS)


async def _once(platform: Platform, url: str, command: str, body: Document) -> Any:
    reply = await platform.request("POST", "commands", "RECEIVER", command, body={"response_url": url, **body}, to=OWN)
    assert reply.ok, reply
    return reply.data


@by_version
@operation(32)
async def test_a_session_begins_and_ends_at_the_word_of_its_emsp(street: Street, version: str) -> None:
    platform = await street.connected("EMSP:DE:ABC")
    other = await street.connected("EMSP:FR:XYZ")
    uid = await street.add("CP1")
    station = await street.station("CP1", version)
    card = documents.token("04AABBCC", whitelist="NEVER", group_id="FLEET")
    reference = {"authorization_reference": "ref-1"}

    done = await platform.command("START_SESSION", street.start_body(card, evse_uid=uid.upper(), **reference), to=OWN)
    assert (done["response"], done["result"]) == ({"result": "ACCEPTED", "timeout": 60}, {"result": "ACCEPTED"})
    told = station.orders[-1]
    if version == "ocpp1.6":
        assert told == ("RemoteStartTransaction", {"idTag": "04AABBCC", "connectorId": 1})
    else:
        assert told[0] == "RequestStartTransaction"
        assert (told[1]["idToken"], told[1]["evseId"]) == ({"idToken": "04AABBCC", "type": "ISO14443"}, 1)
    # M4: it wants to be asked about every time (NEVER), and need not be, as it has just vouched for the card
    assert await station.authorize("04AABBCC") == "Accepted"
    assert await station.start("04AABBCC") == "Accepted"
    session = await street.session_of("04AABBCC")
    session_id = str(session["session_id"])
    (vouched,) = await street.sql("SELECT * FROM ocpi_authorizations")
    assert (vouched["method"], vouched["reference"], vouched["token_key"]) == ("COMMAND", "ref-1", "04aabbcc")
    (token,) = await street.sql("SELECT * FROM id_tokens WHERE id_token = '04AABBCC'")
    assert (token["owner_country_code"], token["owner_party_id"], token["ocpi_type"]) == ("DE", "ABC", "RFID")

    # M8: nobody else may end it, or learn that it is there
    stop = {"session_id": session_id}
    assert (await other.command("STOP_SESSION", stop, to=OWN))["response"]["result"] == "UNKNOWN_SESSION"
    unknown = await platform.command("STOP_SESSION", {"session_id": str(uuid4())}, to=OWN)
    assert unknown["response"]["result"] == "UNKNOWN_SESSION"
    assert (await platform.command("STOP_SESSION", stop, to=OWN))["result"] == {"result": "ACCEPTED"}
    name = "RemoteStopTransaction" if version == "ocpp1.6" else "RequestStopTransaction"
    stopped = await station.ordered(name)
    assert str(stopped["transactionId"]) == session["transaction_ref"]
    assert station.count(name) == 1

    await street.settled()
    rows = await street.commands()
    assert [(row["command"], row["status"], row["response"], row["result"]) for row in rows] == [
        ("START_SESSION", "done", "ACCEPTED", "ACCEPTED"),
        ("STOP_SESSION", "done", "UNKNOWN_SESSION", None),
        ("STOP_SESSION", "done", "UNKNOWN_SESSION", None),
        ("STOP_SESSION", "done", "ACCEPTED", "ACCEPTED"),
    ]
    # M3: the result goes where it was asked for, in the name of the party that was asked, in the same conversation
    posted = platform.requests("results", "POST")
    assert [(seen.party("from"), seen.party("to")) for seen in posted] == [(OWN, ("DE", "ABC"))] * 2
    assert posted[0].headers["x-correlation-id"] == rows[0]["correlation_id"]


@by_version
@operation(32)
async def test_what_stations_answer_is_told_in_the_words_of_ocpi(street: Street, version: str) -> None:
    platform = await street.connected("EMSP:DE:ABC")
    uid = await street.add("CP1")
    station = await street.station("CP1", version)
    start = "RemoteStartTransaction" if version == "ocpp1.6" else "RequestStartTransaction"
    body = street.start_body(documents.token("CARD"), evse_uid=uid, connector_id="1")
    station.answers[start] = {"status": "Rejected"}
    assert (await platform.command("START_SESSION", body, to=OWN))["result"] == {"result": "FAILED"}
    unlock = {"location_id": street.location_id, "evse_uid": uid, "connector_id": "1"}
    for said, result in (
        ("Unlocked", "ACCEPTED"),
        ("UnlockFailed", "FAILED"),
        *([("NotSupported", "NOT_SUPPORTED")] if version == "ocpp1.6" else [("OngoingAuthorizedTransaction", "REJECTED")]),
    ):
        station.answers["UnlockConnector"] = {"status": said}
        assert (await platform.command("UNLOCK_CONNECTOR", unlock, to=OWN))["result"] == {"result": result}, said
    # exactly one result each, and none for what was not accepted
    assert all(len(found) == 1 for found in platform.results.values())


async def test_what_cannot_be_passed_on_is_said_at_once(street: Street) -> None:
    platform = await street.connected("EMSP:DE:ABC")
    uid = await street.add("CP1", capabilities=("REMOTE_START_STOP_CAPABLE",))
    away = await street.add("CP2")
    station = await street.station("CP1", "ocpp1.6")
    card, reserved = documents.token("CARD"), {"reservation_id": "R", "expiry_date": instant(hours=1)}

    async def response(command: str, body: Document) -> tuple[int, str]:
        key, url = platform.response_url()
        reply = await platform.request("POST", "commands", "RECEIVER", command, body={"response_url": url, **body}, to=OWN)
        assert reply.status == 200, reply
        assert platform.results[key] == []
        return reply.code, reply.data["result"] if reply.data else ""

    for command, body, expected in (
        # M1: an unknown location is 2003 with REJECTED
        ("START_SESSION", street.start_body(card, location_id=str(uuid4())), (2003, "REJECTED")),
        ("START_SESSION", street.start_body(card, location_id="LOC-1"), (2003, "REJECTED")),
        ("START_SESSION", street.start_body(card, evse_uid=str(uuid4())), (2003, "REJECTED")),
        ("START_SESSION", street.start_body(card, evse_uid=uid, connector_id="7"), (2003, "REJECTED")),
        ("START_SESSION", street.start_body(card, evse_uid=away), (1000, "REJECTED")),  # not connected
        ("START_SESSION", street.start_body(card | {"valid": False}, evse_uid=uid), (1000, "REJECTED")),
        # M5
        ("START_SESSION", street.start_body(card, connector_id="1"), (2001, "")),
        # W6: a token of somebody else
        ("START_SESSION", street.start_body(documents.token("CARD", ("FR", "XYZ")), evse_uid=uid), (2001, "")),
        ("RESERVE_NOW", street.start_body(card, evse_uid=uid) | reserved, (1000, "NOT_SUPPORTED")),
        ("UNLOCK_CONNECTOR", {"location_id": street.location_id, "evse_uid": uid, "connector_id": "1"}, (1000, "NOT_SUPPORTED")),
        ("CANCEL_RESERVATION", {"reservation_id": "R-0"}, (1000, "REJECTED")),
        ("STOP_SESSION", {"session_id": "no uuid"}, (1000, "UNKNOWN_SESSION")),
    ):
        assert await response(command, body) == expected, (command, body)
    # a token that is the tenant's own is not taken over
    await street.admin.post("/api/v1/id-tokens", {"id_token": "STAFF", "type": "ISO14443"})
    assert await response("START_SESSION", street.start_body(documents.token("staff"), evse_uid=uid)) == (1000, "REJECTED")
    # without an agreement nothing is taken, and a location that is not shared is unknown
    agreed = await street.admin.post("/api/v1/ocpi/agreements", {"party": "DE-ABC", "allowed": False, "modules": ["commands"]})
    assert agreed.status_code == 201, agreed.text
    assert await response("START_SESSION", street.start_body(card, evse_uid=uid)) == (1000, "REJECTED")
    assert (await street.admin.delete(f"/api/v1/ocpi/agreements/{agreed.json()['agreement_id']}")).status_code == 204
    await street.sql("UPDATE locations SET roaming = '{\"shared\": false}'")
    assert await response("START_SESSION", street.start_body(card, evse_uid=uid)) == (2003, "REJECTED")
    assert station.orders == []
    missing = await platform.request("POST", "commands", "RECEIVER", "DANCE", body={}, to=OWN)
    assert missing.status == 404


async def test_the_same_message_twice_is_one_order(street: Street) -> None:
    platform = await street.connected("EMSP:DE:ABC")
    uid = await street.add("CP1")
    station = await street.station("CP1", "ocpp1.6")
    station.answers["RemoteStartTransaction"] = None
    key, url = platform.response_url()
    body = street.start_body(documents.token("CARD"), evse_uid=uid)
    answers: list[Any] = []

    async def send() -> None:
        answers.append(await _once(platform, url, "START_SESSION", body))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(send)
    assert answers == [{"result": "ACCEPTED", "timeout": 60}] * 3
    # another message is another order
    await _once(platform, url, "START_SESSION", body | {"authorization_reference": "other"})
    await station.ordered("RemoteStartTransaction", 1)
    assert [row["command"] for row in await street.commands()] == ["START_SESSION"] * 2
    assert station.count("RemoteStartTransaction") == 1  # the second waits for the first to be answered
    assert platform.results[key] == []


async def test_the_cpo_chooses_the_evse_and_a_long_uid_gets_an_alias(street: Street) -> None:
    platform = await street.connected("EMSP:DE:ABC")
    await street.add("CP1")
    free = await street.add("CP2")
    taken, station = await street.station("CP1", "ocpp1.6"), await street.station("CP2", "ocpp1.6")
    await taken.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"})
    driver = documents.token(str(uuid4()), type="APP_USER", whitelist="ALLOWED_OFFLINE", contract_id="DEABCC000001")
    done = await platform.command("START_SESSION", street.start_body(driver, authorization_reference="ref-2"), to=OWN)
    assert done["result"] == {"result": "ACCEPTED"}, done
    order = await station.ordered("RemoteStartTransaction")
    assert taken.orders == []
    tag = order["idTag"]
    assert tag.startswith("OCPI")
    assert len(tag) == 20
    # the alias is the driver's token for one session
    assert await station.start(tag) == "Accepted"
    session = await street.session_of(tag)

    session_id = session["session_id"]

    async def read(conn: Connection) -> list[SessionSource]:
        return await ocpi_sources.sessions(conn, 1, await ocpi_sources.foreign_tokens(conn, 1, [session_id]))

    (source,) = await street.hub.store.hub.tenant_unit(1, read)
    assert msgspec.to_builtins(cdr_token(source.token)) == documents.cdr_token(driver)
    assert source.vouching == Vouching("COMMAND", "ref-2")
    assert str(source.evse_uid) == free
    stopped = await platform.command("STOP_SESSION", {"session_id": str(session_id)}, to=OWN)
    assert stopped["result"] == {"result": "ACCEPTED"}
    # it is good once, and has an end
    await station.call(
        "StopTransaction", {"transactionId": int(session["transaction_ref"]), "meterStop": 200, "timestamp": instant()}
    )
    assert await station.authorize(tag) == "Blocked"


@by_version
@operation(32)
async def test_places_are_kept_and_given_free_again(street: Street, version: str) -> None:
    platform = await street.connected("EMSP:DE:ABC")
    uid = await street.add("CP1")
    station = await street.station("CP1", version)
    card = documents.token("CARD")

    def body(**members: Any) -> Document:
        return street.start_body(card, evse_uid=uid, reservation_id="Res-1", expiry_date=instant(hours=1), **members)

    async def reservation() -> dict[str, Any]:
        (row,) = await street.sql("SELECT * FROM reservations WHERE ocpi_reservation_id = 'Res-1' ORDER BY created_at DESC LIMIT 1")
        return row

    station.answers["ReserveNow"] = {"status": "Occupied"}
    assert (await platform.command("RESERVE_NOW", body(), to=OWN))["result"] == {"result": "EVSE_OCCUPIED"}
    station.answers["ReserveNow"] = {"status": "Accepted"}
    first = await platform.command("RESERVE_NOW", body(), to=OWN)
    assert first["result"] == {"result": "ACCEPTED"}, first
    held = await reservation()
    order = await station.ordered("ReserveNow", 2)
    assert order["reservationId" if version == "ocpp1.6" else "id"] == held["reservation_id"]
    # M6: the same id again replaces it
    again = await platform.command("RESERVE_NOW", body(authorization_reference="later"), to=OWN)
    assert again["result"] == {"result": "ACCEPTED"}
    assert (await reservation())["reservation_id"] == held["reservation_id"]
    cancelled = await platform.command("CANCEL_RESERVATION", {"reservation_id": "RES-1"}, to=OWN)
    assert cancelled["result"] == {"result": "ACCEPTED"}, cancelled
    assert (await reservation())["status"] == "cancelled"
    over = await platform.command("CANCEL_RESERVATION", {"reservation_id": "Res-1"}, to=OWN)
    assert over["response"]["result"] == "ACCEPTED"
    # M7: one that we cancel ourselves is told to whoever asked for it, and to nobody else
    last = await platform.command("RESERVE_NOW", body(), to=OWN)
    assert last["result"] == {"result": "ACCEPTED"}
    number = (await reservation())["reservation_id"]
    gone = await street.admin.delete(f"/api/v1/reservations/{number}")
    assert gone.status_code < 300, gone.text
    await platform.wait(lambda: len(platform.results[last["key"]]) == 2)
    assert platform.results[last["key"]][1] == {"result": "CANCELED_RESERVATION"}
    assert len(platform.results[first["key"]]) == len(platform.results[again["key"]]) == 1

    await street.settled()
    assert [json.loads(row["request"])["body"]["reservation_id"] for row in await street.commands(command="RESERVE_NOW")] == [
        "Res-1"
    ] * 4
