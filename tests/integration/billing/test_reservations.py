"""Records of reservations that nobody came for (pricing rule P12): made once, whoever tries, and where they have a price."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import trio

from csms.billing.reservations import ReservationBilling
from csms.domain.operations import StartTransaction
from csms.domain.reservations import End
from csms.domain.times import parse_station_time
from csms.store.queries import reservations
from csms.store.queries.reservations import Terms
from tests.integration.billing.harness import SIMPLE, Bills
from tests.integration.hub.harness import Person

AT, UNTIL = datetime(2026, 3, 1, 8, tzinfo=UTC), datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def _component(kind: str, price: float) -> dict[str, Any]:
    return {"type": kind, "price": price, "vat": 20, "step_size": 1}


PRICED = {
    "id": "kept",
    "currency": "EUR",
    "elements": [
        {"price_components": [_component("TIME", 2)], "restrictions": {"reservation": "RESERVATION"}},
        {
            "price_components": [_component("FLAT", 5), _component("TIME", 4)],
            "restrictions": {"reservation": "RESERVATION_EXPIRES"},
        },
        *SIMPLE["elements"],
    ],
}


class Desk:
    def __init__(self, bills: Bills, tenant_id: int, station_id: int) -> None:
        self.bills = bills
        self.hub = bills.field.hub
        self.tenant_id = tenant_id
        self.station_id = station_id

    async def kept(self, tag: str = "TAG1") -> int:
        """A reservation of 8:00 to 9:30 that its station has taken."""
        terms = Terms(evse_id=1, id_token=tag, id_token_type="ISO14443", group_id_token=None, expires_at=UNTIL)
        command_id = self.hub.services.ids.uuid7()
        number: int = await self.hub.store.hub.tenant_unit(
            self.tenant_id,
            lambda conn: reservations.insert_reservation(conn, self.tenant_id, self.station_id, terms, command_id, "test", None),
        )
        await self.bills.sql(
            "UPDATE reservations SET status = 'active', made_at = $2, created_at = $2 WHERE reservation_id = $1", number, AT
        )
        await self.bills.sql(
            "INSERT INTO commands (tenant_id, command_id, station_id, command, action, parameters, status, requested_by, "
            "expires_at, sent_at, finished_at, reference) VALUES "
            "($1, $2, $3, 'reserve_now', 'ReserveNow', '{}', 'accepted', 'test', now(), $4, $4, $5)",
            self.tenant_id,
            command_id,
            self.station_id,
            AT,
            str(number),
        )
        return number

    async def expire(self) -> None:
        await self.hub.store.gateway.unit(lambda conn: reservations.settle(conn, 100))

    async def end(self, number: int, status: Any, reason: str | None = None) -> None:
        told = End(self.tenant_id, self.station_id, number, status, reason)
        await self.hub.store.gateway.unit(lambda conn: reservations.note_ends(conn, [told]))

    async def records(self) -> list[dict[str, Any]]:
        await self.bills.settled()
        return await self.bills.sql("SELECT * FROM cdrs WHERE tenant_id = $1 ORDER BY number", self.tenant_id)

    async def charge(self, number: int, day: int) -> str:
        outcome = await self.bills.field.ledger.commit(
            StartTransaction(
                tenant_id=self.tenant_id,
                station_id=self.station_id,
                evse_id=1,
                connector_id=1,
                id_token="TAG1",
                time=parse_station_time(f"2026-03-0{day}T10:00:00Z"),
                meter_start_wh=1000,
                reservation_id=number,
            )
        )
        await self.bills.field.stop("north", self.station_id, str(outcome.transaction_id), at=f"2026-03-0{day}T11:00:00Z")
        return str(outcome.transaction_id)


async def opened(bills: Bills, tariff: dict[str, Any]) -> Desk:
    tenant_id = await bills.field.tenant_id("north")
    await bills.sql(
        "INSERT INTO id_tokens (tenant_id, id_token, type, contract_id) VALUES ($1, 'TAG1', 'ISO14443', 'DE8AATAG1')", tenant_id
    )
    await bills.tariff("north", tariff)
    return Desk(bills, tenant_id, await bills.field.connect("north", "CP1"))


async def test_who_does_not_come_pays_for_the_place(bills: Bills, boss: Person) -> None:
    desk = await opened(bills, PRICED)
    number = await desk.kept()
    await desk.expire()
    (row,) = await desk.records()
    assert (row["number"], row["revision"], row["session_id"], row["reservation_id"]) == (1, 1, None, number)
    # 1.5 h at 4.00, and 5.00; neither the price of the time of one that is used, nor anything of a session
    assert (row["total_excl_vat"], row["total_incl_vat"], row["energy_wh"]) == (Decimal("11.00"), Decimal("13.20"), 0)
    assert (row["start_time"], row["end_time"], row["contract_id"]) == (AT, UNTIL, "DE8AATAG1")
    cdr = json.loads(row["document"])
    assert (cdr["reservation_id"], "session_id" in cdr, "transaction_id" in cdr) == (number, False, False)
    assert cdr["cdr_token"] == {"uid": "TAG1", "type": "ISO14443", "contract_id": "DE8AATAG1"}
    assert (cdr["total_reservation_cost"]["excl_vat"], cdr["total_energy"], cdr["total_time"]) == ("11.0000", "0.0000", "0.0000")
    assert [(one["part"], one["type"]) for one in cdr["lines"]] == [("RESERVATION", "FLAT"), ("RESERVATION", "TIME")]
    volumes = [(one["type"], one["volume"]) for period in cdr["charging_periods"] for one in period["dimensions"]]
    assert volumes == [("RESERVATION_TIME", "1.5000")]

    # the API, the check, exports and statements know it
    (shown,) = (await boss.get("/api/v1/cdrs", params={"reservation_id": number})).json()["items"]
    assert (shown["session_id"], shown["reservation_id"], shown["total_incl_vat"]["amount"]) == (None, number, "13.20")
    assert (await boss.get("/api/v1/cdrs", params={"reservation_id": number + 1})).json()["items"] == []
    verdict = (await boss.get(f"/api/v1/cdrs/{row['cdr_id']}/check")).json()
    assert (verdict["verdict"], verdict["differences"]) == ("agrees", [])
    (exported,) = (await boss.get("/api/v1/cdrs/export", params={"format": "json"})).json()
    assert (exported["session_id"], exported["reservation_id"], exported["transaction_id"]) == (None, number, None)
    (event,) = (await boss.get("/api/v1/events", params={"type": "cdr.created"})).json()["items"]
    assert (event["session_id"], event["data"]["reservation_id"], event["data"]["cost_incl_vat"]["amount"]) == (
        None,
        number,
        "13.20",
    )
    made = (await boss.post("/api/v1/statements", {"period": "2026-03", "kind": "tenant"})).json()
    assert [(one["statement"]["cdr_count"], one["statement"]["total_incl_vat"]["amount"]) for one in made["items"]] == [
        (1, "13.20")
    ]


async def test_it_is_billed_once_and_only_where_it_costs_something(bills: Bills, boss: Person) -> None:
    desk = await opened(bills, PRICED)
    services = desk.hub.services
    # several try at once, as after a process has died: numbers have no gaps
    first, second = await desk.kept(), await desk.kept()
    biller = [ReservationBilling(desk.hub.store.hub, services.clock, services.ids) for _ in range(4)]
    await bills.sql("UPDATE reservations SET status = 'expired', ended_at = now()")
    async with trio.open_nursery() as nursery:
        for one in biller:
            for number in (first, second, 99):
                nursery.start_soon(one.bill, desk.tenant_id, number)
    made = await desk.records()
    assert ([row["number"] for row in made], {row["reservation_id"] for row in made}) == ([1, 2], {first, second})

    # what ended otherwise, or was never made, is not billed
    for status in ("cancelled", "refused"):
        number = await desk.kept()
        await bills.sql("UPDATE reservations SET status = $2, ended_at = now() WHERE reservation_id = $1", number, status)
        assert await biller[0].bill(desk.tenant_id, number) is None
    never = await desk.kept()
    await bills.sql("UPDATE reservations SET made_at = NULL, status = 'expired', ended_at = now() WHERE reservation_id = $1", never)
    assert await biller[0].bill(desk.tenant_id, never) is None
    # nor is another party's token that nobody of that party has reserved for
    await bills.sql(
        "INSERT INTO id_tokens (tenant_id, id_token, type, owner_country_code, owner_party_id, ocpi_type) "
        "VALUES ($1, 'THEIRS', 'ISO14443', 'NL', 'EMP', 'RFID')",
        desk.tenant_id,
    )
    theirs = await desk.kept("THEIRS")
    await desk.end(theirs, "expired")
    assert len(await desk.records()) == 2
    # the station gave the place free although the driver had come near: it expired (NoTransaction)
    early = await desk.kept()
    await bills.sql("UPDATE reservations SET expires_at = now() + interval '1 h', made_at = now() WHERE reservation_id = $1", early)
    await desk.end(early, "expired", "no_transaction")
    (row,) = (await desk.records())[2:]
    assert (row["number"], row["reservation_id"], row["total_excl_vat"]) == (3, early, 5)

    # used in time, its time is billed with the session; used after it was billed, it is not billed twice
    used = await desk.kept()
    for day, number, reserved in ((1, used, Decimal(4)), (2, first, Decimal(0))):
        (cdr,) = await bills.cdrs(await desk.charge(number, day), 1)
        assert Decimal(cdr["document"]["total_reservation_cost"]["excl_vat"]) == reserved
        assert (await boss.get(f"/api/v1/cdrs/{cdr['cdr_id']}/check")).json()["verdict"] == "agrees"


async def test_a_tariff_without_a_price_for_it_makes_no_record(bills: Bills, boss: Person) -> None:
    desk = await opened(bills, {**SIMPLE, "min_price": {"excl_vat": 3, "incl_vat": 3.6}})
    await desk.kept()
    await desk.expire()
    assert await desk.records() == []
    await bills.sql("DELETE FROM tariff_assignments")
    await desk.kept()
    await desk.expire()
    assert await desk.records() == []
