"""Hold the engine against the reference calculator: `python -m tests.unit.pricing.compare --pairs 10000`.

Some hundreds of pairs run with the unit tests. A pair that differs is printed with its seed; `--seed` starts there.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from csms.pricing import Cost, Pricer, PriceSeries, Usage, read_tariff
from csms.pricing.tariff import SeriesStep
from csms.pricing.usage import EnergyReading, Momentary, ParkingChange, Reservation
from tests.unit.pricing.generation import make_pair
from tests.unit.pricing.reference import Calculator, Session, as_time, half_up


def to_usage(session: Session) -> Usage:
    """The session as the engine takes it; the register begins at 1,234,567 Wh."""
    time, wh = session.start, Decimal(1_234_567)
    readings = [EnergyReading(as_time(time), wh)]
    parked_seconds = {second for begin, end in session.parked for second in range(begin, end)}
    for length, rate in session.gaps:
        span = range(time - session.start, time - session.start + length)
        flowing = sum(1 for second in span if second not in parked_seconds) or length
        time, wh = time + length, wh + flowing * rate
        readings.append(EnergyReading(as_time(time), wh))
    parking = [
        ParkingChange(as_time(session.start + second), second in parked_seconds)
        for second in range(session.seconds + 1)
        if (second in parked_seconds) != (second - 1 in parked_seconds)
    ]
    momentary = [
        Momentary(as_time(session.start + at), None if watts is None else Decimal(watts), None if amps is None else Decimal(amps))
        for at, watts, amps in session.samples
    ]
    reservation = None
    if session.reserved:
        length, wait, expired = session.reserved
        end = as_time(session.start) - timedelta(seconds=wait)
        reservation = Reservation(end - timedelta(seconds=length), end, expired)
        readings = [] if expired else readings
    return Usage(as_time(session.start), as_time(time), session.zone, readings, parking, momentary, reservation)


def price(tariff: dict[str, Any], session: Session, series: list[tuple[int, int, str]]) -> Cost:
    steps = tuple(SeriesStep(as_time(start), as_time(end), Decimal(text)) for start, end, text in series)
    return Pricer(read_tariff(json.dumps(tariff)), PriceSeries(steps)).price(to_usage(session))


def differences(seed: int) -> list[str]:
    """In what the engine and the reference differ for the pair of a seed."""
    tariff, session, series = make_pair(seed)
    cost = price(tariff, session, series)
    expected = Calculator(tariff, series).run(session)
    with_vat = cost.total_cost.incl_vat is not None
    found = []

    def compare(what: str, ours: Any, theirs: Any) -> None:
        if ours != theirs:
            found.append(f"{what}: engine {ours}, reference {theirs}")

    compare("excl_vat", Fraction(cost.total_cost.excl_vat), half_up(expected.excl))
    if with_vat:
        compare("incl_vat", Fraction(cost.total_cost.incl_vat or 0), half_up(expected.incl))
    parts = {
        "FIXED": cost.total_fixed_cost,
        "ENERGY": cost.total_energy_cost,
        "TIME": cost.total_time_cost,
        "PARKING": cost.total_parking_cost,
        "RESERVATION": cost.total_reservation_cost,
        "PEAK_POWER": cost.total_peak_power_cost,
    }
    for name, part in parts.items():
        excl, incl = expected.parts.get(name, (Fraction(0), Fraction(0)))
        compare(f"{name} excl_vat", abs(Fraction(part.excl_vat) - excl) <= Fraction(1, 10_000), True)
        if with_vat:
            compare(f"{name} incl_vat", abs(Fraction(part.incl_vat or 0) - incl) <= Fraction(1, 10_000), True)
    billed: dict[tuple[str, int, int], Fraction] = {}
    for line in cost.lines:
        if line.element is not None and line.component is not None and line.billed_volume is not None:
            key = (line.part, line.element, line.component)
            billed[key] = billed.get(key, Fraction(0)) + Fraction(line.billed_volume)
    compare("billed volumes", billed, expected.billed)
    compare("periods", [period.start_date_time for period in cost.charging_periods], [as_time(t) for t in expected.period_starts])
    compare("energy", Fraction(cost.total_energy), half_up(Fraction(expected.wh, 1000)))
    compare("parking", abs(Fraction(cost.total_parking_time) - expected.parking_seconds / 3600) < Fraction(1, 10_000), True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.unit.pricing.compare", description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.pairs)
    different = 0
    with ProcessPoolExecutor(options.workers) as pool:
        for seed, found in zip(seeds, pool.map(differences, seeds, chunksize=20), strict=True):
            if found:
                different += 1
                print(f"seed {seed}:", *found, sep="\n  ")
    print(f"{options.pairs} pairs, {different} differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
