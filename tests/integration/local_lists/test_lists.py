"""Local lists of stations on real sockets follow what the tenant says about tokens."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import trio

from csms.local_lists import refresh
from csms.secret import RootSecret
from csms.simulate.options import Version
from csms.store import Connection
from csms.store.pool import run_with_owner
from tests.integration.local_lists.harness import Network, hurry, open_network


def listed(station: Any) -> list[str]:
    return sorted(token.split()[0] for token in station.local_list.entries)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_a_list_follows_the_tokens(network: Network, version: Version) -> None:
    group = (await network.boss.post("/api/v1/token-groups", {"name": "fleet", "group_id_token": "FLEET"})).json()["group_id"]
    for n in range(45):  # the station takes 20 in one message
        await network.token(f"TAG{n:02}", group_id=group)
    await network.token("NEVER", whitelist="NEVER")
    assert (await network.boss.post("/api/v1/chargepoints", {"charge_point_id": "OTHER"})).status_code == 201
    await network.token("ELSEWHERE", restrictions={"charge_points": ["OTHER"]})
    station = await network.station("CP", version)
    assert (await network.offline(station.identity))["local_list"]["state"] == "off"
    await network.put("/offline-policy", local_list=True, authorize_offline=True)
    view = await network.in_sync(station.identity, 45)
    assert listed(station) == [f"tag{n:02}" for n in range(45)]
    assert station.local_list.version == view["local_list"]["version"] == 3
    assert view["local_list"]["left_out"] == {"elsewhere": 1, "must_be_asked": 1} or view["local_list"]["left_out"] == {
        "elsewhere": 1
    }
    assert (view["local_list"]["items_per_message"], view["error"]) == (20, None)
    assert station.configuration.switched_on("LocalAuthListEnabled")
    assert station.configuration.switched_on("LocalAuthorizeOffline")
    assert not station.configuration.switched_on("LocalPreAuthorize")
    assert {one["switch"]: one["value"] for one in view["settings"]}["authorize_offline"] is True

    # one token is blocked: one message with one entry, and no question before it
    before = len(await network.commands("GetLocalListVersion"))
    (token,) = (await network.boss.get("/api/v1/id-tokens", params={"id_token": "TAG07"})).json()["items"]
    await network.boss.patch(f"/api/v1/id-tokens/{token['token_id']}", {"status": "blocked"})
    await network.in_sync(station.identity, 44)
    assert "tag07" not in listed(station)
    *_, last = await network.commands("SendLocalList")
    parameters = json.loads(last["parameters"])
    assert parameters["updateType"] == "Differential"
    assert len(parameters["localAuthorizationList"]) == 1
    assert len(await network.commands("GetLocalListVersion")) == before

    # the group changes: every entry says so
    await network.boss.patch(f"/api/v1/token-groups/{group}", {"group_id_token": "OTHERS"})
    await network.until(lambda: network.commands("SendLocalList"), lambda rows: len(rows) == 7)
    await network.in_sync(station.identity, 44)
    info: Any = station.local_list.entries["tag01" if version == "1.6" else "tag01 iso14443"]
    assert (info.parent_id_tag if version == "1.6" else info.group_id_token.id_token) == "OTHERS"

    page = (await network.boss.get(f"/api/v1/chargepoints/{station.identity}/local-list", params={"limit": 30})).json()
    rest = await network.boss.get(
        f"/api/v1/chargepoints/{station.identity}/local-list", params={"limit": 30, "cursor": page["next_cursor"]}
    )
    shown = [item["id_token"].lower() for item in (*page["items"], *rest.json()["items"])]
    assert sorted(shown) == listed(station)

    # switched off: what is there must not be believed later
    await network.put("/offline-policy", local_list=False)
    await network.offline(station.identity, lambda view: (view["local_list"]["state"], view["local_list"]["count"]) == ("off", 0))
    await network.until(
        lambda: network.offline(station.identity),
        lambda _: not station.configuration.switched_on("LocalAuthListEnabled"),
    )
    assert listed(station) == []


async def test_only_those_concerned_are_told(network: Network) -> None:
    here, there = await network.station("HERE"), await network.station("THERE")
    await network.put("/offline-policy", local_list=True)
    await network.token("EVERYWHERE")
    await network.in_sync(here.identity, 1)
    await network.in_sync(there.identity, 1)
    sent = len(await network.commands("SendLocalList"))
    await network.token("ONLYHERE", restrictions={"charge_points": [here.identity]})
    await network.in_sync(here.identity, 2)
    rows = await network.commands("SendLocalList")
    assert [row["identity"] for row in rows[sent:]] == [here.identity]
    assert listed(there) == ["everywhere"]


async def test_without_a_policy_nobody_is_told_anything(network: Network) -> None:
    station = await network.station("CP")
    await network.token("TAG1")
    await network.until(lambda: network.sql("SELECT FROM offline_changes"), lambda marks: not marks)
    assert await network.sql("SELECT FROM local_lists") == await network.sql("SELECT FROM commands") == []
    answer = await network.boss.post(f"/api/v1/chargepoints/{station.identity}/local-list/sync", {})
    assert (answer.status_code, answer.json()["local_list"]["state"]) == (200, "off")
    assert await network.sql("SELECT FROM commands") == []


async def test_policies_of_groups_and_charge_points(network: Network) -> None:
    station = await network.station("CP")
    group = (await network.boss.post("/api/v1/station-groups", {"name": "north"})).json()["group_id"]
    await network.boss.post(f"/api/v1/station-groups/{group}/chargepoints", {"add": [station.identity]})
    await network.put("/offline-policy", local_list=True, max_entries=3)
    await network.put(f"/station-groups/{group}/offline-policy", max_entries=2)
    for n in range(4):
        await network.token(f"TAG{n}")
    await network.in_sync(station.identity, 2)
    await network.put(f"/chargepoints/{station.identity}/offline-policy", max_entries=1)
    view = await network.in_sync(station.identity, 1)
    assert view["policy"] == {"local_list": True, "max_entries": 1}
    assert view["local_list"]["left_out"] == {"too_many": 3}
    assert (await network.boss.delete(f"/api/v1/chargepoints/{station.identity}/offline-policy")).status_code == 204
    await network.in_sync(station.identity, 2)
    assert (await network.boss.delete(f"/api/v1/station-groups/{group}/offline-policy")).status_code == 204
    await network.in_sync(station.identity, 3)
    own = (await network.boss.get(f"/api/v1/chargepoints/{station.identity}/offline-policy")).json()
    assert own == {"policy": {}, "updated_by": None, "updated_at": None}


async def test_a_station_that_was_away_or_has_forgotten_is_brought_up_to_date(network: Network) -> None:
    station = await network.station("CP")
    await network.put("/offline-policy", local_list=True)
    await network.token("TAG1")
    await network.in_sync(station.identity, 1)
    station.local_list.version, station.local_list.entries = 0, {}
    station.configuration.by_key("LocalAuthListEnabled").value = "false"  # type: ignore[union-attr]
    station.restart("hard_reset")
    await network.until(lambda: network.offline(station.identity), lambda _: listed(station) == ["tag1"])
    assert station.configuration.switched_on("LocalAuthListEnabled")
    assert station.local_list.version > 1

    away = await network.station("AWAY")
    await network.in_sync(away.identity, 1)
    await network.sql("UPDATE stations SET connected_process = NULL WHERE identity = $1", away.identity)
    await network.token("TAG2")
    await network.in_sync(station.identity, 2)
    assert (await network.offline(away.identity))["local_list"]["state"] == "pending"
    assert (await network.boss.post(f"/api/v1/chargepoints/{away.identity}/local-list/sync?wait=0", {})).status_code == 202
    assert listed(away) == ["tag1"]
    away.restart("hard_reset")
    await network.in_sync(away.identity, 2)
    assert listed(away) == ["tag1", "tag2"]


async def test_what_a_station_refuses_is_shown_and_not_told_for_ever(network: Network) -> None:
    station = await network.station("CP", LocalPreAuthorize=None)
    await network.put("/offline-policy", local_list=True, pre_authorize=True, cache=False)
    view = await network.in_sync(station.identity, 0)
    refused = {one["name"]: one["status"] for one in view["settings"] if one.get("status") not in (None, "Accepted")}
    assert refused == {"LocalPreAuthorize": "NotSupported", "AuthorizationCacheEnabled": "NotSupported"}
    count = len(await network.commands("ChangeConfiguration"))
    await network.token("TAG1")
    await network.in_sync(station.identity, 1)
    assert len(await network.commands("ChangeConfiguration")) == count
    answer = await network.boss.post(f"/api/v1/chargepoints/{station.identity}/local-list/sync", {"full": True})
    assert answer.status_code == 200, answer.text
    assert answer.json()["local_list"]["state"] == "in_sync"
    assert len(await network.commands("ChangeConfiguration")) == count + 2, "whoever orders the whole list wants it tried again"
    *_, last = await network.commands("SendLocalList")
    assert json.loads(last["parameters"])["updateType"] == "Full"
    await network.token("TAG2")
    await network.in_sync(station.identity, 2)
    *_, last = await network.commands("SendLocalList")
    assert json.loads(last["parameters"])["updateType"] == "Differential", "once"


async def test_a_station_that_meddles_is_sent_the_whole_list(network: Network) -> None:
    station = await network.station("CP")
    await network.put("/offline-policy", local_list=True)
    await network.token("TAG1")
    await network.in_sync(station.identity, 1)
    station.local_list.version, station.local_list.entries = 99, {"somebody": "else"}
    await network.token("TAG2")  # on the same connection: the differential is refused
    await network.in_sync(station.identity, 2)
    assert listed(station) == ["tag1", "tag2"]
    assert [json.loads(row["parameters"])["updateType"] for row in await network.commands("SendLocalList")][-2:] == [
        "Differential",
        "Full",
    ]
    answer = await network.boss.post(f"/api/v1/chargepoints/{station.identity}/local-list/sync", {})
    assert answer.status_code == 200
    assert answer.json()["local_list"]["version"] == station.local_list.version


async def test_caches_of_a_group_are_emptied(network: Network) -> None:
    one, two = await network.station("ONE"), await network.station("TWO", "2.0.1")
    group = (await network.boss.post("/api/v1/station-groups", {"name": "north"})).json()["group_id"]
    await network.boss.post(f"/api/v1/station-groups/{group}/chargepoints", {"add": [one.identity]})
    order = await network.boss.post("/api/v1/local-lists/clear-cache", {"station_group_id": group, "charge_points": [two.identity]})
    assert (order.status_code, order.json()) == (202, {"charge_points": 2})
    for station in (one, two):
        view = await network.offline(station.identity, lambda view: view["cache"]["cleared_at"] is not None)
        assert view["cache"]["error"] is None
        assert view["cache"]["ordered_at"] is None
    assert len(await network.commands("ClearCache")) == 2
    for body, field in (
        ({}, "station_group_id"),
        ({"station_group_id": "00000000-0000-0000-0000-000000000001"}, "station_group_id"),
        ({"charge_points": ["NOBODY"]}, "charge_points[0]"),
    ):
        refused = await network.boss.post("/api/v1/local-lists/clear-cache", body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == field


async def test_bad_policies_are_refused(network: Network) -> None:
    for policy in (
        {"max_entries": 0},
        {"max_entries": 10**9},
        {"whitelists": []},
        {"whitelists": ["NEVER"]},
        {"local_list": "yes"},
        {"more": 1},
        {"token_groups": ["00000000-0000-0000-0000-000000000001"]},
    ):
        answer = await network.boss.put("/api/v1/offline-policy", policy)
        assert answer.status_code == 422, policy
    assert (await network.boss.get("/api/v1/chargepoints/NOBODY/offline")).status_code == 404
    assert (await network.boss.put("/api/v1/chargepoints/NOBODY/offline-policy", {})).status_code == 404
    assert (await network.boss.delete("/api/v1/chargepoints/NOBODY/offline-policy")).status_code == 404


async def test_a_crash_between_sent_and_answered(database: str, root_secret: RootSecret, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    async with open_network(database, root_secret, rounds=0) as network:
        station = await network.station("CP")
        await network.put("/offline-policy", local_list=True)
        await network.token("TAG1")
        real = station.local_list.update
        sent = trio.Event()

        def update(*arguments: Any) -> Any:
            sent.set()
            return real(*arguments)

        monkeypatch.setattr(station.local_list, "update", update)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(network.rounds().run)
            await sent.wait()
            nursery.cancel_scope.cancel()  # the station has it; nobody has heard its answer
        (row,) = await network.sql("SELECT * FROM local_lists")
        assert (row["version"], row["sent_version"], station.local_list.version) == (0, 1, 1)
        await network.token("TAG2")
        await network.sql("UPDATE local_lists SET leased_until = now()")  # as if its time were over
        async with trio.open_nursery() as nursery:
            nursery.start_soon(network.rounds().run)
            await network.in_sync(station.identity, 2)
            nursery.cancel_scope.cancel()
        assert listed(station) == ["tag1", "tag2"]


async def test_two_processes_never_talk_to_one_station_at_once(
    database: str, root_secret: RootSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    async with open_network(database, root_secret, rounds=3) as network:
        stations = [await network.station(f"CP{n}-") for n in range(3)]
        await network.put("/offline-policy", local_list=True)
        for n in range(12):
            await network.token(f"TAG{n:02}")
        for station in stations:
            await network.in_sync(station.identity, 12)
            assert len(listed(station)) == 12
        rows = await network.commands("SendLocalList")
        for station in stations:
            mine = [row for row in rows if row["identity"] == station.identity]
            versions = [json.loads(row["parameters"])["listVersion"] for row in mine]
            assert versions == sorted(set(versions)), "every version once, in their order"
            assert all(row["status"] == "accepted" for row in mine)
            for earlier, later in pairwise(mine):
                assert earlier["finished_at"] <= later["created_at"]


async def answer(station: Any, answers: dict[str, Any]) -> None:
    """Answer every CALL: with a payload, or a text for a CALLERROR."""
    while True:
        _, message_id, action, _ = await station.receive(60)
        given = answers.get(action, "NotImplemented")
        await station.send([4, message_id, given, "", {}] if isinstance(given, str) else [3, message_id, given])


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({}, "unsupported"),
        ({"GetLocalListVersion": {"listVersion": -1}}, "unsupported"),
        ({"GetLocalListVersion": {"listVersion": 0}, "SendLocalList": {"status": "NotSupported"}}, "unsupported"),
        ({"GetLocalListVersion": {"listVersion": 0}, "SendLocalList": {"status": "Failed"}}, "failed"),
        ({"GetLocalListVersion": {"listVersion": 0}, "SendLocalList": "InternalError"}, "failed"),
    ],
)
async def test_stations_that_keep_no_list(network: Network, answers: dict[str, Any], state: str) -> None:
    await network.put("/offline-policy", local_list=True, cache=True)
    await network.token("TAG1")
    async with network.site.station("POOR") as station, trio.open_nursery() as nursery:
        await station.boot()
        nursery.start_soon(answer, station, answers)
        view = await network.offline("POOR", lambda view: view["local_list"]["state"] == state)
        assert view["error"]
        assert {one["name"]: one["status"] for one in view["settings"]} == {
            "LocalAuthListEnabled": "NotImplemented",
            "AuthorizationCacheEnabled": "NotImplemented",
        }
        sent = len(await network.commands("SendLocalList"))
        await trio.sleep(0.5)
        assert len(await network.commands("SendLocalList")) == sent, "it is left alone for now"
        if state == "unsupported":
            assert view["next_try_at"] is None
            await network.token("TAG2")
            await trio.sleep(0.5)
            assert len(await network.commands("SendLocalList")) == sent, "and for ever"
        answers |= {"GetLocalListVersion": {"listVersion": 0}, "SendLocalList": {"status": "Accepted"}}
        assert (await network.boss.post("/api/v1/chargepoints/POOR/local-list/sync", {"full": True})).status_code == 200
        assert (await network.offline("POOR"))["local_list"]["state"] == "in_sync"
        nursery.cancel_scope.cancel()


async def test_a_list_is_cut_to_what_the_station_can_hold(network: Network) -> None:
    station = await network.station("SMALL", LocalAuthListMaxLength="3")
    await network.put("/offline-policy", local_list=True)
    for n in range(5):
        await network.token(f"TAG{n}")
    view = await network.in_sync(station.identity, 3)
    assert listed(station) == ["tag0", "tag1", "tag2"]
    assert view["local_list"]["left_out"] == {"too_many": 2}


async def test_a_token_that_begins_to_be_valid(network: Network) -> None:
    station = await network.station("CP")
    await network.put("/offline-policy", local_list=True)
    await network.token("SOON", valid_from=f"{datetime.now(UTC) + timedelta(seconds=3):%Y-%m-%dT%H:%M:%SZ}")
    await network.in_sync(station.identity, 0)
    await network.in_sync(station.identity, 1)


async def test_no_change_is_missed_however_late_its_transaction_ends(network: Network) -> None:
    station = await network.station("CP")
    await network.put("/offline-policy", local_list=True)
    await network.in_sync(station.identity, 0)
    begun = trio.Event()

    async def late(conn: Connection) -> None:
        async with conn.transaction():
            await conn.execute("INSERT INTO id_tokens (tenant_id, id_token, type) VALUES (1, 'LATE', 'ISO14443')")
            trio.from_thread.run_sync(begun.set, trio_token=token)
            await conn.execute("SELECT pg_sleep(1.5)")

    token = trio.lowlevel.current_trio_token()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_with_owner, network.hub.dsn, late)
        await begun.wait()
        for n in range(5):  # others come and are seen meanwhile
            await network.token(f"TAG{n}")
        await network.in_sync(station.identity, 5)
        assert not await network.sql("SELECT FROM id_tokens WHERE id_token = 'LATE'")
    await network.in_sync(station.identity, 6)
    assert "late" in listed(station)


async def test_lists_that_nobody_has_any_more_are_forgotten(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "FORGET_AFTER", timedelta(0))
    station = await network.station("CP")
    await network.put("/offline-policy", local_list=True)
    for n in range(5):
        await network.token(f"TAG{n}")
        await network.in_sync(station.identity, n + 1)
    await network.token("TAG9")
    await network.in_sync(station.identity, 6)
    rows = await network.sql("SELECT count FROM local_list_contents ORDER BY count")
    assert len(rows) <= 3
    assert rows[-1]["count"] == 6
