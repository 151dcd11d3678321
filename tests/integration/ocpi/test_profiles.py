"""Charging profiles of a partner for its sessions at our stations, and the wishes of its drivers (digest, chapters 10 and 16)."""

from __future__ import annotations

from typing import Any

import pytest

from hub.ocpi.own import chargingprofiles
from tests.integration.ocpi.street import CAPABILITIES, OWN, VERSIONS, LiveStation, Street
from tests.ocpi import documents
from tests.ocpi.documents import Document
from tests.ocpi.operations import operation
from tests.ocpi.platform import Platform

by_version = pytest.mark.parametrize("version", VERSIONS)

PROFILE: Document = {
    "charging_rate_unit": "A",
    "min_charging_rate": 6.0,
    "duration": 3600,
    "charging_profile_period": [{"start_period": 0, "limit": 16.5}, {"start_period": 600, "limit": 10}],
}


async def _charging(street: Street, platform: Platform, station: LiveStation, uid: str) -> dict[str, Any]:
    """A session of the platform's card."""
    done = await platform.command("START_SESSION", street.start_body(documents.token("CARD"), evse_uid=uid), to=OWN)
    assert done["result"] == {"result": "ACCEPTED"}, done
    assert await station.start("CARD") == "Accepted"
    return await street.session_of("CARD")


def schedule_of(station: LiveStation, limit: float) -> dict[str, Any]:
    """The answer to GetCompositeSchedule."""
    periods = [{"startPeriod": 0, "limit": limit}]
    if station.is_16:
        schedule = {"duration": 600, "chargingRateUnit": "A", "chargingSchedulePeriod": periods, "minChargingRate": 6.04}
        return {"status": "Accepted", "connectorId": 1, "scheduleStart": "2026-05-01T10:00:00Z", "chargingSchedule": schedule}
    schedule = {
        "evseId": 1,
        "duration": 600,
        "scheduleStart": "2026-05-01T10:00:00Z",
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": periods,
    }
    return {"status": "Accepted", "schedule": schedule}


@by_version
@operation(34, 35, 36)
async def test_profiles_are_set_told_changed_and_cleared(street: Street, version: str) -> None:
    platform = await street.connected("EMSP:DE:ABC")
    other = await street.connected("EMSP:FR:XYZ")
    uid = await street.add("CP1")
    station = await street.station("CP1", version)
    session = await _charging(street, platform, station, uid)
    session_id = str(session["session_id"])

    # PUT (Q1): the station's profile is that of the transaction
    done = await platform.profile("PUT", session_id, to=OWN, body=PROFILE)
    assert (done["response"], done["result"]) == ({"result": "ACCEPTED", "timeout": 60}, {"result": "ACCEPTED"})
    order = await station.ordered("SetChargingProfile")
    profile = order["csChargingProfiles" if station.is_16 else "chargingProfile"]
    schedule = profile["chargingSchedule"] if station.is_16 else profile["chargingSchedule"][0]
    assert str(profile["transactionId"]) == session["transaction_ref"]
    assert (profile["chargingProfilePurpose"], profile["chargingProfileKind"]) == ("TxProfile", "Relative")
    assert (schedule["chargingRateUnit"], schedule["duration"], schedule["minChargingRate"]) == ("A", 3600, 6)
    assert [(p["startPeriod"], p["limit"]) for p in schedule["chargingSchedulePeriod"]] == [(0, 16.5), (600, 10)]

    # GET: what the station works out
    station.answers["GetCompositeSchedule"] = schedule_of(station, 15.96)
    got = await platform.profile("GET", session_id, to=OWN)
    assert got["result"]["result"] == "ACCEPTED"
    active = got["result"]["profile"]
    assert active["start_date_time"] == "2026-05-01T10:00:00Z"
    assert active["charging_profile"]["charging_profile_period"] == [{"start_period": 0, "limit": 16.0}]  # Q7: one decimal
    assert (await station.ordered("GetCompositeSchedule"))["duration"] == 600
    assert platform.active_profiles == {}  # Q3: its own change is not reported back

    # Q3: a limit of ours is told to whoever has set one
    station.answers["GetCompositeSchedule"] = schedule_of(station, 8)
    limit = {
        "purpose": "ChargePointMaxProfile",
        "unit": "A",
        "periods": [{"start": 0, "limit": "8"}],
        "start": "2026-05-01T10:00:00Z",
    }
    ordered = await street.admin.post("/api/v1/chargepoints/CP1/commands", {"command": "set_charging_profile", "parameters": limit})
    assert ordered.json()["status"] == "accepted", ordered.text
    await platform.wait(lambda: platform.active_profiles.get(session_id))
    reported = platform.active_profiles[session_id]["charging_profile"]
    assert reported["charging_profile_period"] == [{"start_period": 0, "limit": 8.0}]
    assert len(platform.requests("chargingprofiles", "PUT")) == 1

    # Q4: nobody else's, and none that is not there
    assert (await other.profile("PUT", session_id, to=OWN, body=PROFILE))["response"]["result"] == "UNKNOWN_SESSION"
    # DELETE
    station.answers["ClearChargingProfile"] = {"status": "Accepted"}
    assert (await platform.profile("DELETE", session_id, to=OWN))["result"] == {"result": "ACCEPTED"}
    cleared = await station.ordered("ClearChargingProfile")
    assert cleared["id" if station.is_16 else "chargingProfileId"] == profile["chargingProfileId" if station.is_16 else "id"]
    station.answers["ClearChargingProfile"] = {"status": "Unknown"}
    assert (await platform.profile("DELETE", session_id, to=OWN))["result"] == {"result": "UNKNOWN"}
    # nobody has set a profile any more: changes are not told
    before = station.count("GetCompositeSchedule")
    await street.admin.post("/api/v1/chargepoints/CP1/commands", {"command": "set_charging_profile", "parameters": limit})

    await street.settled()
    assert station.count("GetCompositeSchedule") == before
    station.answers["SetChargingProfile"] = {"status": "Rejected"}
    assert (await platform.profile("PUT", session_id, to=OWN, body=PROFILE))["result"] == {"result": "REJECTED"}


