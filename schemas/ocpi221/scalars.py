"""How single values are read, checked and written: one class per kind of value.

`read` takes what JSON held and forgives what the pitfalls of our digest (Z) allow for; `check` holds a value of ours to the
standard; `wire` gives what the JSON encoder takes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, Protocol

from schemas.ocpi221.base import Coordinate, Limits, ReadAs, Text
from schemas.ocpi221.instants import read_instant, write_instant
from schemas.ocpi221.notes import Notes, quoted

LARGEST_NUMBER: Final = Decimal(10) ** 15
LARGEST_INTEGER: Final = 2**53 - 1
"""What every JSON parser keeps exactly."""
LONGEST_ID: Final = 255
"""Z9: ids longer than their limit are accepted up to here."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NO_PRINTABLE_ASCII = re.compile(r"[^ -~]")
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,16}", re.ASCII)
_COORDINATE = re.compile(r"-?\d{1,3}\.\d{5,7}", re.ASCII)
_FOUR_DECIMALS = Decimal("0.0001")
_MOST_DIGITS = 60
_LONGER_BY = 8
_FEWEST_COORDINATE_DECIMALS, _MOST_COORDINATE_DECIMALS = 5, 7


class Kind(Protocol):
    """A kind of value."""

    @property
    def empty_is_absent(self) -> bool:
        """Whether an empty string in an optional member says that there is no value."""
        ...

    def read(self, value: Any, notes: Notes) -> Any:
        """The value in `value`, which came out of JSON. Raises Unreadable."""
        ...

    def check(self, value: Any, notes: Notes) -> None:
        """Remark on all for which `value` must not be sent."""
        ...

    def wire(self, value: Any) -> Any:
        """What the JSON encoder takes for `value`."""
        ...


