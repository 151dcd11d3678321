"""OCPI 2.1.1, module Commands."""

from typing import Literal

from schemas.ocpi211.tokens import Token
from schemas.ocpi221.base import CallableUrl, DateTime, Id, LongId, OcpiObject

CommandResponseType = Literal["NOT_SUPPORTED", "REJECTED", "ACCEPTED", "TIMEOUT", "UNKNOWN_SESSION"]


class ReserveNow(OcpiObject, frozen=True, kw_only=True):
    """Hold an EVSE. Reservations are numbered."""

    response_url: CallableUrl
    token: Token
    expiry_date: DateTime
    reservation_id: int
    location_id: LongId
    evse_uid: LongId | None = None


class StartSession(OcpiObject, frozen=True, kw_only=True):
    """Start charging with a token that the eMSP vouches for."""

    response_url: CallableUrl
    token: Token
    location_id: LongId
    evse_uid: LongId | None = None


class StopSession(OcpiObject, frozen=True, kw_only=True):
    """End a session."""

    response_url: CallableUrl
    session_id: Id


class UnlockConnector(OcpiObject, frozen=True, kw_only=True):
    """Free a stuck cable."""

    response_url: CallableUrl
    location_id: LongId
    evse_uid: LongId
    connector_id: Id


class CommandResponse(OcpiObject, frozen=True, kw_only=True):
    """Both the direct answer to a command and what is posted to its response_url later."""

    result: CommandResponseType | str
