"""Exact numbers: whole numbers of tiny units inside, Decimal outside, and the one place where amounts are rounded.

Energy counts in µWh, time in µs, prices in 1/PRICE_SCALE of the currency, VAT factors in 1/VAT_SCALE. Products of them are whole
numbers too, so sums are exact in any order; a price per hour times seconds would not be in decimals.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from math import lcm
from typing import Final

_CONTEXT: Final = Context(prec=100, rounding=ROUND_HALF_UP, Emin=-999_999, Emax=999_999)
"""Ours, so that no caller's decimal context has an influence."""

_ONE: Final = Decimal(1)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
WH: Final = 1_000_000
KWH: Final = 1000 * WH

PRICE_DIGITS: Final = 12
PRICE_SCALE: Final = 10**PRICE_DIGITS
VAT_SCALE: Final = 10**6
"""VAT in percent with four decimals."""

PER_UNIT: Final = {"ENERGY": KWH, "TIME": HOUR, "PARKING_TIME": HOUR, "FLAT": 1, "PEAK_POWER": KWH}
"""The size of what a price is for. Peak power counts in µW, so a kW is as many of them as a kWh is µWh."""

_COMMON_UNIT: Final = lcm(*PER_UNIT.values())

AMOUNT_SCALE: Final = PRICE_SCALE * VAT_SCALE * _COMMON_UNIT
"""One unit of the currency in the whole numbers that amounts are added up in."""

DIGITS: Final = 4
"""Decimals of amounts and volumes in OCPI objects (OCPI types, number)."""

_MINOR_DIGITS: Final = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""Decimals of the currencies that have not two (ISO 4217)."""


def scaled(value: Decimal, digits: int) -> int:
    """The value times 10^digits as a whole number, halves rounded away from zero."""
    return int(_CONTEXT.quantize(_CONTEXT.scaleb(value, digits), _ONE))


def unscaled(value: int, digits: int) -> Decimal:
    """The Decimal that `scaled` was made from, with as many decimals as digits."""
    return Decimal(value).scaleb(-digits, _CONTEXT)


def plain(value: int, digits: int) -> Decimal:
    """Like `unscaled`, without zeros at the end."""
    result = unscaled(value, digits).normalize(_CONTEXT)
    return _CONTEXT.quantize(result, _ONE) if result == result.to_integral_value() else result


def total(values: Iterable[Decimal]) -> Decimal:
    """The exact sum of rounded numbers, with DIGITS decimals."""
    result = unscaled(0, DIGITS)
    for value in values:
        result = _CONTEXT.add(result, value)
    return result


def round_half_up(numerator: int, denominator: int) -> int:
    """The quotient as a whole number, halves rounded away from zero (pricing rule P15)."""
    doubled = (2 * abs(numerator) + denominator) // (2 * denominator)
    return doubled if numerator >= 0 else -doubled


def multiple_above(value: int, step: int) -> int:
    """The smallest multiple of step that is not below value."""
    return -(-value // step) * step


def amount(dimension: str, volume: int, price: int, vat_factor: int) -> int:
    """What a volume costs, in 1/AMOUNT_SCALE of the currency."""
    return volume * price * vat_factor * (_COMMON_UNIT // PER_UNIT[dimension])


def whole_amount(value: Decimal) -> int:
    """An amount in 1/AMOUNT_SCALE of the currency."""
    return scaled(value, PRICE_DIGITS) * VAT_SCALE * _COMMON_UNIT


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (time - _EPOCH) // _MICROSECOND


def to_datetime(microseconds: int) -> datetime:
    """The UTC time that `to_microseconds` was made from."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_minor_unit(value: Decimal, currency: str) -> Decimal:
    """An amount as an invoice states it: rounded half up to the currency's minor unit, two decimals where ISO 4217 is unknown."""
    return value.quantize(Decimal(1).scaleb(-_MINOR_DIGITS.get(currency, 2)), ROUND_HALF_UP, _CONTEXT)


class Rounding:
    """Rounds a row of numbers so that the rounded ones add up to the rounded sum of the exact ones.

    Each gets what the rounded running sum grows by: it is off its exact value by at most one last digit.
    """

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self._exact = 0
        self._rounded = 0

    def next(self, value: int) -> Decimal:
        """The next number of the row, in 1/scale, with DIGITS decimals."""
        self._exact += value
        before = self._rounded
        self._rounded = round_half_up(self._exact * 10**DIGITS, self._scale)
        return unscaled(self._rounded - before, DIGITS)

    @property
    def sum(self) -> Decimal:
        """Of all that was rounded."""
        return unscaled(self._rounded, DIGITS)
