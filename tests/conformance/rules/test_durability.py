"""Nothing is acknowledged before it is durable, and nothing that is durable is done twice (D1 to D4)."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio

from tests.conformance.rules.playing import (
    OCPP16,
    OCPP21,
    OCPP201,
    at,
    booted,
    each_2x,
    each_version,
    event,
    meter,
    published,
    start,
    stop,
    tell,
    transaction_message,
    until,
)
from tests.integration.gateway.site import Station, running

SECURITY = {"type": "TamperDetectionActivated", "timestamp": at()}
_OF_2X: list[tuple[str, dict[str, Any]]] = [
    ("TransactionEvent", event("Started", 0, 100)),
    ("TransactionEvent", event("Ended", 1, 200)),
    ("MeterValues", {"evseId": 1, "meterValue": [{"timestamp": at(), "sampledValue": [{"value": 5}]}]}),
    ("SecurityEventNotification", SECURITY),
    ("NotifyReport", {"requestId": 7, "generatedAt": at(), "seqNo": 0}),
    ("NotifyMonitoringReport", {"requestId": 7, "generatedAt": at(), "seqNo": 0}),
    ("NotifyCustomerInformation", {"requestId": 7, "generatedAt": at(), "seqNo": 0, "data": "x"}),
]
DURABLE: dict[str, list[tuple[str, dict[str, Any]]]] = {
    OCPP16: [
        ("StartTransaction", start()),
        ("MeterValues", meter(None, "500")),
        ("StopTransaction", stop(4711)),
        ("SecurityEventNotification", SECURITY),
    ],
    OCPP201: _OF_2X,
    OCPP21: _OF_2X,
}


@each_version
async def test_d1_no_answer_leaves_before_the_commit(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        for number, (action, message) in enumerate(DURABLE[version]):
            site.ledger.held = True
            await station.send([2, f"n{number}", action, message])
            assert await station.silent(0.1), action
            site.ledger.release()
            assert (await station.receive())[:2] == [3, f"n{number}"]
        (row,) = await site.rows("SELECT current_setting('synchronous_commit') AS wanted")
        assert row["wanted"] == "on"


@each_2x
async def test_d2_an_event_that_is_held_too_long_closes_the_station_and_is_stored_once(database: str, version: str) -> None:
    action, message = transaction_message(version)
    async with booted(database, version, hold_transaction_s=1) as (site, station):
        site.ledger.held = True
        await station.send([2, "x", action, message])
        assert await station.closed() == (1013, "store_away"), "no CALLERROR, which would cost it an attempt"
        site.ledger.release()
        async with site.station(versions=[version]) as again:
            await tell(again, action, message, "x")
        assert len(await site.rows("SELECT 1 FROM transaction_events")) == 1


async def test_d2_stations_are_closed_little_by_little(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sweeper.STORE_AWAY_CLOSES_PER_SECOND", 20)  # one each time that the sweeper looks
    async with running(database, hold_transaction_s=0.3) as site, AsyncExitStack() as stack:
        stations = [await stack.enter_async_context(site.station(f"CP{number}")) for number in range(8)]
        for station in stations:
            await station.boot()
        site.ledger.held = True
        for number, station in enumerate(stations):
            await station.send([2, "x", "StartTransaction", start(meterStart=number)])
        moments: list[float] = []

        async def wait_for_close(station: Station) -> None:
            assert await station.closed() == (1013, "store_away")
            moments.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            for station in stations:
                nursery.start_soon(wait_for_close, station)
        assert max(moments) - min(moments) > 0.3


@pytest.mark.parametrize("version", [OCPP16, OCPP201])
async def test_d3_one_database_transaction_writes_it_all(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        if version == OCPP16:
            transaction = (await tell(station, "StartTransaction", start()))["transactionId"]
            values = [{"timestamp": at(-5), "sampledValue": [{"value": "700"}]}]
            await tell(station, "StopTransaction", stop(transaction, transactionData=values))
        else:
            await tell(station, "TransactionEvent", event("Started", 0, 100))
            await tell(station, "TransactionEvent", event("Ended", 1, 700))
        written = await site.rows(
            "SELECT xmin::text FROM sessions UNION SELECT max(xmin::text) FROM transaction_events WHERE seq_no = 1 "
            "UNION SELECT xid::text FROM outbox WHERE type = 'session.ended' "
            "UNION (SELECT xmin::text FROM samples ORDER BY ts DESC LIMIT 1)"
        )
        assert len(written) == 1, "session, event, readings and outbox are of one transaction"


@each_version
async def test_d4_a_crash_between_commit_and_answer_makes_no_second_transaction(database: str, version: str) -> None:
    action, message = transaction_message(version)
    async with booted(database, version) as (site, station):
        site.ledger.held = True
        await station.send([2, "x", action, message])

        async def taken() -> bool:
            return bool(site.ledger.waiting)

        await until(taken)
        await station.socket.aclose()
        site.ledger.release()

        async def committed() -> bool:
            return bool(await site.rows("SELECT 1 FROM sessions"))

        await until(committed)
    async with running(database) as site, site.station(versions=[version]) as station:
        first = await tell(station, action, message, "x")
        assert await tell(station, action, message, "y") == first
        if version == OCPP16:
            (session,) = await site.rows("SELECT transaction_ref FROM sessions")
            assert session["transaction_ref"] == str(first["transactionId"])
            assert first["idTagInfo"] == {"status": "Accepted"}
        else:
            assert first == {"idTokenInfo": {"status": "Accepted"}}
        assert len(await published(site, "session.started")) == 1
