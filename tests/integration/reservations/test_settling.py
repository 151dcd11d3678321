"""What becomes of reservations whatever happens to those who asked for them: the ledger, and the upkeep of the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from csms.domain.operations import FinishCommand, RecordTransactionEvent, ReportConnectorStatus, StartTransaction
from csms.domain.reservations import End, Use
from csms.domain.times import parse_station_time
from csms.store.maintenance import prune_reservations
from csms.store.pool import run_with_owner
from csms.store.queries import reservations as queries
from csms.store.queries.reservations import OcpiKey, Terms
from tests.integration.hub.harness import Field, Person, RunningHub


class Desk:
    """One station, and the rows of its reservations as a hub would write them."""

    def __init__(self, hub: RunningHub, field: Field, tenant_id: int, station_id: int) -> None:
        self.hub = hub
        self.field = field
        self.tenant_id = tenant_id
        self.station_id = station_id

    def terms(self, **more: Any) -> Terms:
        expires = self.hub.services.clock.now() + timedelta(hours=1)
        fields: dict[str, Any] = {"evse_id": 1, "id_token": "T", "id_token_type": "ISO14443", "group_id_token": None}
        return Terms(**{"expires_at": expires, **fields, **more})

    async def command(self, name: str, status: str = "sent", result: str | None = None) -> UUID:
        command_id = self.hub.services.ids.uuid7()
        await self.hub.sql(
            "INSERT INTO commands (tenant_id, command_id, station_id, command, action, parameters, status, result, requested_by, "
            "expires_at, sent_at) VALUES ($1, $2, $3, $4, 'x', '{}', $5, $6::jsonb, 'test', now() + interval '1 min', now())",
            self.tenant_id,
            command_id,
            self.station_id,
            name,
            status,
            result,
        )
        return command_id

    async def requested(self, command_id: UUID, ocpi: OcpiKey | None = None, **more: Any) -> int:
        return await self.hub.store.hub.tenant_unit(
            self.tenant_id,
            lambda conn: queries.insert_reservation(
                conn, self.tenant_id, self.station_id, self.terms(**more), command_id, "test", ocpi
            ),
        )

    async def finish(self, command_id: UUID, status: Any = "accepted", result: bytes = b'{"status":"Accepted"}') -> None:
        await self.field.ledger.commit(
            FinishCommand(tenant_id=self.tenant_id, station_id=self.station_id, command_id=command_id, status=status, result=result)
        )

    async def made(self, **more: Any) -> int:
        command_id = await self.command("reserve_now")
        number = await self.requested(command_id, **more)
        await self.finish(command_id)
        return number

    async def asked_for_others(self, number: int, command_id: UUID, **more: Any) -> None:
        terms = self.terms(**more)
        await self.hub.store.hub.tenant_unit(
            self.tenant_id, lambda conn: queries.replace_reservation(conn, self.tenant_id, number, terms, command_id, "test")
        )

    async def cancelling(self, number: int, command_id: UUID) -> None:
        await self.hub.store.hub.tenant_unit(
            self.tenant_id, lambda conn: queries.order_cancellation(conn, self.tenant_id, number, command_id, "somebody")
        )

    async def settle(self) -> int:
        return await self.hub.store.gateway.unit(lambda conn: queries.settle(conn, 100))

    async def state(self, number: int) -> tuple[str, str | None]:
        (row,) = await self.hub.sql("SELECT status, status_reason FROM reservations WHERE reservation_id = $1", number)
        return row["status"], row["status_reason"]

    async def told(self) -> list[tuple[str, int]]:
        """The events since they were last asked for."""
        rows = await self.hub.sql(
            "DELETE FROM outbox WHERE type LIKE 'reservation.%' RETURNING id, type, data::json ->> 'reservation_id' n"
        )
        return [(row["type"].removeprefix("reservation."), int(row["n"])) for row in sorted(rows, key=lambda row: row["id"])]


@pytest.fixture
async def desk(hub: RunningHub, boss: Person, field: Field) -> Desk:
    station_id = await field.connect("north", "CP-1")
    return Desk(hub, field, await field.tenant_id("north"), station_id)


async def test_answers_are_taken_in_with_the_end_of_their_command(desk: Desk) -> None:
    number = await desk.made()
    assert await desk.state(number) == ("active", None)
    refused_by = await desk.command("reserve_now")
    refused = await desk.requested(refused_by, evse_id=2)
    await desk.finish(refused_by, "rejected", b'{"status":"Faulted"}')
    assert await desk.state(refused) == ("refused", "faulted")
    # an answer that comes again, or too late, changes nothing
    await desk.hub.sql("UPDATE commands SET status = 'unknown'")
    await desk.finish(refused_by)
    assert await desk.state(refused) == ("refused", "faulted")
    assert await desk.told() == [("made", number)]

    # other terms hold when the station has taken them, and not before
    other = await desk.command("reserve_now")
    await desk.asked_for_others(number, other, evse_id=3, group_id_token="G")
    await desk.finish(other, "rejected", b'{"status":"Occupied"}')
    (row,) = await desk.hub.sql("SELECT * FROM reservations WHERE reservation_id = $1", number)
    assert (row["status"], row["status_reason"], row["evse_id"], row["replacement"]) == ("active", "occupied", 1, None)
    again = await desk.command("reserve_now")
    await desk.asked_for_others(number, again, evse_id=3, group_id_token="G")
    await desk.finish(again)
    (row,) = await desk.hub.sql("SELECT * FROM reservations WHERE reservation_id = $1", number)
    assert (row["status"], row["status_reason"], row["evse_id"], row["group_id_token"]) == ("active", None, 3, "G")
    assert row["expires_at"] > row["updated_at"] + timedelta(minutes=50)
    assert await desk.told() == [("made", number)]

    # who does not answer may have it still; who does not know it has it no more
    for status, result, after in (
        ("timed_out", b"null", "active"),
        ("failed", b"null", "active"),
        ("rejected", b'{"status":"Rejected"}', "cancelled"),
    ):
        cancel = await desk.command("cancel_reservation")
        await desk.cancelling(number, cancel)
        await desk.finish(cancel, status, result)
        assert (await desk.state(number))[0] == after
    assert await desk.told() == [("cancelled", number)]


async def test_what_nobody_could_take_in_is_settled(desk: Desk) -> None:
    ended = {
        status: await desk.requested(await desk.command("reserve_now", status, result), evse_id=None)
        for status, result in (("accepted", '{"status":"Accepted"}'), ("unknown", None), ("expired", None), ("sent", None))
    }
    never_sent = await desk.requested(desk.hub.services.ids.uuid7())
    lately = await desk.requested(desk.hub.services.ids.uuid7())
    await desk.hub.sql("UPDATE reservations SET updated_at = now() - interval '2 min' WHERE reservation_id = $1", never_sent)
    half_replaced, cancelled, due, waiting = await desk.made(), await desk.made(), await desk.made(), await desk.made()
    await desk.asked_for_others(half_replaced, desk.hub.services.ids.uuid7())
    await desk.hub.sql("UPDATE reservations SET updated_at = now() - interval '2 min' WHERE reservation_id = $1", half_replaced)
    await desk.cancelling(cancelled, await desk.command("cancel_reservation", "accepted", '{"status":"Accepted"}'))
    await desk.hub.sql("UPDATE reservations SET expires_at = now() WHERE reservation_id = $1", due)
    await desk.told()

    assert await desk.settle() == 6
    assert await desk.settle() == 0
    assert {status: await desk.state(number) for status, number in ended.items()} == {
        "accepted": ("active", None),
        "unknown": ("refused", "no_answer"),
        "expired": ("refused", "not_connected"),
        "sent": ("requested", None),
    }
    assert await desk.state(never_sent) == ("refused", "failed")
    assert await desk.state(lately) == ("requested", None)
    assert await desk.state(half_replaced) == ("active", None)
    assert (await desk.hub.sql("SELECT FROM reservations WHERE replacement IS NOT NULL")) == []
    assert await desk.state(cancelled) == ("cancelled", "ordered")
    assert await desk.state(due) == ("expired", None)
    assert await desk.state(waiting) == ("active", None)
    assert sorted(await desk.told()) == [("cancelled", cancelled), ("expired", due), ("made", ended["accepted"])]


async def test_a_16_connector_tells_of_the_end(desk: Desk) -> None:
    async def status(evse_id: int, status: str) -> None:
        await desk.field.ledger.commit(
            ReportConnectorStatus(
                tenant_id=desk.tenant_id, station_id=desk.station_id, evse_id=evse_id, connector_id=evse_id, status=status
            )
        )

    for evse_id in (1, 2, 3):
        await status(evse_id, "Available")
    shown, faulted, silent = [await desk.made(evse_id=evse_id) for evse_id in (1, 2, 3)]
    await status(1, "Reserved")
    assert await desk.settle() == 0
    await status(1, "Available")
    await status(2, "Faulted")
    # was never seen Reserved: Available tells nothing of it
    await status(3, "Available")
    assert await desk.settle() == 2
    assert await desk.state(shown) == ("cancelled", "removed")
    assert await desk.state(faulted) == ("cancelled", "removed")
    assert await desk.state(silent) == ("active", None)


async def test_a_session_that_used_it_counts(desk: Desk, hub: RunningHub) -> None:
    used, late, ended = await desk.made(), await desk.made(), await desk.made()
    await desk.hub.sql("UPDATE reservations SET status = 'expired' WHERE reservation_id = $1", late)
    await desk.told()

    async def start(number: int, at: str) -> Any:
        return await desk.field.ledger.commit(
            StartTransaction(
                tenant_id=desk.tenant_id,
                station_id=desk.station_id,
                evse_id=1,
                connector_id=1,
                id_token="T",
                time=parse_station_time(at),
                meter_start_wh=0,
                reservation_id=number,
            )
        )

    for _ in (1, 2):  # sent again
        await start(used, "2026-05-04T08:00:00Z")
    await start(late, "2026-05-04T09:00:00Z")
    for odd in (0, -1, 2**40):  # what some stations send for none
        await start(odd, f"2026-05-04T1{odd % 7}:00:00Z")
    event = RecordTransactionEvent(
        tenant_id=desk.tenant_id,
        station_id=desk.station_id,
        ocpp_version="ocpp2.0.1",
        type="Updated",
        transaction_ref="tx",
        seq_no=1,
        time=parse_station_time("2026-05-04T08:00:00Z"),
        trigger_reason="Authorized",
        details=b"{}",
        payload=b"{}",
        reservation_id=ended,
    )
    await desk.field.ledger.commit(event)
    assert await desk.told() == [("used", used), ("used", late), ("used", ended)]
    rows = await desk.hub.sql(
        "SELECT x.transaction_ref FROM reservations r JOIN sessions x USING (tenant_id, session_id) WHERE r.reservation_id = $1",
        ended,
    )
    assert [row["transaction_ref"] for row in rows] == ["tx"]
    # over is over: neither what its station says then, nor another session
    uses = [Use(desk.tenant_id, desk.station_id, used, hub.services.ids.uuid7())]
    await hub.store.gateway.unit(lambda conn: queries.note_uses(conn, uses))
    ends = [
        End(desk.tenant_id, desk.station_id, used, "expired", None),
        End(desk.tenant_id, desk.station_id + 1, used, "expired", None),
    ]
    await hub.store.gateway.unit(lambda conn: queries.note_ends(conn, ends))
    assert await desk.told() == []
    await desk.hub.sql("UPDATE reservations SET updated_at = now() - interval '401 days'")
    open_one = await desk.requested(await desk.command("reserve_now"))
    assert await run_with_owner(hub.dsn, lambda conn: prune_reservations(conn, 400)) == 3
    assert await desk.state(open_one) == ("requested", None)
