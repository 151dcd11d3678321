"""Objects into JSON, and the check of what we send."""

from typing import Any

import msgspec

from schemas.ocpi221.base import OcpiObject, Remark
from schemas.ocpi221.notes import Notes
from schemas.ocpi221.objects import kind_of

# Decimals leave as JSON numbers (B5).
_encoder = msgspec.json.Encoder(decimal_format="number")


def check(thing: OcpiObject) -> tuple[Remark, ...]:
    """All for which `thing` must not be sent: limits of fields, closed enumerations (B10), rules between fields."""
    notes = Notes()
    kind_of(type(thing)).check(thing, notes)
    return tuple(notes.remarks)


def document(thing: OcpiObject) -> dict[str, Any]:
    """`thing` as the JSON encoder takes it: times in UTC, numbers of at most four decimals (P15), absent members left out."""
    wired: dict[str, Any] = kind_of(type(thing)).wire(thing)
    return wired


def write(thing: OcpiObject) -> bytes:
    """`thing` as JSON text. It is not checked here."""
    return _encoder.encode(document(thing))


def encode(documents: Any) -> bytes:
    """What `document` or `reading.parse` gave, or lists and dicts of it, as JSON text."""
    return _encoder.encode(documents)
