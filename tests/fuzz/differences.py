"""Where our codec differs from `wsproto`, `orjson` and the published schemas on purpose. Anything else is a defect.

Each difference has its reason and a predicate that is as narrow as it can be; the tests also demand that each one occurs, so
that the list cannot go stale.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fuzz.payloads import Judged, judge
from tests.fuzz.streams import BINARY, CLOSE, LIMIT, PING, PONG, RSV1, TEXT, Told, compressed_messages, headers

_TAIL = b"\x00\x00\xff\xff"
"""Added to each compressed message before it is inflated."""


@dataclass(frozen=True, slots=True)
class StreamDifference:
    """`holds(data, ours, theirs)`: this explains why the two tell different things about a stream."""

    name: str
    reason: str
    holds: Callable[[bytes, list[Told], list[Told]], bool]


def _common(ours: list[Told], theirs: list[Told]) -> int:
    """How many things both tell in the same way before they differ."""
    for index, (a, b) in enumerate(zip(ours, theirs, strict=False)):
        if a != b:
            return index
    return min(len(ours), len(theirs))


def _failed_here(told: list[Told], at: int, code: int) -> bool:
    """The first thing told differently is a failure with this code."""
    return told[at:] == [("failed", code)]


def _binary(data: bytes, ours: list[Told], theirs: list[Told]) -> bool:
    return _failed_here(ours, _common(ours, theirs), 1003) and any(header.opcode == BINARY for header in headers(data))


def _too_big(data: bytes, ours: list[Told], theirs: list[Told]) -> bool:
    at = _common(ours, theirs)
    length = sum(header.length for header in headers(data) if header.opcode in (0, TEXT))
    compressed = any(header.first & RSV1 for header in headers(data))
    return _failed_here(ours, at, 1009) and (compressed or length > LIMIT)


def _text_judged_whole(data: bytes, ours: list[Told], theirs: list[Told]) -> bool:
    at = _common(ours, theirs)
    later = ours[at:]
    # pings and pongs inside the message, and then its end, another fault, or nothing
    while later and later[0][0] in ("ping", "pong"):
        later = later[1:]
    return _failed_here(theirs, at, 1007) and (not later or later[0][0] in ("failed", "closed"))


def _control_between_compressed(data: bytes, ours: list[Told], theirs: list[Told]) -> bool:
    at = _common(ours, theirs)
    if theirs[at : at + 1] and theirs[at][0] not in ("text", "failed"):
        return False
    compressed = open_message = False
    for header in headers(data):
        if header.opcode in (PING, PONG) and open_message and compressed:
            return True
        if header.opcode < 8:
            compressed = bool(header.first & RSV1) if header.opcode else compressed
            open_message = not header.first & 0x80
    return False


def _close_1014(data: bytes, ours: list[Told], theirs: list[Told]) -> bool:
    at = _common(ours, theirs)
    told = any(header.opcode == CLOSE and header.payload[:2] == (1014).to_bytes(2) for header in headers(data))
    return told and _failed_here(theirs, at, 1002) and ours[at:] in ([("closed", 1014)], [("failed", 1007)])


def _after_a_final_block(data: bytes, ours: list[Told], theirs: list[Told]) -> bool:
    return any(_goes_on_after_final(payload) for payload in compressed_messages(data))


def _goes_on_after_final(payload: bytes) -> bool:
    machine = zlib.decompressobj(-15)
    try:
        machine.decompress(payload + _TAIL)
    except zlib.error:
        return False
    return machine.eof and machine.unused_data not in (_TAIL, b"\x00" + _TAIL)


def _frame_just_begun(data: bytes, ours: list[Told], theirs: list[Told]) -> bool:
    *_, last = headers(data)
    begun = not last.complete or (last.length > 0 and not last.payload)
    return begun and (theirs == [*ours, ("failed", 1002)] or ours == [*theirs, ("failed", 1002)])


STREAMS: tuple[StreamDifference, ...] = (
    StreamDifference("binary", "OCPP has text only: a binary frame is refused with 1003 at its header", _binary),
    StreamDifference("too big", "messages have a limit (1009); wsproto has none", _too_big),
    StreamDifference(
        "text judged whole",
        "wsproto decodes and inflates what has come of a message; we judge it when it is complete (RFC 6455 8.1 allows both)",
        _text_judged_whole,
    ),
    StreamDifference(
        "control frame between compressed fragments",
        "wsproto forgets that the message is compressed when a control frame comes in between",
        _control_between_compressed,
    ),
    StreamDifference("close 1014", "wsproto does not know the code 1014, which is registered with IANA", _close_1014),
    StreamDifference(
        "blocks after a final block",
        "wsproto drops what follows a final block; we read it as the next stream (RFC 7692 section 7.2.3.4), right or wrong",
        _after_a_final_block,
    ),
    StreamDifference(
        "frame just begun",
        "a header is judged when all of it is there; wsproto judges some of it after two bytes, and the rest with the payload",
        _frame_just_begun,
    ),
)


@dataclass(frozen=True, slots=True)
class TextDifference:
    """`holds(text)`: this explains why we refuse what `orjson` accepts. The other way round nothing is explained."""

    name: str
    reason: str
    holds: Callable[[bytes], bool]


_DEPTH, _KEYS, _ITEMS, _DIGITS = 31, 1_000, 10_000, 40
"""Limits of the codec; a payload stands one level deep in its frame."""


class _Facts:
    """What a text has that only we refuse, found by the standard library's parser."""

    def __init__(self, text: bytes) -> None:
        self.duplicate = self.nul = False
        self.depth = self.keys = self.items = self.digits = 0
        self.out_of_range = False
        value = json.loads(text, object_pairs_hook=self._object, parse_int=self._number, parse_float=self._number)
        self._walk(value, 0)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        self.duplicate |= len(set(names)) < len(names)
        self.keys = max(self.keys, len(names))
        return {str(index): pair for index, pair in enumerate(pairs)}  # every pair is kept, also under equal names

    def _number(self, text: str) -> float:
        self.digits = max(self.digits, len(text))
        _, _, exponent = text.lower().partition("e")
        self.out_of_range |= bool(exponent) and (abs(int(exponent)) > 308 or float(text) in (float("inf"), float("-inf")))
        return 0.0

    def _walk(self, value: Any, depth: int) -> None:
        if isinstance(value, str):
            self.nul |= "\0" in value
        elif isinstance(value, dict | list):
            self.depth = max(self.depth, depth + 1)
            if isinstance(value, list):
                self.items = max(self.items, len(value))
            for member in value.values() if isinstance(value, dict) else value:
                if isinstance(value, dict):
                    self.nul |= "\0" in member[0]
                    member = member[1]
                self._walk(member, depth + 1)


