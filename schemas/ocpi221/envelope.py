"""The envelope of every answer, and its status codes (OCPI 2.2.1, transport and status codes)."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

from schemas.ocpi221.base import Limits, OcpiObject, Remark, Text
from schemas.ocpi221.instants import write_instant
from schemas.ocpi221.notes import Notes, Unreadable
from schemas.ocpi221.reading import NotJson, parse
from schemas.ocpi221.scalars import InstantKind, IntegerKind, TextKind
from schemas.ocpi221.writing import document, encode


class StatusCode(IntEnum):
    """What came of a request."""

    SUCCESS = 1000
    CLIENT_ERROR = 2000
    INVALID_PARAMETERS = 2001
    NOT_ENOUGH_INFORMATION = 2002
    UNKNOWN_LOCATION = 2003
    UNKNOWN_TOKEN = 2004
    SERVER_ERROR = 3000
    UNABLE_TO_USE_CLIENT_API = 3001
    UNSUPPORTED_VERSION = 3002
    NO_MATCHING_ENDPOINTS = 3003
    HUB_ERROR = 4000
    HUB_UNKNOWN_RECEIVER = 4001
    HUB_TIMEOUT = 4002
    HUB_CONNECTION_PROBLEM = 4003


_LONGEST_MESSAGE: Final = 1000
_STATUS: Final = IntegerKind(Limits(min=1000, max=4999))
_MESSAGE: Final = TextKind(Text(max=_LONGEST_MESSAGE), None)
_INSTANT: Final = InstantKind()


class NoEnvelope(Exception):
    """An answer without an envelope that can be read: a failure, whatever its HTTP status (S6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A partner's answer. `data` is as JSON held it, None if absent; `remarks` is what had to be forgiven for the rest."""

    status_code: int
    status_message: str | None
    timestamp: datetime | None
    data: Any
    remarks: tuple[Remark, ...]

    @property
    def successful(self) -> bool:
        """S6: whether the code is one of 1xxx."""
        return is_success(self.status_code)


def is_success(status_code: int) -> bool:
    """S6: only 1xxx is success."""
    return 1000 <= status_code < 2000


def write_envelope(
    timestamp: datetime, data: Any = None, *, status_code: int = StatusCode.SUCCESS, status_message: str | None = None
) -> bytes:
    """The body of an answer: `data` is an object, a list or tuple of them, JSON values as `parse` gave them, or None for no data.

    An empty list is written: it is what a list without any object is answered with.
    """
    body: dict[str, Any] = {}
    if data is not None:
        body["data"] = _wired(data)
    body["status_code"] = int(status_code)
    if status_message is not None:
        body["status_message"] = status_message[:_LONGEST_MESSAGE]
    body["timestamp"] = write_instant(timestamp)
    return encode(body)


def read_envelope(body: bytes) -> Envelope:
    """The envelope in `body`. A code that is a string and an odd or missing timestamp are forgiven. Raises NoEnvelope."""
    try:
        value = parse(body)
    except NotJson as error:
        raise NoEnvelope(str(error)) from None
    if not isinstance(value, dict):
        raise NoEnvelope("the answer is not an object")
    notes = Notes()
    notes.trail.append("status_code")
    try:
        status_code = _STATUS.read(value.get("status_code"), notes)
    except Unreadable as fault:
        raise NoEnvelope(str(fault)) from None
    message = _tolerated(_MESSAGE, "status_message", value, notes)
    timestamp = _tolerated(_INSTANT, "timestamp", value, notes)
    if timestamp is None:
        notes.remark("S6", "is missing or no date and time")
    return Envelope(
        status_code=status_code,
        status_message=message,
        timestamp=timestamp,
        data=value.get("data"),
        remarks=tuple(notes.remarks),
    )


def _tolerated(kind: TextKind | InstantKind, name: str, value: dict[str, Any], notes: Notes) -> Any:
    """A member without which the answer can be used: None if it cannot be read."""
    notes.trail[:] = [name]
    if value.get(name) is None:
        return None
    try:
        return kind.read(value[name], notes)
    except Unreadable as fault:
        notes.remark(fault.rule, fault.text)
        return None


def _wired(data: Any) -> Any:
    if isinstance(data, OcpiObject):
        return document(data)
    if isinstance(data, list | tuple):
        return [_wired(item) for item in data]
    return data
