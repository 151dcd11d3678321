"""The cost in the answer to the event that ends a session (rule Y11), and parking, which costs something else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from csms.domain.metering import Channel, Reading
from csms.domain.operations import EventRecorded, RecordTransactionEvent, ReportConnectorStatus, StartTransaction
from csms.domain.times import parse_station_time
from tests.integration.billing.harness import SIMPLE, Bills
from tests.integration.billing.test_cdrs import accept
from tests.integration.hub.harness import Person, reading

PARKING = SIMPLE | {
    "id": "parking",
    "elements": [
        {
            "price_components": [
                {"type": "ENERGY", "price": 0.25, "vat": 20, "step_size": 1},
                {"type": "PARKING_TIME", "price": 6, "vat": 20, "step_size": 1},
            ]
        }
    ],
}
FREE = SIMPLE | {"id": "free", "elements": [{"price_components": [{"type": "FLAT", "price": 0, "step_size": 1}]}]}


async def event(
    bills: Bills, station: int, kind: str, seq_no: int, clock: str, *, state: str | None = None, wh: int | None = None, **more: Any
) -> EventRecorded:
    at = f"2026-03-01T{clock}:00Z"
    readings = [] if wh is None else [Reading(datetime.fromisoformat(at), None, 0, (Channel(),), [str(wh)])]
    info = {} if state is None else {"chargingState": state}
    details = json.dumps({"transactionInfo": {"transactionId": "T1", **info}}).encode()
    outcome: EventRecorded = await bills.field.ledger.commit(
        RecordTransactionEvent(
            tenant_id=await bills.field.tenant_id("north"),
            station_id=station,
            ocpp_version="ocpp2.0.1",
            type=kind,  # type: ignore[arg-type]
            transaction_ref="T1",
            seq_no=seq_no,
            time=parse_station_time(at),
            trigger_reason="MeterValuePeriodic",
            details=details,
            payload=details,
            evse_id=1,
            connector_id=1,
            charging_state=state,
            readings=readings,
            stopped_reason="Local" if kind == "Ended" else None,
            **more,
        )
    )
    return outcome


async def charged(bills: Bills, station: int, **last: Any) -> EventRecorded:
    """10:00 to 11:00: 4 kWh until 10:40, then the vehicle asks for no more."""
    await event(bills, station, "Started", 0, "10:00", state="Charging", wh=1000, id_token="TAG1", token_type="ISO14443")
    await bills.cost("T1")
    await event(bills, station, "Updated", 1, "10:20", wh=3000)
    await event(bills, station, "Updated", 2, "10:40", state="SuspendedEV", wh=5000)
    return await event(bills, station, "Ended", 3, "11:00", state="EVConnected", wh=5000, **last)


async def test_the_answer_to_the_end_tells_what_the_cdr_will(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north", PARKING)
    station = await bills.field.connect("north", "CP1")
    answer = await charged(bills, station)
    # 4 kWh at 0.25, a third of an hour at 6, and VAT
    assert answer.total_cost == Decimal("3.60")
    (row,) = await bills.cdrs("T1", 1)
    assert row["total_incl_vat"] == answer.total_cost
    assert Decimal(row["document"]["total_parking_time"]) == Decimal("0.3333")
    repeated = await event(bills, station, "Ended", 3, "11:00", state="EVConnected", wh=5000)
    assert repeated == answer


async def test_free_is_zero_and_unknown_is_nothing(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    station = await bills.field.connect("north", "CP1")
    await bills.tariff("north", FREE)
    assert (await charged(bills, station)).total_cost == Decimal("0.00")
    await bills.sql("DELETE FROM tariff_assignments")
    answer = await event(bills, station, "Ended", 0, "12:00", wh=1)
    assert answer.total_cost is None


async def test_what_happened_offline_is_not_told(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north", PARKING)
    station = await bills.field.connect("north", "CP1")
    assert (await charged(bills, station, offline=True)).total_cost is None
    await bills.cdrs("T1", 1)


async def test_a_dynamic_price_is_the_one_of_its_time(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    tenant_id = await bills.field.tenant_id("north")
    await bills.sql("INSERT INTO price_series (tenant_id, series_id, name, currency) VALUES ($1, 'spot', 'spot', 'EUR')", tenant_id)
    await bills.sql(
        "INSERT INTO price_series_steps (tenant_id, series_id, step_id, start_time, end_time, price) "
        "SELECT $1, 'spot', gen_random_uuid(), t, t + interval '20 min', extract(minute FROM t) / 100 "
        "FROM generate_series(timestamptz '2026-03-01 10:00Z', '2026-03-01 10:40Z', interval '20 min') t",
        tenant_id,
    )
    await bills.tariff("north", SIMPLE | {"extensions": {"dynamic_energy": {"series": "spot", "elements": [0]}}})
    station = await bills.field.connect("north", "CP1")
    answer = await charged(bills, station)
    # 2 kWh at 0.00 and 2 at 0.20, and VAT
    assert answer.total_cost == Decimal("0.48")
    (row,) = await bills.cdrs("T1", 1)
    assert row["total_incl_vat"] == answer.total_cost
    assert len(json.loads(row["basis"])["series"]["steps"]) == 3


@pytest.mark.parametrize(("status", "amount"), [("SuspendedEV", "3.60"), ("SuspendedEVSE", "1.20")])
async def test_the_states_of_a_connector_tell_when_a_16_vehicle_parks(bills: Bills, boss: Person, status: str, amount: str) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north", PARKING)
    station = await bills.field.connect("north", "CP1")
    transaction = await bills.field.start("north", station)
    for state, minute in (("Charging", 1), (status, 40)):
        await bills.field.ledger.commit(
            ReportConnectorStatus(
                tenant_id=await bills.field.tenant_id("north"),
                station_id=station,
                evse_id=1,
                connector_id=1,
                status=state,
                time=parse_station_time(f"2026-03-01T10:{minute:02}:00Z"),
            )
        )
    await bills.field.meter("north", station, transaction, reading(40, "5000"))
    await bills.field.stop("north", station, transaction)
    (row,) = await bills.cdrs(transaction, 1)
    assert row["total_incl_vat"] == Decimal(amount)


async def test_times_of_a_tariff_are_those_of_the_location(bills: Bills, boss: Person) -> None:
    """10:00 UTC is noon in Helsinki: half of the session is in the dear hours there."""
    await accept(bills, boss, "TAG1")
    dear = {"price_components": [{"type": "ENERGY", "price": 1, "step_size": 1}], "restrictions": {"start_time": "12:30"}}
    cheap = {"price_components": [{"type": "ENERGY", "price": 0, "step_size": 1}]}
    await bills.tariff("north", {"id": "noon", "currency": "EUR", "elements": [dear, cheap]})
    station = await bills.field.connect("north", "CP1")
    location = (await boss.post("/api/v1/locations", {"name": "Helsinki", "time_zone": "Europe/Helsinki"})).json()["location_id"]
    await boss.patch("/api/v1/chargepoints/CP1", {"location_id": location})
    transaction = await bills.field.start("north", station)
    await bills.field.meter("north", station, transaction, reading(30, "3000"))
    await bills.field.stop("north", station, transaction, meter_wh=6000)
    (row,) = await bills.cdrs(transaction, 1)
    assert row["total_excl_vat"] == Decimal("3.00")
    assert row["document"]["cdr_location"]["time_zone"] == "Europe/Helsinki"
    assert row["start_time"] == datetime(2026, 3, 1, 10, tzinfo=UTC)


async def test_a_reservation_that_the_session_used_is_billed_with_it(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    reserved = {"price_components": [{"type": "TIME", "price": 3, "step_size": 1}], "restrictions": {"reservation": "RESERVATION"}}
    await bills.tariff("north", SIMPLE | {"elements": [reserved, *SIMPLE["elements"]]})  # type: ignore[misc]
    station = await bills.field.connect("north", "CP1")
    tenant_id = await bills.field.tenant_id("north")
    for status, minute in (("accepted", 20), ("rejected", 40)):
        await bills.sql(
            "INSERT INTO commands (tenant_id, command_id, station_id, action, parameters, status, requested_by, expires_at, "
            "reference, sent_at, finished_at) "
            "VALUES ($1, gen_random_uuid(), $2, 'ReserveNow', '{}', $3, 'test', now(), '7', $4, $4)",
            tenant_id,
            station,
            status,
            datetime(2026, 3, 1, 9, minute, tzinfo=UTC),
        )
    outcome = await bills.field.ledger.commit(
        StartTransaction(
            tenant_id=tenant_id,
            station_id=station,
            evse_id=1,
            connector_id=1,
            id_token="TAG1",
            time=parse_station_time("2026-03-01T10:00:00Z"),
            meter_start_wh=1000,
            reservation_id=7,
        )
    )
    await bills.field.stop("north", station, str(outcome.transaction_id))
    (row,) = await bills.cdrs(str(outcome.transaction_id), 1)
    # 40 minutes at 3 an hour, and 4 kWh
    assert row["total_excl_vat"] == Decimal("3.00")
    assert Decimal(row["document"]["total_reservation_cost"]["excl_vat"]) == 2
    assert row["document"]["start_date_time"] == "2026-03-01T09:20:00Z"
