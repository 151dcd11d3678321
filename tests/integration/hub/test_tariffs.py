"""Tariffs and their versions over the API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from csms.store import Connection, StoreUnavailable
from tests.integration.hub.harness import Person, RunningHub


def tariff(tariff_id: str = "DAY", price: str = "0.30", **fields: Any) -> dict[str, Any]:
    component = {"type": "ENERGY", "price": json.loads(price), "step_size": 1}
    return {"id": tariff_id, "currency": "EUR", "elements": [{"price_components": [component]}], **fields}


async def make(boss: Person, body: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    answer = await boss.post("/api/v1/tariffs", {"name": "Day", "tariff": body or tariff(), **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def wrong_fields(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [error["field"] for error in answer.json()["errors"]]


async def test_a_tariff_and_its_versions(hub: RunningHub, boss: Person) -> None:
    made = await make(boss, note="as agreed")
    assert (made["tariff_id"], made["currency"], made["on_change"], made["newest_version"]) == ("DAY", "EUR", "keep", 1)
    assert made["version_in_force"] == 1
    again = await boss.post("/api/v1/tariffs", {"name": "Other", "tariff": tariff("day")})
    assert again.status_code == 409
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    second = await boss.put("/api/v1/tariffs/DAY/versions", {"tariff": tariff(price="0.35"), "valid_from": later})
    assert second.status_code == 201
    assert second.headers["Location"] == "/api/v1/tariffs/DAY/versions/2"
    repeated = await boss.put("/api/v1/tariffs/DAY/versions", {"tariff": tariff(price="0.35"), "valid_from": later})
    assert (repeated.status_code, repeated.json()) == (200, second.json())
    shown = (await boss.get("/api/v1/tariffs/DAY")).json()
    assert (shown["newest_version"], shown["version_in_force"]) == (2, 1)
    # a third that begins earlier: the second never is in force
    third = await boss.put("/api/v1/tariffs/DAY/versions", {"tariff": tariff(price="0.32"), "note": "corrected"})
    assert third.json()["version"] == 3
    assert (await boss.get("/api/v1/tariffs/DAY")).json()["version_in_force"] == 3
    listed = (await boss.get("/api/v1/tariffs/DAY/versions", params={"limit": 2})).json()
    assert [version["version"] for version in listed["items"]] == [3, 2]
    rest = (await boss.get("/api/v1/tariffs/DAY/versions", params={"cursor": listed["next_cursor"]})).json()
    assert [(version["version"], version["note"], version["created_by"]) for version in rest["items"]] == [
        (1, "as agreed", f"user:{boss.email}")
    ]
    assert (await boss.get("/api/v1/tariffs/DAY/versions/1")).json()["tariff"] == tariff()
    for path in ("DAY/versions/4", "DAY/versions/0", "DAY/versions/one", "DAY/versions/99999999999", "NIGHT/versions/1", "NIGHT"):
        assert (await boss.get(f"/api/v1/tariffs/{path}")).status_code == 404, path
    assert (await boss.get("/api/v1/tariffs/NIGHT/versions")).status_code == 404


async def test_numbers_are_kept_to_the_digit(hub: RunningHub, boss: Person) -> None:
    text = (
        '{"name":"x","tariff":{"id":"T","currency":"EUR","elements":[{"price_components":['
        '{"type":"ENERGY","price":0.100000,"step_size":1,"vat":19.0},{"type":"TIME","price":1e2,"step_size":60,"vat":7}]}]}}'
    )
    made = await boss.client.post("/api/v1/tariffs", content=text, headers={"Content-Type": "application/json"})
    assert made.status_code == 201, made.text
    (row,) = await hub.sql("SELECT tariff::text AS text FROM tariff_versions")
    shown = (await boss.get("/api/v1/tariffs/T/versions/1")).text
    for exact in ('"price":0.100000', '"vat":19.0', '"price":1E+2', '"vat":7'):
        assert exact in row["text"], exact
        assert exact in shown, exact


async def test_a_version_never_changes(hub: RunningHub, boss: Person) -> None:
    await make(boss)
    for statement in (
        "UPDATE tariff_versions SET tariff = '{}'",
        "UPDATE tariff_versions SET valid_from = now()",
        "DELETE FROM tariff_versions",
        "DELETE FROM tariffs",
    ):

        async def work(conn: Connection, statement: str = statement) -> None:
            await conn.execute(statement)

        for database in (hub.store.hub, hub.store.gateway):
            # for the gateway a missing permission is an operator's matter
            with pytest.raises((asyncpg.InsufficientPrivilegeError, StoreUnavailable), match="permission denied"):
                await database.tenant_unit(2, work)
    for method in ("PATCH", "PUT", "DELETE"):
        assert (await boss.request(method, "/api/v1/tariffs/DAY/versions/1", json={})).status_code == 405


async def test_what_may_change_and_what_not(boss: Person) -> None:
    await make(boss)
    changed = await boss.patch("/api/v1/tariffs/DAY", {"name": "Daylight", "on_change": "follow"})
    assert (changed.json()["name"], changed.json()["on_change"]) == ("Daylight", "follow")
    assert (await boss.patch("/api/v1/tariffs/DAY", {"on_change": "keep"})).json()["name"] == "Daylight"
    assert wrong_fields(await boss.patch("/api/v1/tariffs/DAY", {"tariff": tariff()})) == ["tariff"]
    put = "/api/v1/tariffs/DAY/versions"
    assert wrong_fields(await boss.put(put, {"tariff": tariff(price="1", currency="CHF")})) == ["tariff.currency"]
    assert wrong_fields(await boss.put(put, {"tariff": tariff("NIGHT")})) == ["tariff.id"]
    assert wrong_fields(await boss.put(put, {"tariff": tariff(price="1"), "valid_from": "2026-01-01T00:00:00Z"})) == ["valid_from"]
    assert (await boss.delete("/api/v1/tariffs/DAY")).status_code == 204
    assert (await boss.delete("/api/v1/tariffs/DAY")).status_code == 404
    assert (await boss.put(put, {"tariff": tariff(price="1")})).status_code == 409
    assert (await boss.patch("/api/v1/tariffs/DAY", {"name": "x"})).status_code == 409
    assert (await boss.post("/api/v1/tariffs", {"name": "Day", "tariff": tariff()})).status_code == 409
    assert (await boss.get("/api/v1/tariffs/DAY")).json()["retired_at"] is not None
    assert (await boss.get("/api/v1/tariffs")).json()["items"] == []
    (listed,) = (await boss.get("/api/v1/tariffs", params={"retired": "true"})).json()["items"]
    assert listed["tariff_id"] == "DAY"


def _deep(levels: int) -> str:
    return '{"name":"x","tariff":' + '{"a":[' * levels + "]}" * levels + "}"


def _with_price(price: str) -> str:
    return json.dumps({"name": "x", "tariff": tariff()}).replace("0.3", price)


_HOSTILE_TEXTS: list[tuple[str, int, list[str]]] = [
    (_with_price("NaN"), 400, []),
    (_with_price('"NaN"'), 422, ["tariff.elements[0].price_components[0].price"]),
    (_with_price('"-Infinity"'), 422, ["tariff.elements[0].price_components[0].price"]),
    (_with_price("1e999999"), 422, ["tariff.elements[0].price_components[0].price"]),
    (_with_price("1" * 4000), 422, ["tariff.elements[0].price_components[0].price"]),
    (_with_price("1e-999999"), 422, ["tariff.elements[0].price_components[0].price"]),
    (_with_price("-1"), 422, ["tariff.elements[0].price_components[0].price"]),
    (_with_price("true"), 422, ["tariff.elements[0].price_components[0].price"]),
    (_deep(20), 422, ["tariff.a"]),
    (_deep(60_000), 422, ["tariff.a"]),
    ('{"name":"x","tariff":"\\u0000"}', 422, ["tariff"]),
    (_with_price('0.3,"colour":1'), 422, ["tariff.elements[0].price_components[0].colour"]),
]


async def test_hostile_texts(boss: Person) -> None:
    for text, status, fields in _HOSTILE_TEXTS:
        answer = await boss.client.post("/api/v1/tariffs", content=text, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text
        assert [error["field"] for error in answer.json().get("errors", ())] == fields
        assert (await boss.get("/api/v1/tariffs")).json()["items"] == []


_PROBLEMS: list[tuple[dict[str, Any], list[str]]] = [
    (tariff(elements=[tariff()["elements"][0]] * 101), ["tariff.elements"]),
    (tariff(elements=[]), ["tariff.elements"]),
    (tariff("with space"), ["tariff.id"]),
    (tariff("a/b"), ["tariff.id"]),
    (tariff("x" * 37), ["tariff.id"]),
    (tariff(currency="eur"), ["tariff.currency"]),
    (tariff(start_date_time="0001-01-01T00:00:00+14:00"), ["tariff.start_date_time"]),
    (tariff(start_date_time="2026-01-02T00:00:00Z", end_date_time="2026-01-01T00:00:00Z"), ["tariff.end_date_time"]),
    (
        tariff(
            price="2000000",
            min_price={"excl_vat": 5},
            max_price={"excl_vat": 4},
            extensions={"dynamic_energy": {"series": "spot", "elements": [3]}},
        ),
        [
            "tariff.elements[0].price_components[0].price",
            "tariff.max_price.excl_vat",
            "tariff.extensions.dynamic_energy.elements[0]",
        ],
    ),
    (tariff(extensions={"dynamic_energy": {"series": "spot", "elements": [0]}}), ["tariff.extensions.dynamic_energy.series"]),
]


async def test_every_problem_is_named_by_its_field(boss: Person) -> None:
    await make(boss)
    for body, fields in _PROBLEMS:
        assert wrong_fields(await boss.post("/api/v1/tariffs", {"name": "x", "tariff": body})) == fields
        same = {**body, "id": "DAY"} if fields != ["tariff.id"] else body
        assert wrong_fields(await boss.put("/api/v1/tariffs/DAY/versions", {"tariff": same})) == fields


async def test_dynamic_prices_are_in_the_currency_of_the_tariff(boss: Person) -> None:
    await boss.post("/api/v1/price-series", {"series_id": "spot", "name": "Spot", "currency": "CHF"})
    body = tariff(extensions={"dynamic_energy": {"series": "spot", "elements": [0]}})
    assert wrong_fields(await boss.post("/api/v1/tariffs", {"name": "x", "tariff": body})) == [
        "tariff.extensions.dynamic_energy.series"
    ]
    await make(boss, {**body, "currency": "CHF"})


async def test_roles(hub: RunningHub, boss: Person) -> None:
    await make(boss)
    viewer, operator = await hub.make_user(boss, "viewer"), await hub.make_user(boss, "operator")
    assert (await viewer.get("/api/v1/tariffs/DAY/versions")).status_code == 200
    assert (await viewer.post("/api/v1/tariffs", {"name": "x", "tariff": tariff("X")})).status_code == 403
    assert (await operator.post("/api/v1/tariffs", {"name": "x", "tariff": tariff("X")})).status_code == 201