def _plain(value: int | Decimal) -> str | None:
    """A number as plain digits, None if that would be endless."""
    if isinstance(value, Decimal) and (not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS):
        return None
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _text_of(value: Any, notes: Notes) -> str:
    """The string in `value`, which may be a number where a string is due (Z7)."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and (plain := _plain(value)) is not None:
        notes.remark("Z7", "is a number where a string is due")
        return plain
    raise notes.fault("B3", "is not a string")


@dataclass(frozen=True, slots=True)
class TextKind:
    """A string or CiString."""

    limits: Text
    form: re.Pattern[str] | None

    @property
    def empty_is_absent(self) -> bool:
        return self.limits.folded or self.form is not None

    def read(self, value: Any, notes: Notes) -> str:
        text = _text_of(value, notes)
        if "\x00" in text or _SURROGATE.search(text):
            raise notes.fault("B3", "holds a character that no text can have")
        longest = LONGEST_ID if self.limits.max < LONGEST_ID else self.limits.max * _LONGER_BY
        if len(text) > longest:
            raise notes.fault("Z9", f"is longer than {longest} characters")
        if self.limits.folded and not text.strip():
            raise notes.fault("B2", "is empty")
        for rule, complaint in self._complaints(text):
            if self.limits.needed:
                raise notes.fault(rule, complaint)
            notes.remark(rule, complaint)
        return text

    def check(self, value: Any, notes: Notes) -> None:
        if not isinstance(value, str):
            notes.remark("B3", "is not a string")
            return
        if self.limits.folded and not value.strip():
            notes.remark("B2", "is empty")
        for rule, complaint in self._complaints(value):
            notes.remark(rule, complaint)

    def wire(self, value: Any) -> Any:
        return value

    def _complaints(self, text: str) -> Iterator[tuple[str, str]]:
        if len(text) > self.limits.max:
            yield ("Z9" if self.limits.folded else "B3"), f"is longer than {self.limits.max} characters"
        if self.limits.folded and _NO_PRINTABLE_ASCII.search(text):
            yield "B3", "is not printable ASCII"
        elif _CONTROL.search(text) or _SURROGATE.search(text):
            yield "B3", "holds control characters"
        if self.form is not None and not self.form.fullmatch(text):
            yield "B9", "has not the form that is due"


@dataclass(frozen=True, slots=True)
class CoordinateKind:
    """A latitude or longitude: a string of a fixed form, which many send as a number or with other decimals (L14)."""

    limits: Coordinate
    empty_is_absent: bool = True

    def read(self, value: Any, notes: Notes) -> str:
        text = _text_of(value, notes).strip()
        if not _NUMBER.fullmatch(text):
            raise notes.fault("L14", "is not a coordinate")
        degrees = Decimal(text)
        if abs(degrees) > self.limits.limit:
            notes.remark("L14", f"is beyond {self.limits.limit} degrees")
        if _COORDINATE.fullmatch(text) or abs(degrees) >= LARGEST_NUMBER:
            return text
        notes.remark("L14", "has not 5 to 7 decimals")
        return write_coordinate(degrees)

    def check(self, value: Any, notes: Notes) -> None:
        if not isinstance(value, str) or not _COORDINATE.fullmatch(value) or len(value) > self.limits.length:
            notes.remark("L14", f"is not a string of 5 to 7 decimals and at most {self.limits.length} characters")
        elif abs(Decimal(value)) > self.limits.limit:
            notes.remark("L14", f"is beyond {self.limits.limit} degrees")

    def wire(self, value: Any) -> Any:
        return value


def write_coordinate(degrees: Decimal) -> str:
    """A latitude or longitude as L14 has it: padded to 5 decimals, rounded to 6, which any of them has room for."""
    decimals = min(max(-int(degrees.as_tuple().exponent), _FEWEST_COORDINATE_DECIMALS), _MOST_COORDINATE_DECIMALS - 1)
    return f"{degrees:.{decimals}f}"


@dataclass(frozen=True, slots=True)
class NumberKind:
    """A decimal number."""

    limits: Limits
    empty_is_absent: bool = True

    def read(self, value: Any, notes: Notes) -> Decimal:
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            notes.remark("Z7", "is a string where a number is due")
            value = Decimal(value.strip())
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise notes.fault("B5", "is not a number")
        number = Decimal(value)
        if _plain(number) is None or abs(number) >= LARGEST_NUMBER:
            raise notes.fault("B5", "is out of all bounds")
        _remark_on_limits(number, self.limits, notes)
        return number

    def check(self, value: Any, notes: Notes) -> None:
        if not isinstance(value, Decimal) or not value.is_finite() or abs(value) >= LARGEST_NUMBER:
            notes.remark("B5", "is not a number or out of all bounds")
            return
        _remark_on_limits(value, self.limits, notes)
        if self.limits.decimals is not None and value != round(value, self.limits.decimals):
            notes.remark("Q7", f"has more than {self.limits.decimals} decimals")

    def wire(self, value: Any) -> Any:
        exponent = value.as_tuple().exponent
        if exponent < -4:
            return value.quantize(_FOUR_DECIMALS, ROUND_HALF_UP)
        return value.quantize(Decimal(1)) if exponent > 0 else value


@dataclass(frozen=True, slots=True)
class IntegerKind:
    """A whole number."""

    limits: Limits
    empty_is_absent: bool = True

    def read(self, value: Any, notes: Notes) -> int:
        if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
            notes.remark("Z7", "is a string where an integer is due")
            value = int(value)
        elif isinstance(value, Decimal) and _plain(value) is not None and value == value.to_integral_value():
            notes.remark("Z7", "is a number with decimals where an integer is due")
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise notes.fault("B6", "is not an integer")
        if abs(value) > LARGEST_INTEGER:
            raise notes.fault("B6", "is out of all bounds")
        _remark_on_limits(value, self.limits, notes)
        return value

    def check(self, value: Any, notes: Notes) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_INTEGER:
            notes.remark("B6", "is not an integer or out of all bounds")
            return
        _remark_on_limits(value, self.limits, notes)

    def wire(self, value: Any) -> Any:
        return value


def _remark_on_limits(number: int | Decimal, limits: Limits, notes: Notes) -> None:
    if limits.min is not None and number < limits.min:
        notes.remark("B6", f"is below {limits.min}")
    if limits.max is not None and number > limits.max:
        notes.remark("B6", f"is above {limits.max}")


@dataclass(frozen=True, slots=True)
class TruthKind:
    """true or false."""

    empty_is_absent: bool = True

    def read(self, value: Any, notes: Notes) -> bool:
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            notes.remark("Z7", "is a string where a boolean is due")
            return value.strip().lower() == "true"
        if not isinstance(value, bool):
            raise notes.fault("B6", "is not a boolean")
        return value

    def check(self, value: Any, notes: Notes) -> None:
        if not isinstance(value, bool):
            notes.remark("B6", "is not a boolean")

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class InstantKind:
    """A point in time."""

    empty_is_absent: bool = True

    def read(self, value: Any, notes: Notes) -> datetime:
        if not isinstance(value, str):
            raise notes.fault("B7", "is not a string")
        try:
            instant, forgiven_by = read_instant(value)
        except ValueError as error:
            raise notes.fault("B7", str(error)) from None
        if forgiven_by is not None:
            notes.remark(forgiven_by, f"is written as {quoted(value)}")
        return instant

    def check(self, value: Any, notes: Notes) -> None:
        if not isinstance(value, datetime) or value.tzinfo is None:
            notes.remark("B7", "is not a date and time with a zone")

    def wire(self, value: Any) -> Any:
        return write_instant(value)


@dataclass(frozen=True, slots=True)
class ChoiceKind:
    """A value of an enumeration; what is none of it is kept as it is when read (B10)."""

    values: frozenset[str]
    folded: dict[str, str]
    read_as: tuple[ReadAs, ...]
    empty_is_absent: bool = True

    def read(self, value: Any, notes: Notes) -> str:
        if isinstance(value, str) and value in self.values:
            return value
        text = _text_of(value, notes)
        if not text.strip() or len(text) > LONGEST_ID or _CONTROL.search(text) or _SURROGATE.search(text):
            raise notes.fault("B10", "is not a value of an enumeration")
        spelled = self.folded.get(text.strip().casefold())
        if spelled is not None:
            notes.remark("Z10", f"is written as {quoted(text)}")
            return spelled
        for other in self.read_as:
            if other.spelling.casefold() == text.strip().casefold():
                notes.remark(other.rule, f"is {quoted(text)}, read as {other.value}")
                return other.value
        notes.remark("B10", f"is {quoted(text)}, which is unknown")
        return text

    def check(self, value: Any, notes: Notes) -> None:
        if value not in self.values:
            notes.remark("B10", "is not a value of the enumeration")

    def wire(self, value: Any) -> Any:
        return value
