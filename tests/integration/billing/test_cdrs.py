"""CDRs: made once from what is stored, numbered without gaps, corrected by a credit and a new one."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio

from csms.domain.metering import CONTEXT_NUMBER, Channel, Reading
from tests.integration.billing.harness import SIMPLE, Bills
from tests.integration.hub.harness import Person, reading


async def charged(bills: Bills, station_id: int, *, tag: str = "TAG1", meter_wh: int = 5000) -> str:
    """A session of 2026-03-01, 10:00 to 11:00."""
    transaction = await bills.field.start("north", station_id, tag=tag)
    await bills.field.meter("north", station_id, transaction, reading(20, "2000"), reading(40, "3000"))
    await bills.field.stop("north", station_id, transaction, meter_wh=meter_wh)
    return transaction


async def accept(bills: Bills, boss: Person, *tags: str) -> None:
    """Tokens of a tenant, each with its contract."""
    tenant_id = await bills.field.tenant_id(boss.tenant)
    for tag in tags:
        await bills.sql(
            "INSERT INTO id_tokens (tenant_id, id_token, type, contract_id) VALUES ($1, $2, 'ISO14443', 'DE8AA' || $2)",
            tenant_id,
            tag,
        )


async def test_an_ended_session_has_a_cdr_to_the_cent(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await charged(bills, station)
    (row,) = await bills.cdrs(transaction, 1)
    assert (row["number"], row["revision"], row["credit_of"]) == (1, 1, None)
    assert (row["total_excl_vat"], row["total_incl_vat"], row["energy_wh"]) == (Decimal("1.00"), Decimal("1.20"), Decimal(4000))
    cdr = row["document"]
    assert cdr["start_date_time"] == "2026-03-01T10:00:00Z"
    assert cdr["end_date_time"] == "2026-03-01T11:00:00Z"
    assert cdr["cdr_token"] == {"uid": "TAG1", "contract_id": "DE8AATAG1"}
    assert cdr["taxes"] == [{"vat": "20", "excl_vat": "1.0000", "amount": "0.2000"}]
    assert cdr["tariffs"][0]["id"] == "simple"
    assert [line["part"] for line in cdr["lines"]] == ["ENERGY"]
    cost = await bills.cost(transaction)
    assert (cost["held"], cost["due_at"], cost["total_incl_vat"]) == (None, None, Decimal("1.20"))


async def test_numbers_have_no_gaps_and_are_the_tenants_own(bills: Bills, admin: Person, boss: Person) -> None:
    south = await bills.field.hub.make_tenant(admin, "south")
    for person in (boss, south):
        await accept(bills, person, "TAG1")
    await bills.tariff("north")
    await bills.tariff("south")
    for tenant in ("north", "south"):
        station = await bills.field.connect(tenant, "CP1")
        for hour in range(5):
            transaction = await bills.field.start(tenant, station, at=f"2026-03-01T0{hour}:00:00Z")
            await bills.field.stop(tenant, station, transaction)
            await bills.cdrs(transaction, 1)
    rows = await bills.sql("SELECT tenant_id, number FROM cdrs ORDER BY tenant_id, number")
    assert len({row["tenant_id"] for row in rows}) == 2
    assert [row["number"] for row in rows] == [1, 2, 3, 4, 5] * 2


async def test_late_data_is_corrected_by_a_credit_and_a_new_cdr(bills: Bills, boss: Person) -> None:
    """A session closed by hand is billed once somebody has looked into it; its stop comes after all, with more."""
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await bills.field.start("north", station)
    await bills.field.meter("north", station, transaction, reading(30, "3000"))
    session_id = await bills.session(transaction)
    answer = await boss.post(f"/api/v1/sessions/{session_id}/close", {"reason": "the station is gone"})
    assert answer.status_code == 200, answer.text
    await bills.settled()
    (first,) = await bills.cdrs(transaction, 1)
    assert first["energy_wh"] == Decimal(2000)

    await bills.field.stop("north", station, transaction, meter_wh=5000)
    rows = await bills.cdrs(transaction, 3)
    assert [row["number"] for row in rows] == [1, 2, 3]
    first, credit, second = rows
    assert (credit["credit_of"], credit["cdr_id"]) == (first["cdr_id"], f"{first['cdr_id']}-C")
    assert credit["document"]["credit"] is True
    assert (first["total_incl_vat"], credit["total_incl_vat"], second["total_incl_vat"]) == (
        Decimal("0.60"),
        Decimal("-0.60"),
        Decimal("1.20"),
    )
    assert credit["document"]["total_energy"] == first["document"]["total_energy"]


async def test_the_same_event_again_makes_no_other_cdr(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await charged(bills, station)
    await bills.cdrs(transaction, 1)
    await bills.sql("UPDATE outbox_readers SET xid = '0', id = 0 WHERE sink = 'billing'")
    await trio.sleep(1.5)
    await bills.settled()
    await bills.cdrs(transaction, 1)
    assert (await bills.sql("SELECT last_number FROM cdr_numbers")) == [{"last_number": 1}]


async def test_a_session_in_doubt_is_held_until_somebody_has_looked_into_it(bills: Bills, boss: Person) -> None:
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await charged(bills, station, tag="UNKNOWN")
    held = await bills.cost(transaction, lambda row: row["held"] is not None)
    assert held["held"] == "in_doubt"
    assert await bills.sql("SELECT FROM cdrs") == []
    session_id = await bills.session(transaction)
    answer = await boss.post(f"/api/v1/sessions/{session_id}/settle", {"reason": "a guest of ours"})
    assert answer.status_code == 200, answer.text
    await bills.cdrs(transaction, 1)
    assert (await bills.cost(transaction))["held"] is None


async def test_a_cdr_never_changes(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    await bills.cdrs(await charged(bills, station), 1)
    for statement in ("UPDATE cdrs SET energy_wh = 0", "DELETE FROM cdrs"):
        with pytest.raises(Exception, match="is never changed"):
            await bills.sql(statement)


async def test_a_session_keeps_the_version_that_it_began_with_unless_the_tariff_says_otherwise(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1", "TAG2")
    dearer = SIMPLE | {"elements": [{"price_components": [{"type": "ENERGY", "price": 0.5, "vat": 20, "step_size": 1}]}]}
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await bills.field.start("north", station)
    await bills.cost(transaction)
    await bills.tariff("north", dearer, version=2, valid_from="2026-03-01T10:30:00Z")
    await bills.field.stop("north", station, transaction)
    (kept,) = await bills.cdrs(transaction, 1)
    assert (kept["tariff_version"], kept["total_excl_vat"]) == (1, Decimal("1.00"))

    await bills.sql("UPDATE tariffs SET on_change = 'follow'")
    transaction = await bills.field.start("north", station, tag="TAG2", at="2026-03-01T10:10:00Z")
    await bills.cost(transaction)
    await bills.field.stop("north", station, transaction)
    (followed,) = await bills.cdrs(transaction, 1)
    assert (followed["tariff_version"], followed["total_excl_vat"]) == (2, Decimal("2.00"))


async def test_a_tenant_without_tariffs_has_no_costs(bills: Bills, boss: Person) -> None:
    station = await bills.field.connect("north", "CP1")
    await charged(bills, station)
    await bills.settled()
    assert await bills.sql("SELECT FROM session_costs UNION ALL SELECT FROM cdrs") == []


async def test_the_limits_of_a_session_without_a_tariff_are_looked_after_until_its_end(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.sql("""UPDATE id_tokens SET restrictions = '{"max_energy_wh_per_session": 900000}'""")
    station = await bills.field.connect("north", "CP1")
    transaction = await bills.field.start("north", station)
    assert (await bills.cost(transaction))["due_at"] is not None
    await bills.field.stop("north", station, transaction, meter_wh=2000)
    await bills.settled()
    assert (await bills.cost(transaction, lambda row: row["due_at"] is None))["tariff_id"] is None
    assert await bills.sql("SELECT FROM cdrs") == []


async def test_signed_values_are_in_the_cdr_as_they_came(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await bills.field.start("north", station)
    containers = ['OCMF|{"FV":"1.0","RD":[{"RV":1.000}]}|{"SD":"00"}', 'OCMF|{"FV":"1.0","RD":[{"RV":5.0000}]}|{"SD":"ff"}']
    for minute, (context, container) in enumerate(zip(("Transaction.Begin", "Transaction.End"), containers, strict=True)):
        channel = Channel(format="SignedData")
        value = Reading(reading(minute).ts, None, CONTEXT_NUMBER[context], (channel,), [""], [container])
        await bills.field.meter("north", station, transaction, value)
    await bills.field.stop("north", station, transaction)
    (row,) = await bills.cdrs(transaction, 1)
    signed = row["document"]["signed_values"]
    assert [(value["nature"], value["signed_data"], value["encoding_method"]) for value in signed] == [
        ("Start", containers[0], "OCMF"),
        ("End", containers[1], "OCMF"),
    ]


async def test_what_is_past_its_retention_is_not_billed_anew(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await bills.field.start("north", station)
    await bills.field.meter("north", station, transaction, reading(30, "3000"))
    session_id = await bills.session(transaction)
    await boss.post(f"/api/v1/sessions/{session_id}/close", {"reason": "the station is gone"})
    await bills.cdrs(transaction, 1)
    await bills.sql("UPDATE tenants SET samples_kept_days = 30")
    await bills.sql("UPDATE sessions SET created_at = now() - interval '31 days'")
    await bills.field.stop("north", station, transaction, meter_wh=5000)
    await bills.cost(transaction, lambda row: row["held"] == "readings_gone")
    (row,) = await bills.cdrs(transaction, 1)
    assert row["energy_wh"] == Decimal(2000)
