"""Tolerance rules over the API: checked, bounded, told to the gateways; and who may change them."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from csms.domain.operations import CountRelaxations
from csms.domain.tolerance import Relaxation
from csms.store.tenants import CHANGED_TOPIC, refresh_tenants
from tests.integration.hub.harness import Field, Person, RunningHub

RULES = "/api/v1/tolerance-rules"


async def test_a_rule_is_in_force_when_the_directory_is_refreshed(hub: RunningHub, field: Field, boss: Person) -> None:
    tenants = hub.services.tenants
    tenant_id = await field.tenant_id("north")
    assert not tenants.rules(tenant_id)
    async with hub.bus.subscribe(CHANGED_TOPIC) as told:
        made = (await boss.post(RULES, {"vendor": " Acme ", "effect": "spare", "action": "MeterValues", "path": "/x/*"})).json()
        told.receive_nowait()
        assert (made["vendor"], made["model"], made["kind"], made["created_by"]) == ("Acme", None, "call", f"user:{boss.email}")
        await refresh_tenants(hub.store.gateway, tenants)
        rule = tenants.rules(tenant_id).find("call", "ACME", None, "ocpp1.6", "MeterValues", ["/x/0"])
        assert rule is not None
        assert str(rule.rule_id) == made["rule_id"]
        assert (await boss.delete(f"{RULES}/{made['rule_id']}")).status_code == 204
        told.receive_nowait()
    await refresh_tenants(hub.store.gateway, tenants)
    assert not tenants.rules(tenant_id)
    assert (await boss.delete(f"{RULES}/{made['rule_id']}")).status_code == 404


_BAD_RULES: list[tuple[dict[str, Any], str]] = [
    ({"vendor": " "}, "vendor"),
    ({"vendor": "x" * 51}, "vendor"),
    ({"effect": "ignore"}, "effect"),
    ({"kind": "answer", "effect": "refuse"}, "effect"),
    ({"path": "x"}, "path"),
    ({"path": "/" + "x" * 200}, "path"),
    ({"action": "Nonsense"}, "action"),
    ({"action": "Reset"}, "action"),
    ({"action": "Heartbeat", "kind": "answer"}, "action"),
    ({"action": "StartTransaction", "ocpp_version": "ocpp2.0.1"}, "action"),
    ({"ocpp_version": "ocpp1.5"}, "ocpp_version"),
    ({"created_by": "me"}, "created_by"),
]


async def test_bad_rules_are_refused_by_field(boss: Person) -> None:
    for change, field_name in _BAD_RULES:
        answer = await boss.post(RULES, {"vendor": "Acme", "effect": "spare"} | change)
        assert answer.status_code == 422, answer.text
        assert [error["field"] for error in answer.json()["errors"]] == [field_name]
        assert (await boss.get(RULES)).json()["items"] == []


async def test_the_same_rule_twice_is_a_conflict_in_any_spelling(boss: Person) -> None:
    body = {"vendor": "Acme", "effect": "spare", "action": "Heartbeat"}
    assert (await boss.post(RULES, body)).status_code == 201
    assert (await boss.post(RULES, body | {"vendor": " ACME", "effect": "refuse"})).status_code == 409
    assert (await boss.post(RULES, body | {"model": "M"})).status_code == 201


async def test_the_number_of_rules_is_bounded_also_for_two_at_once(
    hub: RunningHub, boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("csms.store.queries.tolerance.MOST_RULES", 5)
    statuses: list[int] = []

    async def add(number: int) -> None:
        statuses.append((await boss.post(RULES, {"vendor": f"V{number}", "effect": "spare"})).status_code)

    async with trio.open_nursery() as nursery:
        for number in range(9):
            nursery.start_soon(add, number)
    assert sorted(statuses) == [201] * 5 + [409] * 4
    assert len((await boss.get(RULES)).json()["items"]) == 5


async def test_rules_are_the_administrators_matter(hub: RunningHub, boss: Person) -> None:
    operator, viewer = await hub.make_user(boss, "operator"), await hub.make_user(boss, "viewer")
    assert (await operator.get(RULES)).status_code == 200
    assert (await operator.post(RULES, {"vendor": "Acme", "effect": "spare"})).status_code == 403
    assert (await viewer.get(RULES)).status_code == 403
    assert (await viewer.post("/api/v1/quarantine/00000000-0000-0000-0000-000000000000/replay", {})).status_code == 403


async def test_counts_are_paged(hub: RunningHub, field: Field, boss: Person) -> None:
    station_id = await field.connect("north", "CP-1")
    for times in (1, 2):
        await field.ledger.commit(
            CountRelaxations(
                tenant_id=await field.tenant_id("north"),
                station_id=station_id,
                relaxations=tuple(
                    Relaxation("call", "ocpp1.6", "MeterValues", f"/{name}", "type", "tolerant", times=times) for name in "abc"
                ),
            )
        )
    seen: list[dict[str, Any]] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({} if cursor is None else {"cursor": cursor})
        answer = (await boss.get("/api/v1/chargepoints/CP-1/relaxations", params=query)).json()
        seen += answer["items"]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert [(item["path"], item["times"]) for item in seen] == [("/a", 3), ("/b", 3), ("/c", 3)]
