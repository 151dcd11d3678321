"""What a partner asks of our stations: recorded once however often it comes, ordered, and answered at once (M1, Q1).

The result follows (hub.ocpi.command_results): the row says what is still to be done, so that it outlives this process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from csms.bus import BusUnavailable
from csms.commands import DomainOrder, StationAway, StationRefused, TooManyCommands, UnknownStation
from csms.domain.commands import AnyCommand
from csms.roaming.agreements import Agreements
from csms.roaming.commands import Kind, StationEvse, can
from csms.roaming.countries import alpha3
from csms.roaming.sources import ForeignToken
from csms.store import Connection
from csms.store.queries import ocpi_commands as queries
from csms.store.queries import ocpi_sources
from csms.store.queries.ocpi_commands import NewOcpiCommand, OcpiCommand, Place, StationSession
from csms.store.queries.ocpi_reservations import reserved
from csms.store.queries.ocpi_session_ids import id_of_ours
from hub.ocpi.message import OcpiProblem
from hub.ocpi.own.call import OwnCall
from schemas.ocpi221.base import fold
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.types import DisplayText

log = structlog.get_logger()

TOPIC: Final = "ocpi.commands"
"""Pokes whoever posts results: there is something new."""

TOLD_S: Final = 60
"""CommandResponse.timeout: a station is given less (design 3.4), and the result has to get there."""
OURS: Final = timedelta(seconds=50)
"""After so long we say ourselves that the station has not answered (M2)."""
RESERVING_S: Final = 140
"""The same for reservations where any EVSE will do: several may have to be asked for."""
RESERVING: Final = timedelta(seconds=130)

_NOT_SENT: Final = (UnknownStation, StationAway, StationRefused, TooManyCommands)
_WHY: Final[dict[type[Exception], str]] = {
    StationAway: "the charging station is not connected",
    TooManyCommands: "the charging station has too much to do",
}


class Refused(Exception):
    """The order is not passed on: what is answered, in OCPI's word and in ours."""

    def __init__(self, response: str, message: str, status_code: StatusCode = StatusCode.SUCCESS) -> None:
        super().__init__(message)
        self.response = response
        self.message = message
        self.status_code = status_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be done. `command` None: a reservation, which has a service of its own; `plan` is what that needs.
    `deadline`: after so long it is over; None: OURS."""

    charge_point_id: str
    command: AnyCommand | None = None
    session_id: UUID | None = None
    reservation_id: str | None = None
    plan: dict[str, Any] = field(default_factory=dict)
    deadline: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the partner is told at once."""

    response: str
    message: str | None = None
    status_code: StatusCode = StatusCode.SUCCESS

    @property
    def texts(self) -> tuple[DisplayText, ...]:
        return () if self.message is None else (DisplayText(language="en", text=self.message[:512]),)


Prepare = Callable[[Connection], Awaitable[Order]]
"""Looks up what is meant, in the transaction in which the order is recorded. Raises Refused."""


def asking_party(call: OwnCall) -> Party:
    """The one party in whose name is asked (A5)."""
    party = call.requester.party
    if party is None:
        raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "OCPI-from is missing: this connection has several parties")
    return Party(party.country_code.upper(), party.party_id.upper())


def label_of(party: Party) -> str:
    """By whom stations are ordered, in our own records."""
    return f"ocpi:{party.country_code.upper()}-{party.party_id.upper()}"


