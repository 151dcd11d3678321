"""The engine: prices whole sessions, or folds a running one reading by reading. Both ways lead to the same cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from csms.pricing.billing import bill
from csms.pricing.cost import Cost
from csms.pricing.exact import to_datetime, to_microseconds
from csms.pricing.folding import Fold
from csms.pricing.rates import Rates
from csms.pricing.state import VERSION, OutOfOrder, PricingState
from csms.pricing.tariff import PriceSeries, Tariff
from csms.pricing.usage import (
    LONGEST,
    MOST_ENTRIES,
    BadUsage,
    EnergyReading,
    Momentary,
    ParkingChange,
    Point,
    Reservation,
    Usage,
    change_order,
    check_span,
    check_usage,
    to_changes,
    to_points,
)

_NO_SERIES = PriceSeries()
_LONGEST = LONGEST // timedelta(microseconds=1)


class Pricer:
    """Prices sessions by one tariff and, where the tariff is dynamic, one price series. Made once, used for any number of them.

    The tariff and the series have to be free of problems (csms.pricing.tariff_check).
    """

    def __init__(self, tariff: Tariff, series: PriceSeries = _NO_SERIES) -> None:
        self._rates = Rates(tariff, series)

    def price(self, usage: Usage) -> Cost:
        """The cost of a session from all that is known of it, in any order; raises BadUsage."""
        check_usage(usage)
        state = self.begin(usage.start, usage.time_zone, usage.reservation)
        end = to_microseconds(usage.end)
        issues: set[str] = set()
        points = to_points(usage.readings, state.start, end, issues)
        state.pending = to_changes(usage.parking, usage.momentary, state.start, end, issues)
        state.issues = sorted({*state.issues, *issues})
        return self._finish(state, points, end)

    def begin(self, start: datetime, time_zone: str, reservation: Reservation | None = None) -> PricingState:
        """The state of a session that begins; raises BadUsage."""
        check_span(start, start, "start")
        at = to_microseconds(start)
        state = PricingState(time_zone=time_zone, start=at, time=at)
        fold = Fold(self._rates, state)
        if reservation is not None:
            check_span(reservation.start, reservation.end, "reservation.end")
            state.expired = reservation.expired
            state.reserved = to_microseconds(reservation.start), to_microseconds(reservation.end)
            fold.reserve(*state.reserved, reservation.expired)
        return state

    def fold(
        self,
        state: PricingState,
        readings: Sequence[EnergyReading] = (),
        parking: Sequence[ParkingChange] = (),
        momentary: Sequence[Momentary] = (),
    ) -> None:
        """Carry a state forward in place by what became known since; in any order within one call.

        Raises OutOfOrder, and leaves the state as it was, if something belongs before what is folded, is outside of all sessions,
        or a register fell: then the whole usage is to be priced.
        """
        _check_version(state)
        issues: set[str] = set()
        latest = state.start + _LONGEST
        points = to_points(list(readings), state.time, latest, issues)
        changes = to_changes(list(parking), list(momentary), state.time, latest, issues)
        if issues - {"momentary_out_of_range"}:
            raise OutOfOrder(", ".join(sorted(issues)))
        if points and state.register is not None:
            first = points[0]
            if first.energy < state.register or (first.time == state.time and first.energy != state.register):
                raise OutOfOrder("register_decreased")
        if len(state.pending) + len(changes) > MOST_ENTRIES:
            raise BadUsage("parking", f"more than {MOST_ENTRIES} changes since the last reading")
        state.pending = sorted((*state.pending, *changes), key=change_order)
        state.issues = sorted({*state.issues, *issues})
        self._advance(state, points)

    def cost(self, state: PricingState, end: datetime) -> Cost:
        """The cost of a folded session up to `end`: its running cost or, at its end, its final one. The state stays as it is.

        Raises OutOfOrder if something later than `end` is folded already, BadUsage if `end` cannot be one.
        """
        _check_version(state)
        if end.tzinfo is not None and to_microseconds(end) < state.time:
            raise OutOfOrder("the end is before the last reading")
        check_span(to_datetime(state.start), end, "end")
        return self._finish(msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=PricingState), [], to_microseconds(end))

    def _advance(self, state: PricingState, points: Sequence[Point]) -> None:
        fold = Fold(self._rates, state)
        for point in points:
            fold.advance(point.time, point.energy)

    def _finish(self, state: PricingState, points: Sequence[Point], end: int) -> Cost:
        """Fold the rest and bill; of an expired reservation no element of a session is due."""
        self._advance(state, points)
        if not state.expired:
            fold = Fold(self._rates, state)
            fold.advance(end, None)
            if end == state.start:
                fold.begin()
        return bill(self._rates, state)


def _check_version(state: PricingState) -> None:
    if state.version != VERSION:
        raise OutOfOrder("a state of another version")
