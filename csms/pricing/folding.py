"""From readings to priced entries: a session is cut wherever the active component of a dimension may change (rules P1 to P8)."""

from __future__ import annotations

import msgspec

from csms.pricing.exact import HOUR, SECOND
from csms.pricing.local_calendar import FOREVER, LocalCalendar
from csms.pricing.rates import Component, Rates, Selection
from csms.pricing.state import Entry, Part, Peak, Period, PricingState, TimeType

_NONE = (-1, -1, 0)


class _Gap(msgspec.Struct, gc=False):
    """The time between two readings. Energy flows evenly while `active` (not parking), or all the time if none of it is active."""

    start_energy: int
    flow: int
    active: int


class _Run(msgspec.Struct, gc=False):
    """What holds where the fold has come to, so that gaps in which nothing changes are priced without looking it all up again."""

    elements: int = -1
    selection: Selection | None = None
    series_price: int | None = None
    until: int = 0
    energy_until: int = 0


class Fold:
    """Carries a state forward in time, in place."""

    def __init__(self, rates: Rates, state: PricingState) -> None:
        self._rates = rates
        self._state = state
        self._calendar: LocalCalendar = rates.calendar(state.time_zone)
        self._run = _Run()

    def reserve(self, start: int, end: int, expired: bool) -> None:
        """Price a reservation: from its making to the start of charging, or to its expiry (pricing rule P12)."""
        rates, part = self._rates, self._state.reservation
        reservation, expiry = rates.elements_for["RESERVATION"], rates.elements_for["RESERVATION_EXPIRES"]
        time = start
        while time < end or time == start:
            active, until = self._reserved_elements(time, start)
            until = min(until, end)
            selected = rates.select(active & reservation)
            on_expiry = rates.select(active & expiry)
            _flat(part, selected.flat, time)
            if expired:
                _flat(part, on_expiry.flat, time)
            component = on_expiry.time if expired and rates.expiry_has_time else selected.time
            if component:
                _extend(part.time, component, component.price, False, time, until, until - time)
            _period(part, "RESERVATION_TIME", (_key(selected.flat), _NONE, _key(component)), time, until, 0)
            if until == time:
                break
            time = until

    def _reserved_elements(self, time: int, start: int) -> tuple[int, int]:
        """No energy, power and current flow, and the duration counts from when the reservation was made."""
        rates = self._rates
        by_clock, clock_until = self._calendar.active(time)
        by_duration, duration_until = rates.duration.active(time - start)
        active = by_clock & by_duration & rates.energy.active(0)[0] & rates.power.active(0)[0] & rates.current.active(0)[0]
        return active, min(clock_until, start + duration_until)

    def advance(self, time: int, register: int | None) -> None:
        """Close the gap up to a reading, or up to a moment without one (register None: then no energy has flowed since)."""
        state = self._state
        flow = 0 if register is None or state.register is None else register - state.register
        pieces = self._pieces(time)
        active = sum(end - start for start, end, parking, _, _ in pieces if not parking)
        gap = _Gap(state.energy, flow, active or time - state.time)
        average = flow * HOUR // active if active else 0
        done = 0
        for start, end, parking, power, current in pieces:
            flows = not (parking and active)
            elements = self._momentary_elements(parking, average if power is None else power, current)
            self._piece(start, end, parking, elements, gap, done if flows else None)
            done += end - start if flows else 0
        state.time = time
        if register is not None:
            state.register = register

    def begin(self) -> None:
        """For a session of no length: what is active at its start is due (FLAT)."""
        state = self._state
        elements = self._momentary_elements(state.parking, state.power or 0, state.current)
        active, _ = self._calendar.active(state.start)
        active &= elements & self._rates.duration.active(0)[0] & self._rates.energy.active(0)[0]
        selection = self._rates.select(active)
        _flat(state.session, selection.flat, state.start)
        self._add(selection, state.start, state.start, 0, None, state.parking)

    def _pieces(self, time: int) -> list[tuple[int, int, bool, int | None, int | None]]:
        """The gap up to a time, cut where changes that wait in the state come into force: start, end, parking, power, current."""
        state = self._state
        start = state.time
        if not state.pending or state.pending[0].time >= time:
            return [(start, time, state.parking, state.power, state.current)] if time > start else []
        pieces = []
        used = 0
        for change in state.pending:
            if change.time >= time:
                break
            used += 1
            if change.time > start:
                pieces.append((start, change.time, state.parking, state.power, state.current))
                start = change.time
            state.parking = state.parking if change.parking is None else change.parking
            state.power = state.power if change.power is None else change.power
            state.current = state.current if change.current is None else change.current
        state.pending = state.pending[used:]
        if time > start:
            pieces.append((start, time, state.parking, state.power, state.current))
        return pieces

    def _momentary_elements(self, parking: bool, power: int, current: int | None) -> int:
        """The elements whose limits of power and current hold. A parking EV draws none, whatever was measured last."""
        rates = self._rates
        if not rates.momentary_matter:
            return rates.elements_for[None]
        elements = rates.elements_for[None] & rates.power.active(0 if parking else power)[0]
        if not rates.current.matter:
            return elements
        if current is None and not parking:
            self._issue("current_unknown")
            return elements & rates.current.unknown
        return elements & rates.current.active(0 if parking or current is None else current)[0]

    def _piece(self, start: int, end: int, parking: bool, elements: int, gap: _Gap, done: int | None) -> None:
        """Price a piece of a gap in which energy flows evenly, or not at all (`done` None).

        `done` is how much of the gap's active time lies before it.
        """
        rates, state, run = self._rates, self._state, self._run
        flow, active = (gap.flow, gap.active) if done is not None else (0, 1)
        before = (done or 0) - start
        time, energy = start, state.energy
        last_energy = gap.start_energy + flow * (before + end) // active if flow else energy
        if run.selection and elements == run.elements and end <= run.until and last_energy < run.energy_until:
            self._add(run.selection, time, end, last_energy - energy, run.series_price, parking)
            state.energy = last_energy
            return
        while time < end or energy < last_energy:
            by_clock, clock_until = self._calendar.active(time)
            by_duration, duration_until = rates.duration.active(time - state.start)
            by_energy, energy_until = rates.energy.active(energy)
            price, price_until = rates.series.active(time) if rates.series else (None, FOREVER)
            run.until = min(clock_until, state.start + duration_until, price_until)
            run.energy_until = energy_until
            run.selection = rates.select(elements & by_clock & by_duration & by_energy)
            run.elements, run.series_price = elements, price
            _flat(state.session, run.selection.flat, time)
            until = min(run.until, end)
            next_energy = last_energy if until == end else gap.start_energy + flow * (before + until) // active if flow else energy
            if next_energy >= energy_until:
                next_energy = energy_until
                # the first whole µs at which the threshold is reached
                until = min(until, -(-(energy_until - gap.start_energy) * active // flow) - before)
            self._add(run.selection, time, until, next_energy - energy, price, parking)
            time, energy = until, next_energy
        state.energy = energy

    def _add(self, selection: Selection, start: int, end: int, energy: int, series_price: int | None, parking: bool) -> None:
        part = self._state.session
        priced = selection.energy
        energy_key = _key(priced)
        if priced:
            price, from_series = priced.price, False
            if priced.dynamic:
                if series_price is None:
                    self._issue("series_gap")
                else:
                    price, from_series = series_price, True
                    energy_key = (priced.element, priced.index, price)
            _extend(part.energy, priced, price, from_series, start, end, energy)
        timed = selection.parking if parking else selection.time
        if timed:
            _extend(part.parking if parking else part.time, timed, timed.price, False, start, end, end - start)
        _period(part, "PARKING_TIME" if parking else "TIME", (_key(selection.flat), energy_key, _key(timed)), start, end, energy)
        if energy and self._rates.peak:
            _fill(self._state.peak, self._rates.peak.window * SECOND, start, end, energy)

    def _issue(self, name: str) -> None:
        if name not in self._state.issues:
            self._state.issues = sorted((*self._state.issues, name))


def _key(component: Component | None) -> tuple[int, int, int]:
    return (component.element, component.index, component.price) if component else _NONE


def _flat(part: Part, component: Component | None, time: int) -> None:
    """A FLAT is due once, when it becomes active for the first time (pricing rule P7)."""
    if component and not any(entry.element == component.element and entry.index == component.index for entry in part.flats):
        part.flats.append(Entry(component.element, component.index, component.price, False, time, time, 1))


def _extend(entries: list[Entry], component: Component, price: int, from_series: bool, start: int, end: int, volume: int) -> None:
    if entries:
        last = entries[-1]
        if (
            last.end == start
            and last.element == component.element
            and last.index == component.index
            and last.price == price
            and last.from_series == from_series
        ):
            last.end = end
            last.volume += volume
            return
    if volume:
        entries.append(Entry(component.element, component.index, price, from_series, start, end, volume))


def _period(part: Part, time_type: TimeType, active: tuple[tuple[int, int, int], ...], start: int, end: int, energy: int) -> None:
    periods = part.periods
    if not periods or periods[-1].active != active or periods[-1].time_type != time_type:
        periods.append(Period(start, time_type, active))
    periods[-1].time += end - start
    periods[-1].energy += energy


def _fill(peak: Peak, window: int, start: int, end: int, energy: int) -> None:
    """Spread energy that flows evenly over the windows of the peak power that it flows in."""
    first = start // window
    last = max(first, (end - 1) // window)
    if first == last:
        _fill_window(peak, first, energy)
        return
    length = end - start
    head = energy * ((first + 1) * window - start) // length
    tail = energy - energy * (last * window - start) // length
    _fill_window(peak, first, head)
    if last - first > 1:  # all windows between are equally full
        _fill_window(peak, first + 1, energy * window // length)
    _fill_window(peak, last, tail)


def _fill_window(peak: Peak, window: int, energy: int) -> None:
    if peak.window != window:
        peak.window, peak.energy = window, 0
    peak.energy += energy
    if peak.energy > peak.fullest_energy:
        peak.fullest, peak.fullest_energy = window, peak.energy
