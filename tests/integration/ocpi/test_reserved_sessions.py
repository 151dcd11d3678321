"""A partner's reservation is told to it as a session, which goes on as the one that begins with it (E3, E5, M6)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from csms.health import HealthRegistry
from csms.outbox import OutboxReader
from csms.outbox import reader as reader_module
from csms.roaming.publication import worker
from csms.roaming.publication.worker import Publication
from csms.store.outbox import ROAMING, OutboxStore
from csms.store.queries import reservations as queries
from tests.integration.ocpi.street import CAPABILITIES, OWN, VERSIONS, Street
from tests.integration.ocpi.test_profiles import PROFILE, schedule_of
from tests.ocpi import documents
from tests.ocpi.documents import Document, instant
from tests.ocpi.operations import operation
from tests.ocpi.platform import Platform

ABLE = (*CAPABILITIES, "CHARGING_PREFERENCES_CAPABLE")


def start_publishing(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on what happens at stations is told to partners."""
    monkeypatch.setattr(reader_module, "POLL_S", 0.05)
    monkeypatch.setattr(worker, "LOOK_FOR_PARTIES_S", 0.05)
    services, health = street.hub.services, HealthRegistry()
    publication = Publication(services.store, services.bus, services.clock, health)
    outbox = OutboxStore(services.store.gateway)

    def reader(sink: Publication) -> OutboxReader:
        return OutboxReader(sink, outbox, services.bus, health, uuid4(), component="roaming", tenants=ROAMING)

    street.nursery.start_soon(publication.run, reader)


async def told(platform: Platform, session_id: str, status: str) -> Document:
    """The session as the platform has been told of it, once it has this status."""
    found: Document = await platform.wait(
        lambda: (held := platform.find("sessions", session_id)) and held["status"] == status and held
    )
    return found


