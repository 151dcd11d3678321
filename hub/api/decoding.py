"""Hostile input to typed Structs: bodies and query strings, with errors that name the field."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from csms.domain.times import EARLIEST, LATEST
from hub.api.problems import FieldError, Problem

T = TypeVar("T")

MAX_DEPTH: Final = 32
MAX_QUERY: Final = 4096

_anything: Final = msgspec.json.Decoder(float_hook=str)  # a Decimal may be of any size, a float may not
_DATE: Final = re.compile(r"^\d{4}-\d\d-\d\d")
_AT: Final = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_NAMED_FIELD: Final = re.compile(r"^Object (?:missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that the handler reads by itself, of one of the media types that its route takes."""

    content: bytes
    media_type: str


def decode_body(raw: bytes, content_type: str, into: type[T]) -> T:
    """The JSON body as `into`. Raises Problem 400 (not JSON), 415 (not declared as JSON) or 422 (naming the field)."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(415, "unsupported-media-type", "the body must be sent as application/json")
    try:
        body = msgspec.json.decode(raw, type=into)
        _check_text(raw)
    except msgspec.ValidationError as error:
        raise invalid_input(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "malformed-body", f"the body is not valid JSON: {error}") from None
    except RecursionError:
        raise Problem(400, "malformed-body", "the body is nested too deeply") from None
    for field, time in _times(body, ""):
        _check_time(time, field)
    return body


def take_upload(raw: bytes, content_type: str, media_types: Collection[str]) -> Upload:
    """The body as it is. Raises Problem 415 unless it is of one of the media types."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in media_types:
        raise Problem(415, "unsupported-media-type", f"the body must be sent as {' or '.join(media_types)}")
    return Upload(raw, media_type)


def decode_query(raw: bytes, into: type[T]) -> T:
    """The query string as `into`. Unknown, repeated and unreadable parameters are refused by name (422)."""
    if len(raw) > MAX_QUERY:
        raise Problem(414, "query-too-long", f"the query string is longer than {MAX_QUERY} bytes")
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=False, max_num_fields=50, errors="strict")
    except ValueError:
        raise Problem(400, "malformed-query", "the query string cannot be read") from None
    for name, value in pairs:
        if name in found:
            raise _one(name, "given more than once")
        if "\0" in value or "\0" in name:
            raise _one(name.replace("\0", ""), "must not contain a NUL character")
        found[name] = value
    try:
        query = msgspec.convert(found, into, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_input(error) from None
    for name, time in _times(query, ""):
        _check_time(time, name)
        if not _DATE.match(found[name]):  # a lenient conversion takes seconds since 1970 too
            raise _one(name, "is not a date and time of RFC 3339")
    return query


def invalid_input(error: msgspec.ValidationError) -> Problem:
    """The 422 that names the field a validation error is about."""
    matched = _AT.match(str(error))
    message, path = (matched["message"], matched["path"] or "$") if matched else (str(error), "$")
    field = path.removeprefix("$").removeprefix(".")
    named = _NAMED_FIELD.match(message)
    if named:
        field = f"{field}.{named['name']}" if field else named["name"]
        message = "is required" if message.startswith("Object missing") else "is not a known field"
    return _one(field, message)


def _one(field: str, message: str) -> Problem:
    return Problem(422, "invalid-input", "the input is not acceptable", errors=[FieldError(field[:200], message[:500])])


def _check_time(time: datetime, field: str) -> None:
    """Raises Problem 422 for a time outside 1970..2100: near the ends of the calendar no computing with it is safe."""
    try:
        inside = EARLIEST <= time < LATEST
    except OverflowError:  # year 1 or 9999 with an offset that leaves the calendar
        inside = False
    if not inside:
        raise _one(field, "is not a time from 1970 to 2099")


def _times(value: Any, path: str) -> Iterator[tuple[str, datetime]]:
    """(field, time) of every time in a decoded Struct."""
    if isinstance(value, datetime):
        yield path, value
    elif isinstance(value, msgspec.Struct):
        for attribute, name in _fields(type(value)):
            yield from _times(getattr(value, attribute), f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _times(item, f"{path}[{index}]")


@cache  # one entry for each type of body; looking at a type costs more than everything else in a request
def _fields(struct: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """(attribute, name in JSON) of every field."""
    return [(field.name, field.encode_name) for field in msgspec.structs.fields(struct)]


def _check_text(raw: bytes) -> None:
    """PostgreSQL stores no NUL, and nobody needs deep JSON: look closer only where a body could hold either."""
    if b"\\u0000" not in raw and raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    _walk(_anything.decode(raw), "", 1)


def _walk(value: Any, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _one(path, f"is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, str):
        if "\0" in value:
            raise _one(path, "must not contain a NUL character")
    elif isinstance(value, dict):
        for key, item in value.items():
            if "\0" in key:
                raise _one(path, "must not contain a NUL character")
            _walk(item, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _walk(item, f"{path}[{index}]", depth + 1)
