"""OCPI 2.2.1, module Tariffs."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from schemas.ocpi221.base import (
    AbsentAs,
    AtLeastOne,
    Broken,
    ClockTime,
    CountryCode,
    Currency,
    DateTime,
    Id,
    Limits,
    LocalDate,
    OcpiObject,
    PartyId,
    Seconds,
    Url,
)
from schemas.ocpi221.locations import EnergyMix
from schemas.ocpi221.types import DisplayText, Price

DayOfWeek = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
ReservationRestrictionType = Literal["RESERVATION", "RESERVATION_EXPIRES"]
TariffDimensionType = Literal["ENERGY", "FLAT", "PARKING_TIME", "TIME"]
TariffType = Literal["AD_HOC_PAYMENT", "PROFILE_CHEAP", "PROFILE_FAST", "PROFILE_GREEN", "REGULAR"]


class PriceComponent(OcpiObject, frozen=True, kw_only=True):
    """A price without VAT: per kWh (ENERGY), per hour (TIME, PARKING_TIME), per session (FLAT)."""

    type: TariffDimensionType | str
    price: Decimal
    vat: Decimal | None = None  # percent; absent: none applies, which is not the same as 0
    step_size: Annotated[int, Limits(min=0), AbsentAs(1, "Z24")]  # Wh or seconds; 0 is as 1 (P16)


class TariffRestrictions(OcpiObject, frozen=True, kw_only=True):
    """When an element is active; all that are given must hold. Lower limits are inclusive, upper ones exclusive."""

    start_time: ClockTime | None = None  # local to the location
    end_time: ClockTime | None = None  # before start_time: on the next day
    start_date: LocalDate | None = None
    end_date: LocalDate | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_current: Decimal | None = None  # A, sum over phases
    max_current: Decimal | None = None
    min_power: Decimal | None = None  # kW
    max_power: Decimal | None = None
    min_duration: Seconds | None = None
    max_duration: Seconds | None = None
    day_of_week: tuple[DayOfWeek | str, ...] = ()
    reservation: ReservationRestrictionType | str | None = None


class TariffElement(OcpiObject, frozen=True, kw_only=True):
    """Price components that share their restrictions."""

    price_components: Annotated[tuple[PriceComponent, ...], AtLeastOne()]
    restrictions: TariffRestrictions | None = None

    def broken_rules(self) -> Iterator[Broken]:
        """P12: a reservation is priced by FLAT and TIME only."""
        if self.restrictions is None or self.restrictions.reservation is None:
            return
        for component in self.price_components:
            if component.type not in ("FLAT", "TIME"):
                yield Broken("price_components", "P12", f"prices {component.type} of a reservation", "wrong")


class Tariff(OcpiObject, frozen=True, kw_only=True):
    """Prices of charging. Owner: the CPO."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("country_code", "party_id", "id")

    country_code: CountryCode
    party_id: PartyId
    id: Id
    currency: Currency
    type: TariffType | str | None = None  # absent: valid for every session (F6)
    tariff_alt_text: tuple[DisplayText, ...] = ()
    tariff_alt_url: Url | None = None
    min_price: Price | None = None
    max_price: Price | None = None
    elements: Annotated[tuple[TariffElement, ...], AtLeastOne()]
    start_date_time: DateTime | None = None
    end_date_time: DateTime | None = None
    energy_mix: EnergyMix | None = None
    last_updated: DateTime
