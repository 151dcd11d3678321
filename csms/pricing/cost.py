"""What a session costs, explained: the engine's output. Amounts and OCPI volumes have four decimals, and add up exactly."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from csms.pricing.tariff import Price

LinePart: TypeAlias = Literal["FIXED", "ENERGY", "TIME", "PARKING", "RESERVATION", "PEAK_POWER", "LIMIT"]
LineType: TypeAlias = Literal["FLAT", "ENERGY", "TIME", "PARKING_TIME", "PEAK_POWER", "MIN_PRICE", "MAX_PRICE"]
LineUnit: TypeAlias = Literal["session", "Wh", "s", "W"]


class CdrDimension(msgspec.Struct, frozen=True):
    """A volume of a charging period: kWh (ENERGY) or hours (OCPI mod_cdrs)."""

    type: Literal["ENERGY", "TIME", "PARKING_TIME", "RESERVATION_TIME"]
    volume: Decimal


class ChargingPeriod(msgspec.Struct, frozen=True):
    """It ends where the next begins, the last one with the session. Volumes are as measured, before any step size."""

    start_date_time: datetime
    dimensions: list[CdrDimension]
    tariff_id: str


class Line(msgspec.Struct, frozen=True):
    """One amount and where it comes from.

    `volume` was used and `billed_volume` is paid for, in `unit`; `step_size` is on the line that its rounding was added to.
    `price` is per kWh, hour, kW or session; `vat` in percent. `element` and `component` are places in the tariff; None: the amount
    comes from another field of it. `from_series`: the price is that of the price series. LIMIT lines are what min_price
    or max_price change the total by.
    """

    part: LinePart
    type: LineType
    start: datetime
    end: datetime
    amount: Price
    element: int | None = None
    component: int | None = None
    volume: Decimal | None = None
    billed_volume: Decimal | None = None
    unit: LineUnit | None = None
    step_size: int | None = None
    price: Decimal | None = None
    vat: Decimal | None = None
    from_series: bool = False


class Cost(msgspec.Struct, frozen=True):
    """The cost of a session in OCPI's totals (mod_cdrs, CDR) and its lines, which add up to total_cost.

    Beyond OCPI there are the subtotal before min_price and max_price, and the part for peak power.
    Volumes are in kWh and hours, as measured; `total_time` includes parking and excludes the reservation. `incl_vat` is absent
    everywhere if no component of the tariff states VAT. `issues` names what was wrong or missing in the usage.
    """

    tariff_id: str
    currency: str
    start_date_time: datetime
    end_date_time: datetime
    total_cost: Price
    subtotal: Price
    total_fixed_cost: Price
    total_energy: Decimal
    total_energy_cost: Price
    total_time: Decimal
    total_time_cost: Price
    total_parking_time: Decimal
    total_parking_cost: Price
    total_reservation_time: Decimal
    total_reservation_cost: Price
    total_peak_power_cost: Price
    charging_periods: list[ChargingPeriod]
    lines: list[Line]
    issues: list[str]
