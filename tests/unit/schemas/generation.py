"""Valid payloads made from the type tables, and every way to change one at a single place: to a limit, or beyond it."""

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.tables import Node, VersionTable, version_table
from tests.unit.schemas.published import PAYLOADS, Payload

# Rows of the table of checks on an inbound frame (OCPP-J rules, section 3).
VALID, FRAME, MISSING, UNKNOWN, TYPE, COUNT, VALUE = 0, 7, 12, 13, 14, 15, 16

_INT32 = (-(2**31), 2**31 - 1)
_LETTERS = "abcXYZ019 -_:@.\u00fc\u20ac\U0001f50c"
_TIMES = ("2024-02-29T23:59:59Z", "2031-01-01T00:00:00.123456+05:30", "1999-12-31T12:00:00.5-11:00")
_LONGEST_LIST = 8
_LONGEST_TEXT = 3000


@dataclass(frozen=True, slots=True)
class Case:
    """A payload with the row of the check that refuses it (VALID: none).

    `change` tells what is special about it, and `path` where that is, as a JSON pointer. `explained` names the entry of
    `explained_differences.EVERYWHERE` for which JSON Schema decides otherwise.
    """

    payload: Payload
    row: int
    change: str
    path: str
    value: Any
    explained: str | None = None

    def text(self) -> bytes:
        return msgspec.json.encode(self.value)


def cases(version: str, seed: int, *, valid: int, changed: int) -> Iterator[Case]:
    """For every payload of a version: `valid` valid values, and each single change of `changed` of them: of the smallest one,
    of the fullest one and of random ones."""
    chance = random.Random(seed)
    for payload in (payload for payload in PAYLOADS if payload.version == version):
        table = version_table(payload.version)
        root = table["actions"][payload.action][payload.kind]
        assert root is not None, payload
        shares = [0.0, 1.0, *(chance.random() for _ in range(valid - 2))]
        values = [Generator(table, chance, share).value(root) for share in shares]
        for value in values:
            yield Case(payload, VALID, "none", "", value)
        required = [field["name"] for field in root["fields"] if field["required"]]
        if required:
            yield Case(payload, MISSING, "null for the payload", f"/{required[0]}", None)
        else:
            yield Case(payload, VALID, "null for the payload", "", None, "null")
        for value in values[:changed]:
            yield from _changed(payload, table, root, value)


@dataclass(frozen=True, slots=True)
class Generator:
    """Makes valid values; `share` is the share of optional members that are present."""

    table: VersionTable
    chance: random.Random
    share: float

    def value(self, node: Node) -> Any:
        match node["t"]:
            case "ref":
                return self.value(self.table["types"][node["name"]])
            case "object":
                return self._object(node)
            case "array":
                least = node.get("min", 0)
                most = min(node.get("max", _LONGEST_LIST), least + self.chance.choice((0, 0, 1, 2)))
                return [self.value(node["items"]) for _ in range(most)]
            case "string":
                return self._string(node)
            case "integer":
                least, most = node.get("min", _INT32[0]), node.get("max", _INT32[1])
                return self.chance.choice((least, most, self.chance.randint(max(least, -9), min(most, 999))))
            case "number":
                choices = (0, -7, 16.5, 230, 0.25, 123456.789012)
                least, most = node.get("min", -math.inf), node.get("max", math.inf)
                return self.chance.choice([number for number in choices if least <= number <= most])
            case "boolean":
                return self.chance.random() < 0.5
            case "any":
                return self.chance.choice(("text", 5, 1.5, False, ["a", {"b": None}], {"nested": {"list": [1, None]}}))
        raise AssertionError(node)

    def _object(self, node: Node) -> dict[str, Any]:
        members = [
            (field["name"], self.value(field["type"]))
            for field in node["fields"]
            if field["required"] or self.chance.random() < self.share
        ]
        if node["custom_data"] and self.chance.random() < self.share / 2:
            members.append(("customData", {"vendorId": "org.example", "extra": {"any": [1, "two", None]}}))
        self.chance.shuffle(members)
        return dict(members)

    def _string(self, node: Node) -> str:
        if "enum" in node:
            choice: str = self.chance.choice(node["enum"])
            return choice
        match node.get("format"):
            case "date-time":
                return self.chance.choice(_TIMES)
            case "uri":
                return "https://example.org/files/a%20b?c=d"
        most = node.get("max", 60)
        length = self.chance.choice((0, 1, min(most, 12), most if most <= _LONGEST_TEXT else 40))
        return "".join(self.chance.choices(_LETTERS, k=length))


def _changed(payload: Payload, table: VersionTable, root: Node, value: Any) -> Iterator[Case]:
    """Every single change of `value`."""
    holder = {"value": value}

    def replace(new: Any) -> None:
        holder["value"] = new

    for change, path, row, explained in _changes(table, root, value, replace, ""):
        whole = holder["value"]
        if whole is None:
            continue  # null for a whole payload is a case of its own
        row = row if isinstance(whole, dict) else FRAME
        yield Case(payload, row, change, path, msgspec.json.decode(msgspec.json.encode(whole)), explained)


Change = tuple[str, str, int, str | None]


def _changes(table: VersionTable, node: Node, value: Any, put: Callable[[Any], None], path: str) -> Iterator[Change]:
    """Puts each other value in place, yields what is special about it, and puts the first one back."""
    if node["t"] == "ref":
        node = table["types"][node["name"]]
    for name, row, other, explained in _replacements(node, value):
        put(other)
        yield name, path, row, explained
    put(value)
    if node["t"] == "object":
        yield from _member_changes(table, node, value, path)
    elif node["t"] == "array":
        for index, element in enumerate(value[:2]):
            yield from _changes(table, node["items"], element, _setter(value, index), f"{path}/{index}")


