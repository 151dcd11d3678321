"""Charging profiles of partners for sessions at our stations, and what comes back of those that we have asked for (digest, chapter
16; endpoints 34 to 38)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from csms.domain.commands import ClearChargingProfile, GetCompositeSchedule
from csms.domain.restrictions import first_id_of
from csms.roaming.commands import BadProfile, Kind, limit_session
from csms.store import Connection
from csms.store.queries import ocpi_commands as queries
from csms.store.queries.ocpi_commands import StationSession
from hub.ocpi.message import OcpiProblem, OcpiResponse, not_found
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.ordering import TOLD_S, Asker, Order, Refused, take_order
from hub.ocpi.sending import take_result
from schemas.ocpi221.base import CallableUrl, Id, OcpiObject, Seconds, fold
from schemas.ocpi221.chargingprofiles import (
    ActiveChargingProfile,
    ActiveChargingProfileResult,
    ChargingProfileResponse,
    ChargingProfileResult,
    SetChargingProfile,
)
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.reading import Reading, read
from schemas.ocpi221.writing import document

PER_MINUTE: Final = 10
"""Requests about the profile of one session (Q4, TOO_OFTEN): stations take seconds for each."""
LONGEST_S: Final = 86_400
"""The furthest that a schedule is asked for."""

_MINUTE: Final = timedelta(minutes=1)
_KINDS: Final[tuple[Kind, ...]] = ("GET_PROFILE", "SET_PROFILE", "CLEAR_PROFILE")


class _GetQuery(OcpiObject, frozen=True, kw_only=True):
    """Query parameters of GET."""

    session_id: Id
    duration: Seconds
    response_url: CallableUrl


class _DeleteQuery(OcpiObject, frozen=True, kw_only=True):
    """Query parameters of DELETE."""

    session_id: Id
    response_url: CallableUrl


async def get_profile(call: OwnCall) -> OcpiResponse:
    """GET {chargingprofiles}/{session_id}?duration&response_url."""
    reading = read(_GetQuery, _parameters(call, "duration", "response_url"))
    query = reading.value
    if not 1 <= query.duration <= LONGEST_S:
        raise Unreadable("duration", "Q1", f"is not from 1 to {LONGEST_S}")

    def order(session: StationSession) -> Order:
        return Order(
            charge_point_id=session.charge_point_id,
            command=GetCompositeSchedule(evse_id=session.evse_id or 0, duration_s=query.duration),
            session_id=session.session_id,
        )

    return await _take(call, "GET_PROFILE", query.response_url, document(query), order)


async def set_profile(call: OwnCall) -> OcpiResponse:
    """PUT {chargingprofiles}/{session_id}."""
    reading: Reading[SetChargingProfile] = read(SetChargingProfile, call.request.body)
    body = reading.value

    def order(session: StationSession) -> Order:
        if not session.evse_id:
            raise Refused("REJECTED", "the session is at no EVSE that is known")
        try:
            command = limit_session(body.charging_profile, session.transaction_ref, session.evse_id)
        except BadProfile as error:
            field, _, text = str(error).partition(": ")
            raise Unreadable(field, "Q5", text) from None
        return Order(charge_point_id=session.charge_point_id, command=command, session_id=session.session_id)

    return await _take(call, "SET_PROFILE", body.response_url, call.request.body, order)


async def clear_profile(call: OwnCall) -> OcpiResponse:
    """DELETE {chargingprofiles}/{session_id}?response_url."""
    query = read(_DeleteQuery, _parameters(call, "response_url")).value

    def order(session: StationSession) -> Order:
        return Order(
            charge_point_id=session.charge_point_id,
            command=ClearChargingProfile(transaction_id=session.transaction_ref),
            session_id=session.session_id,
        )

    return await _take(call, "CLEAR_PROFILE", query.response_url, document(query), order)


async def receive_result(call: OwnCall) -> OcpiResponse:
    """POST to a response_url of ours, {chargingprofiles}/{key}: Q2."""
    if len(call.request.segments) != 1:
        raise not_found("there is no such request")
    body = call.request.body
    with_profile = isinstance(body, dict) and "profile" in body
    reading: Reading[ActiveChargingProfileResult] | Reading[ChargingProfileResult]
    reading = read(ActiveChargingProfileResult, body) if with_profile else read(ChargingProfileResult, body)
    await take_result(call, call.request.segments[0], reading.value.result, document(reading.value))
    return OcpiResponse(remarks=reading.remarks)


async def receive_change(call: OwnCall) -> OcpiResponse:
    """PUT {chargingprofiles}/{session_id} of a CPO: the profile that we have had set has changed (Q3)."""
    session_id = _session_id(call)
    reading = read(ActiveChargingProfile, call.request.body)
    profile = document(reading.value)

    async def work(conn: Connection) -> None:
        for command in await queries.find_limited(conn, call.tenant_id, fold(session_id)):
            if call.requester.speaks_for(Party(command.country_code, command.party_id)):
                told = {**(command.result_document or {}), "profile": profile}
                await queries.set_state(conn, call.tenant_id, command.ocpi_command_id, command.status, result_document=told)
                return
        raise not_found("no profile was set for this session", StatusCode.INVALID_PARAMETERS)

    await call.ocpi.store.hub.tenant_unit(call.tenant_id, work)
    return OcpiResponse(remarks=reading.remarks)


async def _take(
    call: OwnCall, kind: Kind, response_url: str, message: Any, order: Callable[[StationSession], Order]
) -> OcpiResponse:
    asker, session_id = await Asker.of(call), _session_id(call)
    since = first_id_of(call.ocpi.clock.now() - _MINUTE)

    async def prepare(conn: Connection) -> Order:
        session = await asker.find_session(conn, session_id, kind)
        if await queries.count_recent(conn, call.tenant_id, str(session.session_id), since, _KINDS) >= PER_MINUTE:
            raise Refused("TOO_OFTEN", f"at most {PER_MINUTE} requests in a minute")
        return order(session)

    reply = await take_order(asker, kind, response_url, message, prepare, session_id=session_id)
    timeout = TOLD_S if reply.response == "ACCEPTED" else 0
    data = document(ChargingProfileResponse(result=reply.response, timeout=timeout))
    return OcpiResponse(data=data, status_message=reply.message)


def _parameters(call: OwnCall, *names: str) -> dict[str, Any]:
    """Query parameters, and the session of the path, as an object."""
    found = {name: call.request.parameter(name) for name in names}
    return {"session_id": _session_id(call), **found}


def _session_id(call: OwnCall) -> str:
    if len(call.request.segments) != 1:
        raise OcpiProblem(StatusCode.CLIENT_ERROR, "the path names no session", http_status=404)
    return call.request.segments[0]
