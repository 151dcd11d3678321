"""Transactions of OCPP 2.0.1 and 2.1 (Y1 to Y13)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.rules.playing import (
    OCPP21,
    TOKEN,
    answer,
    at,
    boot,
    booted,
    each_2x,
    event,
    published,
    status,
    tell,
    the_session,
    until,
)
from tests.integration.gateway.site import Site, Station, running

RESUMED = {"triggerReason": "TxResumed"}


async def question(station: Station) -> Any:
    """The GetTransactionStatus that the station is sent."""
    call = await station.receive()
    assert call[2] == "GetTransactionStatus", call
    return call


async def once(site: Site, **wanted: Any) -> dict[str, Any]:
    """The one session, once it looks like this."""

    async def look() -> dict[str, Any] | None:
        session = await the_session(site)
        return session if all(session[name] == value for name, value in wanted.items()) else None

    found: dict[str, Any] = await until(look)
    return found


async def fall_silent(site: Site, hours: int = 2) -> None:
    """Nothing was heard of the sessions for so long, and nothing asked."""
    await site.execute(
        "UPDATE sessions SET updated_at = now() - make_interval(hours => $1), asked_at = NULL, reconcile_at = NULL", hours
    )


@each_2x
async def test_y1_one_id_of_two_stations_is_two_sessions(database: str, version: str) -> None:
    async with booted(database, version) as (site, station), site.station("CP2", versions=[version]) as other:
        await other.boot()
        for one in (station, other):
            await tell(one, "TransactionEvent", event("Started", 0, 100))
        await tell(other, "TransactionEvent", event("Ended", 1, 300))
        rows = await site.rows(
            "SELECT status, energy_wh FROM sessions JOIN stations USING (tenant_id, station_id) ORDER BY identity"
        )
        assert [tuple(row.values()) for row in rows] == [("active", 0), ("completed", 200)]


@each_2x
async def test_y2_an_unauthorised_token_is_told_and_the_session_exists(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await site.tenant(unknown_tokens="refuse")
        told = await tell(station, "TransactionEvent", event("Started", 0, idToken=TOKEN))
        assert told == {"idTokenInfo": {"status": "Unknown"}}
        session = await the_session(site)
        assert (session["status"], session["flags"], session["authorization_status"]) == ("active", ["unauthorized"], "Unknown")


@each_2x
async def test_y3_token_info_is_in_the_answer_to_each_event_with_a_token_and_in_no_other(database: str, version: str) -> None:
    async with booted(database, version) as (_, station):
        assert await tell(station, "TransactionEvent", event("Started", 0)) == {}
        for kind, seq_no in (("Updated", 1), ("Ended", 3)):
            told = await tell(station, "TransactionEvent", event(kind, seq_no, idToken=TOKEN))
            assert told == {"idTokenInfo": {"status": "Accepted"}}
        assert await tell(station, "TransactionEvent", event("Updated", 2)) == {}


@each_2x
async def test_y4_what_comes_once_stays(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        info = {"transactionId": "T-1", "remoteStartId": 7}
        first = event("Started", 0, evse={"id": 2, "connectorId": 1}, idToken=TOKEN, reservationId=9, transactionInfo=info)
        await tell(station, "TransactionEvent", first)
        for kind, seq_no in (("Updated", 1), ("Ended", 2)):
            await tell(station, "TransactionEvent", event(kind, seq_no))
        session = await the_session(site)
        kept = ("evse_id", "connector_id", "id_token", "reservation_id", "remote_start_id")
        assert [session[name] for name in kept] == [2, 1, "TAG", 9, 7]


@each_2x
async def test_y5_complete_is_every_number_from_the_first_to_the_last(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        for kind, seq_no in (("Started", 415), ("Updated", 416), ("Ended", 418)):
            await tell(station, "TransactionEvent", event(kind, seq_no, timestamp=at(seq_no - 418)))
        assert "missing_events" in (await the_session(site))["flags"]
        await tell(station, "TransactionEvent", event("Updated", 417, timestamp=at(-1)), amid_calls=True)
        session = await the_session(site)
        assert (session["status"], session["flags"]) == ("completed", [])


@each_2x
async def test_y6_an_equal_event_has_no_effect_and_the_same_answer(database: str, version: str) -> None:
    started = event("Started", 0, 100, idToken=TOKEN)
    async with booted(database, version) as (site, station):
        first = await tell(station, "TransactionEvent", started)
        await site.execute("UPDATE id_tokens SET status = 'blocked'")
        assert await tell(station, "TransactionEvent", started | {"offline": True}) == first
        assert (await the_session(site))["event_count"] == 1
        assert len(await published(site, "session.started")) == 1


@each_2x
async def test_y6_other_content_under_a_number_is_a_conflict(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100))
        await tell(station, "TransactionEvent", event("Ended", 1, 600))
        await tell(station, "TransactionEvent", event("Ended", 1, 9000, timestamp=at(-5)))
        session = await the_session(site)
        assert (session["energy_wh"], session["flags"]) == (500, ["conflict"])
        rows = await site.rows("SELECT conflict FROM transaction_events WHERE seq_no = 1 ORDER BY recorded_at")
        assert [row["conflict"] for row in rows] == [False, True]


@each_2x
async def test_y6_an_ended_id_with_a_later_start_is_a_new_transaction(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        for kind, seq_no in (("Started", 0), ("Ended", 1)):
            await tell(station, "TransactionEvent", event(kind, seq_no, 100 * seq_no))
        await tell(station, "TransactionEvent", event("Started", 0, 500, timestamp=at()))
        rows = await site.rows("SELECT status, flags FROM sessions ORDER BY incarnation")
        assert [tuple(row.values()) for row in rows] == [("completed", []), ("active", ["reused_id"])]


@each_2x
async def test_y7_events_in_any_order_make_the_same_session(database: str, version: str) -> None:
    events = [event("Started", 0, 100, idToken=TOKEN), event("Updated", 1, 300), event("Updated", 2, 400), event("Ended", 3, 700)]
    async with booted(database, version) as (site, station):
        for order in ((0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 0, 1)):
            ref = "-".join(map(str, order))
            for number in order:
                message = events[number] | {"transactionInfo": {"transactionId": ref}}
                await tell(station, "TransactionEvent", message, amid_calls=True)
                if ref == "3-1-0-2":
                    rows = await site.rows("SELECT status FROM sessions WHERE transaction_ref = $1", ref)
                    assert [row["status"] for row in rows] == ["completed"], "nothing reopens it"
        rows = await site.rows(
            "SELECT DISTINCT status, id_token, start_time, stop_time, start_meter_wh, stop_meter_wh, energy_wh, flags FROM sessions"
        )
        assert len(rows) == 1, rows
        assert (rows[0]["status"], rows[0]["energy_wh"]) == ("completed", 600)


@each_2x
async def test_y8_a_silent_session_that_goes_on_is_left_alone(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100))
        assert await station.silent(0.3), "nobody asks about what was just heard"
        await fall_silent(site)
        call = await question(station)
        assert call[3] == {"transactionId": "T-1"}
        await answer(station, call, {"ongoingIndicator": True, "messagesInQueue": False})
        assert await station.silent(0.4), "it is not asked again at once"
        assert (await the_session(site))["status"] == "active"
        # still nothing, later
        await site.execute("UPDATE sessions SET reconcile_at = now() - interval '1 s'")
        await answer(station, await question(station), {"ongoingIndicator": True, "messagesInQueue": False})
        assert (await the_session(site))["status"] == "active"


@each_2x
async def test_y8_messages_in_the_queue_are_waited_for(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100))
        await fall_silent(site)
        await answer(station, await question(station), {"ongoingIndicator": False, "messagesInQueue": True})
        assert await station.silent(0.3)
        assert (await the_session(site))["status"] == "active"
        await tell(station, "TransactionEvent", event("Ended", 1, 600))
        session = await the_session(site)
        assert (session["status"], session["energy_wh"], session["flags"]) == ("completed", 500, [])


@each_2x
async def test_y8_a_session_that_the_station_forgot_is_closed_as_last_known(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100))
        await tell(station, "TransactionEvent", event("Updated", 1, 400))
        await fall_silent(site)
        await answer(station, await question(station), {"messagesInQueue": False, "ongoingIndicator": False})
        session = await once(site, status="incomplete")
        assert (session["stop_meter_wh"], session["energy_wh"]) == (400, 300)
        assert session["flags"] == ["reconciled", "stop_missing"]
        assert [ended["status"] for ended in await published(site, "session.ended")] == ["incomplete"]
        # it had not forgotten: the end counts, and what was billed by then is corrected
        await tell(station, "TransactionEvent", event("Ended", 2, 900))
        session = await the_session(site)
        assert (session["status"], session["energy_wh"], session["flags"]) == ("completed", 800, ["reconciled"])
        (row,) = await site.rows("SELECT cause, changes FROM session_corrections")
        changes = json.loads(row["changes"])
        assert row["cause"] == "TransactionEvent"
        assert changes["status"] == ["incomplete", "completed"]
        assert [float(wh) for wh in changes["energy_wh"]] == [300, 800]
        assert len(await published(site, "session.corrected")) == 1


@each_2x
async def test_y8_a_question_that_was_not_answered_is_asked_again(database: str, version: str) -> None:
    async with booted(database, version, call_timeout_s=1) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100))
        await fall_silent(site)
        await question(station)

        async def given_up() -> bool:
            return bool(await site.rows("SELECT 1 FROM commands WHERE status = 'timed_out'"))

        await until(given_up)
        (row,) = await site.rows("SELECT reconcile_at - now() < interval '61 s' AS soon FROM sessions")
        assert row["soon"]
        await site.execute("UPDATE sessions SET reconcile_at = now()")
        await question(station)
        assert (await the_session(site))["status"] == "active"


@each_2x
async def test_y8_after_a_boot_or_a_cut_the_station_has_time_to_go_on(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100))
        await station.boot()
        assert await station.silent(0.3), "it has just booted"
        await site.execute("UPDATE stations SET booted_at = now() - interval '3 min', connected_at = now() - interval '4 min'")
        await site.execute("UPDATE sessions SET updated_at = now() - interval '5 min'")
        await answer(station, await question(station), {"messagesInQueue": False, "ongoingIndicator": True})
        # a cut
        async with site.station(versions=[version]) as again:
            await again.call("Heartbeat", {})
            assert await again.silent(0.3), "it has just come back"
            await site.execute("UPDATE stations SET connected_at = now() - interval '121 s', booted_at = now() - interval '1 h'")
            await site.execute("UPDATE sessions SET updated_at = now() - interval '5 min', asked_at = now() - interval '4 min'")
            await question(again)


@each_2x
async def test_y8_who_is_away_for_days_is_given_up(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100))
        await tell(station, "TransactionEvent", event("Updated", 1, 250))
    async with running(database) as site:
        await fall_silent(site, 71)
        await until(lambda: _ticks(site, 3))
        assert (await the_session(site))["status"] == "active"
        await fall_silent(site, 73)
        session = await once(site, status="incomplete")
        assert (session["energy_wh"], session["flags"]) == (150, ["given_up", "stop_missing"])


async def _ticks(site: Site, count: int) -> bool:
    from csms.domain.operations import ReconcileSessions

    return sum(isinstance(operation, ReconcileSessions) for operation in site.ledger.submitted) >= count


@each_2x
async def test_y8_what_is_missing_is_asked_for_until_the_station_has_no_more(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100))
        await tell(station, "TransactionEvent", event("Ended", 3, 400))
        await answer(station, await question(station), {"messagesInQueue": True})
        assert await station.silent(0.3)
        await tell(station, "TransactionEvent", event("Updated", 1, 200))
        await site.execute("UPDATE sessions SET reconcile_at = now()")
        await answer(station, await question(station), {"messagesInQueue": False, "ongoingIndicator": False})

        async def told() -> bool:
            return "events_lost" in (await the_session(site))["flags"]

        await until(told)
        session = await the_session(site)
        assert (session["status"], session["energy_wh"], session["reconcile_at"]) == ("completed", 300, None)
        assert await station.silent(0.3), "it is not asked any more"


@each_2x
async def test_y8_what_was_missing_and_came_needs_no_more_questions(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100))
        await tell(station, "TransactionEvent", event("Ended", 2, 400))
        await answer(station, await question(station), {"messagesInQueue": True})
        await tell(station, "TransactionEvent", event("Updated", 1, 200))
        await site.execute("UPDATE sessions SET reconcile_at = now()")
        await once(site, reconcile_at=None)
        assert await station.silent(0.2)
        assert (await the_session(site))["flags"] == []


@each_2x
async def test_y9_gaps_between_offline_events_are_no_loss_with_the_final_register(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        for kind, seq_no, wh in (("Started", 0, 100), ("Updated", 2, 200), ("Ended", 5, 700)):
            await tell(station, "TransactionEvent", event(kind, seq_no, wh, offline=True))
        session = await the_session(site)
        assert (session["status"], session["energy_wh"]) == ("completed", 600)
        assert "offline" in session["flags"]
        await answer(station, await question(station), {"messagesInQueue": False, "ongoingIndicator": False})
        await once(site, reconcile_at=None)
        assert "events_lost" not in (await the_session(site))["flags"]


@each_2x
async def test_y9_without_the_final_register_a_gap_is_a_loss(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        for kind, seq_no, wh in (("Started", 0, 100), ("Updated", 2, 200), ("Ended", 5, None)):
            await tell(station, "TransactionEvent", event(kind, seq_no, wh, offline=True))
        await answer(station, await question(station), {"messagesInQueue": False, "ongoingIndicator": False})
        await once(site, reconcile_at=None)
        assert "events_lost" in (await the_session(site))["flags"]


@each_2x
async def test_y10_readings_of_one_moment_may_come_in_several_events(database: str, version: str) -> None:
    moment = at(-10)

    def part(measurand: str, value: float) -> list[dict[str, Any]]:
        return [{"timestamp": moment, "sampledValue": [{"value": value, "measurand": measurand}]}]

    async with booted(database, version) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100))
        for seq_no, (measurand, value) in enumerate((("Energy.Active.Import.Register", 400), ("Voltage", 230)), 1):
            split = event("Updated", seq_no, timestamp=moment, meterValue=part(measurand, value))
            await tell(station, "TransactionEvent", split)
        session = await the_session(site)
        assert (session["energy_wh"], session["flags"], session["event_count"]) == (300, [], 3)
        rows = await site.rows('SELECT "values" FROM samples WHERE ts = (SELECT max(ts) FROM samples)')
        assert sorted(float(row["values"][0]) for row in rows) == [230, 400]


@each_2x
async def test_y11_no_answer_has_a_cost_that_nobody_knows(database: str, version: str) -> None:
    async with booted(database, version) as (_, station):
        for kind, seq_no in (("Started", 0), ("Updated", 1), ("Ended", 2)):
            assert "totalCost" not in await tell(station, "TransactionEvent", event(kind, seq_no, 100 * seq_no, idToken=TOKEN))


def profile(profile_id: int, limit: float, *, tx: str = "T-1") -> dict[str, Any]:
    schedule = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    whole = {
        "id": profile_id,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "transactionId": tx,
        "chargingSchedule": [schedule],
    }
    return {"evseId": 1, "chargingProfile": whole}


async def give(site: Site, station: Station, action: str, payload: Any) -> None:
    """Order a CALL that the station accepts."""
    command_id = await site.order("CP1", None, payload, action=action)
    await answer(station, await station.receive(), {"status": "Accepted"})
    await site.command(command_id, until="accepted")


async def limit(site: Site, station: Station, command: str, **parameters: Any) -> Any:
    """The same in the product's own terms; gives the CALL."""
    command_id = await site.order("CP1", command, parameters)
    call = await station.receive()
    await answer(station, call, {"status": "Accepted"})
    await site.command(command_id, until="accepted")
    return call


