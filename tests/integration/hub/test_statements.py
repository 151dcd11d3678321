"""Monthly statements: what they come to, when they are made, and what comes too late for them."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
import trio

from csms.billing.cdr import Cdr, CdrToken
from csms.clock import SystemClock, SystemIds
from csms.statements import service
from csms.statements.service import StatementService
from csms.store import Connection
from csms.store.pool import run_with_owner
from csms.store.queries import statements as queries
from tests.integration.hub.cdr_rows import charged, store_cdr, store_tariffs, tariff
from tests.integration.hub.harness import Field, Person, RunningHub

GROUP = UUID("0199f2ab-6a51-7c3e-9d5e-0d1f5e7c9a11")
TARIFFS = (tariff("PLAIN"), tariff("REDUCED", vat=7), tariff("SWISS", "CHF", 8.1), tariff("NONE", vat=None))
KINDS = ("contract", "token_group", "tenant", "partner")


@pytest.fixture
async def place(hub: RunningHub, boss: Person, field: Field) -> tuple[int, int]:
    """A tenant of Berlin and its charge point."""
    await boss.put("/api/v1/tenants/north/config", {"time_zone": "Europe/Berlin"})
    tenant_id, station_id = await field.tenant_id("north"), await field.connect("north", "CP1")
    await store_tariffs(hub, tenant_id, TARIFFS)
    await hub.sql("INSERT INTO token_groups (tenant_id, group_id, name) VALUES ($1, $2, 'Fleet')", tenant_id, GROUP)
    return tenant_id, station_id


async def _make(boss: Person, kind: str, period: str = "2026-03", **others: Any) -> dict[str, Any]:
    answer = await boss.post("/api/v1/statements", {"period": period, "kind": kind, **others})
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


def _subject(kind: str, cdr: Cdr, grouped: bool) -> str:
    token = cdr.cdr_token or CdrToken("")
    return {"contract": token.contract_id, "token_group": str(GROUP) if grouped else "", "partner": token.issuer}.get(kind) or ""


async def test_the_statements_of_all_subjects_are_all_records(
    hub: RunningHub, boss: Person, place: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared with sums over the records themselves; subjects are taken two at a time."""
    monkeypatch.setattr(service, "_SUBJECTS_AT_ONCE", 2)
    chance = Random(20260301)
    month: list[tuple[Cdr, bool]] = []
    for _ in range(60):
        end = datetime(2026, 2, 27, tzinfo=UTC) + timedelta(minutes=chance.randrange(35 * 24 * 60))
        grouped = chance.random() < 0.5
        token = CdrToken("T", contract_id=chance.choice([None, "C1", "C2"]), issuer=chance.choice([None, "I1", "I2", "I3"]))
        made = await store_cdr(
            hub,
            *place,
            chance.choice(TARIFFS),
            charged(str(Decimal(chance.randrange(1, 99_999)) / 1000), end),
            token=chance.choice([None, token]),
            group_id=GROUP if grouped else None,
            credited=chance.random() < 0.3,
        )
        # March of Berlin, which has its summer time from the 29th on
        if datetime(2026, 2, 28, 23, tzinfo=UTC) <= end < datetime(2026, 3, 31, 22, tzinfo=UTC):
            month += [(cdr, grouped) for cdr in made]
    assert len(month) > 60
    for kind in KINDS:
        wanted: dict[Any, list[Any]] = defaultdict(lambda: [Decimal(0), Decimal(0), Decimal(0), 0, 0])
        rates: dict[Any, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
        for cdr, grouped in month:
            key = _subject(kind, cdr, grouped), cdr.currency, cdr.amount_due.incl_vat is not None
            sums = wanted[key]
            sums[0] += cdr.amount_due.excl_vat
            sums[1] += cdr.amount_due.incl_vat or 0
            sums[2] += -cdr.total_energy if cdr.credit else cdr.total_energy
            sums[3 + cdr.credit] += 1
            for tax in cdr.taxes:
                rates[(*key, tax.vat)][0] += tax.excl_vat
                rates[(*key, tax.vat)][1] += tax.amount
        preview = await _make(boss, kind, preview=True)
        run = await _make(boss, kind)
        assert (run["made"], run["existing"], preview["made"]) == (len(wanted), 0, 0)
        found = {}
        for item in run["items"]:
            shown = item["statement"]
            total = shown["total_incl_vat"]
            key = shown["subject"], shown["total_excl_vat"]["currency"], total is not None
            document = (await boss.get(f"/api/v1/statements/{shown['statement_id']}")).json()
            found[key] = [
                Decimal(shown["total_excl_vat"]["amount"]),
                Decimal(0 if total is None else total["amount"]),
                Decimal(document["energy_kwh"]),
                shown["cdr_count"],
                shown["credit_count"],
            ]
            taxes = {(*key, Decimal(tax["vat"])): [Decimal(tax["excl_vat"]), Decimal(tax["amount"])] for tax in document["taxes"]}
            assert taxes == {rate: sums for rate, sums in rates.items() if rate[:3] == key}
            rounding = document["rounding"]
            assert Decimal(rounding["excl_vat"]) == (found[key][0] - sum(sums[0] for sums in taxes.values()) if taxes else 0)
            rows = await boss.get(f"/api/v1/statements/{shown['statement_id']}/csv")
            amounts = [Decimal(row["total_excl_vat"]) for row in csv.DictReader(io.StringIO(rows.text))]
            assert (sum(amounts), len(amounts)) == (found[key][0], found[key][3] + found[key][4])
            if kind == "token_group" and shown["subject"]:
                assert document["subject_name"] == "Fleet"
        assert found == wanted
        assert sorted(item["statement"]["subject"] for item in preview["items"]) == sorted(key[0] for key in wanted)
        again = await _make(boss, kind)
        assert (again["made"], again["existing"]) == (0, len(wanted))
    numbers = [item["number"] for item in (await boss.get("/api/v1/statements", params={"limit": 500})).json()["items"]]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_what_comes_late_is_in_the_next_statement_and_a_credit_takes_back(
    hub: RunningHub, boss: Person, place: tuple[int, int]
) -> None:
    march, april = datetime(2026, 3, 10, 12, tzinfo=UTC), datetime(2026, 4, 10, 12, tzinfo=UTC)
    token = CdrToken("T", contract_id="C1")
    await store_cdr(hub, *place, TARIFFS[0], charged("10", march), token=token)
    # of February, whose statements nobody has made: not this month's
    await store_cdr(hub, *place, TARIFFS[0], charged("7", march - timedelta(days=28)), token=token)
    await store_cdr(hub, *place, TARIFFS[0], charged("1", april), token=CdrToken("T", contract_id="C2"))
    (first,) = (await _make(boss, "contract", subject="C1"))["items"]
    assert first["statement"]["total_excl_vat"]["amount"] == "4.57"
    # March of C1 is made: this session and its credit come too late for it, and cancel; that of C3 does not
    await store_cdr(hub, *place, TARIFFS[0], charged("20", march), token=token, credited=True)
    (late,) = await store_cdr(hub, *place, TARIFFS[0], charged("20", march), token=token)
    await store_cdr(hub, *place, TARIFFS[0], charged("5", march), token=CdrToken("T", contract_id="C3"))
    again = await _make(boss, "contract")
    assert [item["statement"]["subject"] for item in again["items"]] == ["C3"]
    items = {item["statement"]["subject"]: item["statement"] for item in (await _make(boss, "contract", "2026-04"))["items"]}
    assert set(items) == {"C1", "C2"}
    second = items["C1"]
    assert second["total_excl_vat"]["amount"] == format(late.amount_due.excl_vat, "f") == "9.13"
    assert (second["cdr_count"], second["credit_count"], second["late_count"], second["energy_kwh"]) == (2, 1, 3, 20)
    of_second = (await boss.get("/api/v1/cdrs", params={"statement_id": second["statement_id"]})).json()["items"]
    assert [cdr["credit"] for cdr in of_second] == [False, True, False]
    (february,) = (await _make(boss, "contract", "2026-02"))["items"]
    assert february["statement"]["total_excl_vat"]["amount"] == "3.20"
    assert (await boss.get("/api/v1/statements", params={"kind": "contract", "period": "2026-03", "subject": "C1"})).json()[
        "items"
    ] == [first["statement"]]
    linked = await hub.sql("SELECT count(*) AS n, count(DISTINCT cdr_id) AS one FROM statement_cdrs")
    cdrs = await hub.sql("SELECT count(*) AS n FROM cdrs")
    assert linked[0]["n"] == linked[0]["one"] == cdrs[0]["n"]


async def test_who_may_make_which(hub: RunningHub, boss: Person, place: tuple[int, int]) -> None:
    month = SystemClock().now().strftime("%Y-%m")
    for body, field in (
        ({"period": month, "kind": "tenant"}, "period"),
        ({"period": "2026-13", "kind": "tenant"}, "period"),
        ({"period": "1999-12", "kind": "tenant"}, "period"),
        ({"period": "2026-03", "kind": "friends"}, "kind"),
        ({"period": "2026-03", "kind": "tenant", "subject": "x" * 65}, "subject"),
        ({"period": "2026-03", "kind": "tenant", "more": 1}, "more"),
    ):
        refused = await boss.post("/api/v1/statements", body)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field), body
    assert (await _make(boss, "tenant", month, preview=True))["items"] == []
    operator = await hub.make_user(boss, "operator")
    assert (await operator.post("/api/v1/statements", {"period": "2026-03", "kind": "tenant"})).status_code == 403
    viewer = await hub.make_user(boss, "viewer")
    assert (await viewer.get("/api/v1/statements")).status_code == 200


