"""Message ids and repeated messages (R4.1 to R4.6)."""

from __future__ import annotations

from typing import Any

import trio

from tests.conformance.rules.playing import (
    OCPP16,
    OCPP21,
    OCPP201,
    TOKEN,
    at,
    boot,
    booted,
    each_version,
    event,
    meter,
    published,
    start,
    status,
    tell,
    transaction_message,
    until,
)
from tests.integration.gateway.site import Site, running

NOTIFIED = {
    "generatedAt": at(),
    "seqNo": 0,
    "eventData": [
        {
            "eventId": 1,
            "timestamp": at(),
            "trigger": "Alerting",
            "actualValue": "hot",
            "eventNotificationType": "HardWiredMonitor",
            "component": {"name": "Connector"},
            "variable": {"name": "Temperature"},
        }
    ],
}
SECURITY = {"type": "TamperDetectionActivated", "timestamp": at()}

_OF_2X = [
    ("TransactionEvent", event("Started", 0, 100, idToken=TOKEN)),
    ("MeterValues", {"evseId": 1, "meterValue": [{"timestamp": at(), "sampledValue": [{"value": 5}]}]}),
    ("NotifyReport", {"requestId": 7, "generatedAt": at(), "seqNo": 0}),
    ("NotifyEvent", NOTIFIED),
    ("SecurityEventNotification", SECURITY),
]
WITH_EFFECTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    OCPP16: [
        ("StartTransaction", start()),
        ("MeterValues", meter(None, "500")),
        ("StatusNotification", status(OCPP16)),
        ("SecurityEventNotification", SECURITY),
    ],
    OCPP201: [*_OF_2X, ("StatusNotification", status(OCPP201))],
    OCPP21: [*_OF_2X, ("StatusNotification", status(OCPP21))],
}


@each_version
async def test_r4_1_a_message_that_is_being_handled_is_done_and_answered_once(database: str, version: str) -> None:
    action, message = transaction_message(version)
    async with booted(database, version) as (site, station):
        site.ledger.held = True
        for _ in range(3):
            await station.send([2, "x", action, message])
        await until_submitted(site, 1)
        site.ledger.release()
        assert (await station.receive())[:2] == [3, "x"]
        assert await station.silent()
        assert len(await site.rows("SELECT 1 FROM transaction_events")) == 1


@each_version
async def test_r4_1_the_newest_connection_gets_the_one_answer(database: str, version: str) -> None:
    action, message = transaction_message(version)
    async with running(database) as site:
        async with site.station(versions=[version]) as station:
            await station.boot()
            site.ledger.held = True
            await station.send([2, "x", action, message])
            await until_submitted(site, 1)
        site.ledger.held = False  # let the newcomer in; what was held stays so
        async with site.station(versions=[version]) as station:
            await station.send([2, "x", action, message])
            assert await station.silent()
            site.ledger.release()
            assert (await station.receive())[:2] == [3, "x"]
            assert await station.silent()
        assert len(await site.rows("SELECT 1 FROM sessions")) == 1


@each_version
async def test_r4_2_other_content_under_an_id_in_use_is_refused(database: str, version: str) -> None:
    action, message = transaction_message(version)
    async with booted(database, version) as (site, station):
        site.ledger.held = True
        await station.send([2, "x", action, message])
        await station.send([2, "x", action, message | {"timestamp": at(-5)}])
        code = "GenericError" if version == OCPP16 else "RpcFrameworkError"
        assert (await station.receive())[:3] == [4, "x", code]
        site.ledger.release()
        assert (await station.receive())[:2] == [3, "x"], "the one under way is not harmed"
        assert await station.silent()


@each_version
async def test_r4_3_a_repeat_gets_the_stored_answer_and_has_no_effect(database: str, version: str) -> None:
    async with running(database) as site:
        async with site.station(versions=[version]) as station:
            await station.boot()
            first = [await tell(station, *message, f"x{n}") for n, message in enumerate(WITH_EFFECTS[version])]
        done = await _effects(site)
        async with site.station(versions=[version]) as station:  # the memory of answers outlives a connection
            assert [await tell(station, *message, f"x{n}") for n, message in enumerate(WITH_EFFECTS[version])] == first
        assert await _effects(site) == done


async def _effects(site: Site) -> dict[str, int]:
    """How much there is of what messages leave behind."""
    (counts,) = await site.rows(
        "SELECT (SELECT count(*) FROM outbox WHERE type NOT IN ('station.connected', 'station.disconnected')) AS published, "
        "(SELECT count(*) FROM station_events) AS notices, (SELECT count(*) FROM transaction_events) AS events, "
        "(SELECT count(*) FROM station_samples) AS readings"
    )
    return counts


@each_version
async def test_r4_4_what_must_be_fresh_is_done_again(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        token = {"idTag": "TAG"} if version == OCPP16 else {"idToken": TOKEN}
        await site.execute("DELETE FROM id_tokens")
        for accepted in ("Accepted", "Blocked"):
            (verdict,) = (await tell(station, "Authorize", token, "x")).values()
            assert verdict["status"] == accepted
            await site.execute("UPDATE id_tokens SET status = 'blocked'")
        moments = []
        for action, message in (("Heartbeat", {}), ("Heartbeat", {}), ("BootNotification", boot(version))):
            moments.append((await tell(station, action, message, "y"))["currentTime"])
            await trio.sleep(0.002)
        moments.append((await tell(station, "BootNotification", boot(version), "y"))["currentTime"])
        assert moments == sorted(set(moments))
        assert len(await published(site, "station.booted")) == 3
        for _ in range(2):
            await tell(station, "DataTransfer", {"vendorId": "v"}, "z")
        assert len(await published(site, "station.data_transfer")) == 2


@each_version
async def test_r4_5_other_content_under_an_answered_id_is_a_new_message(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        first = "Charging" if version == OCPP16 else "Occupied"
        await tell(station, "StatusNotification", status(version), "1")
        await station.boot()  # a station that counts anew
        await tell(station, "StatusNotification", status(version, state=first), "1")
        (connector,) = await site.rows("SELECT status FROM connectors WHERE connector_id = 1")
        assert connector["status"] == first
        assert len(await published(site, "station.status")) == 2


@each_version
async def test_r4_6_after_a_restart_content_tells_a_repeat(database: str, version: str) -> None:
    action, message = transaction_message(version)
    async with booted(database, version) as (site, station):
        first = await tell(station, action, message, "x")
    for message_id in ("x", "another"):
        async with running(database) as site, site.station(versions=[version]) as station:
            assert await tell(station, action, message, message_id) == first
            assert len(await site.rows("SELECT 1 FROM sessions")) == 1
            assert len(await published(site, "session.started")) == 1


async def until_submitted(site: Site, count: int) -> None:
    """Wait until the held ledger has been given so much."""

    async def given() -> bool:
        return len(site.ledger.waiting) >= count

    await until(given)