async def test_y12_a_resumed_transaction_goes_on_and_gets_its_profile_again(database: str) -> None:
    async with booted(database, OCPP21) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100, evse={"id": 1}))
        for wanted in (profile(5, 7000), profile(5, 3000), profile(6, 1000), profile(8, 9, tx="T-other")):
            await give(site, station, "SetChargingProfile", wanted)
        await give(site, station, "ClearChargingProfile", {"chargingProfileId": 6})
        kept = {"evse_id": 1, "unit": "A", "periods": [{"start": 0, "limit": 6.5}]}
        own = await limit(site, station, "set_charging_profile", transaction_id="T-1", **kept)
        await limit(site, station, "set_charging_profile", transaction_id="T-other", **kept)
        await limit(site, station, "clear_charging_profile", transaction_id="T-other")
        async with site.station(versions=[OCPP21]) as again:
            assert (await tell(again, "BootNotification", boot(OCPP21)))["status"] == "Accepted"
            assert await again.silent(0.3), "a boot alone does nothing to it"
            await tell(again, "TransactionEvent", event("Updated", 1, 150, **RESUMED))
            calls = []
            for _ in (1, 2):
                calls.append(await again.receive())
                await answer(again, calls[-1], {"status": "Accepted"})
            calls.sort(key=lambda call: int(call[3]["chargingProfile"]["id"]))
            newest = ["SetChargingProfile", profile(5, 3000)]
            assert [call[2:] for call in calls] == [newest, own[2:]], "the newest of those that were not cleared"
            assert await again.silent(0.3)
            await tell(again, "TransactionEvent", event("Ended", 2, 400))
        session = await the_session(site)
        assert (session["status"], session["energy_wh"], session["flags"]) == ("completed", 300, [])


