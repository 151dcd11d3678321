"""OCPI 2.1.1, module Tariffs."""

from decimal import Decimal
from typing import Annotated, ClassVar

from schemas.ocpi211.locations import EnergyMix
from schemas.ocpi221.base import (
    AbsentAs,
    AtLeastOne,
    ClockTime,
    Currency,
    DateTime,
    Id,
    Limits,
    LocalDate,
    OcpiObject,
    Seconds,
    Url,
)
from schemas.ocpi221.tariffs import DayOfWeek, TariffDimensionType
from schemas.ocpi221.types import DisplayText


class PriceComponent(OcpiObject, frozen=True, kw_only=True):
    """A price without VAT: per kWh (ENERGY), per hour (TIME, PARKING_TIME), per session (FLAT)."""

    type: TariffDimensionType | str
    price: Decimal
    step_size: Annotated[int, Limits(min=0), AbsentAs(1, "Z24")]  # Wh or seconds


class TariffRestrictions(OcpiObject, frozen=True, kw_only=True):
    """When an element is active; all that are given must hold."""

    start_time: ClockTime | None = None
    end_time: ClockTime | None = None
    start_date: LocalDate | None = None
    end_date: LocalDate | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_power: Decimal | None = None  # kW
    max_power: Decimal | None = None
    min_duration: Seconds | None = None
    max_duration: Seconds | None = None
    day_of_week: tuple[DayOfWeek | str, ...] = ()


class TariffElement(OcpiObject, frozen=True, kw_only=True):
    """Price components that share their restrictions."""

    price_components: Annotated[tuple[PriceComponent, ...], AtLeastOne()]
    restrictions: TariffRestrictions | None = None


class Tariff(OcpiObject, frozen=True, kw_only=True):
    """Prices of charging. Its owner is the CPO of the connection."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("id",)

    id: Id
    currency: Currency
    tariff_alt_text: tuple[DisplayText, ...] = ()
    tariff_alt_url: Url | None = None
    elements: Annotated[tuple[TariffElement, ...], AtLeastOne()]
    energy_mix: EnergyMix | None = None
    last_updated: DateTime
