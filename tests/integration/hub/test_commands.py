"""Commands: recorded, handed to the gateway process, waited for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
import trio

from csms.commands.ends import TOPIC, encode_ids
from tests.integration.hub.harness import Field, Person, RunningHub


@asynccontextmanager
async def gateway(hub: RunningHub, status: str, result: str | None = None, *, tell: bool = True) -> AsyncIterator[list[Any]]:
    """A gateway process that finishes every command it is poked for; gives the pokes it got."""
    pokes: list[Any] = []

    async def work(task_status: trio.TaskStatus[None]) -> None:
        async with hub.bus.subscribe(f"gateway.{hub.process_id}.commands") as received:
            task_status.started()
            async for body in received:
                poke = msgspec.json.decode(body)
                pokes.append(poke)
                await hub.sql(
                    "UPDATE commands SET status = $2, result = $3::jsonb, sent_at = now(), finished_at = now() "
                    "WHERE command_id = $1",
                    UUID(poke["command_id"]),
                    status,
                    result,
                )
                if tell:
                    await hub.bus.publish(TOPIC, encode_ids([UUID(poke["command_id"])]))

    async with trio.open_nursery() as nursery:
        await nursery.start(work)
        yield pokes
        nursery.cancel_scope.cancel()


@pytest.fixture
async def station(hub: RunningHub, boss: Person) -> str:
    await boss.post("/api/v1/chargepoints", {"charge_point_id": "CP-1"})
    await hub.connect_station("north", "CP-1")
    return "/api/v1/chargepoints/CP-1/commands"


async def test_the_station_s_answer_is_the_caller_s(hub: RunningHub, boss: Person, station: str) -> None:
    async with gateway(hub, "accepted", '{"status":"Accepted"}') as pokes:
        answer = await boss.post(station, {"command": "remote_start", "parameters": {"id_token": "TAG1", "connector_id": 1}})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "accepted"
    assert body["result"] == {"status": "Accepted"}
    assert body["command"] == "remote_start"
    assert body["parameters"] == {"id_token": "TAG1", "connector_id": 1}
    assert body["requested_by"] == "user:boss@north.example.org"
    assert [poke["command_id"] for poke in pokes] == [body["command_id"]]
    assert UUID(body["command_id"]).version == 7
    assert (await boss.get(f"/api/v1/commands/{body['command_id']}")).json() == body
    assert (await boss.get(station)).json()["items"] == [body]


@pytest.mark.parametrize(
    ("body", "tells"),
    [
        ({"command": "reset", "parameters": {"type": "soft"}}, True),
        ({"action": "DataTransfer", "payload": {"vendorId": "v"}}, True),
        ({"action": "DataTransfer", "payload": {"vendorId": "v", "data": "x" * 8192}}, False),
    ],
)
async def test_a_poke_tells_what_was_ordered_unless_that_is_long(
    hub: RunningHub, boss: Person, station: str, body: dict[str, Any], tells: bool
) -> None:
    async with gateway(hub, "accepted", '{"status":"Accepted"}') as pokes:
        answer = await boss.post(station, body)
    assert answer.status_code == 200, answer.text
    (row,) = await hub.sql("SELECT command, action, parameters, expires_at FROM commands")
    told = pokes[0].get("told")
    assert (told is not None) == tells
    if tells:
        assert (told.get("command"), told.get("action")) == (row["command"], row["action"])
        assert told["parameters"] == msgspec.json.decode(row["parameters"])
        assert datetime.fromisoformat(told["expires_at"]) == row["expires_at"]


async def test_who_waits_is_woken_and_need_not_look(
    hub: RunningHub, boss: Person, station: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("csms.commands.service.POLL_S", 60.0)
    with trio.fail_after(10):
        async with gateway(hub, "accepted"):
            answer = await boss.post(f"{station}?wait=30", {"command": "clear_cache"})
    assert answer.json()["status"] == "accepted"


async def test_a_lost_wake_up_is_found_in_the_table(hub: RunningHub, boss: Person, station: str) -> None:
    async with gateway(hub, "rejected", tell=False):
        answer = await boss.post(station, {"command": "clear_cache"})
    assert answer.status_code == 200
    assert answer.json()["status"] == "rejected"


async def test_what_takes_longer_is_answered_with_202(boss: Person, station: str) -> None:
    answer = await boss.post(f"{station}?wait=0.1", {"action": "GetDiagnostics", "payload": {"location": "ftp://x"}})
    assert answer.status_code == 202
    body = answer.json()
    assert (body["status"], body["action"], body["payload"]) == ("queued", "GetDiagnostics", {"location": "ftp://x"})
    assert answer.headers["location"] == f"/api/v1/commands/{body['command_id']}"


async def test_an_absent_station_is_refused_unless_the_command_may_wait(hub: RunningHub, boss: Person, station: str) -> None:
    await hub.sql("UPDATE stations SET connected_process = NULL")
    assert (await boss.post(station, {"command": "reset"})).status_code == 409
    queued = await boss.post(f"{station}?wait=0", {"command": "reset", "time_to_live": 3600})
    assert queued.status_code == 202
    assert (await boss.post(f"{station}?wait=0", {"command": "unlock_connector", "time_to_live": 60})).status_code == 409
    assert (await boss.post(f"{station}?wait=0", {"command": "remote_start", "parameters": {"id_token": "T"}})).status_code == 409


async def test_a_rejected_station_is_sent_nothing(hub: RunningHub, boss: Person, station: str) -> None:
    await hub.sql("UPDATE stations SET registration = 'rejected'")
    for order in ({"command": "reset"}, {"command": "reset", "time_to_live": 60}):
        refused = await boss.post(station, order)
        assert (refused.status_code, "was rejected" in refused.text) == (409, True)
    assert (await boss.post(station.replace("CP-1", "cp-1"), {"command": "reset"})).status_code == 404
    assert await hub.sql("SELECT 1 FROM commands") == []


async def test_open_commands_are_bounded(hub: RunningHub, boss: Person, station: str) -> None:
    for _ in range(100):
        assert (await boss.post(f"{station}?wait=0", {"command": "clear_cache"})).status_code == 202
    full = await boss.post(f"{station}?wait=0", {"command": "clear_cache"})
    assert full.status_code == 429
    assert full.headers["retry-after"] == "30"
    assert len(await hub.sql("SELECT 1 FROM commands")) == 100
    await hub.sql("UPDATE commands SET expires_at = now() WHERE command_id = (SELECT min(command_id::text)::uuid FROM commands)")
    for status in (202, 429):
        assert (await boss.post(f"{station}?wait=0", {"command": "clear_cache"})).status_code == status


BAD_ORDERS: list[tuple[Any, str]] = [
    ({}, "command"),
    ({"command": "explode"}, "command"),
    ({"command": "remote_start"}, "parameters.id_token"),
    ({"command": "remote_start", "parameters": {"id_token": ""}}, "parameters.id_token"),
    ({"command": "remote_start", "parameters": {"id_token": "T", "command": "reset"}}, "parameters.command"),
    ({"command": "reset", "parameters": {"type": "gentle"}}, "parameters.type"),
    ({"command": "reset", "parameters": {"x": 1}}, "parameters.x"),
    ({"command": "reset", "payload": {}}, "payload"),
    ({"command": "reset", "action": "Reset"}, "action"),
    ({"action": "Reset!", "payload": {}}, "action"),
    ({"action": "Reset", "payload": []}, "payload"),
    ({"command": "reset", "time_to_live": 0}, "time_to_live"),
    ({"command": "get_variables", "parameters": {"variables": [{"component": "C"}]}}, "parameters.variables[0].variable"),
]


async def test_a_bad_order_names_the_field(boss: Person, station: str) -> None:
    for body, field in BAD_ORDERS:
        answer = await boss.post(station, body)
        assert answer.status_code == 422, (body, answer.text)
        assert answer.json()["errors"][0]["field"] == field, (body, answer.text)


async def test_a_remote_stop_is_linked_to_its_session(hub: RunningHub, field: Field, boss: Person) -> None:
    number = await field.connect("north", "CP-9")
    transaction = await field.start("north", number)
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    path = f"/api/v1/sessions/{session['session_id']}/stop"
    async with gateway(hub, "accepted", '{"status":"Accepted"}'):
        answer = await boss.post(path, {})
    assert answer.status_code == 200, answer.text
    command = answer.json()["command"]
    assert (command["command"], command["parameters"]) == ("remote_stop", {"transaction_id": transaction})
    assert command["session_id"] == session["session_id"]
    assert answer.json()["session"]["status"] == "active"
    async with gateway(hub, "rejected", '{"status":"Rejected"}'):
        unforced = await boss.post(path, {})
        assert unforced.json()["session"]["status"] == "active"
        forced = await boss.post(path, {"force": True})
    assert forced.json()["forced"] is True
    assert forced.json()["session"]["status"] == "incomplete"


async def test_a_change_that_ends_a_connection_tells_the_gateway(hub: RunningHub, boss: Person, station: str) -> None:
    path = "/api/v1/chargepoints/CP-1"
    async with hub.bus.subscribe(f"gateway.{hub.process_id}.disconnect") as orders:
        await boss.patch(path, {"name": "Other"})
        await boss.patch(path, {"generate_password": True})
        await boss.patch(path, {"registration": "rejected"})
        await boss.delete(path)
        reasons = [msgspec.json.decode(orders.receive_nowait())["reason"] for _ in range(3)]
    assert reasons == ["password changed", "registration withdrawn", "station retired"]
    assert (await boss.get(path)).status_code == 404


SECRET = "the-new-password-of-the-station"
CREDENTIALS: list[tuple[Any, str]] = [
    ({"command": "change_configuration", "parameters": {"key": "AuthorizationKey", "value": SECRET}}, "parameters.value"),
    ({"action": "ChangeConfiguration", "payload": {"key": "authorizationkey", "value": SECRET}}, "payload.value"),
    ({"action": "changeconfiguration", "payload": {"key": "AuthorizationKey", "value": SECRET}}, "payload.value"),
    (
        {
            "command": "set_variables",
            "parameters": {
                "variables": [
                    {"component": "OCPPCommCtrlr", "variable": "HeartbeatInterval", "value": "60"},
                    {"component": "SecurityCtrlr", "variable": "BasicAuthPassword", "value": SECRET},
                ]
            },
        },
        "parameters.variables[1].value",
    ),
    (
        {
            "action": "SetVariables",
            "payload": {
                "setVariableData": [
                    {
                        "attributeValue": SECRET,
                        "component": {"name": "SecurityCtrlr"},
                        "variable": {"name": "BASICAUTHPASSWORD"},
                    }
                ]
            },
        },
        "payload.setVariableData[0].attributeValue",
    ),
    (
        {"command": "data_transfer", "parameters": {"vendor_id": "v", "data": {"key": "AuthorizationKey", "value": SECRET}}},
        "parameters.data.value",
    ),
    (
        {
            "action": "SetNetworkProfile",
            "payload": {"configurationSlot": 1, "connectionData": {"identity": "CP-1", "basicAuthPassword": SECRET}},
        },
        "payload.connectionData.basicAuthPassword",
    ),
]


async def test_a_station_s_password_is_not_set_by_a_command(hub: RunningHub, boss: Person, station: str) -> None:
    for body, field in CREDENTIALS:
        answer = await boss.post(station, body)
        assert answer.status_code == 422, (body, answer.text)
        (error,) = answer.json()["errors"]
        assert error["field"] == field
        assert "PATCH /api/v1/chargepoints/{id}" in error["message"]
        assert SECRET not in answer.text
    assert await hub.sql("SELECT 1 FROM commands") == []
    # asking for the key is no secret
    asked = {"command": "get_configuration", "parameters": {"keys": ["AuthorizationKey"]}}
    assert (await boss.post(f"{station}?wait=0", asked)).status_code == 202


async def test_a_password_that_a_station_tells_is_shown_to_nobody(hub: RunningHub, boss: Person, station: str) -> None:
    viewer = await hub.make_user(boss, "viewer")
    told = [
        {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": SECRET}, {"key": "A", "value": "1"}]},
        {"getVariableResult": [{"attributeValue": SECRET, "component": {"name": "S"}, "variable": {"name": "BasicAuthPassword"}}]},
    ]
    for result in told:
        async with gateway(hub, "accepted", msgspec.json.encode(result).decode()):
            answer = await boss.post(station, {"command": "get_configuration"})
        seen = [answer, await viewer.get(answer.headers["location"]), await viewer.get(station)]
        assert all(SECRET not in view.text and '"***"' in view.text for view in seen)
    newest, older = (item["result"] for item in seen[-1].json()["items"])
    assert newest["getVariableResult"][0]["variable"] == {"name": "BasicAuthPassword"}
    assert older["configurationKey"][1] == {"key": "A", "value": "1"}


async def test_the_size_of_an_order_is_bounded(boss: Person, station: str) -> None:
    fits, large = "x" * 65_000, "x" * 65_600
    for body, field in (
        ({"action": "DataTransfer", "payload": {"vendorId": "v", "data": large}}, "payload"),
        ({"command": "data_transfer", "parameters": {"vendor_id": "v", "data": large}}, "parameters"),
        ({"command": "data_transfer", "parameters": {"vendor_id": "v", "data": ["x"] * 20_000}}, "parameters"),
        ({"command": "remote_start", "parameters": {"id_token": "T", "token_type": "x" * 21}}, "parameters.token_type"),
    ):
        answer = await boss.post(station, body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == field
    taken = await boss.post(f"{station}?wait=0", {"action": "DataTransfer", "payload": {"vendorId": "v", "data": fits}})
    assert taken.status_code == 202


async def test_a_page_of_commands_is_bounded_in_bytes_and_leaves_none_out(hub: RunningHub, boss: Person, station: str) -> None:
    await hub.sql(
        "INSERT INTO commands (tenant_id, command_id, station_id, action, parameters, status, result, requested_by, expires_at) "
        "SELECT s.tenant_id, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, s.station_id, 'X', '{}', 'accepted', "
        "jsonb_build_object('n', n, 'x', repeat('x', CASE WHEN n = 12 THEN 5000000 ELSE 1000000 END)), 'test', now() "
        "FROM stations s, generate_series(1, 12) n"
    )
    for limit in (3, 500):
        found, sizes, cursor = [], [], None
        while True:
            answer = await boss.get(station, params={"limit": limit} | ({"cursor": cursor} if cursor else {}))
            assert len(answer.content) < 5_100_000
            sizes.append(len(answer.json()["items"]))
            found += [item["result"]["n"] for item in answer.json()["items"]]
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                break
        assert found == list(range(12, 0, -1))
        assert sizes == ([1, 3, 3, 3, 2] if limit == 3 else [1, 4, 4, 3])
