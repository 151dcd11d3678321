"""As what reservations and their sessions are told to the party of the token: by which ids, and where (E3, E5, E6)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from csms.clock import Ids
from csms.domain.operations import FinishCommand, RecordTransactionEvent, StartTransaction
from csms.domain.times import parse_station_time
from csms.store.maintenance import prune_reservations
from csms.store.pool import run_with_owner
from csms.store.queries import ocpi_publication, reservations
from csms.store.queries import ocpi_session_ids as ids
from csms.store.queries.reservations import OcpiKey, Terms
from schemas.ocpi221 import cdrs, sessions
from schemas.ocpi221.reading import read
from schemas.ocpi221.types import Price
from tests.integration.billing.harness import SIMPLE
from tests.integration.billing.test_reservations import PRICED
from tests.integration.roaming.harness import Roaming


class Desk:
    """Reservations of a partner at one station, and who comes."""

    def __init__(self, roaming: Roaming, station_id: int) -> None:
        self.roaming = roaming
        self.station_id = station_id
        self.tenant_id = roaming.tenant_id
        self.ledger = roaming.bills.field.ledger
        self.ids: Ids = roaming.bills.field.hub.services.ids

    async def reserve(self, key: str, **terms: Any) -> tuple[int, str]:
        """Its number, and the id of its session."""
        told_as, command_id = self.ids.uuid7(), self.ids.uuid7()
        fields: dict[str, Any] = {"evse_id": 1, "id_token": "CARD1", "id_token_type": "ISO14443", "group_id_token": "GROUP"}
        fields["expires_at"] = self.roaming.bills.field.hub.services.clock.now() + timedelta(hours=1)
        number = await self.roaming.bills.field.hub.store.hub.tenant_unit(
            self.tenant_id,
            lambda conn: reservations.insert_reservation(
                conn, self.tenant_id, self.station_id, Terms(**fields | terms), command_id, "x", OcpiKey(key, "NL", "EMP"), told_as
            ),
        )
        await self.roaming.sql(
            "INSERT INTO commands (tenant_id, command_id, station_id, command, action, parameters, status, requested_by, "
            "expires_at) VALUES ($1, $2, $3, 'reserve_now', 'ReserveNow', '{}', 'sent', 'test', now() + interval '1 min')",
            self.tenant_id,
            command_id,
            self.station_id,
        )
        await self.ledger.commit(
            FinishCommand(
                tenant_id=self.tenant_id,
                station_id=self.station_id,
                command_id=command_id,
                status="accepted",
                result=b'{"status":"Accepted"}',
            )
        )
        return number, str(told_as)

    async def start(self, number: int | None, tag: str, at: str) -> str:
        outcome = await self.ledger.commit(
            StartTransaction(
                tenant_id=self.tenant_id,
                station_id=self.station_id,
                evse_id=1,
                connector_id=1,
                id_token=tag,
                time=parse_station_time(at),
                meter_start_wh=1000,
                reservation_id=number,
            )
        )
        return str(outcome.transaction_id)

    async def event(self, seq_no: int, kind: str, **members: Any) -> None:
        await self.ledger.commit(
            RecordTransactionEvent(
                tenant_id=self.tenant_id,
                station_id=self.station_id,
                ocpp_version="ocpp2.0.1",
                type=kind,
                transaction_ref="tx",
                seq_no=seq_no,
                time=parse_station_time(f"2026-03-02T10:0{seq_no}:00Z"),
                trigger_reason="Authorized",
                details=b"{}",
                payload=b"{}",
                **members,
            )
        )

    async def ours(self, told_as: str) -> UUID | None:
        unit = self.roaming.bills.field.hub.store.hub.tenant_unit
        return await unit(self.tenant_id, lambda conn: ids.id_of_ours(conn, self.tenant_id, UUID(told_as)))

    async def statuses(self, *expected: tuple[str, str]) -> list[dict[str, Any]]:
        """The sessions as they are told, in the order in which they were first, once they are these."""

        def fits(found: Any) -> bool:
            return [(one["object_id"], one["document"]["status"]) for one in found] == list(expected)

        return [one["document"] for one in await self.roaming.published("sessions", fits)]


async def opened(roaming: Roaming, tariff: dict[str, Any] = SIMPLE) -> Desk:
    station = await roaming.station("CP-1", await roaming.location())
    await roaming.foreign_token()
    await roaming.foreign_token("CARD2")
    await roaming.partner("EMP")
    await roaming.party()
    await roaming.bills.tariff("north", tariff)
    await roaming.published("tariffs")
    return Desk(roaming, station)


async def test_the_session_of_a_reservation_and_its_cdr_have_its_id(roaming: Roaming) -> None:
    desk = await opened(roaming)
    number, told_as = await desk.reserve("R-1", evse_id=None)
    (kept,) = await desk.statuses((told_as, "RESERVATION"))
    reading = read(sessions.Session, kept)
    assert not reading.remarks
    assert (reading.value.evse_uid, reading.value.connector_id, reading.value.currency) == ("#NA", "#NA", "EUR")  # E6
    assert await desk.ours(told_as) is None

    transaction = await desk.start(number, "card1", "2026-03-01T10:00:00Z")
    (active,) = await desk.statuses((told_as, "ACTIVE"))
    assert active["start_date_time"] == "2026-03-01T10:00:00Z"
    (evse,) = await roaming.sql("SELECT evse_uid::text FROM evses")
    assert (active["evse_uid"], active["connector_id"]) == (evse["evse_uid"], "1")
    session_id = await roaming.bills.session(transaction)
    assert await desk.ours(told_as) == session_id
    assert await desk.ours(str(session_id)) is None
    unit = roaming.bills.field.hub.store.hub.tenant_unit
    assert await unit(desk.tenant_id, lambda conn: ocpi_publication.running_published(conn, desk.tenant_id)) == [session_id]

    await roaming.bills.field.stop("north", desk.station_id, transaction)
    await desk.statuses((told_as, "COMPLETED"))
    cdr = read(cdrs.CDR, (await roaming.published("cdrs"))[0]["document"])
    assert (cdr.remarks, cdr.value.session_id, cdr.value.total_energy) == ((), told_as, 4)
    # gone through once more it is the same: nothing else is told, once it has been told what the record says
    await roaming.settled()
    before = await roaming.objects("sessions")
    await roaming.settled()
    await roaming.boss.post("/api/v1/ocpi/publications", {})
    await roaming.settled()
    assert await roaming.objects("sessions") == before
    # the id is known for as long as the session is
    await roaming.sql("UPDATE reservations SET updated_at = now() - interval '401 days'")
    dsn = roaming.bills.field.hub.dsn
    assert await run_with_owner(dsn, lambda conn: prune_reservations(conn, 400)) == 0
    (shown,) = (await roaming.boss.get("/api/v1/reservations")).json()["items"]
    assert (shown["ocpi_session_id"], shown["session_id"]) == (told_as, str(session_id))
    assert {receiver for receiver, *_ in await roaming.pushes("sessions")} == {"emp"}


async def test_who_does_not_go_on_with_it_has_a_session_of_his_own(roaming: Roaming) -> None:
    desk = await opened(roaming)
    # another one of the group comes: the reservation is over, and his session begins
    number, first = await desk.reserve("R-1")
    await desk.statuses((first, "RESERVATION"))
    transaction = await desk.start(number, "CARD2", "2026-03-01T10:00:00Z")
    session_id = str(await roaming.bills.session(transaction))
    told = await desk.statuses((first, "COMPLETED"), (session_id, "ACTIVE"))
    assert [one["cdr_token"]["uid"] for one in told] == ["CARD1", "CARD2"]
    assert told[0]["end_date_time"] >= told[0]["start_date_time"]
    assert [await desk.ours(first), str(await desk.ours(session_id))] == [None, session_id]
    await roaming.bills.field.stop("north", desk.station_id, transaction)

    # a cable is plugged in before the card is shown: the reservation stands until then
    number, second = await desk.reserve("R-2", group_id_token=None)
    before = ((first, "COMPLETED"), (session_id, "COMPLETED"))
    await desk.event(0, "Started", evse_id=1, reservation_id=number)
    await roaming.settled()
    await desk.statuses(*before, (second, "RESERVATION"))
    await desk.event(1, "Ended")
    await desk.statuses(*before, (second, "COMPLETED"))

    # a session that was told already cannot become another one
    number, third = await desk.reserve("R-3", group_id_token=None)
    early = str(await roaming.bills.session(await desk.start(None, "CARD1", "2026-03-03T10:00:00Z")))
    before = (*before, (second, "COMPLETED"))
    await desk.statuses(*before, (third, "RESERVATION"), (early, "ACTIVE"))
    await roaming.sql("UPDATE sessions SET reservation_id = $2 WHERE session_id = $1::uuid", early, number)
    unit = roaming.bills.field.hub.store.gateway.unit
    use = reservations.Use(desk.tenant_id, desk.station_id, number, UUID(early))
    await unit(lambda conn: reservations.note_uses(conn, [use]))
    await desk.statuses(*before, (third, "COMPLETED"), (early, "ACTIVE"))

    # what its station never took is not told
    await roaming.sql("UPDATE reservations SET made_at = NULL, status = 'cancelled' WHERE ocpi_session_id = $1::uuid", third)
    await roaming.sql("DELETE FROM ocpi_objects WHERE object_id = $1", third)
    await roaming.boss.post("/api/v1/ocpi/publications", {"modules": ["sessions"]})
    await roaming.settled()
    await desk.statuses(*before, (early, "ACTIVE"))


async def test_a_place_that_was_kept_for_nobody_is_billed_to_its_party(roaming: Roaming) -> None:
    """E5, P12: a CDR without energy, of the session that the reservation was told as; B8: without an EVSE."""
    desk = await opened(roaming, PRICED)
    number, told_as = await desk.reserve("R-1", evse_id=None)
    await desk.statuses((told_as, "RESERVATION"))
    await roaming.forget_pushes()
    # what its location lacks keeps the CDR back, and not the session
    await roaming.sql("UPDATE locations SET latitude = NULL")
    await roaming.sql(
        "UPDATE reservations SET made_at = now() - interval '90 min', expires_at = now() WHERE reservation_id = $1", number
    )
    await roaming.bills.field.hub.store.gateway.unit(lambda conn: reservations.settle(conn, 10))

    def billed(found: Any) -> bool:
        return bool(found[0]["document"]["status"] == "COMPLETED" and found[0]["document"].get("total_cost"))

    (session,) = await roaming.published("sessions", billed)
    reading = read(sessions.Session, session["document"])
    assert not reading.remarks
    assert (reading.value.total_cost, reading.value.kwh) == (Price(excl_vat=Decimal(11), incl_vat=Decimal("13.20")), 0)
    assert [one.type for one in reading.value.charging_periods[0].dimensions] == ["RESERVATION_TIME"]
    await roaming.settled()
    assert await roaming.objects("cdrs") == []
    (finding,) = (await roaming.boss.get("/api/v1/ocpi/findings", params={"module": "sessions"})).json()["items"]
    assert (finding["module"], finding["field"]) == ("cdrs", "cdr_location.latitude")

    await roaming.sql("UPDATE locations SET latitude = 52.5")
    (record,) = await roaming.published("cdrs")
    cdr = read(cdrs.CDR, record["document"])
    assert (cdr.remarks, cdr.value.session_id, cdr.value.total_energy, cdr.value.total_time) == ((), told_as, 0, 0)
    assert (cdr.value.total_reservation_cost, cdr.value.total_cost.excl_vat) == (cdr.value.total_cost, 11)
    place = cdr.value.cdr_location
    assert (place.evse_uid, place.evse_id, place.connector_id, place.country) == ("#NA", "#NA", "#NA", "DEU")
    assert (cdr.value.cdr_token.uid, cdr.value.auth_method) == ("CARD1", "COMMAND")
    await roaming.settled()
    assert {(receiver, module) for receiver, module, *_ in await roaming.pushes() if module != "locations"} == {
        ("emp", "sessions"),
        ("emp", "cdrs"),
    }
    # whoever comes after all has a session of his own, which is not charged for the place again
    transaction = await desk.start(number, "CARD1", "2026-03-01T10:00:00Z")
    own = str(await roaming.bills.session(transaction))
    await desk.statuses((told_as, "COMPLETED"), (own, "ACTIVE"))
    await roaming.bills.field.stop("north", desk.station_id, transaction)
    found = await roaming.published("cdrs", lambda found: len(found) == 2)
    later = read(cdrs.CDR, found[1]["document"]).value
    assert (later.session_id, later.total_reservation_cost, later.total_cost.excl_vat) == (own, None, 1)
