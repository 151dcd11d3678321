"""What must hold for a tariff beyond the types of its fields; tariffs and price series as JSON in and out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from csms.pricing.tariff import Price as TariffPrice
from csms.pricing.tariff import PriceComponent, PriceSeries, Tariff, TariffRestrictions

_T = TypeVar("_T")

MOST_BYTES: Final = 1_000_000
MOST_SERIES_BYTES: Final = 20_000_000
MOST_PROBLEMS: Final = 20

_PRICE_LIMIT: Final = Decimal(1_000_000)
_SERIES_LIMIT: Final = Decimal(10_000)
_FACTOR_LIMIT: Final = Decimal(100)
"""Together they keep every price within 64 bits of csms.pricing.exact.PRICE_SCALE."""
_SESSION_LIMIT: Final = Decimal(1_000_000)
"""kWh, kW and A of restrictions stay below."""

_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_tariffs: Final = msgspec.json.Decoder(Tariff)
_series: Final = msgspec.json.Decoder(PriceSeries)
_PATH: Final = re.compile(r"(.*) - at `\$\.?(.*?)`\Z", re.DOTALL)


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with which field; the path is as in `elements[0].restrictions.start_time`, "" for the whole."""

    field: str
    reason: str


class BadTariff(ValueError):
    """A tariff or price series that cannot be used; `problems` says why, at most MOST_PROBLEMS of them."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem.field}: {problem.reason}".removeprefix(": ") for problem in problems))


def read_tariff(text: bytes | str) -> Tariff:
    """The tariff of a JSON text; raises BadTariff."""
    tariff = _read(text, _tariffs, MOST_BYTES)
    if problems := check_tariff(tariff):
        raise BadTariff(problems)
    return tariff


def write_tariff(tariff: Tariff) -> bytes:
    """The JSON text of a tariff, with numbers as OCPI writes them; the same tariff always gives the same bytes."""
    return _encoder.encode(tariff)


def read_series(text: bytes | str) -> PriceSeries:
    """The price series of a JSON text; raises BadTariff."""
    series = _read(text, _series, MOST_SERIES_BYTES)
    if problems := check_series(series):
        raise BadTariff(problems)
    return series


def check_tariff(tariff: Tariff) -> list[Problem]:
    """What is wrong with the contents of a tariff, at most MOST_PROBLEMS; empty if nothing is."""
    return _first(_tariff_problems(tariff))


def check_series(series: PriceSeries) -> list[Problem]:
    """What is wrong with the contents of a price series, at most MOST_PROBLEMS; empty if nothing is."""
    return _first(_series_problems(series))


def has_vat(tariff: Tariff) -> bool:
    """Whether any component states VAT; if none does, amounts have no incl_vat (pricing rule P14)."""
    peak = tariff.extensions.peak_power if tariff.extensions else None
    return bool(peak and peak.vat is not None) or any(
        component.vat is not None for element in tariff.elements for component in element.price_components
    )


def _read(text: bytes | str, decoder: msgspec.json.Decoder[_T], most: int) -> _T:
    if len(text) > most:
        raise BadTariff([Problem("", f"longer than {most} bytes")])
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        told = _PATH.match(str(error))
        raise BadTariff([Problem(told[2], told[1]) if told else Problem("", str(error))]) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadTariff([Problem("", str(error))]) from None


def _first(problems: Iterator[Problem]) -> list[Problem]:
    return [problem for problem, _ in zip(problems, range(MOST_PROBLEMS), strict=False)]


def _tariff_problems(tariff: Tariff) -> Iterator[Problem]:
    for number, element in enumerate(tariff.elements):
        path = f"elements[{number}]"
        seen = set()
        for index, component in enumerate(element.price_components):
            yield from _component_problems(component, f"{path}.price_components[{index}]")
            if component.type in seen:
                yield Problem(f"{path}.price_components[{index}].type", "a second one in the same element is never used")
            seen.add(component.type)
        if element.restrictions is not None:
            yield from _restriction_problems(element.restrictions, f"{path}.restrictions")
            if element.restrictions.reservation and seen & {"ENERGY", "PARKING_TIME"}:
                yield Problem(f"{path}.restrictions.reservation", "a reservation has FLAT and TIME components only")
    yield from _limit_problems(tariff)
    if tariff.start_date_time and tariff.end_date_time and tariff.end_date_time <= tariff.start_date_time:
        yield Problem("end_date_time", "is not after start_date_time")
    if tariff.energy_mix:
        for index, source in enumerate(tariff.energy_mix.energy_sources):
            yield from _number(source.percentage, f"energy_mix.energy_sources[{index}].percentage", Decimal(0), Decimal(100))
        for index, impact in enumerate(tariff.energy_mix.environ_impact):
            yield from _number(impact.amount, f"energy_mix.environ_impact[{index}].amount", Decimal(0), _SESSION_LIMIT)
    yield from _extension_problems(tariff)


def _component_problems(component: PriceComponent, path: str) -> Iterator[Problem]:
    yield from _number(component.price, f"{path}.price", Decimal(0), _PRICE_LIMIT)
    yield from _vat(component.vat, f"{path}.vat")


def _vat(vat: Decimal | None, path: str) -> Iterator[Problem]:
    if vat is not None:
        yield from _number(vat, path, Decimal(0), Decimal(100), decimals=4)


def _restriction_problems(restrictions: TariffRestrictions, path: str) -> Iterator[Problem]:
    for name in ("kwh", "current", "power"):
        lower, upper = getattr(restrictions, f"min_{name}"), getattr(restrictions, f"max_{name}")
        wrong = []
        for side, value in (("min", lower), ("max", upper)):
            if value is not None:
                wrong += _number(value, f"{path}.{side}_{name}", Decimal(0), _SESSION_LIMIT)
        yield from wrong
        if not wrong and lower is not None and upper is not None and upper <= lower:
            yield Problem(f"{path}.max_{name}", f"is not above min_{name}")
    lower, upper = restrictions.min_duration, restrictions.max_duration
    if lower is not None and upper is not None and upper <= lower:
        yield Problem(f"{path}.max_duration", "is not above min_duration")
    if restrictions.start_time is not None and restrictions.start_time == restrictions.end_time != "00:00":
        yield Problem(f"{path}.end_time", "equals start_time, so the element would never be active")
    wrong = []
    for name in ("start_date", "end_date"):
        value = getattr(restrictions, name)
        if value is not None and not _is_date(value):
            wrong.append(Problem(f"{path}.{name}", "is no date"))
    yield from wrong
    if not wrong and restrictions.start_date and restrictions.end_date and restrictions.end_date <= restrictions.start_date:
        yield Problem(f"{path}.end_date", "is not after start_date")
    if len(set(restrictions.day_of_week)) < len(restrictions.day_of_week):
        yield Problem(f"{path}.day_of_week", "names a day twice")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _limit_problems(tariff: Tariff) -> Iterator[Problem]:
    wrong = []
    for name, limit in (("min_price", tariff.min_price), ("max_price", tariff.max_price)):
        if limit is None:
            continue
        wrong += _number(limit.excl_vat, f"{name}.excl_vat", Decimal(0), _PRICE_LIMIT)
        if limit.incl_vat is not None:
            wrong += _number(limit.incl_vat, f"{name}.incl_vat", Decimal(0), _PRICE_LIMIT)
            if not wrong and limit.incl_vat < limit.excl_vat:
                wrong.append(Problem(f"{name}.incl_vat", "is below excl_vat"))
        elif has_vat(tariff):
            wrong.append(Problem(f"{name}.incl_vat", "is needed, since components state VAT"))
    yield from wrong
    if not wrong and tariff.min_price and tariff.max_price:
        yield from _order_problems(tariff.min_price, tariff.max_price)


def _order_problems(lowest: TariffPrice, highest: TariffPrice) -> Iterator[Problem]:
    if highest.excl_vat < lowest.excl_vat:
        yield Problem("max_price.excl_vat", "is below min_price")
    if lowest.incl_vat is not None and highest.incl_vat is not None and highest.incl_vat < lowest.incl_vat:
        yield Problem("max_price.incl_vat", "is below min_price")


def _extension_problems(tariff: Tariff) -> Iterator[Problem]:
    if tariff.extensions is None:
        return
    if peak := tariff.extensions.peak_power:
        yield from _number(peak.price, "extensions.peak_power.price", Decimal(0), _PRICE_LIMIT)
        yield from _vat(peak.vat, "extensions.peak_power.vat")
    if dynamic := tariff.extensions.dynamic_energy:
        path = "extensions.dynamic_energy"
        yield from _number(dynamic.factor, f"{path}.factor", Decimal(0), _FACTOR_LIMIT)
        yield from _number(dynamic.markup, f"{path}.markup", -_PRICE_LIMIT, _PRICE_LIMIT)
        for index, number in enumerate(dynamic.elements):
            if number >= len(tariff.elements):
                yield Problem(f"{path}.elements[{index}]", "there is no such element")
            elif not any(component.type == "ENERGY" for component in tariff.elements[number].price_components):
                yield Problem(f"{path}.elements[{index}]", "that element has no ENERGY component")


def _series_problems(series: PriceSeries) -> Iterator[Problem]:
    before = None
    for index, step in enumerate(series.steps):
        yield from _number(step.price, f"steps[{index}].price", -_SERIES_LIMIT, _SERIES_LIMIT)
        if step.end <= step.start:
            yield Problem(f"steps[{index}].end", "is not after start")
        if before is not None and step.start < before.end:
            yield Problem(f"steps[{index}].start", "is before the end of the step before")
        before = step


def _number(value: Decimal, path: str, lowest: Decimal, highest: Decimal, decimals: int = 6) -> list[Problem]:
    """Checked before anything is calculated: a price of 1E+999999 is a short text and a long number."""
    if not value.is_finite():
        return [Problem(path, "is no finite number")]
    if not lowest <= value <= highest:
        return [Problem(path, f"is not in {lowest}..{highest}")]
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -decimals and value != round(value, decimals):
        return [Problem(path, f"has more than {decimals} decimals")]
    return []
