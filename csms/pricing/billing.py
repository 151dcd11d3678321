"""From priced entries to amounts: step sizes, VAT, limits and rounding (pricing rules P9 to P17)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from csms.pricing.cost import CdrDimension, ChargingPeriod, Cost, Line, LinePart, LineType, LineUnit
from csms.pricing.exact import (
    AMOUNT_SCALE,
    HOUR,
    KWH,
    PRICE_DIGITS,
    SECOND,
    VAT_SCALE,
    WH,
    Rounding,
    amount,
    multiple_above,
    plain,
    scaled,
    to_datetime,
    total,
    whole_amount,
)
from csms.pricing.rates import Component, Rates, vat_factor
from csms.pricing.state import TIME_TYPES, Entry, Period, PricingState, TimeType
from csms.pricing.tariff import Price
from csms.pricing.tariff_check import has_vat

_UNIT_DIGITS: Final = 6
"""Entries count in millionths of the units that lines are in."""


def bill(rates: Rates, state: PricingState) -> Cost:
    """The cost of a session, up to where its state is folded."""
    lines = _Lines(rates)
    session, reservation = state.session, state.reservation
    flats = [(entry, rates.component(entry.element, entry.index).of_parking) for entry in session.flats]
    lines.add("FIXED", [entry for entry, of_parking in flats if not of_parking])
    lines.add("ENERGY", session.energy, session.energy, WH)
    lines.add("TIME", session.time, () if session.parking else session.time, SECOND)
    lines.add("PARKING", [entry for entry, of_parking in flats if of_parking])
    # any billed parking: only its total is rounded, by the step of the last component of either kind (P10)
    lines.add("PARKING", session.parking, (*session.time, *session.parking), SECOND)
    lines.add("RESERVATION", reservation.flats)
    lines.add("RESERVATION", reservation.time, reservation.time, SECOND)
    if rates.peak:
        window = rates.peak.window * SECOND
        power = state.peak.fullest_energy * (HOUR // window)
        lines.add_peak(state.peak.fullest * window, window, power, rates.peak.price, rates.peak.vat)
    subtotal = lines.sum_of()
    lines.limit(state.start, state.time)
    periods, energy, times = charging_periods(rates.tariff.id, [*reservation.periods, *session.periods])
    return Cost(
        tariff_id=rates.tariff.id,
        currency=rates.tariff.currency,
        start_date_time=to_datetime(state.reserved[0] if state.reserved else state.start),
        end_date_time=to_datetime(state.time),
        total_cost=lines.sum_of(),
        subtotal=subtotal,
        total_fixed_cost=lines.sum_of("FIXED"),
        total_energy=energy,
        total_energy_cost=lines.sum_of("ENERGY"),
        total_time=total((times["TIME"], times["PARKING_TIME"])),
        total_time_cost=lines.sum_of("TIME"),
        total_parking_time=times["PARKING_TIME"],
        total_parking_cost=lines.sum_of("PARKING"),
        total_reservation_time=times["RESERVATION_TIME"],
        total_reservation_cost=lines.sum_of("RESERVATION"),
        total_peak_power_cost=lines.sum_of("PEAK_POWER"),
        charging_periods=periods,
        lines=lines.lines,
        issues=state.issues,
    )


class _Lines:
    """The lines of a bill in their order; rounds them so that they add up to the rounded sum of what is exact."""

    def __init__(self, rates: Rates) -> None:
        self.lines: list[Line] = []
        self._rates = rates
        self._with_vat = has_vat(rates.tariff)
        self._rows = Rounding(AMOUNT_SCALE), Rounding(AMOUNT_SCALE)
        self._exact_excl = self._exact_incl = 0

    def sum_of(self, part: LinePart | None = None) -> Price:
        """The sum of the lines so far, or of those of one part."""
        amounts = [line.amount for line in self.lines if part in (None, line.part)]
        excl = total(amount.excl_vat for amount in amounts)
        incl = total(amount.incl_vat for amount in amounts if amount.incl_vat is not None)
        return Price(excl, incl if self._with_vat else None)

    def add(self, part: LinePart, entries: Sequence[Entry], stepping: Iterable[Entry] = (), unit: int = 1) -> None:
        """Lines of one part. `stepping`: the latest of these has the step size that the sum is rounded up by, in whole units."""
        if not entries:
            return
        latest = max(stepping, key=_by_time, default=None)
        step = self._component(latest).step if latest else None
        extra = 0
        if step:
            volume = sum(entry.volume for entry in entries)
            extra = multiple_above(volume, step * unit) - volume
        for entry in entries:
            component = self._component(entry)
            is_last = entry is entries[-1]
            billed = entry.volume + (extra if is_last else 0)
            digits = 0 if component.type == "FLAT" else _UNIT_DIGITS
            self.lines.append(
                Line(
                    part=part,
                    type=_LINE_TYPES[component.type],
                    start=to_datetime(entry.start),
                    end=to_datetime(entry.end),
                    amount=self._amount(component.type, billed, entry.price, component.vat_factor),
                    element=entry.element,
                    component=entry.index,
                    volume=plain(entry.volume, digits),
                    billed_volume=plain(billed, digits),
                    unit=_UNITS[component.type],
                    step_size=step if is_last else None,
                    price=plain(entry.price, PRICE_DIGITS),
                    vat=component.vat,
                    from_series=entry.from_series,
                )
            )

    def add_peak(self, start: int, window: int, power: int, price: Decimal, vat: Decimal | None) -> None:
        """The line of the peak power, in µW."""
        watts = plain(power, _UNIT_DIGITS)
        self.lines.append(
            Line(
                part="PEAK_POWER",
                type="PEAK_POWER",
                start=to_datetime(start),
                end=to_datetime(start + window),
                amount=self._amount("PEAK_POWER", power, scaled(price, PRICE_DIGITS), vat_factor(vat)),
                volume=watts,
                billed_volume=watts,
                unit="W",
                price=price,
                vat=vat,
            )
        )

    def limit(self, start: int, end: int) -> None:
        """Raise the total to min_price and cut it to max_price, without and with VAT each by itself (pricing rule P13)."""
        tariff = self._rates.tariff
        limits: tuple[tuple[LineType, Price | None], ...] = (("MIN_PRICE", tariff.min_price), ("MAX_PRICE", tariff.max_price))
        for kind, price in limits:
            if price is None:
                continue
            clamp = max if kind == "MIN_PRICE" else min
            excl = clamp(self._exact_excl, whole_amount(price.excl_vat)) - self._exact_excl
            incl = 0 if price.incl_vat is None else clamp(self._exact_incl, whole_amount(price.incl_vat)) - self._exact_incl
            if excl or (incl and self._with_vat):
                line = Line(part="LIMIT", type=kind, start=to_datetime(start), end=to_datetime(end), amount=self._price(excl, incl))
                self.lines.append(line)

    def _component(self, entry: Entry) -> Component:
        return self._rates.component(entry.element, entry.index)

    def _amount(self, dimension: str, volume: int, price: int, factor: int) -> Price:
        return self._price(amount(dimension, volume, price, VAT_SCALE), amount(dimension, volume, price, factor))

    def _price(self, excl: int, incl: int) -> Price:
        self._exact_excl += excl
        self._exact_incl += incl
        return Price(self._rows[0].next(excl), self._rows[1].next(incl) if self._with_vat else None)


_LINE_TYPES: Final[dict[str, LineType]] = {"FLAT": "FLAT", "ENERGY": "ENERGY", "TIME": "TIME", "PARKING_TIME": "PARKING_TIME"}
_UNITS: Final[dict[str, LineUnit]] = {"FLAT": "session", "ENERGY": "Wh", "TIME": "s", "PARKING_TIME": "s"}


def _by_time(entry: Entry) -> tuple[int, int]:
    return entry.end, entry.start


def charging_periods(tariff_id: str, folded: Sequence[Period]) -> tuple[list[ChargingPeriod], Decimal, dict[TimeType, Decimal]]:
    """OCPI's charging periods, and their sums: the energy in kWh and the hours of each kind of time."""
    energies = Rounding(KWH)
    times: dict[TimeType, Rounding] = {kind: Rounding(HOUR) for kind in TIME_TYPES}
    periods = []
    for period in folded:
        dimensions = [CdrDimension(period.time_type, times[period.time_type].next(period.time))]
        if period.energy:
            dimensions.append(CdrDimension("ENERGY", energies.next(period.energy)))
        periods.append(ChargingPeriod(to_datetime(period.start), dimensions, tariff_id))
    return periods, energies.sum, {kind: row.sum for kind, row in times.items()}
