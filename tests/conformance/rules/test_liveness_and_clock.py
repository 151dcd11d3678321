"""Signs of life, who is told that a station is offline, and times (L1 to L6)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio

from csms.settings import Settings
from tests.conformance.rules.playing import (
    OCPP16,
    OCPP21,
    OCPP201,
    TOKEN,
    at,
    booted,
    each_2x,
    each_version,
    event,
    meter,
    published,
    start,
    status,
    stop,
    tell,
    the_session,
    until,
)
from tests.integration.gateway.frames import become_station, frame, read_until
from tests.integration.gateway.site import Site, Station, running

SENT_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z")
STATUS = b'[2,"s","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]'


async def test_l1_any_frame_is_a_sign_of_life(database: str) -> None:
    async with running(database, ping_interval_s=0.6, pong_timeout_s=0.3) as site, await site.raw() as stream:
        await become_station(stream, "CP1")
        await site.execute("UPDATE stations SET last_seen_at = now() - interval '1 h'")
        for _ in range(6):  # no Heartbeat, and no pong either
            await trio.sleep(0.25)
            await stream.send_all(frame(STATUS))
            assert b"\x89\x00" not in await read_until(stream, b'[3,"s",{}]'), "who speaks is not pinged"

        async def seen() -> bool:
            (row,) = await site.rows("SELECT last_seen_at > now() - interval '10 s' AS seen FROM stations")
            return bool(row["seen"])

        await until(seen)


async def test_l1_signs_of_life_of_all_stations_are_stored_group_by_group(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sweeper.SEEN_BATCH", 1)
    async with running(database) as site, await site.raw() as one, await site.raw() as two, await site.raw() as three:
        streams = {"CP1": one, "CP2": two, "CP3": three}
        for identity, stream in streams.items():
            await become_station(stream, identity)
        await site.execute("UPDATE stations SET last_seen_at = now() - interval '1 h'")
        for stream in streams.values():
            await stream.send_all(frame(b'[2,"h","Heartbeat",{}]'))

        async def seen() -> bool:
            rows = await site.rows("SELECT identity FROM stations WHERE last_seen_at > now() - interval '10 s'")
            return {row["identity"] for row in rows} == streams.keys()

        await until(seen)


@each_version
async def test_l2_a_heartbeat_is_answered_with_the_time(database: str, version: str) -> None:
    async with booted(database, version) as (_, station):
        before = datetime.now(UTC) - timedelta(milliseconds=1)
        told = datetime.fromisoformat((await tell(station, "Heartbeat", {}))["currentTime"])
        assert before <= told <= datetime.now(UTC)


def test_l3_by_default_a_connection_is_pinged_within_a_minute_and_closed_after_30_seconds() -> None:
    settings = Settings()
    assert settings.ping_interval_s <= 60
    assert settings.pong_timeout_s == 30


@each_version
async def test_l4_quick_reconnects_tell_nothing(database: str, version: str) -> None:
    async with running(database) as site:
        async with site.station(versions=[version]) as station:
            await station.boot()
        for _ in range(2):
            await _gone(site)
            async with site.station(versions=[version]) as station:
                await tell(station, "Heartbeat", {})
        await _gone(site)
        await trio.sleep(0.4)
        assert await _told(site) == ["station.online"]


async def test_l4_who_stays_away_for_half_a_minute_is_told_to_be_offline_once(database: str) -> None:
    async with running(database) as site:
        async with site.station() as station:
            await station.boot()
        await _gone(site)
        await site.execute("UPDATE stations SET disconnected_at = now() - interval '29 s'")
        await trio.sleep(0.4)
        assert await _told(site) == ["station.online"]
        await site.execute("UPDATE stations SET disconnected_at = now() - interval '31 s'")
        await until(lambda: _is_told(site, 2))
        await trio.sleep(0.4)
        async with site.station() as station:
            await station.boot()
        assert await _told(site) == ["station.online", "station.offline", "station.online"]
        (row,) = await site.rows(
            "SELECT data, occurred_at < recorded_at - interval '30 s' AS dated_back FROM outbox WHERE type = 'station.offline'"
        )
        assert (json.loads(row["data"]), row["dated_back"]) == ({"epoch": 1}, True)


async def test_l4_a_restart_of_the_gateway_makes_nobody_offline(database: str) -> None:
    async with booted(database, OCPP16):
        pass
    async with running(database) as site, site.station() as station:
        await tell(station, "Heartbeat", {})
        await trio.sleep(0.4)
        assert await _told(site) == ["station.online"]


async def _told(site: Site) -> list[str]:
    rows = await site.rows("SELECT type FROM outbox WHERE type IN ('station.online', 'station.offline') ORDER BY xid, id")
    return [row["type"] for row in rows]


async def _is_told(site: Site, count: int) -> bool:
    return len(await _told(site)) == count


async def _gone(site: Site) -> None:
    """Wait until the station has no connection."""

    async def away() -> bool:
        return bool(await site.rows("SELECT 1 FROM stations WHERE connected_process IS NULL"))

    await until(away)


@each_version
async def test_l5_times_are_sent_in_utc_with_three_digits_of_fraction_at_most(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        await site.execute(
            "INSERT INTO id_tokens (tenant_id, id_token, type, status, valid_until) "
            "VALUES (1, 'TAG', 'ISO14443', 'accepted', '2040-06-01T12:00:00.123456+02:00')"
        )
        sent = [(await tell(station, "Heartbeat", {}))["currentTime"], (await station.boot())[2]["currentTime"]]
        if version == OCPP16:
            sent.append((await tell(station, "Authorize", {"idTag": "TAG"}))["idTagInfo"]["expiryDate"])
        else:
            sent.append((await tell(station, "Authorize", {"idToken": TOKEN}))["idTokenInfo"]["cacheExpiryDateTime"])
        assert all(SENT_TIME.fullmatch(time) for time in sent), sent
        assert sent[-1] == "2040-06-01T10:00:00.123Z"


async def skews(site: Site) -> list[int]:
    """By how many seconds clocks were told to be off."""
    return [data["seconds"] for data in await published(site, "station.clock_skew")]


async def transaction(station: Station, version: str, offset: float) -> None:
    """A whole transaction by a clock that is off."""
    if version == OCPP16:
        begun = (await tell(station, "StartTransaction", start(timestamp=at(offset - 9))))["transactionId"]
        await tell(station, "StopTransaction", stop(begun, timestamp=at(offset)))
    else:
        for seq_no, kind in enumerate(("Started", "Ended")):
            message = event(kind, seq_no, 100 * seq_no, timestamp=at(offset - 9 + 9 * seq_no))
            await tell(station, "TransactionEvent", message)


@each_version
async def test_l6_a_clock_that_is_ahead_is_told_once_and_marks_sessions(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        for _ in range(2):
            await tell(station, "StatusNotification", status(version, time=at(3600)))
        await transaction(station, version, 3600)

        async def told() -> bool:
            return bool(await skews(site))

        await until(told)
        assert [abs(seconds - 3600) < 5 for seconds in await skews(site)] == [True], "once per connection"
        session = await the_session(site)
        assert session["flags"] == ["clock_skew"]
        assert session["stop_time"] > datetime.now(UTC) + timedelta(minutes=59), "stored as it was told"
        async with site.station(versions=[version]) as again:
            await tell(again, "StatusNotification", status(version, time=at(3600)))
            await until(lambda: _counted(site, 2))


async def _counted(site: Site, count: int) -> bool:
    return len(await skews(site)) == count


@each_version
async def test_l6_a_clock_that_is_behind_shows_in_several_messages(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        for number in range(2):
            await tell(station, "StatusNotification", status(version, time=at(-7200 + number)))
        assert await skews(site) == [], "one may have been on its way for long"
        await tell(station, "StatusNotification", status(version, time=at(-7200)))
        await until(lambda: _counted(site, 1))
        assert -7205 < (await skews(site))[0] < -7190
        await transaction(station, version, -7200)
        session = await the_session(site)
        assert session["flags"] == ["clock_skew"]
        assert session["stop_time"] < datetime.now(UTC) - timedelta(minutes=119)


@each_version
async def test_l6_a_clock_that_is_right_or_set_right_marks_nothing(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        for offset in (-50, 0, 50, -200, -300, -400):  # a fresh one says that the others were only late
            await tell(station, "StatusNotification", status(version, time=at(offset)))
        await tell(station, "StatusNotification", status(version, time=at(600)))
        await until(lambda: _counted(site, 1))
        await tell(station, "Heartbeat", {})  # now it sets its clock
        await transaction(station, version, 0)
        assert (await the_session(site))["flags"] == []


async def test_l6_the_queue_of_a_station_of_1_6_is_no_slow_clock(database: str) -> None:
    async with booted(database, OCPP16) as (site, station):
        for hours in (9, 7, 5, 3):
            begun = (await tell(station, "StartTransaction", start(timestamp=at(-3600 * hours))))["transactionId"]
            await tell(station, "MeterValues", meter(begun, "500", seconds=60 - 3600 * hours))
            await tell(station, "StopTransaction", stop(begun, timestamp=at(120 - 3600 * hours)))
        assert await skews(site) == []
        assert [row["flags"] for row in await site.rows("SELECT flags FROM sessions")] == [[]] * 4


@each_2x
async def test_l6_what_happened_offline_is_no_slow_clock(database: str, version: str) -> None:
    async with booted(database, version) as (site, station):
        for seq_no, kind in enumerate(("Started", "Updated", "Updated", "Updated", "Ended")):
            await tell(station, "TransactionEvent", event(kind, seq_no, seq_no, timestamp=at(-9000 + seq_no), offline=True))
        assert await skews(site) == []
        assert (await the_session(site))["flags"] == ["offline"]


@pytest.mark.parametrize("version", [OCPP16, OCPP201, OCPP21])
async def test_l6_a_station_without_a_clock_is_off_at_once(database: str, version: str) -> None:
    moment = "1970-01-01T00:00:42Z"
    first: tuple[str, Any] = ("StartTransaction", start(timestamp=moment))
    if version != OCPP16:
        first = ("TransactionEvent", event("Started", 0, timestamp=moment))
    async with booted(database, version) as (site, station):
        await tell(station, *first)
        await until(lambda: _counted(site, 1))
        session = await the_session(site)
        assert session["flags"] == ["clock_skew"]
        assert session["start_time"] == datetime(1970, 1, 1, 0, 0, 42, tzinfo=UTC)
