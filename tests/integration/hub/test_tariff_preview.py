"""What a session would have cost by another tariff."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import trio

from tests.integration.hub.harness import Field, Person, RunningHub, reading
from tests.integration.hub.test_tariffs import make, tariff, wrong_fields

PATH = "/api/v1/tariffs/preview"
USAGE: dict[str, Any] = {
    "start": "2026-03-01T10:00:00Z",
    "end": "2026-03-01T11:00:00Z",
    "time_zone": "Europe/Berlin",
    "readings": [{"time": "2026-03-01T10:00:00Z", "wh": 1000}, {"time": "2026-03-01T11:00:00Z", "wh": 5000}],
}


async def test_a_usage_is_priced_by_a_tariff_that_is_not_stored(boss: Person) -> None:
    answer = await boss.post(PATH, {"tariff": tariff("DRAFT", min_price={"excl_vat": 2}), "usage": USAGE})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["version"], told["charged"], told["difference"]) == (None, None, None)
    assert told["cost"]["total_cost"] == {"excl_vat": 2}
    assert [(line["part"], line["amount"]["excl_vat"]) for line in told["cost"]["lines"]] == [("ENERGY", 1.2), ("LIMIT", 0.8)]
    assert (await boss.get("/api/v1/tariffs")).json()["items"] == []


async def test_a_past_session_with_what_it_did_cost(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    await field.meter("north", station, transaction, reading(30, "3000"))
    await field.stop("north", station, transaction, meter_wh=5000)
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    await make(boss, valid_from="2026-01-01T00:00:00Z")
    await boss.put("/api/v1/tariffs/DAY/versions", {"tariff": tariff(price="0.5")})
    body = {"tariff_id": "DAY", "session_id": session["session_id"]}
    first = (await boss.post(PATH, body)).json()
    assert (first["version"], first["cost"]["total_cost"], first["charged"]) == (1, {"excl_vat": 1.2}, None)
    await hub.sql(
        "INSERT INTO session_costs (tenant_id, session_id, tariff_id, tariff_version, choice, currency, total_excl_vat, "
        "total_incl_vat, priced_until) SELECT tenant_id, session_id, 'DAY', 1, '{}', 'EUR', 1.2, NULL, stop_time FROM sessions"
    )
    second = (await boss.post(PATH, {**body, "version": 2})).json()
    assert second["due"] == second["cost"]["total_cost"] == {"excl_vat": 2}
    assert second["charged"] == {
        "tariff_id": "DAY",
        "version": 1,
        "currency": "EUR",
        "total_cost": {"excl_vat": 1.2},
        "priced_until": "2026-03-01T11:00:00Z",
    }
    assert second["difference"] == {"excl_vat": 0.8}
    francs = (await boss.post(PATH, {"tariff": tariff("X", currency="CHF"), "session_id": session["session_id"]})).json()
    assert (francs["charged"]["currency"], francs["difference"]) == ("EUR", None)


async def test_what_is_due_is_rounded_as_a_bill_is(boss: Person) -> None:
    third = tariff(price="0.33333")
    third["elements"][0]["price_components"][0]["vat"] = 19
    told = (await boss.post(PATH, {"tariff": third, "usage": USAGE})).json()
    assert told["cost"]["total_cost"] == {"excl_vat": 1.3333, "incl_vat": 1.5867}
    assert told["due"] == {"excl_vat": 1.33, "incl_vat": 1.59}


async def test_dynamic_prices(boss: Person) -> None:
    await boss.post("/api/v1/price-series", {"series_id": "spot", "name": "Spot", "currency": "EUR"})
    steps = [{"start": "2026-03-01T10:30:00Z", "end": "2026-03-01T12:00:00Z", "price": "0.08"}]
    await boss.post("/api/v1/price-series/spot/steps", {"steps": steps})
    dynamic = tariff(extensions={"dynamic_energy": {"series": "spot", "elements": [0], "factor": 2, "markup": "0.04"}})
    cost = (await boss.post(PATH, {"tariff": dynamic, "usage": USAGE})).json()["cost"]
    assert [(line["price"], line["billed_volume"], line["from_series"]) for line in cost["lines"]] == [
        (0.3, 2000, False),
        (0.2, 2000, True),
    ]
    assert Decimal(str(cost["total_cost"]["excl_vat"])) == Decimal("1.0")
    assert cost["issues"] == ["series_gap"]


_NOT_PRICED: list[tuple[dict[str, Any], str]] = [
    ({"usage": USAGE}, "tariff"),
    ({"tariff": tariff(), "tariff_id": "DAY", "usage": USAGE}, "tariff"),
    ({"tariff": tariff()}, "usage"),
    ({"tariff": tariff(), "usage": USAGE, "version": 1}, "version"),
    ({"tariff_id": "NONE", "usage": USAGE}, "tariff_id"),
    ({"tariff_id": "NONE", "usage": USAGE, "version": 1}, "version"),
    ({"tariff": tariff(), "session_id": "01900000-0000-7000-8000-000000000000"}, "session_id"),
    ({"tariff": tariff(price="-1"), "usage": USAGE}, "tariff.elements[0].price_components[0].price"),
    ({"tariff": tariff(), "usage": {**USAGE, "time_zone": "Mars/Olympus"}}, "usage.time_zone"),
    ({"tariff": tariff(), "usage": {**USAGE, "time_zone": "../../etc/passwd"}}, "usage.time_zone"),
    ({"tariff": tariff(), "usage": {**USAGE, "end": "2026-03-01T09:00:00Z"}}, "usage.end"),
    ({"tariff": tariff(), "usage": {**USAGE, "end": "2028-03-01T09:00:00Z"}}, "usage.end"),
    ({"tariff": tariff(), "usage": {**USAGE, "start": "2026-03-01T09:00:00"}}, "usage.start"),
    (
        {"tariff": tariff(extensions={"dynamic_energy": {"series": "x", "elements": [0]}}), "usage": USAGE},
        "tariff.extensions.dynamic_energy.series",
    ),
]


async def test_what_cannot_be_priced(boss: Person) -> None:
    for body, field in _NOT_PRICED:
        assert wrong_fields(await boss.post(PATH, body)) == [field]


async def test_the_hub_goes_on_while_the_longest_preview_is_computed(boss: Person) -> None:
    """As many elements and readings as one body can hold."""
    kinds = ("ENERGY", "TIME", "PARKING_TIME")
    components = [{"type": kind, "price": 0.1, "step_size": 1, "vat": 19} for kind in kinds]
    elements = [
        {
            "price_components": components,
            "restrictions": {"start_time": f"{n % 24:02}:{n % 59 + 1:02}", "end_time": "12:00", "max_power": n + 1},
        }
        for n in range(100)
    ]
    readings = [{"time": f"2026-03-{1 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00Z", "wh": n * 100} for n in range(9_000)]
    momentary = [{"time": one["time"], "power": int(str(one["wh"])) % 90_000} for one in readings[:5_000]]
    usage = {**USAGE, "start": "2026-03-01T00:00:00Z", "end": "2026-03-09T00:00:00Z", "readings": readings, "momentary": momentary}
    slowest, answers = 0.0, []

    async def preview() -> None:
        answers.append(await boss.post(PATH, {"tariff": tariff(elements=elements), "usage": usage}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(preview)
        while not answers:
            begun = trio.current_time()
            assert (await boss.get("/api/v1/tariffs")).status_code == 200
            slowest = max(slowest, trio.current_time() - begun)
    assert answers[0].status_code == 200, answers[0].text[:500]
    assert answers[0].json()["cost"]["total_energy"] == 899.9
    assert slowest < 2


async def test_readings_of_any_size(boss: Person) -> None:
    huge = {**USAGE, "readings": [{"time": USAGE["start"], "wh": "1e999999"}, {"time": USAGE["end"], "wh": 5}]}
    told = (await boss.post(PATH, {"tariff": tariff(), "usage": huge})).json()
    assert told["cost"]["issues"] == ["reading_out_of_range"]