@pytest.mark.parametrize("version", VERSIONS)
@operation(15, 16, 18, 32)
async def test_a_reservation_is_a_session_that_goes_on_with_its_driver(
    street: Street, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_publishing(street, monkeypatch)
    platform = await street.connected("EMSP:DE:ABC")
    other = await street.connected("EMSP:FR:XYZ")
    uid = await street.add("CP1", capabilities=ABLE)
    station = await street.station("CP1", version)
    card = documents.token("CARD")

    async def order(command: str, **body: Any) -> str:
        done = await platform.command(command, body, to=OWN)
        return str((done["result"] or done["response"])["result"])

    async def reserve(number: str, **members: Any) -> str:
        until = members.pop("until", instant(hours=1))
        return await order(
            "RESERVE_NOW", **street.start_body(card, evse_uid=uid, reservation_id=number, expiry_date=until, **members)
        )

    def sessions() -> dict[str, str]:
        return {document["id"]: document["status"] for document in platform.received["sessions"].values()}

    # what the station does not take nobody hears of
    station.answers["ReserveNow"] = {"status": "Occupied"}
    assert await reserve("R-0") == "EVSE_OCCUPIED"
    station.answers["ReserveNow"] = {"status": "Accepted"}
    assert await reserve("R-1", authorization_reference="first") == "ACCEPTED"
    (session_id,) = await platform.wait(sessions)
    kept = await told(platform, session_id, "RESERVATION")
    assert (kept["location_id"], kept["evse_uid"], kept["connector_id"]) == (street.location_id, uid, "1")
    assert (kept["cdr_token"], kept["auth_method"]) == (documents.cdr_token(card), "COMMAND")
    assert (kept["kwh"], kept.get("charging_periods"), kept.get("end_date_time"), kept.get("total_cost")) == (0, None, None, None)
    assert kept["authorization_reference"] == "first"

    # M6: another one in its place is the same session; E7: the last word counts
    assert await reserve("R-1", authorization_reference="later", until=instant(hours=2)) == "ACCEPTED"
    await platform.wait(lambda: platform.find("sessions", session_id)["authorization_reference"] == "later")
    assert await order("STOP_SESSION", session_id=session_id) == "REJECTED"
    unknown = await other.command("STOP_SESSION", {"session_id": session_id}, to=OWN)
    assert unknown["response"]["result"] == "UNKNOWN_SESSION"

    # the driver comes
    assert await order("START_SESSION", **street.start_body(card, evse_uid=uid)) == "ACCEPTED"
    number = (await station.ordered("ReserveNow"))["reservationId" if station.is_16 else "id"]
    assert await station.start("CARD", reservationId=number, at="2030-01-01T10:00:00Z") == "Accepted"
    active = await told(platform, session_id, "ACTIVE")
    assert (active["start_date_time"], active["authorization_reference"]) == ("2030-01-01T10:00:00Z", "later")  # E3
    ours = str((await street.session_of("CARD"))["session_id"])
    assert ours != session_id
    assert sessions() == {session_id: "ACTIVE"}
    (listed,) = await platform.pull("sessions", to=OWN, date_from=instant(hours=-1))
    assert listed == active
    assert await other.pull("sessions", to=OWN, date_from=instant(hours=-1)) == []

    # whatever is asked about it names it by the id that was told, and so does what we tell
    station.answers["GetCompositeSchedule"] = schedule_of(station, 8)
    assert (await platform.profile("PUT", session_id, to=OWN, body=PROFILE))["result"] == {"result": "ACCEPTED"}
    limit = {"purpose": "ChargePointMaxProfile", "unit": "A", "periods": [{"start": 0, "limit": "8"}]}
    limit |= {"start": "2026-05-01T10:00:00Z"}
    await street.admin.post("/api/v1/chargepoints/CP1/commands", {"command": "set_charging_profile", "parameters": limit})
    await platform.wait(lambda: platform.active_profiles)
    assert list(platform.active_profiles) == [session_id]
    for known, expected in ((session_id, (200, "ACCEPTED")), (ours, (404, None))):
        wish = {"profile_type": "FAST"}
        said = await platform.request("PUT", "sessions", "SENDER", known, "charging_preferences", body=wish, to=OWN)
        assert (said.status, said.data) == expected
    assert await order("STOP_SESSION", session_id=ours) == "UNKNOWN_SESSION"
    assert await order("STOP_SESSION", session_id=session_id) == "ACCEPTED"
    ref = (await street.session_of("CARD"))["transaction_ref"]
    if station.is_16:
        await station.call("StopTransaction", {"transactionId": int(ref), "meterStop": 200, "timestamp": instant()})
    else:
        await station.call("TransactionEvent", ended(ref))
    await told(platform, session_id, "COMPLETED")

    # nobody comes: by order of the party, by ours, and when its time is over
    cancel = {"reservation_id": "R-2"}
    assert await reserve("R-2") == "ACCEPTED"
    (second,) = await platform.wait(lambda: sessions().keys() - {session_id})
    await told(platform, second, "RESERVATION")
    assert await order("CANCEL_RESERVATION", **cancel) == "ACCEPTED"
    over = await told(platform, second, "COMPLETED")
    assert over["end_date_time"] >= over["start_date_time"]
    assert await order("STOP_SESSION", session_id=second) == "REJECTED"
    assert await reserve("R-2") == "ACCEPTED"  # the same id once more is another one
    (third,) = await platform.wait(lambda: sessions().keys() - {session_id, second})
    await told(platform, third, "RESERVATION")
    await street.sql("UPDATE reservations SET expires_at = now() - interval '1 s' WHERE ocpi_session_id = $1::uuid", third)
    await street.hub.store.gateway.unit(lambda conn: queries.settle(conn, 10))
    await told(platform, third, "COMPLETED")
    # who comes too late begins a session of its own: what was told to be over stays over (E4)
    late = (await station.ordered("ReserveNow"))["reservationId" if station.is_16 else "id"]
    assert await station.start("CARD", reservationId=late, at="2030-01-02T10:00:00Z") == "Accepted"
    (fourth,) = await platform.wait(lambda: sessions().keys() - {session_id, second, third})
    await told(platform, fourth, "ACTIVE")
    assert sessions() == {session_id: "COMPLETED", second: "COMPLETED", third: "COMPLETED", fourth: "ACTIVE"}
    (own,) = await street.sql("SELECT * FROM reservations WHERE ocpi_session_id = $1::uuid", third)
    assert (own["status"], str(own["session_id"])) == ("used", fourth)
    assert {document["id"] for document in other.received["sessions"].values()} == set()


@operation(32)
async def test_a_driver_is_led_to_the_place_that_is_kept(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """E5 for an app: its uid does not fit OCPP 1.6, and the station has to be told the same alias twice."""
    start_publishing(street, monkeypatch)
    platform = await street.connected("EMSP:DE:ABC")
    _, kept = await street.add("CP1"), await street.add("CP2")
    first, second = [await street.station(identity, "ocpp1.6") for identity in ("CP1", "CP2")]
    driver = documents.token(str(uuid4()), type="APP_USER", contract_id="DEABCC000001")
    place = street.start_body(driver, reservation_id="R-1", expiry_date=instant(hours=1), evse_uid=kept)
    assert (await platform.command("RESERVE_NOW", place, to=OWN))["result"] == {"result": "ACCEPTED"}
    order = await second.ordered("ReserveNow")
    (session_id,) = await platform.wait(lambda: [one["id"] for one in platform.received["sessions"].values()])
    assert (await told(platform, session_id, "RESERVATION"))["evse_uid"] == kept

    started = await platform.command("START_SESSION", street.start_body(driver, authorization_reference="here"), to=OWN)
    assert started["result"] == {"result": "ACCEPTED"}, started
    remote = await second.ordered("RemoteStartTransaction")
    assert (remote["idTag"], first.orders) == (order["idTag"], [])
    assert await second.start(order["idTag"], reservationId=order["reservationId"]) == "Accepted"
    active = await told(platform, session_id, "ACTIVE")
    assert (active["cdr_token"], active["authorization_reference"]) == (documents.cdr_token(driver), "here")
    # with nothing kept any more it is any that is free, under a new alias
    again = await platform.command("START_SESSION", street.start_body(driver), to=OWN)
    assert again["result"] == {"result": "ACCEPTED"}, again
    assert (await first.ordered("RemoteStartTransaction"))["idTag"] != order["idTag"]


def ended(transaction: str) -> Document:
    return {
        "eventType": "Ended",
        "timestamp": "2030-01-01T11:00:00Z",
        "triggerReason": "RemoteStop",
        "seqNo": 1,
        "transactionInfo": {"transactionId": transaction, "stoppedReason": "Remote"},
    }
