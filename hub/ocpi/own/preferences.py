"""Charging preferences of drivers for sessions at our stations (E10; digest, endpoint 16)."""

from __future__ import annotations

from typing import Final

from csms.roaming.commands import offers
from csms.store import Connection
from csms.store.queries.ocpi_commands import StationSession
from hub.ocpi.message import OcpiResponse, not_found
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.ordering import Asker, Refused
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.reading import read
from schemas.ocpi221.sessions import ChargingPreferences, ChargingPreferencesResponse

_FULFILLED: Final = frozenset({"REGULAR", "FAST"})
"""Profile types by which a session charges with all that its EVSE offers. Nothing here plans by prices or sources of energy."""


async def put_preferences(call: OwnCall) -> OcpiResponse:
    """PUT {sessions}/{id}/charging_preferences: whether the session is going to charge as the driver wishes."""
    segments = call.request.segments
    if len(segments) != 2 or segments[1].lower() != "charging_preferences":
        raise not_found("sessions have charging_preferences only")
    reading = read(ChargingPreferences, call.request.body)
    asker = await Asker.of(call)

    async def find(conn: Connection) -> StationSession:
        asker.check_allowed()
        return await asker.find_session(conn, segments[0])

    try:
        session = await call.ocpi.store.hub.tenant_unit(call.tenant_id, find)
    except Refused as refused:
        raise not_found(refused.message, StatusCode.INVALID_PARAMETERS) from None
    if not offers(session.details, "CHARGING_PREFERENCES_CAPABLE"):
        raise not_found("the EVSE takes no charging preferences", StatusCode.INVALID_PARAMETERS)
    return OcpiResponse(data=answer_to(reading.value), remarks=reading.remarks)


def answer_to(wishes: ChargingPreferences) -> ChargingPreferencesResponse:
    """What can be promised."""
    return "ACCEPTED" if wishes.profile_type in _FULFILLED else "PROFILE_TYPE_NOT_SUPPORTED"
