"""Two tenants never mix, at any endpoint (proof list N3 b, e; attacks V5, V28)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from hub.api.paging import NIL
from hub.routes import all_routes
from tests.integration.hub.harness import Field, Person, RunningHub
from tests.security.tenants import CANARY, TWIN, Side, furnish, snapshot

# What one tenant's administrator tries with an id of the other's: method, path, body. `{id}` is the foreign id, or a random one;
# `{event_id}` is that of an event which the foreign session has.
BY_ID: dict[str, list[tuple[str, Any]]] = {
    "/api/v1/chargepoints/{id}": [("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)],
    "/api/v1/chargepoints/{id}/commands": [("GET", None), ("POST", {"command": "reset", "time_to_live": 60})],
    "/api/v1/chargepoints/{id}/relaxations": [("GET", None)],
    "/api/v1/chargepoints/{id}/events": [("GET", None)],
    "/api/v1/quarantine/{id}": [("GET", None)],
    "/api/v1/quarantine/{id}/candidates": [("GET", None)],
    "/api/v1/quarantine/{id}/attach": [("POST", {"session_id": str(NIL), "reason": "x"})],
    "/api/v1/quarantine/{id}/replay": [("POST", {"payload": {}})],
    "/api/v1/quarantine/{id}/resolve": [("POST", {"resolution": "x"})],
    "/api/v1/tolerance-rules/{id}": [("DELETE", None)],
    "/api/v1/commands/{id}": [("GET", None)],
    "/api/v1/sessions/{id}": [("GET", None)],
    "/api/v1/sessions/{id}/samples": [("GET", None)],
    "/api/v1/sessions/{id}/events": [("GET", None)],
    "/api/v1/sessions/{id}/corrections": [("GET", None)],
    "/api/v1/sessions/{id}/close": [("POST", {"reason": "x"})],
    "/api/v1/sessions/{id}/settle": [("POST", {"reason": "x"})],
    "/api/v1/sessions/{id}/conflicts/{event_id}/resolve": [("POST", {"use": "other", "reason": "x"})],
    "/api/v1/sessions/{id}/stop": [("POST", {"force": True})],
    "/api/v1/id-tokens/{id}": [("GET", None), ("PATCH", {"label": "x"}), ("DELETE", None)],
    "/api/v1/locations/{id}": [("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)],
    "/api/v1/users/{id}": [("GET", None), ("PATCH", {"name": "x", "password": "a-new-password"}), ("DELETE", None)],
    "/api/v1/api-keys/{id}": [("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)],
    "/api/v1/tenants/{id}": [("GET", None)],
    "/api/v1/tenants/{id}/config": [("PUT", {"onboarding": "accept"})],
}

LISTS = (
    "/api/v1/chargepoints",
    "/api/v1/sessions",
    "/api/v1/id-tokens",
    "/api/v1/locations",
    "/api/v1/users",
    "/api/v1/api-keys",
    "/api/v1/events",
    "/api/v1/quarantine",
    "/api/v1/tolerance-rules",
    "/api/v1/me",
)

# Reached by no id of a tenant, or covered by tests of their own
OTHERS = {
    ("GET", "/api/v1/tenants"),
    ("POST", "/api/v1/tenants"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/refresh"),
    ("POST", "/api/v1/auth/logout"),
    ("POST", "/api/v1/chargepoints"),
    ("POST", "/api/v1/id-tokens"),
    ("POST", "/api/v1/locations"),
    ("POST", "/api/v1/users"),
    ("POST", "/api/v1/api-keys"),
    ("POST", "/api/v1/tolerance-rules"),
    ("GET", "/health"),
    ("GET", "/metrics"),
    ("GET", "/docs"),
    ("GET", "/docs/style.css"),
    ("GET", "/openapi.json"),
    ("GET", "/"),
}


@pytest.fixture
async def north(hub: RunningHub, field: Field, admin: Person) -> Side:
    return await furnish(hub, field, admin, "north", "plain")


@pytest.fixture
async def south(hub: RunningHub, field: Field, admin: Person, north: Side) -> Side:
    made = await furnish(hub, field, admin, "south", CANARY)
    # a station and an id of its own, which north does not have
    await made.boss.post("/api/v1/chargepoints", {"charge_point_id": "SOUTH-1", "name": CANARY})
    return made


def _essence(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    return answer.status_code, answer.content, [(k, v) for k, v in sorted(answer.headers.items()) if k != "date"]


def _foreign_ids(path: str, south: Side) -> Iterable[tuple[str, str]]:
    """(the other tenant's, a random one)"""
    kinds = {
        "chargepoints": "SOUTH-1",
        "commands": south.command_id,
        "sessions": south.session_id,
        "id-tokens": south.token_id,
        "locations": south.location_id,
        "users": south.user_id,
        "api-keys": south.key_id,
        "tenants": "south",
        "quarantine": south.quarantine_id,
        "tolerance-rules": south.rule_id,
    }
    kind = path.split("/")[3]
    yield kinds[kind], "RANDOM1" if kind == "chargepoints" else "nowhere" if kind == "tenants" else str(uuid4())


def test_every_endpoint_is_in_this_test() -> None:
    tried = {(method, path) for path, calls in BY_ID.items() for method, _ in calls} | {("GET", path) for path in LISTS} | OTHERS
    assert tried == {(row.method, row.path) for row in all_routes()}


async def test_a_foreign_id_is_answered_as_one_that_does_not_exist(hub: RunningHub, north: Side, south: Side) -> None:
    (event, *_) = (await south.boss.get(f"/api/v1/sessions/{south.session_id}/events")).json()["items"]
    before = await snapshot(hub, south.tenant_id)
    for path, calls in BY_ID.items():
        for foreign, random in _foreign_ids(path, south):
            for method, body in calls:
                arguments = {} if body is None else {"json": body}
                answers = [
                    await north.boss.request(
                        method, path.replace("{id}", identifier).replace("{event_id}", event["event_id"]), **arguments
                    )
                    for identifier in (foreign, random)
                ]
                assert _essence(answers[0]) == _essence(answers[1]), (method, path)
                assert answers[0].status_code == 404, (method, path, answers[0].text)
    assert await snapshot(hub, south.tenant_id) == before


async def test_lists_show_nothing_of_the_other_tenant(hub: RunningHub, north: Side, south: Side) -> None:
    seen = 0
    for path in LISTS:
        own = await north.boss.get(path)
        assert own.status_code == 200, (path, own.text)
        for trace in (CANARY, "SOUTH", "south", south.session_id, south.command_id, south.location_id, south.token_id):
            assert trace not in own.text, (path, trace)
        theirs = await south.boss.get(path)
        seen += CANARY in theirs.text
    assert seen >= 6  # the canary is there to be seen
    for query in (f"charge_point_id=SOUTH-1&id_tag={CANARY}", "charge_point_id=SOUTH-1"):
        assert (await north.boss.get(f"/api/v1/sessions?{query}")).json()["items"] == []


async def test_foreign_ids_in_bodies_cursors_and_headers(hub: RunningHub, north: Side, south: Side) -> None:
    before = await snapshot(hub, south.tenant_id)
    for make in (
        lambda location: north.boss.post("/api/v1/chargepoints", {"charge_point_id": "N-2", "location_id": location}),
        lambda location: north.boss.patch(f"/api/v1/chargepoints/{TWIN}", {"location_id": location}),
    ):
        answers = [await make(location) for location in (south.location_id, str(uuid4()))]
        assert _essence(answers[0]) == _essence(answers[1])
        assert answers[0].status_code == 422
    for path in ("/api/v1/chargepoints", "/api/v1/locations", "/api/v1/id-tokens", "/api/v1/users"):
        refused = await north.boss.post(path, {"tenant_id": south.tenant_id, "tenant": "south"})
        assert refused.status_code == 422
    await south.boss.post("/api/v1/locations", {"name": "second"})
    before = await snapshot(hub, south.tenant_id)
    cursor = (await south.boss.get("/api/v1/locations", params={"limit": 1})).json()["next_cursor"]
    assert (await north.boss.get("/api/v1/locations", params={"cursor": cursor})).status_code == 422
    for path in LISTS:
        assert (await north.boss.get(path, headers={"X-CSMS-Tenant": "south"})).status_code == 403
    # what is free here may be taken there: no conflict tells of it
    for path, body in (
        ("/api/v1/chargepoints", {"charge_point_id": "SOUTH-1"}),
        ("/api/v1/users", {"email": f"{CANARY}@example.org", "password": "a-good-password", "role": "viewer"}),
    ):
        assert (await north.boss.post(path, body)).status_code == 201
    assert await snapshot(hub, south.tenant_id) == before


async def test_twins_are_told_apart(hub: RunningHub, field: Field, north: Side, south: Side) -> None:
    before = await snapshot(hub, south.tenant_id)
    shown = (await north.boss.get(f"/api/v1/chargepoints/{TWIN}")).json()
    assert shown["name"] == "plain-station"
    (session,) = (await north.boss.get("/api/v1/sessions", params={"charge_point_id": TWIN, "id_tag": "TAG1"})).json()["items"]
    assert (session["session_id"], session["transaction_id"]) == (north.session_id, "4711")
    async with hub.bus.subscribe(f"gateway.{hub.process_id}.commands") as pokes:
        await north.boss.post(f"/api/v1/chargepoints/{TWIN}/commands?wait=0", {"command": "clear_cache"})
        poke = pokes.receive_nowait()
    assert f'"tenant_id":{north.tenant_id},"station_id":{north.station_id},'.encode() in poke
    await hub.sql("UPDATE stations SET connected_process = NULL WHERE tenant_id = $1", north.tenant_id)
    forced = await north.boss.post(f"/api/v1/sessions/{north.session_id}/stop", {"force": True})
    assert forced.json()["session"]["status"] == "incomplete"
    await field.stop("north", north.station_id, "4711")
    assert (await north.boss.get(f"/api/v1/sessions/{north.session_id}")).json()["status"] == "completed"
    assert (await north.boss.delete(f"/api/v1/chargepoints/{TWIN}")).status_code == 204
    assert await snapshot(hub, south.tenant_id) == before
    (theirs,) = (await south.boss.get("/api/v1/sessions")).json()["items"]
    assert (theirs["status"], theirs["transaction_id"]) == ("active", "4711")


async def test_the_platform_administrator_acts_on_one_tenant_at_a_time(
    hub: RunningHub, admin: Person, north: Side, south: Side
) -> None:
    assert (await admin.get("/api/v1/chargepoints")).json()["items"] == []
    there = {"X-CSMS-Tenant": "south"}
    names = [item["name"] for item in (await admin.get("/api/v1/chargepoints", headers=there)).json()["items"]]
    assert sorted(names) == [CANARY, f"{CANARY}-station"]
    assert (await admin.get(f"/api/v1/sessions/{south.session_id}")).status_code == 404
    assert (await admin.get(f"/api/v1/sessions/{south.session_id}", headers=there)).status_code == 200


async def test_only_platform_administrators_see_and_make_tenants(admin: Person, north: Side, south: Side) -> None:
    assert (await north.boss.get("/api/v1/tenants")).status_code == 403
    new = {"id": "west", "name": "West", "admin": {"email": "w@example.org", "password": "a-good-password"}}
    assert (await north.boss.post("/api/v1/tenants", new)).status_code == 403
    listed = (await admin.get("/api/v1/tenants", params={"limit": 2})).json()
    assert [item["id"] for item in listed["items"]] == ["default", "north"]
    rest = (await admin.get("/api/v1/tenants", params={"cursor": listed["next_cursor"]})).json()
    assert [item["id"] for item in rest["items"]] == ["south"]
