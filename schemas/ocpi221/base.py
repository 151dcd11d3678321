"""The base class of all OCPI objects, the limits their fields name, and what is said about values that break a rule."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal

from msgspec import Struct

NOT_AVAILABLE: Final = "#NA"
"""B8: what may stand in a few required fields whose value cannot exist in that situation."""

Severity = Literal["fatal", "wrong", "odd"]
"""fatal: neither sent nor accepted (2001). wrong: never sent, accepted with a remark. odd: sent and accepted, with a remark."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about the value at `field` (a path such as `evses[0].uid`) that is not as rule `rule` has it."""

    field: str
    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule between several fields of one object that does not hold; `field` is relative to that object."""

    field: str
    rule: str
    text: str
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Limits of a string: at most `max` characters, none of them a control character (B3).

    `folded` makes it a CiString: printable ASCII, at least one character, compared without case. A value that does not match
    `pattern` (as a whole) is remarked on when read, or refused where `needed`: we cannot go on without a good one.
    """

    max: int
    folded: bool = False
    pattern: str | None = None
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Coordinate:
    """A latitude or longitude in degrees: a string with 5 to 7 decimals, at most `length` characters (L14)."""

    limit: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a number: `min` to `max`, and at most `decimals` decimals (None: four are written, more are rounded)."""

    min: int | None = None
    max: int | None = None
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class AtLeastOne:
    """Cardinality `+` (B1)."""


@dataclass(frozen=True, slots=True)
class ReadAs:
    """A value outside of the enumeration that partners send for `value`."""

    spelling: str
    value: str
    rule: str


@dataclass(frozen=True, slots=True)
class AbsentAs:
    """What a required field is read as if a partner leaves it out, and the rule that allows for it."""

    value: object
    rule: str


def ci(limit: int) -> Text:
    """CiString(limit)."""
    return Text(max=limit, folded=True)


_URL: Final = r"[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#\\]+([/?#][^\s\\]*)?"
_CLOCK_TIME: Final = r"([0-1][0-9]|2[0-3]):[0-5][0-9]"

CountryCode = Annotated[str, ci(2)]  # ISO 3166-1 alpha-2
PartyId = Annotated[str, ci(3)]
Id = Annotated[str, ci(36)]
LongId = Annotated[str, ci(39)]
EvseId = Annotated[str, ci(48)]
Url = Annotated[str, Text(max=255, pattern=_URL)]
CallableUrl = Annotated[str, Text(max=255, pattern=_URL, needed=True)]
"""A URL that we are to call: refused if it is none."""
Language = Annotated[str, Text(max=2, pattern=r"[a-z]{2}")]  # ISO 639-1
Country = Annotated[str, Text(max=3, pattern=r"[A-Z]{3}")]  # ISO 3166-1 alpha-3
Currency = Annotated[str, Text(max=3, pattern=r"[A-Z]{3}")]  # ISO 4217
ClockTime = Annotated[str, Text(max=5, pattern=_CLOCK_TIME)]
LocalDate = Annotated[str, Text(max=10, pattern=r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")]
Latitude = Annotated[str, Coordinate(90, 10)]
Longitude = Annotated[str, Coordinate(180, 11)]
Text45 = Annotated[str, Text(max=45)]
Text64 = Annotated[str, Text(max=64)]
Text255 = Annotated[str, Text(max=255)]
Seconds = Annotated[int, Limits(min=0)]
Percent = Annotated[Decimal, Limits(min=0, max=100)]
DateTime = datetime
"""B7: a point in time with a zone; written in UTC, whole seconds or milliseconds."""


class OcpiObject(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An object on the wire, member names as they are there.

    None and () stand for absent members. `frozen` and `kw_only` are repeated by each definition: type checkers do not inherit
    them. An enumeration is written `Status | str`: a value that a partner sent and that we do not know is kept as it is (B10).
    """

    IDENTITY: ClassVar[tuple[str, ...]] = ()
    """The members that tell objects of this type apart."""

    def broken_rules(self) -> Iterable[Broken]:
        """The rules between fields of this object that do not hold; limits of single fields are checked elsewhere."""
        return ()


def fold(value: str) -> str:
    """The form in which CiStrings are compared (B2); the original spelling is what is kept and sent."""
    return value.casefold()


def same(first: str, second: str) -> bool:
    """Whether two CiStrings are equal (B2)."""
    return fold(first) == fold(second)


def identity(thing: OcpiObject) -> tuple[str, ...]:
    """What tells `thing` from others of its type, folded: look objects up by this (B2, K1, I6)."""
    return tuple(fold(str(getattr(thing, name))) for name in type(thing).IDENTITY)