@operation(16)
async def test_profiles_that_cannot_be_and_too_many(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = await street.connected("EMSP:DE:ABC")
    uid = await street.add("CP1", capabilities=(*CAPABILITIES, "CHARGING_PREFERENCES_CAPABLE"))
    station = await street.station("CP1", "ocpp1.6")
    session = await _charging(street, platform, station, uid)
    session_id = str(session["session_id"])
    for change, field in (
        ({"charging_profile_period": []}, "charging_profile_period"),
        ({"charging_profile_period": [{"start_period": 5, "limit": 16}]}, "starts at 0"),
        ({"charging_rate_unit": "VA"}, "charging_rate_unit"),
    ):
        reply = await platform.profile("PUT", session_id, to=OWN, body=PROFILE | change)
        assert reply["response"]["code"] == 2001, reply
        assert field in reply["response"]["message"]
    for query in (
        {"response_url": "http://x.example/"},
        {"duration": "600"},
        {"duration": "0", "response_url": "http://x.example/"},
    ):
        bad = await platform.request("GET", "chargingprofiles", "RECEIVER", session_id, query=query, to=OWN)
        assert bad.code == 2001, bad
    monkeypatch.setattr(chargingprofiles, "PER_MINUTE", 2)
    answers = [(await platform.profile("DELETE", session_id, to=OWN))["response"]["result"] for _ in range(3)]
    assert answers == ["ACCEPTED", "ACCEPTED", "TOO_OFTEN"]

    # what drivers wish (E10)
    async def prefer(**wishes: Any) -> tuple[int, int, Any]:
        reply = await platform.request("PUT", "sessions", "SENDER", session_id, "charging_preferences", body=wishes, to=OWN)
        return reply.status, reply.code, reply.data

    assert await prefer(profile_type="FAST") == (200, 1000, "ACCEPTED")
    assert await prefer(profile_type="REGULAR", energy_need=20.5) == (200, 1000, "ACCEPTED")
    assert await prefer(profile_type="CHEAP") == (200, 1000, "PROFILE_TYPE_NOT_SUPPORTED")
    assert (await prefer(energy_need=20))[1] == 2001
    await street.sql('UPDATE evses SET roaming = \'{"capabilities": ["REMOTE_START_STOP_CAPABLE"]}\'')
    assert (await prefer(profile_type="FAST"))[:2] == (404, 2001)
    monkeypatch.setattr(chargingprofiles, "PER_MINUTE", 100)
    assert (await platform.profile("DELETE", session_id, to=OWN))["response"]["result"] == "NOT_SUPPORTED"