async def test_two_makers_make_everything_once(hub: RunningHub, boss: Person, place: tuple[int, int]) -> None:
    for number in range(4):
        token = CdrToken("T", contract_id=f"C{number}")
        await store_cdr(hub, *place, TARIFFS[0], charged("1", datetime(2026, 3, 10, tzinfo=UTC)), token=token)
    clock = SystemClock()
    makers = [StatementService(hub.store.hub, clock, SystemIds(clock)) for _ in range(4)]
    outcomes: list[int] = []

    async def make(maker: StatementService) -> None:
        try:
            outcomes.append((await maker.make(place[0], "2026-03", "contract", None, "user:somebody")).count)
        except queries.BeingMade:
            outcomes.append(-1)

    async with trio.open_nursery() as nursery:
        for maker in makers:
            nursery.start_soon(make, maker)
    assert sorted(count for count in outcomes if count > 0) == [4]
    numbers = await hub.sql("SELECT number FROM statements ORDER BY 1")
    assert [row["number"] for row in numbers] == [1, 2, 3, 4]


async def test_a_statement_is_never_changed(hub: RunningHub, boss: Person, place: tuple[int, int]) -> None:
    await store_cdr(hub, *place, TARIFFS[0], charged("1", datetime(2026, 3, 10, tzinfo=UTC)))
    await _make(boss, "tenant")
    for statement in (
        "UPDATE statements SET total_excl_vat = 0",
        "DELETE FROM statements",
        "UPDATE statement_cdrs SET late = true",
        "DELETE FROM statement_cdrs",
    ):

        async def work(conn: Connection, statement: str = statement) -> None:
            await conn.execute(statement)

        with pytest.raises(asyncpg.RestrictViolationError):
            await run_with_owner(hub.dsn, work)
    (stored,) = await hub.sql("SELECT statement_id, document::text AS d FROM statements")
    shown = await boss.get(f"/api/v1/statements/{stored['statement_id']}")
    assert shown.content == stored["d"].encode()
    assert msgspec.json.decode(shown.content)["total"] == {"excl_vat": "0.46", "incl_vat": "0.54"}
