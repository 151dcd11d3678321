"""From a reservation that nobody came for to its record (pricing rule P12).

It has the tariff that a session would have had that began when its station took it. Only where that has a price for reservations is
there a record; one of no energy, and of no session. A reservation that was used is billed with its session, and one that was
cancelled is not billed.
"""

from __future__ import annotations

from uuid import UUID

import msgspec
import structlog

from csms.billing.cdr import Basis, Cdr, CdrToken, Snapshot, make_cdr
from csms.billing.pricers import Pricers
from csms.billing.records import find_token, store
from csms.clock import Clock, Ids
from csms.pricing import BadUsage, Cost, PriceSeries, Tariff, Usage
from csms.pricing.usage import Reservation
from csms.store import Connection, Database
from csms.store.queries import cdrs as cdr_queries
from csms.store.queries import reservation_bills as queries
from csms.store.queries.reservation_bills import ExpiredReservation
from csms.tariffs.service import choose_from, has_assignments, load_series_of, version_of_session

log = structlog.get_logger()


class _Priceable(msgspec.Struct, frozen=True):
    reservation: ExpiredReservation
    version: int
    tariff: Tariff
    series: PriceSeries
    token: CdrToken | None
    group_id: UUID | None

    @property
    def basis(self) -> Basis:
        kept = self.reservation
        return Basis(kept.end, kept.end, kept.location.time_zone, self.series, Reservation(kept.start, kept.end, expired=True))


class ReservationBilling:
    """Makes the records. `database` is the hub role's."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._pricers = Pricers()

    async def bill(self, tenant_id: int, reservation_id: int) -> Cdr | None:
        """The record of a reservation that has expired. None: it costs nothing, or there is nothing (more) to bill. Raises
        StoreUnavailable."""
        found = await self._database.tenant_unit(tenant_id, lambda conn: _read(conn, tenant_id, reservation_id))
        if found is None:
            return None
        try:
            cost = self._pricers.of(tenant_id, found.version, found.tariff, found.series).price(unused(found.basis))
        except BadUsage as error:
            log.warning("billing.reservation_unusable", tenant_id=tenant_id, reservation_id=reservation_id, error=str(error))
            return None
        if not cost.total_reservation_cost.excl_vat:
            return None
        made = await self._database.tenant_unit(tenant_id, lambda conn: self._record(conn, tenant_id, reservation_id, found, cost))
        if made is not None:
            log.info("billing.cdr_of_reservation", tenant_id=tenant_id, number=made.number, reservation_id=reservation_id)
        return made

    async def _record(self, conn: Connection, tenant_id: int, reservation_id: int, found: _Priceable, cost: Cost) -> Cdr | None:
        # somebody may have billed it since it was read, or a session may have told of its use
        if not await queries.hold_unbilled(conn, tenant_id, reservation_id):
            return None
        snapshot = Snapshot(reservation_id=reservation_id, token=found.token, location=found.reservation.location)
        number = await cdr_queries.take_number(conn, tenant_id)
        cdr = make_cdr(str(self._ids.uuid7()), number, snapshot, found.tariff, found.version, cost)
        await store(
            conn,
            tenant_id,
            cdr,
            revision=1,
            station_id=found.reservation.station_id,
            group_id=found.group_id,
            basis=found.basis,
            now=self._clock.now(),
            ocpi_session_id=found.reservation.ocpi_session_id,
        )
        return cdr


def unused(basis: Basis) -> Usage:
    """The usage of a reservation that nobody came for."""
    return Usage(basis.start, basis.end, basis.time_zone, [], [], [], basis.reservation)


async def _read(conn: Connection, tenant_id: int, reservation_id: int) -> _Priceable | None:
    kept = await queries.expired_reservation(conn, tenant_id, reservation_id)
    if kept is None or not await has_assignments(conn, tenant_id):
        return None
    choice = await choose_from(conn, tenant_id, kept.started)
    if choice.tariff_id is None or choice.version is None:
        return None
    stored = await version_of_session(conn, tenant_id, choice.tariff_id, choice.version, kept.end)
    series = await load_series_of(conn, tenant_id, stored.tariff, kept.start, kept.end)
    token, group_id = await find_token(conn, tenant_id, kept.id_token, kept.id_token_type)
    if token is not None and token.party_id is not None and kept.ocpi_session_id is None:
        return None  # its party has not asked for the place, and is told of no session that the record could be of
    return _Priceable(kept, stored.version, stored.tariff, series, token, group_id)
