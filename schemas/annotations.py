"""Limits and formats of fields, written into the types as `Annotated[...]`.

msgspec ignores them on purpose: the native codec, whose tables are derived from them (`schemas.tables`), has checked
the bytes before a handler decodes them, and a tenant in tolerant mode must still be able to decode a text that is too
long.
"""

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string of at most `max` Unicode code points."""

    max: int


@dataclass(frozen=True, slots=True)
class DateTime:
    """A string in the form of RFC 3339 `date-time`; the domain parses it, since stations send absurd but valid ones."""


@dataclass(frozen=True, slots=True)
class Uri:
    """A string in the form of an absolute URI (RFC 3986)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list of `min` to `max` elements; None sets no upper limit."""

    min: int = 0
    max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A number of `min` to `max`; None leaves the limit of a signed 32-bit integer, or none for a decimal."""

    min: int | None = None
    max: int | None = None


DateTimeString = Annotated[str, DateTime()]
UriString = Annotated[str, Uri()]
