"""`python -m bench.pricing`: how many sessions are priced in a second, and how that grows with the readings of a session.

All cores price at once, each its own share of sessions, for a tariff of one price and for a rich one. Decoding the JSON of the same
sessions, measured by the same processes right before, is what the CPU for one is compared with. The table of
docs/performance.md comes from here.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import cycle, islice
from multiprocessing.queues import Queue
from queue import Empty
from random import Random
from typing import Any, Final

import msgspec

from bench.progress import Progress
from csms.pricing import Pricer, PriceSeries, Tariff, Usage, read_tariff
from csms.pricing.tariff import SeriesStep
from csms.pricing.usage import EnergyReading, Momentary, ParkingChange

READINGS: Final = (1, 10, 60, 600, 6000)
"""In a session, each of the register and of the power."""
_MOST_READINGS_PER_SESSION: Final = 10
"""With more of them fewer sessions are priced, so that the readings of a row are at most so many times the sessions asked for."""
_RICH_SHARE: Final = 4
"""Of sessions by the rich tariff one is priced where this many are by the plain one."""
_DIFFERENT: Final = 40
"""Sessions that differ; they are priced in turns."""
_REFERENCE_S: Final = 1.0
_CHUNKS: Final = 20
_PATIENCE_S: Final = 600.0
_LOOK_EVERY_S: Final = 5.0
_BEGIN: Final = datetime(2026, 3, 2, tzinfo=UTC)
_DAYS: Final = 28


@dataclass(frozen=True, slots=True)
class Row:
    """What one process found: CPU seconds for the sessions, and for decoding one."""

    sessions: int
    cpu_s: float
    decode_s: float


def plain_tariff() -> tuple[Tariff, PriceSeries]:
    """A price for a kWh."""
    energy = {"type": "ENERGY", "price": 0.49, "step_size": 1, "vat": 19}
    return _tariff([{"price_components": [energy]}]), PriceSeries()


def rich_tariff() -> tuple[Tariff, PriceSeries]:
    """Prices of a spot market by quarters of an hour, dear evenings, parking by day after an hour, peak power, a highest price."""
    evening = {"start_time": "17:00", "end_time": "20:00", "day_of_week": ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]}
    parking = {"type": "PARKING_TIME", "price": 6, "step_size": 60, "vat": 19}
    energy = {"type": "ENERGY", "price": 0.49, "step_size": 1, "vat": 19}
    tariff = _tariff(
        [
            {"price_components": [{**energy, "price": 0.79}], "restrictions": evening},
            {"price_components": [energy]},
            {"price_components": [parking], "restrictions": {"start_time": "08:00", "end_time": "20:00", "min_duration": 3600}},
            {"price_components": [{"type": "TIME", "price": 1, "step_size": 300, "vat": 19}], "restrictions": {"min_power": 50}},
            {"price_components": [{"type": "FLAT", "price": 0.35, "step_size": 1, "vat": 7}]},
        ],
        max_price={"excl_vat": 80, "incl_vat": 95},
        extensions={
            "peak_power": {"price": 0.2, "window": 900, "vat": 19},
            "dynamic_energy": {"series": "spot", "elements": [1], "factor": 1.1, "markup": 0.18},
        },
    )
    quarter = timedelta(minutes=15)
    chance = Random(1)
    steps = [
        SeriesStep(_BEGIN + place * quarter, _BEGIN + (place + 1) * quarter, Decimal(chance.randrange(-2000, 40_000)) / 100_000)
        for place in range((_DAYS + 20) * 96)
    ]
    return tariff, PriceSeries(tuple(steps))


TARIFFS: Final[dict[str, Callable[[], tuple[Tariff, PriceSeries]]]] = {"plain": plain_tariff, "rich": rich_tariff}


def make_sessions(readings: int, seed: int) -> list[Usage]:
    """Sessions with a reading a minute, that charge for three quarters of it and park then."""
    chance = Random(seed)
    return [_session(readings, chance) for _ in range(_DIFFERENT)]


def _session(readings: int, chance: Random) -> Usage:
    start = _BEGIN + timedelta(seconds=chance.randrange(_DAYS * 86_400))
    registers = [EnergyReading(start, Decimal(0))]
    momentary, wh = [], Decimal(0)
    charging = max(1, readings * 3 // 4)
    for minute in range(1, readings + 1):
        power = Decimal(chance.randrange(3_000, 110_000)) if minute <= charging else Decimal(0)
        wh += (power / 60).quantize(Decimal("0.001"))
        time_ = start + timedelta(minutes=minute)
        registers.append(EnergyReading(time_, wh))
        momentary.append(Momentary(time_ - timedelta(minutes=1), power))
    parking = [ParkingChange(start + timedelta(minutes=charging), True)]
    return Usage(start, start + timedelta(minutes=readings), "Europe/Berlin", registers, parking, momentary)


def sessions_of(readings: int, tariff: str, asked: int) -> int:
    """How many sessions a row prices."""
    count = min(asked, asked * _MOST_READINGS_PER_SESSION // readings)
    return max(_DIFFERENT, count // (_RICH_SHARE if tariff == "rich" else 1))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pricing", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=1_000_000, help="with up to ten readings (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many price at once (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.sessions < 1 or arguments.processes < 1:
        parser.error("at least one of each")
    progress = Progress()
    lines = [
        "| tariff | readings | sessions | sessions a second | CPU for one | for a reading | decoding its JSON takes | times that |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    for tariff in TARIFFS:
        for readings in READINGS:
            count = sessions_of(readings, tariff, arguments.sessions)
            lines.append(_measure(tariff, readings, count, arguments.processes, progress))
            progress(lines[-1])
    print("\n".join(lines))
    return 0


def _measure(tariff: str, readings: int, count: int, processes: int, progress: Progress) -> str:
    context = multiprocessing.get_context("spawn")
    told: Queue[Any] = context.Queue()
    start = context.Barrier(processes + 1)
    shares = [count // processes + (place < count % processes) for place in range(processes)]
    workers = [
        context.Process(target=_work, args=(tariff, readings, share, place, start, told), daemon=True)
        for place, share in enumerate(shares)
    ]
    for worker in workers:
        worker.start()
    try:
        start.wait(_PATIENCE_S)
        began = time.perf_counter()
        rows: list[Row] = []
        done = 0
        while len(rows) < processes:
            try:
                news = told.get(timeout=_LOOK_EVERY_S)
            except Empty:
                if any(worker.exitcode for worker in workers):
                    raise SystemExit("a process has failed") from None
                continue
            if isinstance(news, Row):
                rows.append(news)
            else:
                done += news
                progress(f"\r{tariff}, {readings} readings: {done} of {count} sessions")
        seconds = time.perf_counter() - began
    finally:
        for worker in workers:
            worker.join(1)
            if worker.is_alive():
                worker.terminate()
    cpu = sum(row.cpu_s for row in rows) / count
    decode = sum(row.decode_s for row in rows) / processes
    return (
        f"| {tariff} | {readings:,} | {count:,} | {count / seconds:,.0f} | {cpu * 1e6:,.0f} µs | {cpu / readings * 1e6:,.1f} µs | "
        f"{decode * 1e6:,.1f} µs | {cpu / decode:,.1f} |"
    )


def _work(tariff: str, readings: int, count: int, seed: int, start: Any, told: Queue[Any]) -> None:
    """One process: make the sessions, measure the reference, wait for the others, price."""
    try:
        usages = make_sessions(readings, seed)
        pricer = Pricer(*TARIFFS[tariff]())
        decode_s = _decoding(usages)
        pricer.price(usages[0])
    except BaseException:
        start.abort()  # nobody waits for one that will not come
        raise
    start.wait(_PATIENCE_S)
    source = cycle(usages)
    cpu_s, left = 0.0, count
    chunk = max(1, count // _CHUNKS)
    while left:
        size = min(chunk, left)
        began = time.process_time()
        for usage in islice(source, size):
            pricer.price(usage)
        cpu_s += time.process_time() - began
        left -= size
        told.put(size)
    told.put(Row(count, cpu_s, decode_s))


def _decoding(usages: list[Usage]) -> float:
    """CPU seconds that msgspec needs for the JSON of one of these sessions."""
    texts = [msgspec.json.encode(usage) for usage in usages]
    decode = msgspec.json.Decoder(Usage).decode
    count, began = 0, time.process_time()
    while time.process_time() - began < _REFERENCE_S or count < len(texts):
        for text in texts:
            decode(text)
        count += len(texts)
    return (time.process_time() - began) / count


def _tariff(elements: list[dict[str, Any]], **others: Any) -> Tariff:
    return read_tariff(json.dumps({"id": "BENCH", "currency": "EUR", "elements": elements, **others}))


if __name__ == "__main__":
    raise SystemExit(main())
