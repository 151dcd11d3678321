"""What a session costs while it runs: looked at again and again, told to stations that show it, ended where a limit is reached."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import trio

from csms.billing.displays import answer_says_yes
from csms.domain.metering import Channel, Reading
from tests.integration.billing.harness import SIMPLE, Bills
from tests.integration.billing.test_cdrs import accept
from tests.integration.hub.harness import Person


def moments_ago(seconds: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=seconds)


async def start(bills: Bills, station: int, *, tag: str = "TAG1", seconds_ago: int = 1800) -> str:
    return await bills.field.start("north", station, tag=tag, at=f"{moments_ago(seconds_ago):%Y-%m-%dT%H:%M:%SZ}")


async def measure(bills: Bills, station: int, transaction: str, wh: int, *, seconds_ago: int) -> None:
    reading = Reading(moments_ago(seconds_ago), None, 0, (Channel(),), [str(wh)])
    await bills.field.meter("north", station, transaction, reading)


async def ordered(bills: Bills, action: str) -> dict[str, Any]:
    """The newest command of this kind, once there is one."""
    with trio.fail_after(20):
        while True:
            rows = await bills.sql(
                "SELECT * FROM commands WHERE action = $1 OR command = $1 ORDER BY command_id DESC LIMIT 1", action
            )
            if rows:
                return rows[0] | {"parameters": json.loads(rows[0]["parameters"])}
            await trio.sleep(0.05)


async def test_the_cost_grows_with_what_the_station_tells(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await start(bills, station)
    await measure(bills, station, transaction, 3000, seconds_ago=1200)
    await bills.cost(transaction, lambda row: row["total_incl_vat"] == Decimal("0.6000"))
    await measure(bills, station, transaction, 5000, seconds_ago=600)
    row = await bills.cost(transaction, lambda row: row["total_incl_vat"] == Decimal("1.2000"))
    assert row["due_at"] is not None
    events = await bills.sql("SELECT data FROM outbox WHERE type = 'session.cost_updated' ORDER BY xid, id")
    amounts = [json.loads(event["data"])["cost"]["amount"] for event in events]
    assert amounts[-2:] == ["0.60", "1.20"]
    assert len(amounts) == len(set(amounts))  # only what has changed is told
    await bills.field.stop("north", station, transaction, meter_wh=5000, at=f"{moments_ago(0):%Y-%m-%dT%H:%M:%SZ}")
    ended = await bills.cost(transaction, lambda row: row["due_at"] is None)
    assert ended["state"] is None


async def test_time_costs_without_a_word_of_the_station(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    per_second = {"type": "TIME", "price": 3600, "step_size": 1}
    await bills.tariff("north", SIMPLE | {"elements": [{"price_components": [per_second]}]})
    station = await bills.field.connect("north", "CP1")
    transaction = await start(bills, station, seconds_ago=100)
    first = await bills.cost(transaction, lambda row: row["total_excl_vat"] is not None)
    assert first["total_excl_vat"] >= 100
    await bills.cost(transaction, lambda row: row["total_excl_vat"] >= first["total_excl_vat"] + 2)


async def test_a_tariff_that_sessions_follow_changes_under_way(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north", on_change="follow")
    station = await bills.field.connect("north", "CP1")
    transaction = await start(bills, station)
    await measure(bills, station, transaction, 3000, seconds_ago=1200)
    await bills.cost(transaction, lambda row: row["total_incl_vat"] == Decimal("0.6000"))
    dearer = SIMPLE | {"elements": [{"price_components": [{"type": "ENERGY", "price": 0.5, "vat": 20, "step_size": 1}]}]}
    await bills.tariff("north", dearer, version=2, valid_from=f"{moments_ago(10):%Y-%m-%dT%H:%M:%SZ}")
    row = await bills.cost(transaction, lambda row: row["total_incl_vat"] == Decimal("1.2000"))
    assert row["tariff_version"] == 2


async def test_a_register_that_falls_waits_for_the_final_cost(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await start(bills, station)
    await measure(bills, station, transaction, 5000, seconds_ago=1200)
    await bills.cost(transaction, lambda row: row["total_incl_vat"] == Decimal("1.2000"))
    await measure(bills, station, transaction, 4000, seconds_ago=600)
    await measure(bills, station, transaction, 6000, seconds_ago=300)
    await bills.cost(transaction, lambda row: row["total_incl_vat"] == Decimal("1.5000"))


@pytest.mark.parametrize(
    "limit", [{"max_energy_wh_per_session": 3000}, {"max_amount_per_session": "0.90"}, {"max_duration_s_per_session": 60}]
)
async def test_a_session_that_reaches_a_limit_of_its_token_is_stopped(bills: Bills, boss: Person, limit: dict[str, Any]) -> None:
    await accept(bills, boss, "TAG1")
    await bills.sql("UPDATE id_tokens SET restrictions = $1::text::jsonb", json.dumps(limit))
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await start(bills, station)
    await measure(bills, station, transaction, 4000, seconds_ago=1200)
    row = await bills.cost(transaction, lambda row: row["limit_reached"] is not None)
    assert row["limit_reached"].startswith(next(iter(limit)))
    command = await ordered(bills, "remote_stop")
    assert command["parameters"]["transaction_id"] == transaction
    assert command["session_id"] == await bills.session(transaction)
    await trio.sleep(0.5)
    assert len(await bills.sql("SELECT FROM commands WHERE command = 'remote_stop'")) == 1


async def test_a_stop_that_cannot_be_ordered_is_ordered_when_the_station_is_back(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.sql("""UPDATE id_tokens SET restrictions = '{"max_energy_wh_per_session": 3000}'""")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await start(bills, station)
    await bills.sql("UPDATE stations SET connected_process = NULL")
    await measure(bills, station, transaction, 9000, seconds_ago=1200)
    await bills.cost(transaction, lambda row: row["total_incl_vat"] == Decimal("2.4000"))
    await trio.sleep(0.3)
    assert (await bills.cost(transaction))["limit_reached"] is None
    await bills.field.hub.connect_station("north", "CP1")
    await bills.cost(transaction, lambda row: row["limit_reached"] is not None)
    assert (await ordered(bills, "remote_stop"))["parameters"]["transaction_id"] == transaction


async def test_a_station_that_shows_costs_is_asked_once_and_told(bills: Bills, boss: Person) -> None:
    await accept(bills, boss, "TAG1")
    await bills.tariff("north")
    station = await bills.field.connect("north", "CP1")
    transaction = await start(bills, station)
    question = await ordered(bills, "GetConfiguration")
    assert question["parameters"] == {"key": ["CustomDisplayCostAndPrice"]}
    key = {"key": "CustomDisplayCostAndPrice", "readonly": True, "value": "true"}
    await bills.sql(
        "UPDATE commands SET status = 'accepted', result = $2::text::jsonb, finished_at = now() WHERE command_id = $1",
        question["command_id"],
        json.dumps({"configurationKey": [key]}),
    )
    with trio.fail_after(20):
        while not await bills.sql("SELECT FROM stations WHERE displays_cost"):
            await trio.sleep(0.05)
    await measure(bills, station, transaction, 3000, seconds_ago=1200)
    message = (await ordered(bills, "DataTransfer"))["parameters"]
    assert (message["vendorId"], message["messageId"]) == ("org.openchargealliance.costmsg", "RunningCost")
    data = json.loads(message["data"])
    assert (data["transactionId"], data["cost"], data["meterValue"]) == (int(transaction), 0.6, 3000)
    await bills.field.stop("north", station, transaction, meter_wh=5000, at=f"{moments_ago(0):%Y-%m-%dT%H:%M:%SZ}")
    await bills.cdrs(transaction, 1)
    with trio.fail_after(20):
        while (final := (await ordered(bills, "DataTransfer"))["parameters"])["messageId"] != "FinalCost":
            await trio.sleep(0.05)
    assert json.loads(final["data"]) == {"transactionId": int(transaction), "cost": 1.2, "priceText": "1.20 EUR, 4.00 kWh"}
    assert len(await bills.sql("SELECT FROM commands WHERE action = 'GetConfiguration'")) == 1


@pytest.mark.parametrize(
    ("result", "yes"),
    [
        ('{"configurationKey":[{"key":"CustomDisplayCostAndPrice","value":"True"}]}', True),
        ('{"configurationKey":[{"key":"CustomDisplayCostAndPrice"}]}', False),
        ('{"unknownKey":["CustomDisplayCostAndPrice"]}', False),
        ('{"getVariableResult":[{"attributeStatus":"Accepted","attributeValue":"true"}]}', True),
        ('{"getVariableResult":[{"attributeStatus":"UnknownComponent"}]}', False),
        ("[]", False),
        ('{"configurationKey":"no"}', False),
    ],
)
def test_what_counts_as_showing_costs(result: str, yes: bool) -> None:
    assert answer_says_yes(result) is yes
