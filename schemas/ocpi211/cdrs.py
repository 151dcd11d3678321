"""OCPI 2.1.1, modules CDRs and Sessions."""

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from schemas.ocpi211.locations import Location
from schemas.ocpi211.tariffs import Tariff
from schemas.ocpi221.base import AtLeastOne, Currency, DateTime, Id, OcpiObject, Text255

AuthMethod = Literal["AUTH_REQUEST", "WHITELIST"]
CdrDimensionType = Literal["ENERGY", "FLAT", "MAX_CURRENT", "MIN_CURRENT", "PARKING_TIME", "TIME"]
SessionStatus = Literal["ACTIVE", "COMPLETED", "INVALID", "PENDING"]


class CdrDimension(OcpiObject, frozen=True, kw_only=True):
    """A quantity of a charging period."""

    type: CdrDimensionType | str
    volume: Decimal


class ChargingPeriod(OcpiObject, frozen=True, kw_only=True):
    """A part of a session; it ends where the next begins, the last one with the session."""

    start_date_time: DateTime
    dimensions: Annotated[tuple[CdrDimension, ...], AtLeastOne()]


class Session(OcpiObject, frozen=True, kw_only=True):
    """A running or past session. `location` has the EVSE and connector in use only; `auth_id` names the token."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("id",)

    id: Id
    start_datetime: DateTime
    end_datetime: DateTime | None = None
    kwh: Decimal
    auth_id: Id
    auth_method: AuthMethod | str
    location: Location
    meter_id: Text255 | None = None
    currency: Currency
    charging_periods: tuple[ChargingPeriod, ...] = ()
    total_cost: Decimal | None = None  # without VAT
    status: SessionStatus | str
    last_updated: DateTime


class CDR(OcpiObject, frozen=True, kw_only=True):
    """What is billed. Energy in kWh, times in hours, money without VAT."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("id",)

    id: Id
    start_date_time: DateTime
    stop_date_time: DateTime
    auth_id: Id
    auth_method: AuthMethod | str
    location: Location
    meter_id: Text255 | None = None
    currency: Currency
    tariffs: tuple[Tariff, ...] = ()
    charging_periods: Annotated[tuple[ChargingPeriod, ...], AtLeastOne()]
    total_cost: Decimal
    total_energy: Decimal
    total_time: Decimal
    total_parking_time: Decimal | None = None
    remark: Text255 | None = None
    last_updated: DateTime