TEXTS: tuple[TextDifference, ...] = (
    TextDifference("duplicate name", "parsers disagree on which of two equal names counts", lambda text: _Facts(text).duplicate),
    TextDifference("NUL", "PostgreSQL cannot store it in text", lambda text: _Facts(text).nul),
    TextDifference(
        "depth", "nesting is limited to 32 levels, the frame's own among them", lambda text: _Facts(text).depth > _DEPTH
    ),
    TextDifference("members", "an object has at most 1,000 members", lambda text: _Facts(text).keys > _KEYS),
    TextDifference("elements", "a list has at most 10,000 elements", lambda text: _Facts(text).items > _ITEMS),
    TextDifference("long number", "a number has at most 40 characters", lambda text: _Facts(text).digits > _DIGITS),
    TextDifference(
        "exponent",
        "beyond what doubles and PostgreSQL's numeric both hold: exponents of at most 308",
        lambda text: _Facts(text).out_of_range,
    ),
)


@dataclass(frozen=True, slots=True)
class PayloadDifference:
    """`holds(judged)`: this explains why codec and published schema decide differently about a payload."""

    name: str
    reason: str
    holds: Callable[[Judged], bool]


def _whole_numbers(value: Any) -> Any:
    """The value with 2 in the place of 2.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole_numbers(member) for member in value]
    if isinstance(value, dict):
        return {name: _whole_numbers(member) for name, member in value.items()}
    return value


def _fraction_of_zero(judged: Judged) -> bool:
    again = judge(judged.payload, _whole_numbers(judged.value))
    return judged.fault is not None and judged.accepted and (again.fault is None or again.fault.rule == "format")


PAYLOADS: tuple[PayloadDifference, ...] = (
    PayloadDifference(
        "form",
        "validators do not assert `format`; we do, for dateTime, URI and identifier",
        lambda judged: judged.accepted and judged.fault is not None and judged.fault.rule == "format",
    ),
    PayloadDifference("2.0", "JSON Schema takes 2.0 for an integer; OCPP's integers have no fraction (F5)", _fraction_of_zero),
    PayloadDifference(
        "null", "null counts as an empty payload (F1)", lambda judged: judged.value is None and judge(judged.payload, {}).accepted
    ),
)
