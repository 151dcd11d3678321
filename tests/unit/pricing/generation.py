"""Made-up tariffs and sessions for the comparison: whole seconds, whole Wh in every second, thresholds of whole Wh.

In a second flow at most 25 Wh, and only numbers of them that divide a million, so that a threshold lies on a whole microsecond.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.unit.pricing.reference import WEEK, Session, as_time

MOMENTS = (
    ("UTC", "2026-03-01T00:00"),
    ("Europe/Berlin", "2026-03-29T03:00"),  # summer time begins
    ("Europe/Berlin", "2026-10-25T02:30"),  # and ends
    ("Europe/Berlin", "2026-06-05T17:00"),
    ("America/New_York", "2026-11-01T01:30"),
    ("Asia/Kolkata", "2026-12-31T23:55"),
    ("Australia/Lord_Howe", "2026-04-05T01:45"),  # half an hour
    ("America/Sao_Paulo", "2018-11-04T00:00"),  # summer time begins at midnight
    ("Pacific/Apia", "2011-12-29T23:50"),  # the next day is left out
)
RATES = (0, 1, 2, 4, 5, 8, 10, 20, 25)
STEPS = (0, 1, 1, 7, 60, 300, 500, 900)
VATS = (None, 0, 5.2, 10, 19, 20)


def make_pair(seed: int) -> tuple[dict[str, Any], Session, list[tuple[int, int, str]]]:
    """A tariff document, a session and a price series that are the same for the same seed."""
    random = Random(seed)
    session = _session(random)
    tariff = _tariff(random, session)
    series = _series(random, session) if "dynamic_energy" in tariff.get("extensions", {}) else []
    return tariff, session, series


def _session(random: Random) -> Session:
    zone, moment = random.choice(MOMENTS)
    about = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone))
    start = int(about.timestamp()) + random.randint(-1500, 300)
    scale = random.choice((10, 60, 300))
    gaps = [(random.randint(1, scale), random.choice(RATES)) for _ in range(random.randint(0 if random.random() < 0.1 else 1, 8))]
    seconds = sum(length for length, _ in gaps)
    parked = []
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        begin = random.randint(0, seconds)
        parked.append((begin, random.choice((seconds, random.randint(begin, seconds)))))
    samples: list[tuple[int, int | None, int | None]] = []
    if random.random() < 0.4 and seconds:
        kinds = random.choice(((True, False), (False, True), (True, True)))
        moments = sorted(random.sample(range(seconds), min(seconds, random.randint(1, 6))))
        samples = [
            (at, random.randrange(0, 90) * 1000 if kinds[0] else None, random.randrange(0, 100) if kinds[1] else None)
            for at in moments
        ]
    reserved = None
    if random.random() < 0.3:
        expired = random.random() < 0.5
        reserved = (random.randint(0, 900), 0 if expired else random.choice((0, 30)), expired)
        if expired:
            gaps, parked, samples = [], [], []
    return Session(start, zone, gaps, parked, samples, reserved)


def _tariff(random: Random, session: Session) -> dict[str, Any]:
    elements = [_element(random, session) for _ in range(random.randint(1, 6))]
    tariff: dict[str, Any] = {"id": "made-up", "currency": "EUR", "elements": elements}
    if random.random() < 0.15:
        tariff["min_price"] = {"excl_vat": 0.5, "incl_vat": 0.6}
    if random.random() < 0.15:
        tariff["max_price"] = {"excl_vat": 1.5, "incl_vat": 1.7}
    extensions: dict[str, Any] = {}
    if random.random() < 0.2:
        extensions["peak_power"] = {"price": 0.37, "window": random.choice((60, 300, 900))}
        if random.random() < 0.5:
            extensions["peak_power"]["vat"] = 19
    energies = [n for n, element in enumerate(elements) if any(part["type"] == "ENERGY" for part in element["price_components"])]
    if energies and random.random() < 0.2:
        extensions["dynamic_energy"] = {
            "series": "spot",
            "elements": random.sample(energies, random.randint(1, len(energies))),
            "factor": 1.1,
            "markup": 0.05,
        }
    if extensions:
        tariff["extensions"] = extensions
    return tariff


def _element(random: Random, session: Session) -> dict[str, Any]:
    reserved = session.reserved is not None and random.random() < 0.5
    kinds = ["FLAT", "TIME"] if reserved else ["FLAT", "ENERGY", "TIME", "PARKING_TIME"]
    components = []
    for kind in random.sample(kinds, random.randint(1, len(kinds))):
        component = {"type": kind, "price": random.randrange(0, 500) / 100, "step_size": random.choice(STEPS)}
        if (vat := random.choice(VATS)) is not None:
            component["vat"] = vat
        components.append(component)
    rules = _restrictions(random, session)
    if reserved:
        rules["reservation"] = random.choice(("RESERVATION", "RESERVATION_EXPIRES"))
    element: dict[str, Any] = {"price_components": components}
    if rules:
        element["restrictions"] = rules
    return element


def _restrictions(random: Random, session: Session) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    seconds = session.seconds
    wh = sum(length * rate for length, rate in session.gaps)
    begin = as_time(session.start).astimezone(ZoneInfo(session.zone))
    if random.random() < 0.35:
        for name in random.choice((("start_time",), ("end_time",), ("start_time", "end_time"))):
            rules[name] = (begin + timedelta(minutes=random.randint(-20, 45))).strftime("%H:%M")
        if rules.get("start_time") == rules.get("end_time"):
            rules["end_time"] = "00:00"
    first, last = sorted(random.sample((-1, 0, 1, 2), 2))
    for name, days in (("start_date", first), ("end_date", last)):
        if random.random() < 0.1:
            rules[name] = (begin + timedelta(days=days)).strftime("%Y-%m-%d")
    if random.random() < 0.15:
        rules["day_of_week"] = random.sample(WEEK, random.randint(1, 6))
    for name, most, chance in (("kwh", wh, 0.25), ("duration", seconds, 0.2), ("power", 90_000, 0.15), ("current", 90, 0.1)):
        if random.random() >= chance:
            continue
        lower, upper = sorted(random.sample(range(max(most, 2) + 2), 2))
        unit = 1000 if name in ("kwh", "power") else 1
        if random.random() < 0.7:
            rules[f"min_{name}"] = lower / unit if unit > 1 else lower
        if random.random() < 0.7:
            rules[f"max_{name}"] = upper / unit if unit > 1 else upper
    return rules


def _series(random: Random, session: Session) -> list[tuple[int, int, str]]:
    steps = []
    at = session.start - random.randint(-100, 300)
    while at < session.start + session.seconds:
        end = at + random.choice((60, 300, 900))
        if random.random() < 0.8:
            steps.append((at, end, f"{random.randrange(-100, 400) / 1000:.3f}"))
        at = end
    return steps
