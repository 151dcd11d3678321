"""The cost of a session over the API: explained line by line, held back, billed by hand."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from csms.billing import final
from csms.pricing import Cost, Pricer, Usage
from csms.store.queries.cdrs import BilledSession
from tests.integration.billing.harness import Bills
from tests.integration.billing.test_cdrs import accept, charged
from tests.integration.billing.test_running import measure, start
from tests.integration.hub.harness import Person


async def test_every_amount_is_explained_while_a_session_runs_and_after(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await start(bills, station)
    await measure(bills, station, transaction, 3000, seconds_ago=600)
    await bills.cost(transaction)
    session_id = await bills.session(transaction)
    answer = await boss.get(f"/api/v1/sessions/{session_id}/cost")
    assert answer.status_code == 200, answer.text
    running = answer.json()
    assert (running["final"], running["total"]) == (False, {"amount": "0.60", "currency": "EUR"})
    (line,) = running["cost"]["lines"]
    assert (line["part"], line["billed_volume"], line["price"], line["amount"]["excl_vat"]) == ("ENERGY", 2000, 0.25, 0.5)
    assert running["choice"]["considered"][0]["tariff_id"] == "simple"

    ended = await charged(bills, station)
    await bills.cdrs(ended, 1)
    answer = await boss.get(f"/api/v1/sessions/{await bills.session(ended)}/cost")
    final = answer.json()
    assert (final["final"], final["total"], final["held"]) == (True, {"amount": "1.20", "currency": "EUR"}, None)
    assert sum(line["amount"]["incl_vat"] for line in final["cost"]["lines"]) == 1.2


async def test_a_session_without_a_tariff_is_billed_once_it_has_one(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    await bills.sql("UPDATE tariff_assignments SET user_type = 'staff'")
    station = await bills.field.connect("north", "CP1")
    transaction = await charged(bills, station)
    await bills.cost(transaction, lambda row: row["held"] == "no_tariff")
    session_id = await bills.session(transaction)
    assert (await boss.get("/api/v1/held-sessions")).json()["items"] == [{"session_id": str(session_id), "held": "no_tariff"}]
    again = await boss.request("POST", f"/api/v1/sessions/{session_id}/bill")
    assert again.json() == {"cdr_ids": [], "held": "no_tariff"}
    await bills.sql("UPDATE tariff_assignments SET user_type = NULL")
    billed = await boss.request("POST", f"/api/v1/sessions/{session_id}/bill")
    assert billed.json()["held"] is None
    (row,) = await bills.cdrs(transaction, 1)
    assert billed.json()["cdr_ids"] == [row["cdr_id"]]
    assert (await boss.get("/api/v1/held-sessions")).json()["items"] == []


async def test_several_bill_one_session_at_once_and_there_is_one_cdr(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    await bills.sql("UPDATE tariff_assignments SET user_type = 'staff'")
    station = await bills.field.connect("north", "CP1")
    transaction = await charged(bills, station)
    await bills.cost(transaction, lambda row: row["held"] == "no_tariff")
    await bills.sql("UPDATE tariff_assignments SET user_type = NULL")
    session_id = await bills.session(transaction)
    answers: list[int] = []

    async def bill() -> None:
        answer = await boss.request("POST", f"/api/v1/sessions/{session_id}/bill")
        answers.append(answer.status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(bill)
    assert answers == [200] * 5
    await bills.cdrs(transaction, 1)
    assert await bills.sql("SELECT last_number FROM cdr_numbers") == [{"last_number": 1}]


async def test_what_runs_is_not_billed_and_what_has_no_cost_is_not_found(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    station = await bills.field.connect("north", "CP1")
    session_id = await bills.session(await start(bills, station))
    assert (await boss.request("POST", f"/api/v1/sessions/{session_id}/bill")).status_code == 409
    assert (await boss.get(f"/api/v1/sessions/{session_id}/cost")).status_code == 404


async def test_a_doubt_that_comes_after_the_cdr_and_goes_leaves_nothing_behind(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await charged(bills, station)
    await bills.cdrs(transaction, 1)
    path = f"/api/v1/sessions/{await bills.session(transaction)}/bill"
    for flags, held in (("{suspect}", "in_doubt"), ("{}", None)):
        await bills.sql("UPDATE sessions SET flags = $1::text::text[]", flags)
        assert (await boss.request("POST", path)).json() == {"cdr_ids": [], "held": held}
    assert (await boss.get("/api/v1/held-sessions")).json()["items"] == []
    await bills.cdrs(transaction, 1)


async def test_who_read_a_session_before_it_changed_does_not_bill_what_it_was(
    bills: Bills, boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    await bills.sql("UPDATE tariff_assignments SET user_type = 'staff'")
    station = await bills.field.connect("north", "CP1")
    transaction = await charged(bills, station)
    await bills.cost(transaction, lambda row: row["held"] == "no_tariff")
    await bills.sql("UPDATE tariff_assignments SET user_type = NULL")
    priced = []

    async def price(pricer: Pricer, usage: Usage) -> Cost:
        if not priced:
            await bills.sql("UPDATE sessions SET stop_meter_wh = 9000, updated_at = now()")
        priced.append(usage)
        return pricer.price(usage)

    monkeypatch.setattr(final, "price", price)
    await boss.request("POST", f"/api/v1/sessions/{await bills.session(transaction)}/bill")
    (row,) = await bills.cdrs(transaction, 1)
    assert (row["energy_wh"], len(priced)) == (8000, 2)


async def test_a_session_that_fails_is_seen_and_holds_up_no_other(
    bills: Bills, boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accept(bills, boss, "TAG1", "TAG2")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    gather = final._gather

    async def fail(conn: Any, tenant_id: int, session_id: Any, session: BilledSession, *rest: Any) -> Any:
        if session.id_token == "TAG1":
            raise ZeroDivisionError
        return await gather(conn, tenant_id, session_id, session, *rest)

    monkeypatch.setattr(final, "_gather", fail)
    failed = await charged(bills, station)
    sound = await charged(bills, station, tag="TAG2")
    await bills.cdrs(sound, 1)
    await bills.cost(failed, lambda row: row["held"] == "unusable")