async def take_order(
    asker: Asker, kind: Kind, response_url: str, message: Any, prepare: Prepare, *, session_id: str | None = None
) -> Reply:
    """Record what is asked for, and order it. The same `message` with the same `response_url` is the same order as long as that is
    waited for: it is answered as before, and nothing is done twice. Raises StoreUnavailable."""
    call, party = asker.call, asker.party
    ocpi, tenant_id = call.ocpi, call.tenant_id
    ocpi_command_id, command_id, now = ocpi.ids.uuid7(), ocpi.ids.uuid7(), ocpi.clock.now()

    def record(order: Order | None, refused: Refused | None) -> NewOcpiCommand:
        own = call.party
        by_us = order is not None and order.command is None
        return NewOcpiCommand(
            ocpi_command_id=ocpi_command_id,
            direction="received",
            command=kind,
            country_code=party.country_code,
            party_id=party.party_id,
            own_country_code=own.country_code,
            own_party_id=own.party_id,
            response_url=response_url,
            correlation_id=call.request.headers.correlation_id,
            request={"body": message, **({} if order is None else order.plan)},
            command_id=None if order is None or by_us else command_id,
            session_id=session_id if order is None or order.session_id is None else str(order.session_id),
            reservation_id=None if order is None else order.reservation_id,
            status="done" if order is None else "asked" if by_us else "waiting",
            response="ACCEPTED" if refused is None else refused.response,
            deadline=now + ((None if order is None else order.deadline) or OURS),
        )

    async def work(conn: Connection) -> Order | OcpiCommand:
        for known in await queries.find_replayed(conn, tenant_id, party, response_url):
            if known.command == kind and known.request.get("body") == message:
                return known
        asker.check_allowed()
        order = await prepare(conn)
        await queries.insert_command(conn, tenant_id, record(order, None))
        return order

    async def note(conn: Connection, refused: Refused) -> None:
        await queries.insert_command(conn, tenant_id, record(None, refused))
        await queries.set_state(conn, tenant_id, ocpi_command_id, "done", error=refused.message)

    try:
        order = await ocpi.store.hub.tenant_unit(tenant_id, work)
    except Refused as refused:
        told = refused
        await ocpi.store.hub.tenant_unit(tenant_id, lambda conn: note(conn, told))
        return Reply(told.response, told.message, told.status_code)
    if isinstance(order, OcpiCommand):
        log.info("ocpi.command_repeated", command=kind, ocpi_command_id=str(order.ocpi_command_id))
        return Reply(order.response or "REJECTED", order.error)
    if order.command is not None:
        try:
            await ocpi.commands.submit(
                tenant_id,
                order.charge_point_id,
                DomainOrder(order.command),
                requested_by=label_of(party),
                session_id=order.session_id,
                command_id=command_id,
            )
        except _NOT_SENT as error:
            why = _WHY.get(type(error), "the charging station cannot be reached")
            await ocpi.store.hub.tenant_unit(
                tenant_id,
                lambda conn: queries.set_state(conn, tenant_id, ocpi_command_id, "done", response="REJECTED", error=why),
            )
            return Reply("REJECTED", why)
    try:
        await ocpi.bus.publish(TOPIC, b"")
    except BusUnavailable:
        log.debug("ocpi.poke_lost")
    return Reply("ACCEPTED")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for something, and what he may have."""

    call: OwnCall
    party: Party
    agreements: Agreements

    @classmethod
    async def of(cls, call: OwnCall) -> Asker:
        """Raises StoreUnavailable, and OcpiProblem where nobody says who he is."""
        return cls(call, asking_party(call), await call.ocpi.directory.agreements(call.tenant_id))

    def check_allowed(self) -> None:
        """R14. Raises Refused."""
        if not self.agreements.allows(self.party.folded, self.call.party.party.folded, self.call.request.module):
            raise Refused("REJECTED", "no agreement allows this")

    async def find_place(self, conn: Connection, location_id: str) -> Place:
        """The location, as far as the party may know of it. Raises Refused with 2003 (M1)."""
        unknown = Refused("REJECTED", "there is no such location", StatusCode.UNKNOWN_LOCATION)
        try:
            place = await queries.find_place(conn, self.call.tenant_id, UUID(location_id))
        except ValueError:
            raise unknown from None
        if place is None or not self._sees(location_id, place):
            raise unknown
        return place

    def _sees(self, location_id: str, place: Place) -> bool:
        owner, country = self.call.party.party.folded, alpha3(place.country or "") or ""
        return self.agreements.allows(self.party.folded, owner, "locations", fold(location_id), country)

    async def find_session(self, conn: Connection, session_id: str, kind: Kind | None = None) -> StationSession:
        """A session that runs with a token of this party (M8, Q4), by the id that the party knows it by. Raises Refused; of others'
        sessions nothing is told."""
        unknown = Refused("UNKNOWN_SESSION", "there is no such session")
        try:
            wanted = UUID(session_id)
        except ValueError:
            raise unknown from None
        tenant_id = self.call.tenant_id
        ours = await id_of_ours(conn, tenant_id, wanted)
        if ours is None:
            for reservation in await reserved(conn, tenant_id, [wanted]):
                if reservation.told_as == wanted and self._owns(reservation.token):
                    ended = reservation.status == "lapsed"
                    raise Refused("REJECTED", "the session has ended" if ended else "the session is only reserved")
            raise unknown
        found = await queries.find_session(conn, tenant_id, ours)
        token = (await ocpi_sources.foreign_tokens(conn, tenant_id, [ours])).get(ours)
        if found is None or token is None or not self._owns(token):
            raise unknown
        if not found.active:
            raise Refused("REJECTED", "the session has ended")
        if kind is not None and not can(found.details, kind):
            raise Refused("NOT_SUPPORTED", "this is not offered here")
        if not found.online:
            raise Refused("REJECTED", "the charging station is not connected")
        return found

    def _owns(self, token: ForeignToken) -> bool:
        return (fold(token.country_code), fold(token.party_id)) == self.party.folded


def pick_evse(place: Place, evse_uid: str) -> StationEvse:
    """Raises Refused with 2003."""
    for evse in place.evses:
        if fold(str(evse.evse_uid)) == fold(evse_uid):
            return evse
    raise Refused("REJECTED", "there is no such EVSE at this location", StatusCode.UNKNOWN_LOCATION)


def check_able(evses: Sequence[StationEvse], kind: Kind) -> list[StationEvse]:
    """Those of the EVSEs that can do it and are connected. Raises Refused where none is left."""
    able = [evse for evse in evses if can(evse.details, kind)]
    if not able:
        raise Refused("NOT_SUPPORTED", "this is not offered here")
    online = [evse for evse in able if evse.online]
    if not online:
        raise Refused("REJECTED", "the charging station is not connected")
    return online
