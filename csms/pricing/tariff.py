"""Tariffs as OCPI 2.2.1 shapes them (mod_tariffs), and what we price that OCPI does not know, apart from it in Tariff.extensions.

Owner (country_code, party_id) and last_updated belong to the record that a tariff is published with, not to its prices.
What types cannot say is checked by csms.pricing.tariff_check.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

MOST_ELEMENTS: Final = 100
MOST_SERIES_STEPS: Final = 100_000
"""Steps of a price series: more than two years of quarter hours."""

Dimension: TypeAlias = Literal["ENERGY", "FLAT", "PARKING_TIME", "TIME"]
DayOfWeek: TypeAlias = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
ReservationRestriction: TypeAlias = Literal["RESERVATION", "RESERVATION_EXPIRES"]
TariffType: TypeAlias = Literal["AD_HOC_PAYMENT", "PROFILE_CHEAP", "PROFILE_FAST", "PROFILE_GREEN", "REGULAR"]
EnergySourceCategory: TypeAlias = Literal["NUCLEAR", "GENERAL_FOSSIL", "COAL", "GAS", "GENERAL_GREEN", "SOLAR", "WIND", "WATER"]

Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]
LocalTime: TypeAlias = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]
LocalDate: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
StepSize: TypeAlias = Annotated[int, Meta(ge=0, le=10_000_000)]
Seconds: TypeAlias = Annotated[int, Meta(ge=0, le=100_000_000)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of everything in a tariff: immutable, unknown members refused, absent members left out."""


class Price(_Part, frozen=True):
    """An amount of the tariff's currency. `incl_vat` absent: VAT is not stated (which is not the same as no VAT)."""

    excl_vat: Decimal
    incl_vat: Decimal | None = None


class DisplayText(_Part, frozen=True):
    """A text for people."""

    language: Annotated[str, Meta(pattern=r"^[a-z]{2}\Z")]
    text: Annotated[str, Meta(max_length=512)]


class PriceComponent(_Part, frozen=True):
    """What one unit of a dimension costs, without VAT: per kWh (ENERGY), per hour (TIME, PARKING_TIME), per session (FLAT).

    `vat` in percent, absent where none applies. `step_size` in Wh or seconds; 0 and 1 both mean whole Wh or seconds.
    """

    type: Dimension
    price: Decimal
    step_size: StepSize
    vat: Decimal | None = None


class TariffRestrictions(_Part, frozen=True):
    """When during a session an element is active; all that are given must hold (OCPI mod_tariffs, TariffRestrictions).

    Lower limits are inclusive, upper ones exclusive. Times and dates are local to the location; an end_time before start_time
    is on the next day. kWh and duration (seconds) count from the start of the session, power (kW) and current (A, sum of all
    phases) are momentary.
    """

    start_time: LocalTime | None = None
    end_time: LocalTime | None = None
    start_date: LocalDate | None = None
    end_date: LocalDate | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_duration: Seconds | None = None
    max_duration: Seconds | None = None
    day_of_week: Annotated[tuple[DayOfWeek, ...], Meta(max_length=7)] = ()
    reservation: ReservationRestriction | None = None


class TariffElement(_Part, frozen=True):
    """Price components that share their restrictions."""

    price_components: Annotated[tuple[PriceComponent, ...], Meta(min_length=1, max_length=4)]
    restrictions: TariffRestrictions | None = None


class EnergySource(_Part, frozen=True):
    """A share of the energy, in percent."""

    source: EnergySourceCategory
    percentage: Decimal


class EnvironmentalImpact(_Part, frozen=True):
    """Grams per kWh."""

    category: Literal["NUCLEAR_WASTE", "CARBON_DIOXIDE"]
    amount: Decimal


class EnergyMix(_Part, frozen=True):
    """Where the energy comes from (OCPI mod_locations); it does not influence any price."""

    is_green_energy: bool
    energy_sources: Annotated[tuple[EnergySource, ...], Meta(max_length=20)] = ()
    environ_impact: Annotated[tuple[EnvironmentalImpact, ...], Meta(max_length=20)] = ()
    supplier_name: Annotated[str, Meta(max_length=64)] | None = None
    energy_product_name: Annotated[str, Meta(max_length=64)] | None = None


class PeakPower(_Part, frozen=True):
    """Ours, not OCPI's: a price per kW of the highest average power of the session.

    Averages are taken over windows of `window` seconds that begin at whole multiples of it in UTC (quarter hours of the
    clock for 900), always over the whole window, however little of it the session covers.
    """

    price: Decimal
    window: Literal[60, 120, 180, 240, 300, 360, 600, 720, 900, 1200, 1800, 3600] = 900
    vat: Decimal | None = None


class DynamicEnergy(_Part, frozen=True):
    """Ours, not OCPI's: the ENERGY components of the named `elements` cost `series price x factor + markup` per kWh.

    Where the series has no price, the component's own `price` holds, as it stands: it is the fall-back price, and what
    partners that know only OCPI are shown.
    """

    series: Annotated[str, Meta(min_length=1, max_length=64)]
    elements: Annotated[tuple[Annotated[int, Meta(ge=0, lt=MOST_ELEMENTS)], ...], Meta(min_length=1, max_length=MOST_ELEMENTS)]
    factor: Decimal = Decimal(1)
    markup: Decimal = Decimal(0)


class Extensions(_Part, frozen=True):
    """All of a tariff that OCPI does not know."""

    peak_power: PeakPower | None = None
    dynamic_energy: DynamicEnergy | None = None


class Tariff(_Part, frozen=True):
    """What charging costs. `type` absent: for every session. The times of its validity are for choosing it; the engine prices
    a whole session with the tariff it is given."""

    id: Annotated[str, Meta(min_length=1, max_length=36, pattern=r"^[ -~]+\Z")]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
    elements: Annotated[tuple[TariffElement, ...], Meta(min_length=1, max_length=MOST_ELEMENTS)]
    type: TariffType | None = None
    tariff_alt_text: Annotated[tuple[DisplayText, ...], Meta(max_length=50)] = ()
    tariff_alt_url: Annotated[str, Meta(max_length=255, pattern=r"^https?://[!-~]+\Z")] | None = None
    min_price: Price | None = None
    max_price: Price | None = None
    start_date_time: Instant | None = None
    end_date_time: Instant | None = None
    energy_mix: EnergyMix | None = None
    extensions: Extensions | None = None

    @property
    def series_id(self) -> str | None:
        """The price series that a dynamic tariff follows."""
        dynamic = None if self.extensions is None else self.extensions.dynamic_energy
        return None if dynamic is None else dynamic.series


class SeriesStep(_Part, frozen=True):
    """A price per kWh without VAT from `start` (inclusive) to `end` (exclusive). It may be negative."""

    start: Instant
    end: Instant
    price: Decimal


class PriceSeries(_Part, frozen=True):
    """Prices by time, in the order of time and without overlaps; between two steps there may be a gap."""

    steps: Annotated[tuple[SeriesStep, ...], Meta(max_length=MOST_SERIES_STEPS)] = ()
