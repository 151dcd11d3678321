"""Which session has which tariff, over the API and for billing."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from csms.store import Connection
from csms.tariffs.choice import Choice, NearGroup
from csms.tariffs.service import choose_for_session, has_assignments, load_version, newer_version
from tests.integration.hub.harness import Field, Person, RunningHub
from tests.integration.hub.test_tariffs import make, tariff, wrong_fields

PATH = "/api/v1/tariff-assignments"
MARCH = "2026-03-01T10:00:00Z"  # a Sunday; when the sessions of the tests start


async def assign(boss: Person, tariff_id: str, **fields: Any) -> str:
    answer = await boss.post(PATH, {"tariff_id": tariff_id, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["assignment_id"])


async def explained(boss: Person, **query: Any) -> dict[str, Any]:
    answer = await boss.get(f"{PATH}/explain", params={"charge_point_id": "CP-1", "at": MARCH, **query})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def chosen(hub: RunningHub, session_id: str) -> Choice:
    (row,) = await hub.sql("SELECT tenant_id FROM sessions WHERE session_id = $1::text::uuid", session_id)
    tenant_id = row["tenant_id"]
    return await hub.store.hub.tenant_unit(tenant_id, lambda conn: choose_for_session(conn, tenant_id, UUID(session_id)))


async def _groups(hub: RunningHub, tenant: str, station: int) -> list[str]:
    """The station in a group within another, and TAG1 in a group of tokens within another."""
    names = [str(uuid4()) for _ in range(4)]
    for statement in (
        "INSERT INTO station_groups (tenant_id, group_id, name) SELECT tenant_id, $2, 'South' FROM t",
        "INSERT INTO station_groups (tenant_id, group_id, name, parent_id) SELECT tenant_id, $3, 'Coast', $2 FROM t",
        "INSERT INTO station_group_members (tenant_id, group_id, station_id) SELECT tenant_id, $3, $6 FROM t",
        "INSERT INTO token_groups (tenant_id, group_id, name, user_type) SELECT tenant_id, $4, 'ACME', 'staff' FROM t",
        "INSERT INTO token_groups (tenant_id, group_id, name, parent_id) SELECT tenant_id, $5, 'Vans', $4 FROM t",
        "INSERT INTO id_tokens (tenant_id, id_token, type, group_id) SELECT tenant_id, 'TAG1', 'ISO14443', $5 FROM t",
    ):
        await hub.sql(
            "WITH t AS (SELECT tenant_id FROM tenants WHERE slug = $1 AND ($2::uuid, $3::uuid, $4::uuid, $5::uuid, $6::bigint) "
            f"IS NOT NULL) {statement}",
            tenant,
            *names,
            station,
        )
    return names


async def made(boss: Person, path: str, body: dict[str, Any], key: str) -> str:
    answer = await boss.post(path, body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()[key])


async def test_assignments_are_made_changed_and_removed(hub: RunningHub, field: Field, boss: Person) -> None:
    await field.connect("north", "CP-1")
    await make(boss)
    await make(boss, tariff("NIGHT"))
    full = {
        "tariff_id": "DAY",
        "charge_point_id": "CP-1",
        "evse_id": 1,
        "connector_id": 1,
        "user_type": "staff",
        "days_of_week": ["SATURDAY", "SUNDAY"],
        "start_time": "22:00",
        "end_time": "06:00",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2027-01-01T00:00:00Z",
        "priority": -5,
    }
    first = (await boss.post(PATH, full)).json()
    assert full.items() <= first.items()
    assert first["created_by"] == f"user:{boss.email}"
    here = f"{PATH}/{first['assignment_id']}"
    assert (await boss.get(here)).json() == first
    changed = await boss.patch(here, {"tariff_id": "NIGHT", "connector_id": None, "days_of_week": None})
    assert {**full, "tariff_id": "NIGHT", "connector_id": None, "days_of_week": None}.items() <= changed.json().items()
    assert wrong_fields(await boss.patch(here, {"charge_point_id": None})) == ["charge_point_id"]
    await assign(boss, "DAY")
    listed = (await boss.get(PATH, params={"tariff_id": "NIGHT"})).json()["items"]
    assert [one["assignment_id"] for one in listed] == [first["assignment_id"]]
    pages = (await boss.get(PATH, params={"limit": 1})).json()
    assert len((await boss.get(PATH, params={"cursor": pages["next_cursor"]})).json()["items"]) == 1
    assert (await boss.delete(here)).status_code == 204
    for answer in (await boss.get(here), await boss.delete(here), await boss.patch(here, {"priority": 1})):
        assert answer.status_code == 404


_NOT_ASSIGNABLE: list[tuple[dict[str, Any], str]] = [
    ({"tariff_id": "NONE"}, "tariff_id"),
    ({"charge_point_id": "CP-2"}, "charge_point_id"),
    ({"evse_id": 1}, "charge_point_id"),
    ({"charge_point_id": "CP-1", "connector_id": 1}, "evse_id"),
    ({"location_id": str(uuid4())}, "location_id"),
    ({"station_group_id": str(uuid4())}, "station_group_id"),
    ({"token_group_id": str(uuid4())}, "token_group_id"),
    ({"days_of_week": []}, "days_of_week"),
    ({"days_of_week": ["MONDAY", "MONDAY"]}, "days_of_week"),
    ({"days_of_week": ["Monday"]}, "days_of_week[0]"),
    ({"start_time": "24:00"}, "start_time"),
    ({"start_time": "08:00", "end_time": "08:00"}, "end_time"),
    ({"valid_from": MARCH, "valid_until": MARCH}, "valid_until"),
    ({"valid_from": "0001-01-01T00:00:00Z"}, "valid_from"),
    ({"priority": 1001}, "priority"),
    ({"priority": 10**30}, "priority"),
    ({"evse_id": 2**31}, "evse_id"),
    ({"user_type": ""}, "user_type"),
    ({"tariff": "DAY"}, "tariff"),
]


async def test_what_cannot_be_assigned(field: Field, boss: Person) -> None:
    await field.connect("north", "CP-1")
    await make(boss)
    for fields, field_name in _NOT_ASSIGNABLE:
        assert wrong_fields(await boss.post(PATH, {"tariff_id": "DAY", **fields})) == [field_name]


async def test_a_session_gets_the_most_specific_tariff(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    location = await made(boss, "/api/v1/locations", {"name": "Harbour", "time_zone": "Pacific/Auckland"}, "location_id")
    await boss.patch("/api/v1/chargepoints/CP-1", {"location_id": location})
    above, group, company, fleet = await _groups(hub, "north", station)
    await field.start("north", station)
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    tenant_id = await field.tenant_id("north")

    async def none(conn: Connection) -> bool:
        return await has_assignments(conn, tenant_id)

    assert not await hub.store.hub.tenant_unit(tenant_id, none)
    choice = await chosen(hub, session["session_id"])
    assert (choice.tariff_id, choice.considered) == (None, [])
    assert choice.facts.station_groups == [NearGroup(UUID(group), 0), NearGroup(UUID(above), 1)]
    assert choice.facts.token_groups == [NearGroup(UUID(fleet), 0), NearGroup(UUID(company), 1)]
    assert (choice.facts.user_type, choice.facts.time_zone, choice.facts.location_id) == (
        "staff",
        "Pacific/Auckland",
        UUID(location),
    )
    # each is more specific than all before it
    steps: list[dict[str, Any]] = [
        {},
        {"days_of_week": ["SUNDAY"], "start_time": "22:30", "end_time": "23:30"},  # 10:00 UTC is 23:00 in Auckland
        {"user_type": "staff"},
        {"token_group_id": company},
        {"token_group_id": fleet},
        {"location_id": location},
        {"station_group_id": above},
        {"station_group_id": group},
        {"charge_point_id": "CP-1"},
        {"charge_point_id": "CP-1", "evse_id": 1},
        {"charge_point_id": "CP-1", "evse_id": 1, "connector_id": 1},
        {"priority": 1},
    ]
    for number, fields in enumerate(steps):
        tariff_id = f"T{number}"
        await make(boss, tariff(tariff_id), valid_from="2026-01-01T00:00:00Z")
        await assign(boss, tariff_id, **fields)
        choice = await chosen(hub, session["session_id"])
        assert (choice.tariff_id, choice.version) == (tariff_id, 1), fields
        assert [one.tariff_id for one in choice.considered] == [f"T{below}" for below in range(number, -1, -1)]
        hypothetical = await explained(boss, evse_id=1, connector_id=1, id_token="tag1")
        assert hypothetical["tariff_id"] == tariff_id
        assert [one["tariff_id"] for one in hypothetical["considered"]] == [one.tariff_id for one in choice.considered]
    assert await hub.store.hub.tenant_unit(tenant_id, none)
    # a stranger at another connector
    other = await explained(boss, evse_id=2, connector_id=1, id_token="STRANGER")
    reasons = {one["tariff_id"]: one["reason"] for one in other["considered"]}
    assert reasons["T9"] == "does not fit: is for EVSE 1"
    assert reasons["T4"] == "does not fit: the token is not in its token group"
    assert reasons["T2"] == "does not fit: is for the user type staff"
    assert reasons["T8"] == "fits, but the chosen one comes before it: a lower priority"
    assert (await explained(boss, user_type="staff", at="2026-03-02T10:00:00Z"))["facts"]["user_type"] == "staff"


async def test_only_tariffs_with_a_price_at_the_start_count(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.start("north", station)
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    await make(boss, tariff("LATE"))  # in force from now on
    await make(boss, tariff("OVER", end_date_time=MARCH), valid_from="2026-01-01T00:00:00Z")
    await make(boss, tariff("SOON", start_date_time="2026-03-01T10:00:01Z"), valid_from="2026-01-01T00:00:00Z")
    await make(boss, tariff("GOOD", start_date_time=MARCH), valid_from=MARCH, on_change="follow")
    for tariff_id in ("LATE", "OVER", "SOON"):
        await assign(boss, tariff_id, priority=9)
    await assign(boss, "GOOD")
    choice = await chosen(hub, session["session_id"])
    assert (choice.tariff_id, choice.version) == ("GOOD", 1)
    assert {one.tariff_id: one.reason.removeprefix("does not fit: ") for one in choice.considered} == {
        "GOOD": "chosen",
        "LATE": "its tariff has no version in force at that time",
        "OVER": "its tariff has ended",
        "SOON": "its tariff begins later",
    }
    # a newer version is for sessions that start later; a retired tariff for those that started before
    await boss.put("/api/v1/tariffs/GOOD/versions", {"tariff": tariff("GOOD", price="0.4")})
    await boss.delete("/api/v1/tariffs/GOOD")
    assert (await chosen(hub, session["session_id"])).version == 1
    now = (await boss.get(f"{PATH}/explain", params={"charge_point_id": "CP-1"})).json()
    assert now["tariff_id"] == "SOON"
    tenant_id = await field.tenant_id("north")

    async def read(conn: Connection) -> None:
        version = await load_version(conn, tenant_id, "GOOD", 1)
        assert (version.version, version.on_change, version.tariff.id) == (1, "follow", "GOOD")
        assert await newer_version(conn, tenant_id, "GOOD", choice.facts.at) == 1
        assert await newer_version(conn, tenant_id, "GOOD", hub.services.clock.now()) == 2
        assert await newer_version(conn, tenant_id, "NONE", choice.facts.at) is None
        with pytest.raises(LookupError):
            await load_version(conn, tenant_id, "GOOD", 3)
        with pytest.raises(LookupError):
            await choose_for_session(conn, tenant_id, uuid4())

    await hub.store.hub.tenant_unit(tenant_id, read)


async def test_an_explanation_tells_of_others_too_but_not_of_all(hub: RunningHub, field: Field, boss: Person) -> None:
    await field.connect("north", "CP-1")
    await field.connect("north", "CP-2")
    await make(boss, valid_from="2026-01-01T00:00:00Z")
    await hub.sql(
        "INSERT INTO tariff_assignments (tenant_id, assignment_id, tariff_id, station_id, created_by) "
        "SELECT tenant_id, gen_random_uuid(), 'DAY', station_id, 'user:x' FROM stations, generate_series(1, 150) "
        "WHERE identity = 'CP-2'"
    )
    await assign(boss, "DAY", priority=-1)
    told = await explained(boss)
    assert (told["tariff_id"], told["considered"][0]["reason"]) == ("DAY", "chosen")
    assert {one["reason"] for one in told["considered"][1:]} == {"does not fit: is for the charge point CP-2"}
    assert (len(told["considered"]), told["left_out"]) == (100, 1)
    for query, field_name in (
        ({"charge_point_id": "CP-9"}, "charge_point_id"),
        ({"charge_point_id": "CP-1", "at": "0"}, "at"),
        ({}, "charge_point_id"),
    ):
        assert wrong_fields(await boss.get(f"{PATH}/explain", params=query)) == [field_name]


async def test_there_is_a_limit_for_one_place(hub: RunningHub, field: Field, boss: Person) -> None:
    await field.connect("north", "CP-1")
    await make(boss)
    last = await assign(boss, "DAY", charge_point_id="CP-1")
    for station in ("NULL", "station_id"):
        await hub.sql(
            "INSERT INTO tariff_assignments (tenant_id, assignment_id, tariff_id, station_id, created_by) "
            f"SELECT tenant_id, gen_random_uuid(), 'DAY', {station}, 'user:x' FROM stations, generate_series(1, 199)"
        )
    assert (await boss.post(PATH, {"tariff_id": "DAY", "charge_point_id": "CP-1", "priority": 5})).status_code == 409
    assert (await boss.patch(f"{PATH}/{last}", {"priority": 5})).status_code == 200
    await assign(boss, "DAY")
    assert (await boss.patch(f"{PATH}/{last}", {"charge_point_id": None})).status_code == 409
    await hub.sql(
        "INSERT INTO tariff_assignments (tenant_id, assignment_id, tariff_id, station_id, created_by) "
        "SELECT tenant_id, gen_random_uuid(), 'DAY', station_id, 'user:x' FROM stations, generate_series(1, 9600)"
    )
    full = await boss.post(PATH, {"tariff_id": "DAY", "user_type": "x"})
    assert (full.status_code, "10000" in full.json()["detail"]) == (409, True)