@pytest.mark.parametrize("why", ["persistent", "late"])
async def test_y12_a_profile_is_not_sent_again_without_need(database: str, why: str) -> None:
    async with booted(database, OCPP21) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100, evse={"id": 1}))
        await give(site, station, "SetChargingProfile", profile(5, 7000))
        if why == "persistent":
            kept = {
                "component": {"name": "SmartChargingCtrlr"},
                "variable": {"name": "ChargingProfilePersistence", "instance": "TxProfile"},
                "variableAttribute": [{"value": "true"}],
            }
            report = {"requestId": 1, "generatedAt": at(), "seqNo": 0, "reportData": [kept]}
            assert await tell(station, "NotifyReport", report) == {}
        moment = at(-3600) if why == "late" else at()
        await tell(station, "TransactionEvent", event("Updated", 1, 150, timestamp=moment, offline=True, **RESUMED))
        assert await station.silent(0.4)


@each_2x
async def test_y12_a_station_that_does_not_resume_ends_after_its_boot(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await tell(station, "TransactionEvent", event("Started", 0, 100))
        await station.boot()
        assert (await the_session(site))["status"] == "active"
        ended = event("Ended", 1, 200, triggerReason="AbnormalCondition")
        ended["transactionInfo"]["stoppedReason"] = "PowerLoss"
        await tell(station, "TransactionEvent", ended)
        session = await the_session(site)
        assert (session["status"], session["stop_reason"], session["energy_wh"]) == ("completed", "PowerLoss", 100)


@each_2x
async def test_y13_states_of_connectors_are_no_transactions(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await tell(station, "StatusNotification", status(version, state="Occupied"))
        assert await site.rows("SELECT 1 FROM sessions") == []
        await tell(station, "TransactionEvent", event("Started", 0, 100, evse={"id": 1, "connectorId": 1}))
        await tell(station, "StatusNotification", status(version))
        available = {
            "eventId": 1,
            "timestamp": at(),
            "trigger": "Delta",
            "actualValue": "Available",
            "eventNotificationType": "HardWiredNotification",
            "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}},
            "variable": {"name": "AvailabilityState"},
        }
        assert await tell(station, "NotifyEvent", {"generatedAt": at(), "seqNo": 0, "eventData": [available]}) == {}
        assert (await the_session(site))["status"] == "active"