_CUSTOM_DATA: tuple[tuple[str, str, int, Any], ...] = (
    ("without vendorId", "/customData/vendorId", MISSING, {"other": 1}),
    ("a list", "/customData", TYPE, []),
    ("null", "/customData", TYPE, None),
    ("a number", "/customData/vendorId", TYPE, {"vendorId": 1}),
    ("null", "/customData/vendorId", TYPE, {"vendorId": None}),
    ("too long", "/customData/vendorId", VALUE, {"vendorId": "v" * 256}),
    ("at the limit", "/customData/vendorId", VALID, {"vendorId": "v" * 255}),
)


def _member_changes(table: VersionTable, node: Node, value: dict[str, Any], path: str) -> Iterator[Change]:
    for extra in _extra_members(node):
        value[extra] = 1
        yield "extra member", f"{path}/{extra}", UNKNOWN, None
        del value[extra]
    if node["custom_data"]:
        custom = value.get("customData")
        for name, at, row, other in _CUSTOM_DATA:
            value["customData"] = other
            yield name, path + at, row, None
        if custom is None:
            del value["customData"]
        else:
            value["customData"] = custom
    for field in node["fields"]:
        name = field["name"]
        if name not in value:
            continue
        if field["required"]:
            present = value.pop(name)
            yield "missing", f"{path}/{name}", MISSING, None
            value[name] = present
        yield from _changes(table, field["type"], value[name], _setter(value, name), f"{path}/{name}")


def _extra_members(node: Node) -> Iterator[str]:
    """Names that are not there: one of its own, and one that is there in another case."""
    names = {field["name"] for field in node["fields"]}
    yield "noSuchMember"
    yield from [upper for name in names if (upper := name[0].upper() + name[1:]) not in names][:1]
    if not node["custom_data"]:
        yield "customData"


def _setter(holder: Any, key: Any) -> Callable[[Any], None]:
    def put(value: Any) -> None:
        holder[key] = value

    return put


_OTHER_TYPES: dict[str, tuple[Any, ...]] = {
    "object": ([], "text", None),
    "array": ({}, "text", None),
    "string": (7, True, {}, None),
    "integer": ("7", 1.5, True, None),
    "number": ("1.5", False, [], None),
    "boolean": ("true", 1, None),
    "any": (),
}


_FORMS: dict[str, tuple[tuple[int, str, str | None], ...]] = {
    "date-time": (
        (VALID, "2016-12-31t23:59:60z", None),
        (VALID, "2024-02-29T00:00:00.123456789012-23:59", None),
        (VALID, "2024-01-01T00:00:00", "no zone"),
        (VALID, "2024-06-01T10:00:60Z", "second 60"),
        (VALUE, "", None),
        (VALUE, "now", None),
        (VALUE, "2024-01-01", None),
        (VALUE, "2023-02-29T00:00:00Z", None),
        (VALUE, "2024-01-01T24:00:00Z", None),
        (VALUE, "2024-01-01 00:00:00Z", None),
        (VALUE, "2024-01-01T00:00:00+0100", None),
        (VALUE, f"2024-01-01T00:00:00.{'0' * 64}Z", "long time"),
    ),
    "uri": (
        (VALID, "urn:x:y", None),
        (VALUE, "x:", "empty URI"),
        (VALUE, "", None),
        (VALUE, "//example.org/a", None),
        (VALUE, "http://example.org/a b", None),
        (VALUE, "http://example.org/%zz", None),
    ),
}


def _replacements(node: Node, value: Any) -> Iterator[tuple[str, int, Any, str | None]]:
    for other in _OTHER_TYPES[node["t"]]:
        yield f"{json.dumps(other)} for {node['t']}", TYPE, other, None
    match node:
        case {"t": "array"}:
            least, most = node.get("min", 0), node.get("max")
            yield "fewest elements", VALID, value[:least], None
            if least:
                yield "too few elements", COUNT, value[: least - 1], None
            if most is not None and value:
                yield "most elements", VALID, value[:1] * most, None
                yield "too many elements", COUNT, value[:1] * (most + 1), None
        case {"t": "string", "enum": [first, *_] as values}:
            yield "last of the enumeration", VALID, values[-1], None
            yield "outside the enumeration", VALUE, "noSuchValue", None
            yield "empty text for an enumeration", VALUE, "", None
            yield "blank after a value of the enumeration", VALUE, f"{first} ", None
            if first.swapcase() not in values:
                yield "enumeration value in other case", VALUE, first.swapcase(), None
        case {"t": "string", "format": form}:
            for row, text, explained in _FORMS[form]:
                yield f"{text!r} for {form}", row, text, explained
        case {"t": "string", "max": most}:
            yield "empty", VALID, "", None
            yield "at the limit", VALID, "\U0001f50c" * most, None
            yield "too long", VALUE, "\U0001f50c" * (most + 1), None
        case {"t": "integer"}:
            least, most = node.get("min", _INT32[0]), node.get("max", _INT32[1])
            yield "least of the range", VALID, least, None
            yield "most of the range", VALID, most, None
            yield "below the range", VALUE, least - 1, None
            yield "above the range", VALUE, most + 1, None
            yield "fraction of zero", TYPE, float(least), "2.0"
        case {"t": "number"}:
            if "min" in node:
                yield "below the range", VALUE, node["min"] - 0.5, None
            if "max" in node:
                yield "above the range", VALUE, node["max"] + 0.5, None
