"""Commands of partners for our stations, and results of commands that we have sent (digest, chapter 15; endpoints 32 and 33)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from csms.domain.commands import RemoteStart, RemoteStop, UnlockConnector
from csms.domain.known_tokens import VOUCHED_FOR
from csms.qr_tokens import random_code
from csms.reservations.service import Token as ReservedFor
from csms.roaming.commands import StationEvse, choose_evse, fits, offers
from csms.store import Connection
from csms.store.queries import ocpi_authorizations, ocpi_tokens
from csms.store.queries import reservations as reservation_queries
from csms.store.queries.ocpi_tokens import ForeignToken, KeptPlace
from csms.store.queries.reservations import OcpiKey
from hub.ocpi.message import OcpiResponse, not_found
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.ordering import (
    RESERVING,
    RESERVING_S,
    TOLD_S,
    Asker,
    Order,
    Prepare,
    Refused,
    Reply,
    check_able,
    pick_evse,
    take_order,
)
from hub.ocpi.sending import take_result
from schemas.ocpi221.base import Remark
from schemas.ocpi221.commands import (
    COMMANDS,
    CancelReservation,
    CommandResponse,
    CommandResult,
    CommandType,
    ReserveNow,
    StartSession,
    StopSession,
)
from schemas.ocpi221.commands import UnlockConnector as OcpiUnlock
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.reading import read
from schemas.ocpi221.tokens import Token
from schemas.ocpi221.writing import document

ALIAS_PREFIX: Final = "OCPI"
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}\Z")


async def receive_command(call: OwnCall) -> OcpiResponse:
    """POST {commands}/{command}: M1."""
    kind = _kind(call)
    message = read(COMMANDS[kind], call.request.body)
    asker = await Asker.of(call)
    body = message.value
    response_url: str = body.response_url  # type: ignore[attr-defined]  # all commands have it
    told_s = TOLD_S
    prepare: Prepare
    match body:
        case StartSession():
            prepare = _Start(asker, body).prepare
        case StopSession():
            prepare = _Stop(asker, body).prepare
        case OcpiUnlock():
            prepare = _Unlock(asker, body).prepare
        case ReserveNow():
            prepare = _Reserve(asker, body).prepare
            told_s = RESERVING_S
        case CancelReservation():
            prepare = _Cancel(asker, body).prepare
        case _:
            raise not_found("there is no such command")
    reply = await take_order(asker, kind, response_url, call.request.body, prepare)
    return _answer(reply, told_s, message.remarks)


async def receive_result(call: OwnCall) -> OcpiResponse:
    """POST to a response_url of ours, {commands}/{command}/{key}: M2, M7."""
    if len(call.request.segments) != 2:
        raise not_found("there is no such command")
    _kind(call)
    reading = read(CommandResult, call.request.body)
    await take_result(call, call.request.segments[1], reading.value.result, document(reading.value))
    return OcpiResponse(remarks=reading.remarks)


def _kind(call: OwnCall) -> CommandType:
    segments = call.request.segments
    wanted = segments[0].upper() if segments else ""
    for kind in COMMANDS:
        if kind == wanted:
            return kind
    raise not_found("there is no such command")


def _answer(reply: Reply, told_s: int, remarks: tuple[Remark, ...]) -> OcpiResponse:
    timeout = told_s if reply.response == "ACCEPTED" else 0
    data = document(CommandResponse(result=reply.response, timeout=timeout, message=reply.texts))
    message = reply.message if reply.status_code != StatusCode.SUCCESS else None
    return OcpiResponse(data=data, status_code=reply.status_code, status_message=message, remarks=remarks)


@dataclass(frozen=True, slots=True)
class _Start:
    asker: Asker
    body: StartSession

    async def prepare(self, conn: Connection) -> Order:
        asker, body = self.asker, self.body
        _check_token(asker, body.token)
        place = await asker.find_place(conn, body.location_id)
        known = await _known(asker, conn, body.token)
        kept = await ocpi_tokens.find_kept_places(
            conn, asker.call.tenant_id, known.token_id, {evse.station_id for evse in place.evses}
        )
        evse: StationEvse | None
        if body.evse_uid is not None:
            (evse,) = check_able([pick_evse(place, body.evse_uid)], "START_SESSION")
        else:
            able = check_able(place.evses, "START_SESSION")
            evse = next((evse for evse in able if _kept_at(kept, evse) is not None), None) or choose_evse(able)
            if evse is None:
                raise Refused("REJECTED", "no EVSE of this location is free")
        connector = None if body.connector_id is None else _connector(evse, body.connector_id)
        if connector is None and offers(evse.details, "START_SESSION_CONNECTOR_REQUIRED"):
            if body.evse_uid is not None or len(evse.connectors) != 1:
                raise Unreadable("connector_id", "M5", "is required by this EVSE")
            connector = evse.connectors[0]
        token = await _vouched(asker, conn, known, evse, body.authorization_reference, VOUCHED_FOR, _kept_at(kept, evse))
        # OCPP 2.x starts on an EVSE, whatever connector the driver has
        number = connector if evse.ocpp_version == "ocpp1.6" else None
        return Order(
            charge_point_id=evse.charge_point_id,
            command=RemoteStart(id_token=token.id_token, token_type=token.type, evse_id=evse.evse_id, connector_id=number),
        )


@dataclass(frozen=True, slots=True)
class _Stop:
    asker: Asker
    body: StopSession

    async def prepare(self, conn: Connection) -> Order:
        session = await self.asker.find_session(conn, self.body.session_id, "STOP_SESSION")
        return Order(
            charge_point_id=session.charge_point_id,
            command=RemoteStop(transaction_id=session.transaction_ref),
            session_id=session.session_id,
        )


@dataclass(frozen=True, slots=True)
class _Unlock:
    asker: Asker
    body: OcpiUnlock

    async def prepare(self, conn: Connection) -> Order:
        place = await self.asker.find_place(conn, self.body.location_id)
        (evse,) = check_able([pick_evse(place, self.body.evse_uid)], "UNLOCK_CONNECTOR")
        connector = _connector(evse, self.body.connector_id)
        return Order(charge_point_id=evse.charge_point_id, command=UnlockConnector(connector_id=connector, evse_id=evse.evse_id))


@dataclass(frozen=True, slots=True)
class _Reserve:
    asker: Asker
    body: ReserveNow

    async def prepare(self, conn: Connection) -> Order:
        asker, body = self.asker, self.body
        _check_token(asker, body.token)
        place = await asker.find_place(conn, body.location_id)
        evse: StationEvse | None
        if body.evse_uid is not None:
            (evse,) = check_able([pick_evse(place, body.evse_uid)], "RESERVE_NOW")
        else:
            able = check_able(place.evses, "RESERVE_NOW")
            evse = choose_evse(able) or await self._held(conn, able)
            if evse is None:
                raise Refused("REJECTED", "no EVSE of this location is free")
        lasts = max(body.expiry_date - asker.call.ocpi.clock.now(), timedelta()) + VOUCHED_FOR
        known = await _known(asker, conn, body.token)
        token = await _vouched(asker, conn, known, evse, body.authorization_reference, lasts)
        group = body.token.group_id
        reserved_for = ReservedFor(
            token.id_token, token.type, group if group is not None and fits(group, evse.ocpp_version) else None
        )
        return Order(
            charge_point_id=evse.charge_point_id,
            reservation_id=body.reservation_id,
            plan={
                "charge_point_id": evse.charge_point_id,
                "evse_id": None if body.evse_uid is None else evse.evse_id,
                "token": msgspec.to_builtins(reserved_for),
                "expires_at": body.expiry_date.isoformat(),
            },
            deadline=RESERVING,
        )

    async def _held(self, conn: Connection, able: list[StationEvse]) -> StationEvse | None:
        """M6: the place that the same reservation has already may be the only one."""
        former = await reservation_queries.find_ocpi(
            conn, self.asker.call.tenant_id, _key(self.asker.party, self.body.reservation_id)
        )
        if former is None or former.status not in ("requested", "active"):
            return None
        return next((evse for evse in able if evse.charge_point_id == former.charge_point_id), None)


@dataclass(frozen=True, slots=True)
class _Cancel:
    asker: Asker
    body: CancelReservation

    async def prepare(self, conn: Connection) -> Order:
        key = _key(self.asker.party, self.body.reservation_id)
        found = await reservation_queries.find_ocpi(conn, self.asker.call.tenant_id, key)
        if found is None:
            raise Refused("REJECTED", "there is no such reservation")
        return Order(charge_point_id=found.charge_point_id, reservation_id=self.body.reservation_id)


def _key(party: Party, reservation_id: str) -> OcpiKey:
    return OcpiKey(reservation_id, party.country_code, party.party_id)


def _check_token(asker: Asker, token: Token) -> None:
    owner = Party(token.country_code, token.party_id)
    if not asker.call.requester.speaks_for(owner):
        raise Unreadable("token.party_id", "W6", "is not a party of whoever asks")
    if not token.valid:
        raise Refused("REJECTED", "the token is not valid")


def _connector(evse: StationEvse, connector_id: str) -> int:
    """M5; connectors of which the station has not told yet are taken at their word."""
    number = int(connector_id) if _NUMBER.match(connector_id) else 0
    if number == 0 or (evse.connectors and number not in evse.connectors):
        raise Refused("REJECTED", "there is no such connector at this EVSE", StatusCode.UNKNOWN_LOCATION)
    return number


async def _known(asker: Asker, conn: Connection, token: Token) -> ForeignToken:
    """The token, known to the tenant from now on. Raises Refused."""
    call = asker.call
    known = await ocpi_tokens.put_foreign_token(conn, call.tenant_id, call.ocpi.ids.uuid7(), token)
    if known is None:
        raise Refused("REJECTED", "this token is known here as another's")
    if known.status != "accepted":
        raise Refused("REJECTED", "the token was withdrawn since")
    return known


def _kept_at(kept: list[KeptPlace], evse: StationEvse) -> ForeignToken | None:
    """As what the token is known where a place is kept for it (E5: the driver comes); None: none is kept at this EVSE."""
    for place in kept:
        if place.station_id == evse.station_id and place.evse_id in (None, evse.evse_id):
            return place.told
    return None


async def _vouched(
    asker: Asker,
    conn: Connection,
    known: ForeignToken,
    evse: StationEvse,
    reference: str | None,
    lasts: timedelta,
    kept: ForeignToken | None = None,
) -> ForeignToken:
    """The token that the station is told, with its party's word for it (M4). `kept`: as what the station knows it already."""
    call, ids, tenant_id = asker.call, asker.call.ocpi.ids, asker.call.tenant_id
    told = kept or known
    if not fits(told.id_token, evse.ocpp_version):
        code, until = random_code(ALIAS_PREFIX, ids), call.ocpi.clock.now() + lasts
        told = await ocpi_tokens.put_alias(conn, tenant_id, ids.uuid7(), code, known, until)
    await ocpi_authorizations.insert_authorization(conn, tenant_id, ids.uuid7(), told, "COMMAND", reference, evse.station_id)
    return told
