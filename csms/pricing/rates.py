"""A tariff made ready for the engine: which price component of a dimension is active under which conditions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from csms.pricing.exact import PRICE_DIGITS, SECOND, VAT_SCALE, scaled, to_microseconds
from csms.pricing.local_calendar import FOREVER, LocalCalendar
from csms.pricing.tariff import DynamicEnergy, PriceSeries, Tariff, TariffRestrictions
from csms.pricing.usage import zone

_MOST_REMEMBERED: Final = 10_000
_MOST_ZONES: Final = 100
_NO_RESTRICTIONS: Final = TariffRestrictions()


class Component(msgspec.Struct, frozen=True):
    """A price component and where in the tariff it stands; `dynamic`: its price is that of the series, if there is one."""

    element: int
    index: int
    type: str
    price: int
    vat: Decimal | None
    vat_factor: int
    step: int
    dynamic: bool = False
    of_parking: bool = False
    """A FLAT beside nothing but PARKING_TIME: it counts as cost of parking."""


class Selection(msgspec.Struct, frozen=True):
    """The active component of each dimension; None: that dimension is free (pricing rule P2)."""

    flat: Component | None
    energy: Component | None
    time: Component | None
    parking: Component | None


class Bands:
    """The elements whose lower and upper limits hold for a value, as a mask with bit n for elements[n] (lower <= value < upper)."""

    def __init__(self, limits: Sequence[tuple[int | None, int | None]]) -> None:
        self._edges = sorted({edge for pair in limits for edge in pair if edge is not None})
        self._masks = [
            sum(
                1 << number
                for number, (lower, upper) in enumerate(limits)
                if (lower is None or lower <= value) and (upper is None or value < upper)
            )
            for value in (-FOREVER, *self._edges)
        ]
        self.unknown = sum(1 << number for number, pair in enumerate(limits) if pair == (None, None))
        """The mask for a value that nobody knows: a limit on it does not hold."""
        self.matter = bool(self._edges)

    def active(self, value: int) -> tuple[int, int]:
        """The mask for a value, and the value at which it changes."""
        place = bisect_right(self._edges, value)
        return self._masks[place], self._edges[place] if place < len(self._edges) else FOREVER


class Series:
    """The prices of a dynamic tariff by time, in 1/PRICE_SCALE per kWh."""

    def __init__(self, series: PriceSeries, dynamic: DynamicEnergy) -> None:
        self._edges: list[int] = []
        self._prices: list[int | None] = []
        factor, markup = scaled(dynamic.factor, 6), scaled(dynamic.markup, PRICE_DIGITS)
        for step in series.steps:
            self._edges += (to_microseconds(step.start), to_microseconds(step.end))
            self._prices += (scaled(step.price, 6) * factor + markup, None)

    def active(self, microseconds: int) -> tuple[int | None, int]:
        """The price at an instant (None in a gap), and the instant until which it holds.

        Where a step ends as the next begins, the later of the two edges counts.
        """
        place = bisect_right(self._edges, microseconds)
        return self._prices[place - 1] if place else None, self._edges[place] if place < len(self._edges) else FOREVER


class Rates:
    """A tariff, compiled once and used for any number of sessions."""

    def __init__(self, tariff: Tariff, series: PriceSeries) -> None:
        self.tariff = tariff
        self._components = [_components(tariff, number) for number in range(len(tariff.elements))]
        rules = [element.restrictions or _NO_RESTRICTIONS for element in tariff.elements]
        self.energy = Bands([(_whole(rule.min_kwh, 9), _whole(rule.max_kwh, 9)) for rule in rules])
        self.duration = Bands([(_seconds(rule.min_duration), _seconds(rule.max_duration)) for rule in rules])
        self.power = Bands([(_whole(rule.min_power, 9), _whole(rule.max_power, 9)) for rule in rules])
        self.current = Bands([(_whole(rule.min_current, 6), _whole(rule.max_current, 6)) for rule in rules])
        self.momentary_matter = self.power.matter or self.current.matter
        self.peak = tariff.extensions.peak_power if tariff.extensions else None
        dynamic = tariff.extensions.dynamic_energy if tariff.extensions else None
        self.series = Series(series, dynamic) if dynamic else None
        kinds: tuple[str | None, ...] = (None, "RESERVATION", "RESERVATION_EXPIRES")
        self.elements_for = {
            kind: sum(1 << number for number, rule in enumerate(rules) if rule.reservation == kind) for kind in kinds
        }
        """By reservation restriction (None: of the session itself) the mask of its elements."""
        self.expiry_has_time = any(
            rule.reservation == "RESERVATION_EXPIRES" and any(component.type == "TIME" for component in components)
            for rule, components in zip(rules, self._components, strict=True)
        )
        self._selections: dict[int, Selection] = {}
        self._calendars: dict[str, LocalCalendar] = {}

    def component(self, element: int, index: int) -> Component:
        """The component that an entry names."""
        return self._components[element][index]

    def calendar(self, time_zone: str) -> LocalCalendar:
        """What is active at which local time; raises BadUsage for an unknown zone."""
        calendar = self._calendars.get(time_zone)
        if calendar is None:
            if len(self._calendars) >= _MOST_ZONES:
                self._calendars.clear()
            calendar = self._calendars[time_zone] = LocalCalendar(self.tariff, zone(time_zone))
        return calendar

    def select(self, mask: int) -> Selection:
        """The first component of each dimension among the elements of the mask (pricing rule P1)."""
        selection = self._selections.get(mask)
        if selection is None:
            if len(self._selections) >= _MOST_REMEMBERED:
                self._selections.clear()
            found: dict[str, Component] = {}
            for number, components in enumerate(self._components):
                if mask >> number & 1:
                    for component in components:
                        found.setdefault(component.type, component)
            selection = Selection(found.get("FLAT"), found.get("ENERGY"), found.get("TIME"), found.get("PARKING_TIME"))
            self._selections[mask] = selection
        return selection


def vat_factor(vat: Decimal | None) -> int:
    """What an amount is multiplied by for VAT, in 1/VAT_SCALE (pricing rule P14: none stated, none added)."""
    return VAT_SCALE + (0 if vat is None else scaled(vat, 4))


def _components(tariff: Tariff, number: int) -> list[Component]:
    extensions = tariff.extensions
    dynamic = bool(extensions and extensions.dynamic_energy and number in extensions.dynamic_energy.elements)
    components = tariff.elements[number].price_components
    beside_flat = {component.type for component in components} - {"FLAT"}
    return [
        Component(
            element=number,
            index=index,
            type=component.type,
            price=scaled(component.price, PRICE_DIGITS),
            vat=component.vat,
            vat_factor=vat_factor(component.vat),
            step=max(component.step_size, 1),
            dynamic=dynamic and component.type == "ENERGY",
            of_parking=component.type == "FLAT" and beside_flat == {"PARKING_TIME"},
        )
        for index, component in enumerate(components)
    ]


def _whole(value: Decimal | None, digits: int) -> int | None:
    return None if value is None else scaled(value, digits)


def _seconds(value: int | None) -> int | None:
    return None if value is None else value * SECOND
