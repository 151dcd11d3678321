"""OCPI 2.3.0, modules CDRs, Sessions and Tokens, and the commands that bring a token."""

from decimal import Decimal
from typing import Annotated, ClassVar

from schemas.ocpi221 import cdrs as ocpi221
from schemas.ocpi221 import commands, tokens
from schemas.ocpi221.base import AtLeastOne, CountryCode, Currency, DateTime, Id, LongId, OcpiObject, PartyId, ReadAs, Text255
from schemas.ocpi221.sessions import SessionStatus
from schemas.ocpi230.locations import ConnectorType
from schemas.ocpi230.tariffs import Tariff
from schemas.ocpi230.types import Price, TokenType


class CdrToken(ocpi221.CdrToken, frozen=True, kw_only=True):
    """What of the token goes into a session or CDR."""

    type: TokenType | str


class CdrLocation(ocpi221.CdrLocation, frozen=True, kw_only=True):
    """Where the session was, as it was then."""

    connector_standard: ConnectorType | str


class Token(tokens.Token, frozen=True, kw_only=True):
    """What a driver identifies with. Owner: the eMSP."""

    type: TokenType | str


class AuthorizationInfo(tokens.AuthorizationInfo, frozen=True, kw_only=True):
    """Answer to a real-time authorization."""

    token: Token


class ReserveNow(commands.ReserveNow, frozen=True, kw_only=True):
    """Hold an EVSE."""

    token: Token


class StartSession(commands.StartSession, frozen=True, kw_only=True):
    """Start charging with a token that the eMSP vouches for."""

    token: Token


class Session(OcpiObject, frozen=True, kw_only=True):
    """A running or past session. Owner: the CPO."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("country_code", "party_id", "id")

    country_code: CountryCode
    party_id: PartyId
    id: Id
    start_date_time: DateTime
    end_date_time: DateTime | None = None
    kwh: Decimal
    cdr_token: CdrToken
    auth_method: ocpi221.AuthMethod | str
    authorization_reference: Id | None = None
    location_id: Id
    evse_uid: Id
    connector_id: Id
    meter_id: Text255 | None = None
    currency: Currency
    charging_periods: tuple[ocpi221.ChargingPeriod, ...] = ()
    total_cost: Price | None = None
    status: Annotated[SessionStatus | str, ReadAs("RESERVED", "RESERVATION", "Z18")]
    last_updated: DateTime


class CDR(OcpiObject, frozen=True, kw_only=True):
    """What is billed. Owner: the CPO. Energy in kWh, times in hours."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("country_code", "party_id", "id")

    country_code: CountryCode
    party_id: PartyId
    id: LongId
    start_date_time: DateTime
    end_date_time: DateTime
    session_id: Id | None = None
    cdr_token: CdrToken
    auth_method: ocpi221.AuthMethod | str
    authorization_reference: Id | None = None
    cdr_location: CdrLocation
    meter_id: Text255 | None = None
    currency: Currency
    tariffs: tuple[Tariff, ...] = ()
    charging_periods: Annotated[tuple[ocpi221.ChargingPeriod, ...], AtLeastOne()]
    signed_data: ocpi221.SignedData | None = None
    total_cost: Price
    total_fixed_cost: Price | None = None
    total_energy: Decimal
    total_energy_cost: Price | None = None
    total_time: Decimal
    total_time_cost: Price | None = None
    total_parking_time: Decimal | None = None
    total_parking_cost: Price | None = None
    total_reservation_cost: Price | None = None
    remark: Text255 | None = None
    invoice_reference_id: LongId | None = None
    credit: bool | None = None
    credit_reference_id: LongId | None = None
    home_charging_compensation: bool | None = None
    last_updated: DateTime
