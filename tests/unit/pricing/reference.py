"""A slow price calculator, second by second, to hold the engine against.

Written from the OCPI pricing rules (P1 to P17) alone, on a tariff's JSON document; it shares no code with csms.pricing. It needs
whole seconds, and whole Wh in every second; then it is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

WEEK = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


@dataclass
class Session:
    """Times in seconds, relative to `start` (seconds since 1970). `gaps`: (seconds, Wh in each second that is not parking)."""

    start: int
    zone: str
    gaps: list[tuple[int, int]]
    parked: list[tuple[int, int]] = field(default_factory=list)
    samples: list[tuple[int, int | None, int | None]] = field(default_factory=list)
    """(second, W, A): hold from then on."""
    reserved: tuple[int, int, bool] | None = None
    """(seconds reserved, seconds between its end and the start, expired)"""

    @property
    def seconds(self) -> int:
        return sum(length for length, _ in self.gaps)


@dataclass
class Result:
    """Exact: amounts without and with VAT by part, billed quantities by component, instants at which a period begins."""

    excl: Fraction = Fraction(0)
    incl: Fraction = Fraction(0)
    parts: dict[str, list[Fraction]] = field(default_factory=dict)
    billed: dict[tuple[str, int, int], Fraction] = field(default_factory=dict)
    period_starts: list[Fraction] = field(default_factory=list)
    wh: int = 0
    parking_seconds: Fraction = Fraction(0)


Slot = tuple[Fraction, int, bool, int, int | None, Fraction, int]


def number(value: Any) -> Fraction:
    return Fraction(str(value))


def local(second: int, zone: str) -> datetime:
    return datetime.fromtimestamp(second, ZoneInfo(zone))


def matches(rules: dict[str, Any], clock: datetime, elapsed: int, wh: int, power: int, current: int | None) -> bool:
    hhmm, day = clock.strftime("%H:%M"), clock.strftime("%Y-%m-%d")
    first, last = rules.get("start_time", "00:00"), rules.get("end_time", "00:00")
    last = "24:00" if last == "00:00" else last
    inside = first <= hhmm < last if first <= last else hhmm >= first or hhmm < last
    amps_given = "min_current" in rules or "max_current" in rules
    return (
        inside
        and rules.get("start_date", "0000") <= day
        and day < rules.get("end_date", "9999-99-99")
        and (not rules.get("day_of_week") or WEEK[clock.weekday()] in rules["day_of_week"])
        and number(rules.get("min_kwh", 0)) * 1000 <= wh
        and ("max_kwh" not in rules or wh < number(rules["max_kwh"]) * 1000)
        and rules.get("min_duration", 0) <= elapsed
        and elapsed < rules.get("max_duration", 10**12)
        and ("min_power" not in rules or power >= number(rules["min_power"]) * 1000)
        and ("max_power" not in rules or power < number(rules["max_power"]) * 1000)
        and (not amps_given or current is not None)
        and ("min_current" not in rules or (current or 0) >= number(rules["min_current"]))
        and ("max_current" not in rules or (current or 0) < number(rules["max_current"]))
    )


class Calculator:
    def __init__(self, tariff: dict[str, Any], series: list[tuple[int, int, str]] | None = None) -> None:
        self.tariff = tariff
        self.series = series or []
        self.result = Result()
        self.thresholds = {
            int(number(rules[name]) * 1000)
            for element in tariff["elements"]
            for rules in [element.get("restrictions", {})]
            for name in ("min_kwh", "max_kwh")
            if name in rules
        }

    # --- which component is active (P1)

    def active(self, kind: str, reservation: str | None, *conditions: Any) -> tuple[int, int] | None:
        for at, element in enumerate(self.tariff["elements"]):
            rules = element.get("restrictions", {})
            if rules.get("reservation") != reservation:
                continue
            for place, component in enumerate(element["price_components"]):
                if component["type"] == kind and matches(rules, *conditions):
                    return at, place
        return None

    def component(self, key: tuple[int, int]) -> dict[str, Any]:
        return self.tariff["elements"][key[0]]["price_components"][key[1]]

    # --- the session, second by second

    def slots(self, session: Session) -> Iterator[Slot]:
        """(instant, elapsed s, parked, W, A, length, Wh in it); a second in which a kWh threshold may lie comes Wh by Wh."""
        second = 0
        wh = 0
        for length, rate in session.gaps:
            span = range(second, second + length)
            parked_in = {at for at in span if any(a <= at < b for a, b in session.parked)}
            for at in span:
                parked = at in parked_in
                now = rate if not parked or len(parked_in) == length else 0
                power, current = rate * 3600, None
                for since, watts, amps in session.samples:
                    if since <= at:
                        power = power if watts is None else watts
                        current = current if amps is None else amps
                if parked:
                    power = current = 0
                pieces = now if any(wh < limit < wh + now for limit in self.thresholds) else 1
                for piece in range(pieces):
                    instant = Fraction(session.start + at) + Fraction(piece, pieces)
                    yield instant, at, parked, power, current, Fraction(1, pieces), now // pieces
                wh += now
            second += length

    def price_of(self, key: tuple[int, int], second: int) -> tuple[Fraction, bool]:
        dynamic = self.tariff.get("extensions", {}).get("dynamic_energy")
        if dynamic and key[0] in dynamic["elements"] and self.component(key)["type"] == "ENERGY":
            for start, end, price in self.series:
                if start <= second < end:
                    return number(price) * number(dynamic.get("factor", 1)) + number(dynamic.get("markup", 0)), True
        return number(self.component(key)["price"]), False

    def run(self, session: Session) -> Result:
        result = self.result
        if session.reserved:
            self.reservation(session)
        if not (session.reserved and session.reserved[2]):
            self.session(session)
        self.peak()
        result.excl = sum((part[0] for part in result.parts.values()), Fraction(0))
        result.incl = sum((part[1] for part in result.parts.values()), Fraction(0))
        self.clamp()
        return result

    def session(self, session: Session) -> None:
        result = self.result
        flats: list[tuple[int, int]] = []
        energy: list[tuple[tuple[int, int], Fraction, Fraction]] = []
        times: list[tuple[bool, tuple[int, int], Fraction]] = []
        wh = 0
        before: Any = None
        self.windows: dict[int, int] = {}
        window = self.tariff.get("extensions", {}).get("peak_power", {}).get("window", 900)
        slots: Iterator[Slot] | list[Slot] = self.slots(session)
        if session.seconds == 0:
            slots = [(Fraction(session.start), 0, False, 0, None, Fraction(0), 0)]
        for instant, elapsed, parked, power, current, length, flow in slots:
            clock = local(int(instant), session.zone)
            found = {
                kind: self.active(kind, None, clock, elapsed, wh, power, current)
                for kind in ("FLAT", "ENERGY", "PARKING_TIME" if parked else "TIME")
            }
            flat, priced, timed = found.values()
            if flat and flat not in flats:
                flats.append(flat)
            price = self.price_of(priced, int(instant))[0] if priced else None
            if priced and flow:
                assert price is not None
                energy.append((priced, price, Fraction(flow)))
            if timed and length:
                times.append((parked, timed, length))
            if before != (flat, priced, price, timed, parked):
                result.period_starts.append(instant)
                before = (flat, priced, price, timed, parked)
            self.windows[int(instant) // window] = self.windows.get(int(instant) // window, 0) + flow
            result.parking_seconds += length if parked else 0
            wh += flow
        result.wh = wh
        for key in flats:
            beside = {component["type"] for component in self.tariff["elements"][key[0]]["price_components"]} - {"FLAT"}
            self.book("PARKING" if beside == {"PARKING_TIME"} else "FIXED", key, Fraction(1), number(self.component(key)["price"]))
        if energy:
            energy.append((energy[-1][0], energy[-1][1], self.missing(energy[-1][0], [quantity for _, _, quantity in energy])))
        for key, price, quantity in energy:
            self.book("ENERGY", key, quantity, price / 1000)
        parking = [(key, quantity) for parked, key, quantity in times if parked]
        charging = [(key, quantity) for parked, key, quantity in times if not parked]
        rounded = parking or charging
        if rounded:
            rounded.append((rounded[-1][0], self.missing(times[-1][1], [quantity for _, quantity in rounded])))
        for part, entries in (("TIME", charging), ("PARKING", parking)):
            for key, quantity in entries:
                self.book(part, key, quantity, number(self.component(key)["price"]) / 3600)

    def reservation(self, session: Session) -> None:
        assert session.reserved
        length, wait, expired = session.reserved
        start = session.start - wait - length
        timed_on_expiry = any(
            element.get("restrictions", {}).get("reservation") == "RESERVATION_EXPIRES" and component["type"] == "TIME"
            for element in self.tariff["elements"]
            for component in element["price_components"]
        )
        time_kind = "RESERVATION_EXPIRES" if expired and timed_on_expiry else "RESERVATION"
        flats: list[tuple[int, int]] = []
        times: list[tuple[int, int]] = []
        before: Any = None
        for elapsed in range(max(length, 1)):
            clock = local(start + elapsed, session.zone)
            for kind in ("RESERVATION", "RESERVATION_EXPIRES") if expired else ("RESERVATION",):
                flat = self.active("FLAT", kind, clock, elapsed, 0, 0, 0)
                if flat and flat not in flats:
                    flats.append(flat)
            timed = self.active("TIME", time_kind, clock, elapsed, 0, 0, 0)
            if timed and length:
                times.append(timed)
            now = (self.active("FLAT", "RESERVATION", clock, elapsed, 0, 0, 0), timed)
            if before != now:
                self.result.period_starts.append(Fraction(start + elapsed))
                before = now
        for key in flats:
            self.book("RESERVATION", key, Fraction(1), number(self.component(key)["price"]))
        entries = [(key, Fraction(1)) for key in times]
        if entries:
            entries.append((times[-1], self.missing(times[-1], [quantity for _, quantity in entries])))
        for key, quantity in entries:
            self.book("RESERVATION", key, quantity, number(self.component(key)["price"]) / 3600)

    def peak(self) -> None:
        peak = self.tariff.get("extensions", {}).get("peak_power")
        if not peak:
            return
        fullest = max(getattr(self, "windows", {}).values(), default=0)
        cost = Fraction(fullest, 1000) * Fraction(3600, peak.get("window", 900)) * number(peak["price"])
        self.result.parts["PEAK_POWER"] = [cost, cost * (1 + number(peak.get("vat", 0)) / 100)]

    # --- amounts

    def missing(self, key: tuple[int, int], quantities: list[Fraction]) -> Fraction:
        """What is missing to whole steps (P9, P10, P16, P17)."""
        step = max(self.component(key)["step_size"], 1)
        return -sum(quantities, Fraction(0)) % step

    def book(self, part: str, key: tuple[int, int], quantity: Fraction, price: Fraction) -> None:
        cost = quantity * price
        amounts = self.result.parts.setdefault(part, [Fraction(0), Fraction(0)])
        amounts[0] += cost
        amounts[1] += cost * (1 + number(self.component(key).get("vat", 0)) / 100)
        billed = (part, *key)
        self.result.billed[billed] = self.result.billed.get(billed, Fraction(0)) + quantity

    def clamp(self) -> None:
        result = self.result
        for name, choose in (("min_price", max), ("max_price", min)):
            limit = self.tariff.get(name, {})
            if "excl_vat" in limit:
                result.excl = choose(result.excl, number(limit["excl_vat"]))
            if "incl_vat" in limit:
                result.incl = choose(result.incl, number(limit["incl_vat"]))


def half_up(value: Fraction) -> Fraction:
    """To four decimals (P15)."""
    sign = -1 if value < 0 else 1
    return sign * Fraction(int(abs(value) * 10_000 + Fraction(1, 2)), 10_000)


def as_time(second: Fraction | int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(Fraction(second) * 1_000_000))
