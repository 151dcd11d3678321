"""Two tenants never mix, at any endpoint (proof list N3 b, e; attacks V5, V28)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    "/api/v1/sessions/{id}/cost": [("GET", None)],
    "/api/v1/sessions/{id}/bill": [("POST", None)],
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

_TARIFF = {
    "id": f"{CANARY}-tariff",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "FLAT", "price": 1, "step_size": 1}]}],
}
_STEP = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z", "price": 1}
BY_ID |= {
    "/api/v1/tariffs/{id}": [("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)],
    "/api/v1/tariffs/{id}/versions": [("GET", None), ("PUT", {"tariff": _TARIFF})],
    "/api/v1/tariffs/{id}/versions/{version}": [("GET", None)],
    "/api/v1/tariff-assignments/{id}": [("GET", None), ("PATCH", {"priority": 1}), ("DELETE", None)],
    "/api/v1/price-series/{id}": [("GET", None), ("PATCH", {"name": "x"})],
    "/api/v1/price-series/{id}/steps": [("GET", None), ("POST", {"steps": [_STEP]})],
}

BY_ID |= {
    "/api/v1/cdrs/{id}": [("GET", None)],
    "/api/v1/cdrs/{id}/check": [("GET", None)],
    "/api/v1/sessions/{id}/cdrs": [("GET", None)],
    "/api/v1/sessions/{id}/signed-values": [("GET", None)],
    "/api/v1/sessions/{id}/transparency.xml": [("GET", None)],
    "/api/v1/chargepoints/{id}/meter-public-keys": [("GET", None), ("PUT", {"public_key": "x"})],
    "/api/v1/statements/{id}": [("GET", None)],
    "/api/v1/statements/{id}/csv": [("GET", None)],
}

BY_ID |= {
    "/api/v1/token-groups/{id}": [("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)],
    "/api/v1/station-groups/{id}": [("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)],
    "/api/v1/station-groups/{id}/chargepoints": [("GET", None), ("POST", {"add": []})],
    "/api/v1/station-groups/{id}/offline-policy": [("GET", None), ("PUT", {"cache": True}), ("DELETE", None)],
    "/api/v1/chargepoints/{id}/offline-policy": [("GET", None), ("PUT", {"cache": True}), ("DELETE", None)],
    "/api/v1/chargepoints/{id}/offline": [("GET", None)],
    "/api/v1/chargepoints/{id}/local-list": [("GET", None)],
    "/api/v1/chargepoints/{id}/local-list/sync": [("POST", {"full": True})],
}

BY_ID |= {"/api/v1/qr-tokens/{id}.svg": [("GET", None)], "/api/v1/payments/{id}": [("GET", None)]}

BY_ID |= {
    "/api/v1/chargepoints/{id}/evses/{evse_id}/roaming": [("GET", None), ("PUT", {"floor_level": "1"})],
    "/api/v1/chargepoints/{id}/evses/{evse_id}/connectors/{connector_id}/roaming": [("GET", None), ("PUT", {"format": "CABLE"})],
}

BY_ID |= {"/api/v1/reservations/{id}": [("GET", None), ("DELETE", None)]}

_PARTNER = {"versions_url": "https://example.org/versions", "token": "token-a"}
BY_ID |= {
    "/api/v1/ocpi/parties/{country_code}/{party_id}/{role}": [("DELETE", None)],
    "/api/v1/ocpi/partners/{id}": [("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)],
    "/api/v1/ocpi/partners/{id}/register": [("POST", _PARTNER)],
    "/api/v1/ocpi/agreements/{id}": [("GET", None), ("PUT", {"allowed": False}), ("DELETE", None)],
    "/api/v1/ocpi/messages/{id}": [("GET", None)],
    "/api/v1/ocpi/commands/{id}": [("GET", None)],
    "/api/v1/ocpi/invoices/{id}": [("GET", None), ("DELETE", None)],
    "/api/v1/ocpi/received-invoices/{object_no}": [("GET", None)],
    "/api/v1/ocpi/received-invoices/{object_no}/cdrs": [("GET", None)],
    "/api/v1/ocpi/sessions/{id}/charging-preferences": [("PUT", {"profile_type": "FAST"})],
    "/api/v1/ocpi/partners/{id}/pull": [("GET", None), ("POST", {})],
    **{
        f"/api/v1/ocpi/partners/{{id}}/{order}": [("POST", None)]
        for order in ("rotate", "refresh", "suspend", "resume", "registration-token", "check")
    },
}

LISTS = (
    "/api/v1/chargepoints",
    "/api/v1/offline-policy",
    "/api/v1/sessions",
    "/api/v1/held-sessions",
    "/api/v1/id-tokens",
    "/api/v1/id-tokens/export",
    "/api/v1/token-groups",
    "/api/v1/station-groups",
    "/api/v1/locations",
    "/api/v1/users",
    "/api/v1/api-keys",
    "/api/v1/events",
    "/api/v1/quarantine",
    "/api/v1/tolerance-rules",
    "/api/v1/tariffs",
    "/api/v1/tariff-assignments",
    "/api/v1/price-series",
    "/api/v1/external-authorization",
    "/api/v1/cdrs",
    "/api/v1/cdrs/export",
    "/api/v1/statements",
    "/api/v1/payments",
    "/api/v1/payment-settings",
    "/api/v1/reservations",
    "/api/v1/ocpi/parties",
    "/api/v1/ocpi/partners",
    "/api/v1/ocpi/agreements",
    "/api/v1/ocpi/visibility",
    "/api/v1/ocpi/messages",
    "/api/v1/ocpi/commands",
    "/api/v1/ocpi/objects",
    "/api/v1/ocpi/storage",
    "/api/v1/ocpi/received-statements",
    "/api/v1/ocpi/invoices",
    "/api/v1/ocpi/received-invoices",
    "/api/v1/ocpi/publications",
    "/api/v1/ocpi/published",
    "/api/v1/ocpi/findings",
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
    ("POST", "/api/v1/id-tokens/check"),
    ("POST", "/api/v1/id-tokens/import"),
    ("POST", "/api/v1/qr-tokens"),
    ("POST", "/api/v1/payments"),
    ("POST", "/api/v1/reservations"),
    ("PUT", "/api/v1/payment-settings"),
    ("POST", "/api/v1/token-groups"),
    ("POST", "/api/v1/station-groups"),
    ("PUT", "/api/v1/offline-policy"),
    ("POST", "/api/v1/local-lists/clear-cache"),
    ("POST", "/api/v1/locations"),
    ("POST", "/api/v1/users"),
    ("POST", "/api/v1/api-keys"),
    ("POST", "/api/v1/tolerance-rules"),
    ("POST", "/api/v1/statements"),
    ("POST", "/api/v1/tariffs"),
    ("POST", "/api/v1/tariffs/preview"),
    ("POST", "/api/v1/tariff-assignments"),
    ("GET", "/api/v1/tariff-assignments/explain"),
    ("POST", "/api/v1/price-series"),
    ("PUT", "/api/v1/external-authorization"),
    ("DELETE", "/api/v1/external-authorization"),
    ("POST", "/api/v1/external-authorization/test"),
    ("PUT", "/api/v1/ocpi/parties/{country_code}/{party_id}/{role}"),
    ("POST", "/api/v1/ocpi/publications"),
    ("GET", "/api/v1/ocpi/objects/{module}/{object_no}"),
    ("GET", "/api/v1/ocpi/hub"),
    ("PUT", "/api/v1/ocpi/hub"),
    ("POST", "/api/v1/ocpi/partners"),
    ("POST", "/api/v1/ocpi/commands"),
    ("POST", "/api/v1/ocpi/agreements"),
    ("POST", "/api/v1/ocpi/invoices"),
    ("PUT", "/api/v1/ocpi/visibility"),
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
    connectors = [{"evse_id": 1, "connector_id": 1}]
    await made.boss.post("/api/v1/chargepoints", {"charge_point_id": "SOUTH-1", "name": CANARY, "connectors": connectors})
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
        "qr-tokens": south.qr_token_id,
        "payments": south.payment_id,
        "reservations": str(south.reservation_id),
        "token-groups": south.token_group_id,
        "station-groups": south.station_group_id,
        "locations": south.location_id,
        "users": south.user_id,
        "api-keys": south.key_id,
        "tenants": "south",
        "quarantine": south.quarantine_id,
        "tolerance-rules": south.rule_id,
        "cdrs": south.cdr_id,
        "statements": south.statement_id,
        "tariffs": south.tariff_id,
        "tariff-assignments": south.assignment_id,
        "price-series": south.tariff_id,
        "ocpi/parties": south.roaming.party,
        "ocpi/partners": south.roaming.partner_id,
        "ocpi/agreements": south.roaming.agreement_id,
        "ocpi/messages": south.roaming.partner_id,
        "ocpi/commands": south.roaming.partner_id,
        "ocpi/sessions": south.roaming.session,
        "ocpi/invoices": south.roaming.partner_id,
        "ocpi/received-invoices": south.roaming.record,
    }
    kind = "/".join(path.split("/")[3 : 5 if path.startswith("/api/v1/ocpi/") else 4])
    yield (
        kinds[kind],
        "NL/XXX/CPO"
        if kind == "ocpi/parties"
        else "RANDOM1"
        if kind == "chargepoints"
        else "nowhere"
        if kind == "tenants"
        else "2147483647"
        if kind in ("reservations", "ocpi/received-invoices")
        else str(uuid4()),
    )


def _paid_at(charge_point_id: str) -> dict[str, Any]:
    return {"charge_point_id": charge_point_id, "evse_id": 1, "payment_method": "test_ok"}


def _restricted_to(member: str) -> Callable[[str], dict[str, Any]]:
    return lambda value: {"id_token": "X", "restrictions": {member: [value]}}


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
                        method,
                        path.replace("{id}", identifier)
                        .replace("{object_no}", identifier)
                        .replace("{country_code}/{party_id}/{role}", identifier)
                        .replace("{event_id}", event["event_id"])
                        .replace("{version}", "1")
                        .replace("{evse_id}", "1")
                        .replace("{connector_id}", "1"),
                        **arguments,
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
    for path in ("published", "findings"):
        for module in ("locations", "tariffs", "tokens", "sessions"):
            own = await north.boss.get(f"/api/v1/ocpi/{path}?module={module}")
            assert own.status_code == 200, (path, module, own.text)
            for trace in (CANARY, "SOUTH", south.session_id, south.location_id, south.token_id):
                assert trace not in own.text, (path, module, trace)
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
    other_group, no_group = south.token_group_id, str(uuid4())
    for path, field_of, ids in (
        ("/api/v1/id-tokens", lambda value: {"id_token": "X", "group_id": value}, (other_group, no_group)),
        ("/api/v1/id-tokens", lambda value: {"id_token": "X", "parent_token_id": value}, (south.token_id, no_group)),
        ("/api/v1/qr-tokens", lambda value: {"id_token_id": value}, (south.token_id, no_group)),
        ("/api/v1/payments", _paid_at, ("SOUTH-1", "NOWHERE")),
        ("/api/v1/ocpi/invoices", lambda value: {"statement_id": value, "invoice_id": "X"}, (south.statement_id, no_group)),
        ("/api/v1/token-groups", lambda value: {"name": "X", "parent_id": value}, (other_group, no_group)),
        ("/api/v1/station-groups", lambda value: {"name": "X", "parent_id": value}, (south.station_group_id, no_group)),
        ("/api/v1/id-tokens", _restricted_to("station_groups"), (south.station_group_id, no_group)),
        ("/api/v1/id-tokens", _restricted_to("locations"), (south.location_id, no_group)),
        ("/api/v1/id-tokens", _restricted_to("charge_points"), ("SOUTH-1", "NOWHERE")),
        ("/api/v1/local-lists/clear-cache", lambda value: {"charge_points": [value]}, ("SOUTH-1", "NOWHERE")),
        ("/api/v1/local-lists/clear-cache", lambda value: {"station_group_id": value}, (south.station_group_id, no_group)),
        ("/api/v1/id-tokens/check", lambda value: {"id_token": "X", "charge_point_id": value}, ("SOUTH-1", "NOWHERE")),
        ("/api/v1/id-tokens/import", lambda value: [{"id_token": "X", "group_id": value}], (other_group, no_group)),
        ("/api/v1/id-tokens/import", lambda value: [_restricted_to("station_groups")(value)], (south.station_group_id, no_group)),
    ):
        answers = [await north.boss.post(path, field_of(value)) for value in ids]
        assert _essence(answers[0]) == _essence(answers[1]), path
        assert answers[0].status_code == 422 or answers[0].json()["failed"] == 1, path
    members = f"/api/v1/station-groups/{north.station_group_id}/chargepoints"
    answers = [await north.boss.post(members, {"add": [identity]}) for identity in ("SOUTH-1", "NOWHERE")]
    assert _essence(answers[0]) == _essence(answers[1])
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


async def test_tariffs_are_not_reached_through_others(hub: RunningHub, north: Side, south: Side) -> None:
    """Foreign ids in the bodies of assignments and previews, and in the questions for explanations."""
    before = await snapshot(hub, south.tenant_id)
    mine = {"tariff_id": north.tariff_id}
    usage = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-01T01:00:00Z", "time_zone": "UTC"}
    dynamic = {**_TARIFF, "id": "D", "extensions": {"dynamic_energy": {"series": "", "elements": [0]}}}
    dynamic["elements"] = [{"price_components": [{"type": "ENERGY", "price": 1, "step_size": 1}]}]

    def with_series(series: str) -> dict[str, Any]:
        return {**dynamic, "extensions": {"dynamic_energy": {"series": series, "elements": [0]}}}

    for path, body, foreign in (
        ("tariff-assignments", lambda one: {"tariff_id": one}, south.tariff_id),
        ("tariff-assignments", lambda one: {**mine, "charge_point_id": one}, "SOUTH-1"),
        ("tariff-assignments", lambda one: {**mine, "location_id": one}, south.location_id),
        ("tariffs/preview", lambda one: {**mine, "version": 1, "session_id": one}, south.session_id),
        ("tariffs/preview", lambda one: {"tariff_id": one, "version": 1, "usage": usage}, south.tariff_id),
        ("tariffs/preview", lambda one: {"tariff": with_series(one), "usage": usage}, south.tariff_id),
        ("tariffs", lambda one: {"name": "x", "tariff": with_series(one)}, south.tariff_id),
    ):
        answers = [await north.boss.post(f"/api/v1/{path}", body(one)) for one in (foreign, str(uuid4()))]
        assert answers[0].status_code == 422, (path, answers[0].text)
        assert _essence(answers[0]) == _essence(answers[1])
    explain = "/api/v1/tariff-assignments/explain"
    assert (await north.boss.get(explain, params={"charge_point_id": "SOUTH-1"})).status_code == 422
    told = (await north.boss.get(explain, params={"charge_point_id": TWIN, "user_type": CANARY})).text
    assert south.assignment_id not in told
    assert north.assignment_id in told
    # an id that is taken there is free here
    assert (await north.boss.post("/api/v1/tariffs", {"name": "x", "tariff": _TARIFF})).status_code == 201
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
