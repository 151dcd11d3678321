"""Stations on a real gateway, whose tokens a third party decides about."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, get_args

import pytest
import trio

from csms.domain.decisions import STATUS_OF_OCPP16, AuthorizationStatus
from csms.external_authorization import breaker
from csms.external_authorization.messages import TOPIC
from csms.secret import RootSecret
from tests.integration.external_authorization import third_party as bad
from tests.integration.external_authorization.network import Network, authorize, network, start, told
from tests.integration.external_authorization.third_party import ThirdPartyServer, answer
from tests.integration.gateway import site as site_module

VERSIONS = ["ocpp1.6", "ocpp2.0.1"]
by_version = pytest.mark.parametrize("version", VERSIONS)


def _status(version: str, status: AuthorizationStatus) -> str:
    return STATUS_OF_OCPP16[status] if version == "ocpp1.6" else status


@by_version
async def test_an_unknown_token_charges_because_the_third_party_says_so(net: Network, version: str) -> None:
    await net.switch_on()
    net.server.says(expires_at="2099-01-01T00:00:00Z", group_id_token="FLEET", reason="roaming 4711")
    async with net.site.station("CP1", versions=[version]) as station:
        await station.boot()
        assert await authorize(station) == "Accepted"
        action, payload = start(station)
        frame = await station.call(action, payload)
    info = frame[2].get("idTagInfo") or frame[2]["idTokenInfo"]
    expected = (
        {"status": "Accepted", "expiryDate": "2099-01-01T00:00:00.000Z", "parentIdTag": "FLEET"}
        if version == "ocpp1.6"
        else {
            "status": "Accepted",
            "cacheExpiryDateTime": "2099-01-01T00:00:00.000Z",
            "groupIdToken": {"idToken": "FLEET", "type": "Central"},
        }
    )
    assert {name: info[name] for name in expected} == expected
    (session,) = await net.sessions()
    assert (session["authorization_status"], session["authorization_reason"]) == ("Accepted", "external: roaming 4711")
    assert "unauthorized" not in session["flags"]
    questions = [asked.question for asked in net.server.asked]
    assert [(q["purpose"], q["evse_id"]) for q in questions] == [("authorize", None), ("start", 1)]
    token_type = None if version == "ocpp1.6" else "ISO14443"
    assert {(q["charge_point_id"], q["tenant"], q["id_token"], q["type"]) for q in questions} == {
        ("CP1", "default", "CARD", token_type)
    }


@by_version
async def test_every_answer_is_told_in_the_station_s_terms(net: Network, version: str) -> None:
    await net.switch_on()
    async with net.site.station("CP1", versions=[version]) as station:
        await station.boot()
        for status in get_args(AuthorizationStatus):
            net.server.says(status)
            assert await authorize(station) == _status(version, status)


@by_version
async def test_what_the_tenant_itself_refuses_stays_refused(net: Network, version: str) -> None:
    await net.switch_on(asks="all_tokens")
    await net.admin.post("/api/v1/id-tokens", {"id_token": "STOLEN", "type": "ISO14443", "status": "blocked"})
    async with net.site.station("CP1", versions=[version]) as station:
        await station.boot()
        assert await authorize(station, "STOLEN") == "Blocked"
        # in use at another connector: the third party's word does not change that
        await station.call(*start(station, "CARD"))
        async with net.site.station("CP2", versions=[version]) as other:
            await other.boot()
            assert told(await other.call(*start(other, "CARD"))) == "ConcurrentTx"


@by_version
async def test_who_is_asked_about_which_tokens(net: Network, version: str) -> None:
    await net.admin.post("/api/v1/id-tokens", {"id_token": "OwnCard", "type": "ISO14443"})
    net.server.says("NoCredit")
    async with net.site.station("CP1", versions=[version]) as station:
        await station.boot()
        assert await authorize(station, "OwnCard") == "Accepted"
        await net.switch_on(asks="unknown_tokens")
        assert await authorize(station, "OWNCARD" if version == "ocpp1.6" else "OwnCard") == "Accepted"
        assert net.server.asked == []
        await net.switch_on(asks="all_tokens")
        assert await authorize(station, "OwnCard") == _status(version, "NoCredit")
        assert len(net.server.asked) == 1
        await net.admin.delete("/api/v1/external-authorization")
        await net.refresh()
        assert await authorize(station, "OwnCard") == "Accepted"
        assert len(net.server.asked) == 1


@by_version
@pytest.mark.parametrize(("fallback", "status"), [("refuse", "Invalid"), ("accept", "Accepted"), ("own_data", "Unknown")])
async def test_what_holds_when_nobody_answers_in_time(
    net: Network, version: str, fallback: str, status: AuthorizationStatus
) -> None:
    await net.switch_on(timeout_ms=200, fallback=fallback)
    net.server.behave = bad.say_nothing
    async with net.site.station("CP1", versions=[version]) as station:
        await station.boot()
        begun = trio.current_time()
        assert told(await station.call(*start(station))) == _status(version, status)
        assert 0.2 <= trio.current_time() - begun < 1.0
    (session,) = await net.sessions()
    assert session["authorization_status"] == status
    assert session["authorization_reason"].endswith(f"external: timed out after 200 ms, fallback {fallback}")


async def test_while_one_station_waits_it_alone_waits_and_in_order(net: Network) -> None:
    await net.switch_on(timeout_ms=700, fallback="accept")
    net.server.behave = bad.say_nothing
    async with net.site.station("CP1") as slow, net.site.station("CP2") as other:
        await slow.boot()
        await other.boot()
        await slow.send([2, "1", "Authorize", {"idTag": "CARD"}])
        await slow.send([2, "2", *start(slow)])
        await slow.send([2, "3", "Heartbeat", {}])
        begun = trio.current_time()
        for _ in range(20):
            await other.call("Heartbeat", {})
            await other.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
        assert trio.current_time() - begun < 0.7
        assert [(await slow.receive())[1] for _ in range(3)] == ["1", "2", "3"]


@by_version
async def test_a_start_is_kept_when_its_station_leaves_before_the_answer(net: Network, version: str) -> None:
    await net.switch_on(timeout_ms=4000, fallback="refuse")
    net.server.behave = bad.say_nothing
    begun = trio.current_time()
    async with net.site.station("CP1", versions=[version]) as station:
        await station.boot()
        await station.send([2, "s1", *start(station)])
        while not net.server.asked:
            await trio.sleep(0.01)
    with trio.fail_after(2):
        while not await net.sessions():
            await trio.sleep(0.02)
    assert trio.current_time() - begun < 3.5
    (session,) = await net.sessions()
    assert session["authorization_reason"] == "external: the station is gone, fallback refuse"
    assert "unauthorized" in session["flags"]


@by_version
async def test_what_comes_out_of_a_queue_is_not_asked_about(net: Network, version: str) -> None:
    await net.switch_on(fallback="accept")
    async with net.site.station("CP1", versions=[version]) as station:
        await station.boot()
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        assert told(await station.call(*start(station, "OLD", at=hour_ago))) == _status(version, "Unknown")
        if version == "ocpp2.0.1":
            assert told(await station.call(*start(station, "QUEUED", offline=True))) == "Unknown"
    assert net.server.asked == []
    assert all("unauthorized" in session["flags"] for session in await net.sessions())


@by_version
async def test_a_stop_with_a_token_is_asked_about_as_such(net: Network, version: str) -> None:
    await net.switch_on()
    async with net.site.station("CP1", versions=[version]) as station:
        await station.boot()
        started = await station.call(*start(station))
        now = datetime.now(UTC).isoformat()
        if version == "ocpp1.6":
            stop: dict[str, Any] = {
                "transactionId": started[2]["transactionId"],
                "meterStop": 200,
                "timestamp": now,
                "idTag": "CARD",
            }
            stopped = await station.call("StopTransaction", stop | {"idTag": "CARD"})
        else:
            ended = start(station)[1] | {"eventType": "Ended", "triggerReason": "StopAuthorized", "seqNo": 1}
            stopped = await station.call("TransactionEvent", ended)
        assert told(stopped) == "Accepted"
    assert [asked.question["purpose"] for asked in net.server.asked] == ["start", "stop"]


async def test_answers_are_remembered_for_a_token_at_a_station(net: Network) -> None:
    await net.switch_on(cache_s=60, fallback="own_data")
    async with net.site.station("CP1") as station, net.site.station("CP2") as other:
        await station.boot()
        await other.boot()
        for spelling in ("CARD", "card"):
            assert await authorize(station, spelling) == "Accepted"
        assert told(await station.call(*start(station))) == "Accepted"
        assert len(net.server.asked) == 1
        assert await authorize(other, "CARD") == "Accepted"
        assert await authorize(station, "CARD2") == "Accepted"
        assert len(net.server.asked) == 3
        # other settings: what was said under the old ones is void
        await net.switch_on(cache_s=60, fallback="refuse", timeout_ms=200)
        net.server.behave = bad.close_at_once
        assert await authorize(station, "CARD") == "Invalid"
        # a failure is not remembered
        net.server.says("Accepted")
        assert await authorize(station, "CARD") == "Accepted"


@by_version
async def test_without_a_hub_the_fallback_holds_at_once(net: Network, version: str) -> None:
    await net.switch_on(timeout_ms=4000, fallback="accept")
    net.hub.shutdown.set()
    with trio.fail_after(5):
        while TOPIC in net.site.bus._handlers:
            await trio.sleep(0.02)
    async with net.site.station("CP1", versions=[version]) as station:
        await station.boot()
        begun = trio.current_time()
        assert told(await station.call(*start(station))) == "Accepted"
        assert trio.current_time() - begun < 1.0
    (session,) = await net.sessions()
    assert session["authorization_reason"] == "external: no hub answers, fallback accept"


async def test_a_third_party_that_fails_is_left_alone_and_asked_again_later(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.5)
    await net.switch_on(timeout_ms=200, fallback="own_data")
    net.server.behave = partial(answer, {}, status="500 Oh")
    async with net.site.station("CP1") as station:
        await station.boot()
        for _ in range(breaker.FAILURES):
            assert await authorize(station) == "Invalid"
        circuit = (await net.shown())["circuit"]
        assert (circuit["state"], circuit["failures_in_a_row"]) == ("open", breaker.FAILURES)
        assert circuit["last_failure"] == "it answered with status 500"
        asked = len(net.server.asked)
        net.server.says("Accepted")
        assert told(await station.call(*start(station))) == "Invalid"
        assert len(net.server.asked) == asked
        metrics = (await net.admin.get("/metrics")).text
        assert "csms_external_authorization_circuits_open 1.0" in metrics
        await trio.sleep(0.6)
        assert await authorize(station) == "Accepted"
        assert (await net.shown())["circuit"]["state"] == "closed"
        assert "csms_external_authorization_circuits_open 0.0" in (await net.admin.get("/metrics")).text
    (session,) = await net.sessions()
    assert session["authorization_reason"].endswith("external: left alone after 5 failures in a row, fallback own_data")


async def test_hundreds_of_stations_at_a_slow_third_party(net: Network) -> None:
    """More ask than may: the others get the fallback at once, and everybody gets an answer."""
    await net.switch_on(timeout_ms=1500, fallback="refuse")
    under_way = most = 0

    async def slowly(stream: Any, asked: Any) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await trio.sleep(0.5)
        under_way -= 1
        await answer({"status": "Accepted"}, stream, asked)

    net.server.behave = slowly
    told_statuses: list[str] = []

    async def one(number: int) -> None:
        async with net.site.station(f"CP{number}") as station:
            await station.boot()
            ready.append(number)
            while len(ready) < 80:
                await trio.sleep(0.01)
            told_statuses.append(await authorize(station, f"CARD{number}"))

    ready: list[int] = []
    async with trio.open_nursery() as nursery:
        for number in range(80):
            nursery.start_soon(one, number)
    assert sorted(set(told_statuses)) == ["Accepted", "Invalid"]
    assert most <= 50
    assert told_statuses.count("Accepted") >= 50
    assert (await net.shown())["circuit"]["state"] == "closed"


async def test_the_events_tell_the_operator_why(net: Network) -> None:
    await net.switch_on(timeout_ms=200, fallback="refuse")
    net.server.behave = bad.close_early
    async with net.site.station("CP1") as station:
        await station.boot()
        assert await authorize(station) == "Invalid"
    rows = await net.site.rows("SELECT data FROM outbox WHERE type = 'token.refused'")
    (data,) = [json.loads(row["data"]) if isinstance(row["data"], str | bytes) else row["data"] for row in rows]
    assert (data["status"], data["reason"]) == ("Invalid", "external: the connection was lost, fallback refuse")


async def test_two_processes_on_redis(
    database: str,
    root_secret: RootSecret,
    server: ThirdPartyServer,
    nursery: trio.Nursery,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Gateway and hub on buses of their own, as in two processes."""
    from csms.bus.redis import RedisBus

    monkeypatch.setattr(site_module, "LocalBus", partial(RedisBus, redis_url))
    async with RedisBus(redis_url) as bus, network(database, root_secret, server, nursery, hub_bus=bus) as net:
        assert net.site.bus is not net.hub.bus
        await net.switch_on(fallback="own_data")
        async with net.site.station("CP1", versions=["ocpp2.0.1"]) as station:
            await station.boot()
            with trio.fail_after(30):
                while await authorize(station) != "Accepted":  # the hub may not listen yet: then its own data hold
                    await trio.sleep(0.1)
            net.server.says("NotAtThisTime", reason="closed")
            assert told(await station.call(*start(station))) == "NotAtThisTime"
        (session,) = await net.sessions()
        assert session["authorization_reason"] == "external: closed"
