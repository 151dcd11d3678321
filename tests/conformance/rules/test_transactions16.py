"""Transactions of OCPP 1.6 (X1 to X11), and what rule Y8 asks for where 1.6 has no word for it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.conformance.rules.playing import (
    OCPP16,
    answer,
    at,
    booted,
    meter,
    published,
    start,
    status,
    stop,
    tell,
    the_session,
    until,
)
from tests.integration.gateway.site import Site, Station, running

ACCEPTED = {"status": "Accepted"}


async def begin(station: Station, **changes: Any) -> int:
    started = await tell(station, "StartTransaction", start(**changes))
    return int(started["transactionId"])


async def sessions(site: Site) -> dict[str, dict[str, Any]]:
    """By transaction id."""
    return {row["transaction_ref"]: row for row in await site.rows("SELECT * FROM sessions")}


async def questions(station: Station) -> list[Any]:
    """What an asked station of 1.6 is sent: its meter and the state of the connector are to tell (rule Y8)."""
    calls = []
    for _ in range(2):
        call = await station.receive()
        assert call[2] == "TriggerMessage", call
        await answer(station, call, ACCEPTED)
        calls.append(call[3])
    return calls


async def fall_silent(site: Site, hours: int = 2) -> None:
    await site.execute(
        "UPDATE sessions SET updated_at = now() - make_interval(hours => $1), asked_at = NULL, reconcile_at = NULL", hours
    )


async def test_x1_ids_of_all_stations_are_unique_positive_and_show_no_order(database: str) -> None:
    async with booted(database, OCPP16) as (site, station), site.station("CP2") as other:
        await other.boot()
        ids = [await begin(one, meterStart=number) for number in range(20) for one in (station, other)]
    async with running(database) as site, site.station() as station:
        ids += [await begin(station, meterStart=number) for number in range(100, 110)]
    assert len(set(ids)) == len(ids)
    assert all(1 <= number <= 2**31 - 1 for number in ids)
    assert len({later - earlier for earlier, later in pairwise(ids)}) > 45


async def test_x2_a_start_with_a_refused_token_is_a_transaction(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        await tell(station, "Authorize", {"idTag": "TAG"})
        await site.execute("UPDATE id_tokens SET status = 'blocked'")
        started = await tell(station, "StartTransaction", start())
        assert started["idTagInfo"] == {"status": "Blocked"}, "it is checked again"
        (session,) = (await sessions(site)).values()
        assert session["transaction_ref"] == str(started["transactionId"])
        assert (session["status"], session["flags"]) == ("active", ["unauthorized"])
        assert await station.silent(0.2), "the station decides what to do"


async def test_x3_an_equal_start_gets_the_same_answer(database: str) -> None:
    message = start()
    async with booted(database, OCPP16) as (site, station):
        first = await tell(station, "StartTransaction", message)
        await site.execute("UPDATE id_tokens SET status = 'blocked'")
        for message_id in ("another", "and another"):
            assert await tell(station, "StartTransaction", message, message_id) == first
        assert len(await sessions(site)) == 1
        for other in ({"meterStart": 101}, {"timestamp": at(-59)}, {"idTag": "OTHER"}, {"connectorId": 2}):
            assert (await tell(station, "StartTransaction", message | other))["transactionId"] != first["transactionId"]


async def test_x3_the_transaction_itself_does_not_make_its_repeat_concurrent(database: str) -> None:
    message = start()
    async with booted(database, OCPP16) as (_, station):
        assert (await tell(station, "StartTransaction", message))["idTagInfo"] == ACCEPTED
        other = await tell(station, "StartTransaction", start(connectorId=2))
        assert other["idTagInfo"] == {"status": "ConcurrentTx"}
        assert (await tell(station, "StartTransaction", message))["idTagInfo"] == ACCEPTED


async def test_x3_a_station_without_a_clock_starts_again(database: str) -> None:
    message = start(meterStart=0, timestamp="1970-01-01T00:00:00Z")
    async with booted(database, OCPP16) as (_, station):
        first = await tell(station, "StartTransaction", message)
        assert await tell(station, "StartTransaction", message) == first, "it is still on"
        await tell(station, "StopTransaction", stop(first["transactionId"], timestamp="1970-01-01T00:10:00Z"))
        assert (await tell(station, "StartTransaction", message))["transactionId"] != first["transactionId"]


async def test_x4_another_start_supersedes_the_one_without_a_stop(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        first = await begin(station)
        await tell(station, "MeterValues", meter(first, "400", seconds=-40))
        second = await tell(station, "StartTransaction", start(meterStart=450, timestamp=at(-20)))
        assert second["idTagInfo"] == ACCEPTED, "the one on its own connector does not count"
        old, new = (await sessions(site))[str(first)], (await sessions(site))[str(second["transactionId"])]
        assert (old["status"], old["flags"], old["energy_wh"]) == ("incomplete", ["superseded", "stop_missing"], 300)
        assert new["status"] == "active"


@pytest.mark.parametrize(
    "stale",
    [
        "UPDATE sessions SET updated_at = now() - interval '25 hours'",
        "UPDATE stations SET booted_at = now() + interval '1 s'",
    ],
)
async def test_x4_stale_transactions_do_not_make_a_token_concurrent(database: str, stale: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        await begin(station)
        await site.execute(stale)
        assert (await tell(station, "StartTransaction", start(connectorId=2)))["idTagInfo"] == ACCEPTED


async def test_x5_minus_one_is_linked_to_the_only_one_that_fits(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        transaction = await begin(station)
        assert await tell(station, "MeterValues", meter(-1, "300")) == {}
        assert (await the_session(site))["energy_wh"] == 200
        assert await tell(station, "StopTransaction", stop(-1, idTag="TAG")) == {"idTagInfo": ACCEPTED}
        session = await the_session(site)
        assert (session["transaction_ref"], session["status"], session["energy_wh"]) == (str(transaction), "completed", 1000)


@pytest.mark.parametrize(
    ("connectors", "message"),
    [
        ((), stop(-1)),
        ((1, 2), stop(-1)),
        ((1,), stop(-1, idTag="SOMEBODY")),
        ((1,), stop(-1, timestamp=at(-3600))),
        ((1,), stop(0)),
        ((1,), stop(4711)),
    ],
)
async def test_x5_what_fits_none_or_several_is_an_orphan(database: str, connectors: tuple[int, ...], message: Any) -> None:
    async with booted(database, OCPP16) as (site, station):
        for connector in connectors:
            await begin(station, connectorId=connector)
        await tell(station, "StopTransaction", message)
        assert await tell(station, "MeterValues", meter(message["transactionId"], "5", connector=3)) == {}
        rows = await site.rows("SELECT action, reason FROM quarantine ORDER BY quarantine_id")
        assert [tuple(row.values()) for row in rows] == [("StopTransaction", "orphan"), ("MeterValues", "orphan")]
        assert {row["status"] for row in (await sessions(site)).values()} <= {"active"}


async def test_x6_the_transaction_of_another_station_is_not_touched(database: str) -> None:
    async with booted(database, OCPP16) as (site, owner), site.station("CP2") as thief:
        await thief.boot()
        transaction = await begin(owner)
        assert await tell(thief, "StopTransaction", stop(transaction)) == {}
        assert await tell(thief, "MeterValues", meter(transaction, "9999")) == {}
        session = await the_session(site)
        assert (session["status"], session["energy_wh"]) == ("active", 0)
        rows = await site.rows("SELECT identity, type FROM station_events JOIN stations USING (tenant_id, station_id)")
        assert {tuple(row.values()) for row in rows} == {("CP2", "security_event")}
        assert len(await site.rows("SELECT 1 FROM quarantine WHERE reason = 'orphan'")) == 2


async def test_x7_a_repeated_stop_ends_it_once(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        message = stop(await begin(station), idTag="TAG")
        first = await tell(station, "StopTransaction", message)
        await site.execute("UPDATE id_tokens SET status = 'blocked'")
        assert await tell(station, "StopTransaction", message) == first
        assert len(await published(site, "session.ended")) == 1
        assert await site.rows("SELECT 1 FROM session_corrections") == []


async def test_x7_another_stop_is_kept_as_a_conflict_and_the_first_bills(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        transaction = await begin(station)
        await tell(station, "StopTransaction", stop(transaction))
        await tell(station, "StopTransaction", stop(transaction, meterStop=9000))
        session = await the_session(site)
        assert (session["energy_wh"], session["flags"]) == (1000, ["conflict"])
        assert len(await published(site, "session.ended")) == 1


async def test_x8_token_info_only_where_the_stop_has_a_token(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        first = await begin(station)
        assert await tell(station, "StopTransaction", stop(first)) == {}
        await site.execute(
            "INSERT INTO id_tokens (tenant_id, id_token, type, status, group_id_token) VALUES "
            "(1, 'ANN', 'ISO14443', 'accepted', 'FAMILY'), (1, 'BOB', 'ISO14443', 'accepted', 'FAMILY'), "
            "(1, 'EVE', 'ISO14443', 'blocked', NULL)"
        )
        for stopper, verdict in (("BOB", {"status": "Accepted", "parentIdTag": "FAMILY"}), ("EVE", {"status": "Blocked"})):
            transaction = await begin(station, idTag="ANN", timestamp=at(-20), meterStart=ord(stopper[0]))
            assert await tell(station, "StopTransaction", stop(transaction, idTag=stopper)) == {"idTagInfo": verdict}
            session = (await sessions(site))[str(transaction)]
            assert (session["status"], session["id_token"]) == ("completed", "ANN"), "a verdict undoes nothing"


async def test_x9_old_messages_are_processed_like_new_ones_and_nobody_reacts(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        await site.tenant(unknown_tokens="refuse")
        started = await tell(station, "StartTransaction", start(timestamp=at(-36_000)))
        transaction = started["transactionId"]
        await tell(station, "MeterValues", meter(transaction, "500", seconds=-30_000))
        await tell(station, "StopTransaction", stop(transaction, timestamp=at(-20_000)))
        assert await station.silent(0.3)
        session = await the_session(site)
        assert (session["status"], session["energy_wh"], session["flags"]) == ("completed", 1000, ["unauthorized"])
        rows = await site.rows(
            "SELECT type FROM outbox WHERE session_id IS NOT NULL AND recorded_at - occurred_at < interval '10 min'"
        )
        assert rows == [], "who reads an event is told how old it is"


async def test_x9_an_old_state_of_a_connector_closes_no_session(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        transaction = await begin(station)
        await fall_silent(site)
        await questions(station)
        await tell(station, "StatusNotification", status(OCPP16, time=at(-660)))
        assert (await the_session(site))["status"] == "active", "that was before"
        await tell(station, "StatusNotification", status(OCPP16, time=at(-5)))
        session = await the_session(site)
        assert (session["transaction_ref"], session["status"]) == (str(transaction), "incomplete")


async def test_x10_defaults_of_meter_values_and_whose_they_are(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        transaction = await begin(station)
        assert await tell(station, "MeterValues", meter(transaction, "600")) == {}
        assert (await the_session(site))["energy_wh"] == 500, "Wh of the imported energy, without a word about it"
        for message in (meter(None, "1"), meter(transaction, "2", connector=0)):
            assert await tell(station, "MeterValues", message) == {}
        assert (await the_session(site))["energy_wh"] == 500
        assert len(await site.rows("SELECT 1 FROM station_samples")) == 2
        said = {"measurand": "Energy.Active.Import.Register", "unit": "Wh", "context": "Sample.Periodic", "format": "Raw"}
        spelled = meter(transaction, "600")
        (sample,) = await site.rows("SELECT ts FROM samples")
        moment = sample["ts"].isoformat()
        spelled["meterValue"] = [{"timestamp": moment, "sampledValue": [{"value": "600", "location": "Outlet", **said}]}]
        assert await tell(station, "MeterValues", spelled) == {}
        assert len(await site.rows("SELECT 1 FROM samples")) == 1, "the defaults are what they say"


async def test_x10_signed_data_is_kept_byte_for_byte(database: str) -> None:
    signed = 'OCMF|{"FV":"1.0","RD":[{"TM":"x","RV":1.50}]}|{"SD":"3045\u00e9=="}'
    async with booted(database, OCPP16) as (site, station):
        message = meter(await begin(station))
        message["meterValue"][0]["sampledValue"] = [{"value": signed, "format": "SignedData"}]
        assert await tell(station, "MeterValues", message) == {}
        (row,) = await site.rows("SELECT texts FROM samples")
        assert row["texts"] == [signed]


async def test_x11_readings_that_came_twice_are_stored_once(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        transaction = await begin(station)
        values = meter(transaction, "300")
        await tell(station, "MeterValues", values)
        more = [*values["meterValue"], {"timestamp": at(-5), "sampledValue": [{"value": "900"}]}]
        await tell(station, "StopTransaction", stop(transaction, transactionData=more))
        assert len(await site.rows("SELECT 1 FROM samples")) == 2


async def test_y8_16_a_silent_station_is_asked_for_its_meter_and_its_connector(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        transaction = await begin(station, connectorId=2)
        assert await station.silent(0.3)
        await fall_silent(site)
        asked = await questions(station)
        assert asked == [{"requestedMessage": name, "connectorId": 2} for name in ("MeterValues", "StatusNotification")]
        await tell(station, "MeterValues", meter(transaction, "700", connector=2))
        await tell(station, "StatusNotification", status(OCPP16, 2, "Charging"))
        session = await the_session(site)
        assert (session["status"], session["energy_wh"]) == ("active", 600)
        await tell(station, "StatusNotification", status(OCPP16, 2))
        assert (await the_session(site))["status"] == "active", "it has just spoken: its stop is on its way"


@pytest.mark.parametrize("free", ["Available", "Preparing", "Reserved"])
async def test_y8_16_a_free_connector_closes_an_asked_session_and_a_late_stop_completes_it(database: str, free: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        transaction = await begin(station)
        await tell(station, "MeterValues", meter(transaction, "400", seconds=-50))
        await tell(station, "StatusNotification", status(OCPP16, 1, free))
        assert (await the_session(site))["status"] == "active", "nobody has asked (rule Y13)"
        await fall_silent(site)
        await questions(station)
        await tell(station, "StatusNotification", status(OCPP16, 2, free))
        await tell(station, "StatusNotification", status(OCPP16, 1, "SuspendedEV"))
        assert (await the_session(site))["status"] == "active"
        await tell(station, "StatusNotification", status(OCPP16, 1, free))
        session = await the_session(site)
        assert (session["status"], session["energy_wh"], session["stop_meter_wh"]) == ("incomplete", 300, 400)
        assert session["flags"] == ["reconciled", "stop_missing"]
        # what comes late is merged, and traced for who has billed it
        await tell(station, "MeterValues", meter(transaction, "500", seconds=-20))
        assert await tell(station, "StopTransaction", stop(transaction)) == {}
        session = await the_session(site)
        assert (session["status"], session["energy_wh"], session["flags"]) == ("completed", 1000, ["reconciled"])
        rows = await site.rows("SELECT cause, changes FROM session_corrections ORDER BY recorded_at")
        assert [row["cause"] for row in rows] == ["MeterValues", "StopTransaction"]
        energies = [[float(wh) for wh in json.loads(row["changes"])["energy_wh"]] for row in rows]
        assert energies == [[300, 400], [400, 1000]]
        assert json.loads(rows[1]["changes"])["status"] == ["incomplete", "completed"]
        assert len(await published(site, "session.corrected")) == 2
        assert [ended["status"] for ended in await published(site, "session.ended")] == ["incomplete", "completed"]


async def test_y8_16_after_a_boot_and_after_a_cut(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        await begin(station)
        await station.boot()
        assert await station.silent(0.3), "it has just booted"
        await site.execute("UPDATE stations SET booted_at = now() - interval '3 min', connected_at = now() - interval '4 min'")
        await site.execute("UPDATE sessions SET updated_at = now() - interval '5 min'")
        await questions(station)
    async with running(database) as site, site.station() as station:
        await tell(station, "Heartbeat", {})
        assert await station.silent(0.3), "it has just come back"
        await site.execute("UPDATE stations SET connected_at = now() - interval '121 s'")
        await site.execute("UPDATE sessions SET updated_at = now() - interval '5 min', asked_at = now() - interval '4 min'")
        await questions(station)


async def test_y8_16_who_is_away_for_days_is_given_up(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        await tell(station, "MeterValues", meter(await begin(station), "350"))
    async with running(database) as site:
        await fall_silent(site, 73)

        async def closed() -> bool:
            return bool((await the_session(site))["status"] == "incomplete")

        await until(closed)
        session = await the_session(site)
        assert (session["energy_wh"], session["flags"]) == (250, ["given_up", "stop_missing"])
