"""OCPI 2.2.1, module Commands. The URL paths name the commands as in CommandType."""

from collections.abc import Iterator
from typing import Literal

from schemas.ocpi221.base import Broken, CallableUrl, DateTime, Id, OcpiObject, Seconds
from schemas.ocpi221.tokens import Token
from schemas.ocpi221.types import DisplayText

CommandType = Literal["CANCEL_RESERVATION", "RESERVE_NOW", "START_SESSION", "STOP_SESSION", "UNLOCK_CONNECTOR"]
CommandResponseType = Literal["NOT_SUPPORTED", "REJECTED", "ACCEPTED", "UNKNOWN_SESSION"]
CommandResultType = Literal[
    "ACCEPTED",
    "CANCELED_RESERVATION",
    "EVSE_OCCUPIED",
    "EVSE_INOPERATIVE",
    "FAILED",
    "NOT_SUPPORTED",
    "REJECTED",
    "TIMEOUT",
    "UNKNOWN_RESERVATION",
]


class CancelReservation(OcpiObject, frozen=True, kw_only=True):
    """Drop a reservation."""

    response_url: CallableUrl
    reservation_id: Id


class ReserveNow(OcpiObject, frozen=True, kw_only=True):
    """Hold an EVSE; the same id for the same location replaces a reservation (M6)."""

    response_url: CallableUrl
    token: Token
    expiry_date: DateTime
    reservation_id: Id
    location_id: Id
    evse_uid: Id | None = None
    authorization_reference: Id | None = None


class StartSession(OcpiObject, frozen=True, kw_only=True):
    """Start charging with a token that the eMSP vouches for (M4)."""

    response_url: CallableUrl
    token: Token
    location_id: Id
    evse_uid: Id | None = None  # absent: the CPO chooses
    connector_id: Id | None = None  # required by EVSEs with START_SESSION_CONNECTOR_REQUIRED
    authorization_reference: Id | None = None

    def broken_rules(self) -> Iterator[Broken]:
        """M5."""
        if self.connector_id is not None and self.evse_uid is None:
            yield Broken("evse_uid", "M5", "is missing next to connector_id", "fatal")


class StopSession(OcpiObject, frozen=True, kw_only=True):
    """End a session."""

    response_url: CallableUrl
    session_id: Id


class UnlockConnector(OcpiObject, frozen=True, kw_only=True):
    """Free a stuck cable; for help desks, not for drivers (M9)."""

    response_url: CallableUrl
    location_id: Id
    evse_uid: Id
    connector_id: Id


class CommandResponse(OcpiObject, frozen=True, kw_only=True):
    """Whether the CPO can pass the command on (M1)."""

    result: CommandResponseType | str
    timeout: Seconds  # how long to wait for the CommandResult
    message: tuple[DisplayText, ...] = ()


class CommandResult(OcpiObject, frozen=True, kw_only=True):
    """What came of the command, posted to its response_url (M2)."""

    result: CommandResultType | str
    message: tuple[DisplayText, ...] = ()


COMMANDS: dict[CommandType, type[OcpiObject]] = {
    "CANCEL_RESERVATION": CancelReservation,
    "RESERVE_NOW": ReserveNow,
    "START_SESSION": StartSession,
    "STOP_SESSION": StopSession,
    "UNLOCK_CONNECTOR": UnlockConnector,
}
"""The body of each command."""
