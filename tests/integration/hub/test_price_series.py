"""Prices by time over the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from csms.pricing.tariff import SeriesStep
from csms.store import Connection
from csms.store.queries import price_series as queries
from csms.store.queries.price_series import StepsTaken
from csms.tariffs.service import load_series
from tests.integration.hub.harness import Person, RunningHub

T0 = datetime(2026, 3, 1, tzinfo=UTC)
CSV = {"Content-Type": "text/csv; charset=utf-8"}
STEPS = "/api/v1/price-series/spot/steps"


@pytest.fixture
async def spot(boss: Person) -> Person:
    made = await boss.post("/api/v1/price-series", {"series_id": "spot", "name": "Spot market", "currency": "EUR"})
    assert made.status_code == 201, made.text
    return boss


def hours(*prices: str, first: int = 0) -> dict[str, Any]:
    return {
        "steps": [
            {
                "start": (T0 + timedelta(hours=first + place)).isoformat(),
                "end": (T0 + timedelta(hours=first + place + 1)).isoformat(),
                "price": price,
            }
            for place, price in enumerate(prices)
        ]
    }


def quarters(count: int, price: str = "0.1234") -> bytes:
    lines = ["start,end,price"]
    for number in range(count):
        start = T0 + timedelta(minutes=15 * number)
        lines.append(f"{start:%Y-%m-%dT%H:%M:%SZ},{start + timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ},{price}")
    return "\n".join(lines).encode()


def counts(answer: httpx.Response) -> tuple[int, int, int]:
    assert answer.status_code == 200, answer.text
    report = answer.json()
    return report["stored"], report["unchanged"], report["replaced"]


async def test_series_are_made_listed_and_renamed(spot: Person) -> None:
    again = await spot.post("/api/v1/price-series", {"series_id": "spot", "name": "x", "currency": "EUR"})
    assert again.status_code == 409
    renamed = await spot.patch("/api/v1/price-series/spot", {"name": "Day ahead"})
    assert (renamed.json()["name"], renamed.json()["first_start"]) == ("Day ahead", None)
    assert counts(await spot.post(STEPS, hours("0.1", "0.2"))) == (2, 0, 0)
    (listed,) = (await spot.get("/api/v1/price-series")).json()["items"]
    assert (listed["first_start"], listed["last_end"]) == ("2026-03-01T00:00:00Z", "2026-03-01T02:00:00Z")
    for answer in (
        await spot.get("/api/v1/price-series/none"),
        await spot.patch("/api/v1/price-series/none", {"name": "x"}),
        await spot.get("/api/v1/price-series/none/steps"),
        await spot.post("/api/v1/price-series/none/steps", hours("1")),
    ):
        assert answer.status_code == 404


async def test_steps_are_replaced_and_kept(hub: RunningHub, spot: Person) -> None:
    assert counts(await spot.post(STEPS, hours("0.1", "0.2", "0.3"))) == (3, 0, 0)
    assert counts(await spot.post(STEPS, hours("0.10", "0.2", "0.3"))) == (0, 3, 0)  # the same request again
    refused = await spot.post(STEPS, hours("0.1", "0.9", "0.8", "0.4"))
    assert refused.status_code == 409
    assert [error["field"] for error in refused.json()["errors"]] == ["steps[1]", "steps[2]"]
    corrected = hours("0.1", "0.9", "0.8", "0.4")
    dry = await spot.post(f"{STEPS}?on_existing=replace&dry_run=true", corrected)
    assert dry.json() == {"dry_run": True, "steps": 4, "stored": 3, "unchanged": 1, "replaced": 2}
    assert len((await spot.get(STEPS)).json()["items"]) == 3
    assert counts(await spot.post(f"{STEPS}?on_existing=replace", corrected)) == (3, 1, 2)
    shown = (await spot.get(STEPS)).json()["items"]
    assert [step["price"] for step in shown] == [0.1, 0.9, 0.8, 0.4]
    kept = await hub.sql("SELECT price FROM price_series_steps WHERE replaced_at IS NOT NULL ORDER BY start_time")
    assert [row["price"] for row in kept] == [Decimal("0.2"), Decimal("0.3")]


async def test_pages_and_times(spot: Person) -> None:
    await spot.post(STEPS, hours(*["0.1"] * 5))
    window = {"start": "2026-03-01T00:59:59Z", "end": "2026-03-01T03:00:00Z", "limit": 2}
    first = (await spot.get(STEPS, params=window)).json()
    assert [step["start"] for step in first["items"]] == ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"]
    rest = (await spot.get(STEPS, params={**window, "cursor": first["next_cursor"]})).json()
    assert ([step["start"] for step in rest["items"]], rest["next_cursor"]) == (["2026-03-01T02:00:00Z"], None)


async def test_a_hundred_thousand_steps_in_a_body_of_megabytes(hub: RunningHub, spot: Person) -> None:
    content = quarters(100_000)
    assert len(content) > 4_000_000
    assert counts(await spot.client.post(STEPS, content=content, headers=CSV)) == (100_000, 0, 0)
    replaced = await spot.client.post(f"{STEPS}?on_existing=replace", content=quarters(10_000, "0.2"), headers=CSV)
    assert counts(replaced) == (10_000, 0, 10_000)
    refused = await spot.client.post(STEPS, content=quarters(10_000), headers=CSV)
    assert (refused.status_code, len(refused.json()["errors"])) == (409, 100)
    assert refused.json()["errors"][0]["field"] == "line 2"

    async def read(conn: Connection) -> int:
        return len((await load_series(conn, 2, "spot", T0, T0 + timedelta(days=10))).steps)

    assert await hub.store.hub.tenant_unit(2, read) == 960


async def test_bodies_that_are_too_long_or_of_another_kind(spot: Person) -> None:
    long = await spot.client.post(STEPS, content=b"x" * 12_000_001, headers=CSV)
    assert (long.status_code, "12000000" in long.json()["detail"]) == (413, True)
    # only this address takes long bodies
    other = await spot.client.post("/api/v1/price-series", content=b"x" * 1_100_000, headers={"Content-Type": "application/json"})
    assert other.status_code == 413
    assert (await spot.client.post(STEPS, content=b"x", headers={"Content-Type": "text/plain"})).status_code == 415
    bad = await spot.client.post(STEPS, content=b"start,end,price\n1,2,3\n", headers=CSV)
    assert [error["field"] for error in bad.json()["errors"]] == ["line 2.start", "line 2.end"]
    for body, field in (
        ({"steps": []}, "steps"),
        ({"steps": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z", "price": "NaN"}]}, "steps[0].price"),
        ({"steps": [{"start": "2026-01-01T00:00:00", "end": "2026-01-01T01:00:00Z", "price": 1}]}, "steps[0].start"),
        (hours("0.1", "1e400"), "steps[1].price"),
        ({"steps": hours("0.1")["steps"] * 2}, "steps[1].start"),
    ):
        answer = await spot.post(STEPS, body)
        assert [error["field"] for error in answer.json()["errors"]] == [field], answer.text
    assert (await spot.get(STEPS)).json()["items"] == []


async def test_overlaps_with_stored_steps_against_a_count_of_minutes(hub: RunningHub, spot: Person) -> None:
    """Every way in which two steps of up to three hours can lie to each other, with a third around."""

    def span(start: int, length: int, price: int) -> SeriesStep:
        return SeriesStep(T0 + timedelta(hours=start), T0 + timedelta(hours=start + length), Decimal(price))

    stored = [span(3, 2, 1), span(5, 1, 1), span(8, 3, 1)]

    async def write(steps: list[SeriesStep], *, replace: bool) -> Any:
        async def work(conn: Connection) -> Any:
            return await queries.write_steps(conn, 2, "spot", steps, replace=replace, dry_run=True)

        return await hub.store.hub.tenant_unit(2, work)

    async def prepare(conn: Connection) -> None:
        await queries.write_steps(conn, 2, "spot", stored, replace=False, dry_run=False)

    await hub.store.hub.tenant_unit(2, prepare)
    covers = {
        step.start: {step.start + timedelta(hours=h) for h in range((step.end - step.start).seconds // 3600)} for step in stored
    }
    for start in range(12):
        for length in (1, 2, 3, 9):
            new = [span(start, length, 2), span(start + length + 1, 2, 2)]
            hours_of = [{step.start + timedelta(hours=h) for h in range((step.end - step.start).seconds // 3600)} for step in new]
            hit = [place for place, taken in enumerate(hours_of) if any(taken & cover for cover in covers.values())]
            replaced = sum(any(taken & cover for taken in hours_of) for cover in covers.values())
            assert (await write(new, replace=True)).replaced == replaced, (start, length)
            if hit:
                with pytest.raises(StepsTaken) as refused:
                    await write(new, replace=False)
                assert refused.value.places == hit, (start, length)
            else:
                assert (await write(new, replace=False)).stored == 2
