"""JSON of partners into objects: lenient, and it says what it forgave."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec

from schemas.ocpi221.base import OcpiObject, Remark
from schemas.ocpi221.notes import Notes, Unreadable
from schemas.ocpi221.objects import kind_of

Thing = TypeVar("Thing", bound=OcpiObject)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_decoder = msgspec.json.Decoder(float_hook=Decimal)


class NotJson(Exception):
    """A body that is not valid JSON: HTTP 400 (S1)."""


class Reading(NamedTuple, Generic[Thing]):
    """An object, and what had to be forgiven for it."""

    value: Thing
    remarks: tuple[Remark, ...]


class Page(NamedTuple, Generic[Thing]):
    """The good objects of a list, each by its index, and the faults of the others (G8)."""

    readings: dict[int, Reading[Thing]]
    faults: dict[int, Unreadable]


def parse(body: bytes) -> Any:
    """The JSON value in `body`, numbers with a fraction as Decimal. A byte order mark is skipped (Z25). Raises NotJson.

    How large a body may be is for the caller to limit.
    """
    try:
        return _decoder.decode(body.removeprefix(_BYTE_ORDER_MARK))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
        raise NotJson("the body is not valid JSON") from None


def read(type_: type[Thing], document: Any, *, fallbacks: Mapping[str, object] | None = None) -> Reading[Thing]:
    """The object in `document`, which `parse` gave.

    Unknown members are dropped with a remark; who relays an object keeps the document itself (B11). `fallbacks` names members
    that are taken as given if absent, such as the `time_zone` of Z23. Raises Unreadable, which names the field.
    """
    notes = Notes()
    thing = cast("Thing", kind_of(type_).read(document, notes, fallbacks))
    return Reading(thing, tuple(notes.remarks))


def read_page(type_: type[Thing], documents: Any, *, fallbacks: Mapping[str, object] | None = None) -> Page[Thing]:
    """The objects of a list: good ones are kept even if others are bad (G8). Raises Unreadable if it is no list."""
    if documents is None:
        documents = []
    if isinstance(documents, dict):
        documents = [documents]  # Z12
    if not isinstance(documents, list):
        raise Unreadable("", "B1", "is not a list")
    page: Page[Thing] = Page({}, {})
    for index, document in enumerate(documents):
        try:
            page.readings[index] = read(type_, document, fallbacks=fallbacks)
        except Unreadable as fault:
            page.faults[index] = fault
    return page
