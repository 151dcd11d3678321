"""Makes and cancels reservations: who may have which EVSE is decided here, whether he gets it by the station.

What the station answers is committed with the end of its command (csms.ledger), so that nothing is lost with the process that
asked; where a command ends without the ledger, the upkeep of the database does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
import structlog

from csms.clock import Clock, Ids
from csms.commands import CommandService, DomainOrder, StationAway, StationRefused, TooManyCommands, UnknownStation
from csms.domain.commands import CancelReservation, ReserveNow
from csms.domain.reservations import OPEN, Answer, Refusal, answer_of
from csms.store import Connection, Database
from csms.store.queries import reservations as queries
from csms.store.queries.commands import OPEN as OPEN_COMMANDS
from csms.store.queries.reservations import Evse, OcpiKey, Reservation, Surroundings, Terms

log = structlog.get_logger()

BY: Final = "system:reservations"
"""Who takes back what a station may have kept without saying so."""
WAIT_S: Final = 40.0
"""How long a station is waited for: above what a gateway gives it for an answer."""
SHORTEST: Final = timedelta(seconds=30)
LONGEST: Final = timedelta(days=7)
"""How long a place may be kept; who needs less or more makes an error."""
TRIES: Final = 3
"""EVSEs that a station is asked for, one after the other, when any will do."""

_TAKEN: Final = frozenset({"Occupied", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})
_ELSEWHERE: Final = frozenset({"occupied", "faulted", "unavailable"})
"""Refusals that are about one EVSE, not about the station."""
_NOT_SENT: Final = (UnknownStation, StationAway, StationRefused, TooManyCommands)

Why = (
    Refusal
    | Literal["reserved", "unknown_station", "unknown_evse", "expires_too_soon", "expires_too_late"]
    | Literal["busy", "unknown_reservation", "over"]
)
"""Why there is no reservation, or why it is not cancelled, beyond what the station said: `reserved`: somebody else has it; `busy`:
the station is being asked about this reservation; `over`: it has ended."""

_MESSAGES: Final[dict[Why, str]] = {
    "busy": "the charge point has not answered yet what it was asked about this reservation",
    "expires_too_late": f"a place is kept for at most {LONGEST.days} days",
    "expires_too_soon": f"a place is kept for at least {SHORTEST.seconds} seconds",
    "failed": "the charge point could not be asked",
    "faulted": "the EVSE is out of order",
    "no_answer": "the charge point did not answer",
    "not_connected": "the charge point is not connected",
    "not_supported": "the charge point takes no reservations",
    "occupied": "the EVSE is in use",
    "over": "the reservation has ended",
    "rejected": "the charge point refused",
    "reserved": "the EVSE is reserved",
    "unavailable": "the EVSE is out of service",
    "unknown_evse": "the charge point has no such EVSE",
    "unknown_reservation": "there is no such reservation",
    "unknown_station": "there is no such charge point",
}


class Token(msgspec.Struct, frozen=True):
    """Who the place is kept for; `group`: and everybody of this group. `type`: of OCPP 2.x."""

    id_token: str
    type: str = "ISO14443"
    group: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """`refused` None: it is done, or the station has not answered yet, which the reservation tells. `reservation` None: nothing was
    recorded, as nothing was asked."""

    reservation: Reservation | None
    refused: Why | None = None

    @property
    def message(self) -> str:
        """`refused` in words."""
        return "" if self.refused is None else _MESSAGES[self.refused]


class _Refused(Exception):
    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


class _Asked(msgspec.Struct, frozen=True):
    """What the station is about to be asked for, as it was recorded. `others`: EVSEs that would do as well."""

    reservation_id: int
    terms: Terms
    command_id: UUID
    others: Sequence[int]


class ReservationService:
    """`database` is the hub role's. Any number of processes may have one."""

    def __init__(self, database: Database, commands: CommandService, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._commands = commands
        self._clock = clock
        self._ids = ids

    async def reserve(
        self,
        tenant_id: int,
        identity: str,
        evse_id: int | None,
        token: Token,
        expires_at: datetime,
        *,
        requested_by: str,
        ocpi: OcpiKey | None = None,
        wait_s: float = WAIT_S,
    ) -> Outcome:
        """Keep an EVSE, or with None any free one of the station, for a token, and wait at most `wait_s` for the station.

        A known id of the same party replaces its reservation (M6): at the same station when that has agreed, until when the old one
        holds; one at another station is cancelled first. Raises StoreUnavailable; nothing is lost then.
        """
        left = expires_at - self._clock.now()
        if left < SHORTEST or left > LONGEST:
            return Outcome(None, "expires_too_soon" if left < SHORTEST else "expires_too_late")
        if ocpi is not None:
            former = await self._database.tenant_unit(tenant_id, lambda conn: queries.find_ocpi(conn, tenant_id, ocpi))
            if former is not None and former.status in OPEN and former.charge_point_id != identity:
                moved = await self.cancel(tenant_id, former.reservation_id, requested_by=requested_by, wait_s=wait_s)
                if moved.refused not in (None, "over"):
                    return moved
        terms = Terms(
            evse_id=evse_id,
            id_token=token.id_token,
            id_token_type=token.type,
            group_id_token=token.group,
            expires_at=expires_at,
        )
        command_id = self._ids.uuid7()
        try:
            asked = await self._database.tenant_unit(
                tenant_id, lambda conn: self._record(conn, tenant_id, identity, terms, command_id, requested_by, ocpi)
            )
            for _ in range(TRIES - 1):
                outcome = await self._ask(tenant_id, identity, asked, requested_by, wait_s)
                if outcome.refused not in _ELSEWHERE or not asked.others:
                    return outcome
                asked = await self._next(tenant_id, identity, asked, ocpi)
        except _Refused as error:
            return Outcome(None, error.why)
        return await self._ask(tenant_id, identity, asked, requested_by, wait_s)

    async def cancel(self, tenant_id: int, reservation: int | OcpiKey, *, requested_by: str, wait_s: float = WAIT_S) -> Outcome:
        """Give a place free again. Raises StoreUnavailable."""
        command_id = self._ids.uuid7()

        async def order(conn: Connection) -> Reservation:
            if isinstance(reservation, OcpiKey):
                found = await queries.find_ocpi(conn, tenant_id, reservation)
            else:
                found = await queries.get_reservation(conn, tenant_id, reservation)
            if found is None:
                raise _Refused("unknown_reservation")
            await queries.order_cancellation(conn, tenant_id, found.reservation_id, command_id, requested_by)
            return found

        try:
            found = await self._database.tenant_unit(tenant_id, order)
        except _Refused as error:
            return Outcome(None, error.why)
        if found.status not in OPEN:
            return Outcome(found, "over")
        command = CancelReservation(reservation_id=found.reservation_id)
        answer = await self._send(tenant_id, found.charge_point_id, DomainOrder(command), command_id, requested_by, wait_s)
        after = await self._read(tenant_id, found.reservation_id, answer)
        if after.status in OPEN and answer is not None:
            return Outcome(after, answer.refusal)
        return Outcome(after, None if after.status in ("cancelled", *OPEN) else "over")

    async def find(self, tenant_id: int, key: OcpiKey) -> Reservation | None:
        """The newest reservation with this id of this party. Raises StoreUnavailable."""
        return await self._database.tenant_unit(tenant_id, lambda conn: queries.find_ocpi(conn, tenant_id, key))

    # -- deciding

    async def _record(
        self,
        conn: Connection,
        tenant_id: int,
        identity: str,
        terms: Terms,
        command_id: UUID,
        requested_by: str,
        ocpi: OcpiKey | None,
    ) -> _Asked:
        """Choose the EVSE and record what will be asked for. Raises _Refused."""
        station = await queries.hold_station(conn, tenant_id, identity)
        if station is None:
            raise _Refused("unknown_station")
        if not station.online or station.registration == "rejected":
            raise _Refused("not_connected")
        if "false" in (station.variables.get("Available"), station.variables.get("Enabled")):
            raise _Refused("not_supported")
        former = None if ocpi is None else await queries.find_ocpi(conn, tenant_id, ocpi)
        if former is not None and former.status in OPEN:
            if former.status == "requested" or former.replacing or former.charge_point_id != identity:
                raise _Refused("busy")
            chosen, others = choose(station, terms.evse_id, former)
            terms = msgspec.structs.replace(terms, evse_id=chosen)
            await queries.replace_reservation(conn, tenant_id, former.reservation_id, terms, command_id, requested_by)
            # the station has the old terms to keep when it refuses the new ones: it is asked once
            return _Asked(former.reservation_id, terms, command_id, ())
        chosen, others = choose(station, terms.evse_id, None)
        terms = msgspec.structs.replace(terms, evse_id=chosen)
        told_as = None if ocpi is None else self._ids.uuid7()
        number = await queries.insert_reservation(
            conn, tenant_id, station.station_id, terms, command_id, requested_by, ocpi, told_as
        )
        return _Asked(number, terms, command_id, others)

    async def _next(self, tenant_id: int, identity: str, asked: _Asked, ocpi: OcpiKey | None) -> _Asked:
        """The next EVSE that would do. Raises _Refused when somebody else has it by now."""
        command_id = self._ids.uuid7()

        async def work(conn: Connection) -> _Asked:
            station = await queries.hold_station(conn, tenant_id, identity)
            refused = await queries.get_reservation(conn, tenant_id, asked.reservation_id)
            if station is None or refused is None or refused.status != "refused":
                raise _Refused("failed")
            other = None if ocpi is None else await queries.find_ocpi(conn, tenant_id, ocpi)
            if other is not None and other.status in OPEN:
                raise _Refused("busy")
            free = [evse_id for evse_id in asked.others if evse_id in _free(station, None)]
            if not free:
                raise _Refused("occupied")
            await queries.try_elsewhere(conn, tenant_id, asked.reservation_id, free[0], command_id)
            terms = msgspec.structs.replace(asked.terms, evse_id=free[0])
            return _Asked(asked.reservation_id, terms, command_id, free[1:])

        return await self._database.tenant_unit(tenant_id, work)

    # -- asking

    async def _ask(self, tenant_id: int, identity: str, asked: _Asked, requested_by: str, wait_s: float) -> Outcome:
        terms = asked.terms
        command = ReserveNow(
            reservation_id=asked.reservation_id,
            id_token=terms.id_token,
            token_type=terms.id_token_type,
            group_id_token=terms.group_id_token,
            expires_at=terms.expires_at,
            evse_id=terms.evse_id,
        )
        answer = await self._send(tenant_id, identity, DomainOrder(command), asked.command_id, requested_by, wait_s)
        after = await self._read(tenant_id, asked.reservation_id, answer)
        if answer is not None and answer.refusal == "no_answer":
            await self._take_back(tenant_id, after)
        return Outcome(after, None if answer is None else answer.refusal)

    async def _send(
        self, tenant_id: int, identity: str, order: DomainOrder, command_id: UUID, requested_by: str, wait_s: float
    ) -> Answer | None:
        """The end of the command; None: it goes on."""
        cancels = isinstance(order.command, CancelReservation)
        # the station's number is not known here, and is put in where the answer is taken in
        try:
            row = await self._commands.execute(
                tenant_id, identity, order, requested_by=requested_by, wait_s=wait_s, command_id=command_id
            )
        except _NOT_SENT as error:
            return Answer(tenant_id, 0, command_id, cancels, "not_connected" if isinstance(error, StationAway) else "failed")
        if row.status in OPEN_COMMANDS:
            return None
        result = None if row.result is None else row.result.encode()
        return answer_of(tenant_id, 0, command_id, row.command or "", row.status, result, row.error)

    async def _read(self, tenant_id: int, reservation_id: int, answer: Answer | None) -> Reservation:
        """The reservation, with the answer, which most often was taken in with the end of the command."""

        async def work(conn: Connection) -> Reservation:
            found = await queries.get_reservation(conn, tenant_id, reservation_id)
            if found is not None and found.status in OPEN and answer is not None:
                await queries.note_answers(conn, [answer._replace(station_id=found.station_id)])
                found = await queries.get_reservation(conn, tenant_id, reservation_id)
            if found is None:
                raise LookupError("a reservation is kept for longer than a command takes")
            return found

        return await self._database.tenant_unit(tenant_id, work)

    async def _take_back(self, tenant_id: int, reservation: Reservation) -> None:
        """A station that did not answer may have kept the place all the same."""
        if reservation.status != "refused":
            return
        try:
            await self._commands.submit(
                tenant_id,
                reservation.charge_point_id,
                DomainOrder(CancelReservation(reservation_id=reservation.reservation_id)),
                requested_by=BY,
                time_to_live=max(reservation.expires_at - self._clock.now(), SHORTEST),
            )
        except _NOT_SENT as error:
            log.info("reservations.not_taken_back", reservation_id=reservation.reservation_id, error=type(error).__name__)


def choose(station: Surroundings, wanted: int | None, former: Reservation | None) -> tuple[int | None, Sequence[int]]:
    """The EVSE to ask for, None: the station may choose itself; and those that would do as well (F4).

    Who wants any has one kept free for him: another reservation must not take the last. `former`: the reservation that is replaced.
    Raises _Refused.
    """
    free = _free(station, former)
    kept_free = station.anywhere - (former is not None and former.evse_id is None)
    if wanted is not None:
        if station.evses:
            _check(station, wanted, former)
        if station.evses and len(free) <= kept_free:
            raise _Refused("reserved")
        return wanted, ()
    if not station.evses:
        return None, ()
    if len(free) <= kept_free:
        raise _Refused("reserved" if free or any(evse.reserved for evse in station.evses) else "occupied")
    if station.variables.get("NonEvseSpecific") == "true":
        return None, ()
    if former is not None and former.evse_id in free:
        return former.evse_id, ()
    return free[0], free[1:]


def _check(station: Surroundings, wanted: int, former: Reservation | None) -> None:
    evse = next((evse for evse in station.evses if evse.evse_id == wanted), None)
    if evse is None:
        raise _Refused("unknown_evse")
    why = _obstacle(evse, former)
    if why is not None:
        raise _Refused(why)


def _free(station: Surroundings, former: Reservation | None) -> list[int]:
    return [evse.evse_id for evse in station.evses if _obstacle(evse, former) is None]


def _obstacle(evse: Evse, former: Reservation | None) -> Why | None:
    """Why nobody can have this EVSE; its own reservation is no obstacle to whoever replaces it. An open session is one unless every
    connector says that it is free."""
    own = former is not None and former.evse_id == evse.evse_id
    if not own and (evse.reserved or "Reserved" in evse.statuses):
        return "reserved"
    if "Faulted" in evse.statuses:
        return "faulted"
    if "Unavailable" in evse.statuses:
        return "unavailable"
    free = bool(evse.statuses) and all(status in ("Available", "Reserved") for status in evse.statuses)
    return "occupied" if not _TAKEN.isdisjoint(evse.statuses) or (evse.charging and not free) else None
