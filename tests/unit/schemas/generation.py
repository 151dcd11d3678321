"""Valid payloads made from the type tables, and every way to break one at a single place."""

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from schemas.tables import Node, VersionTable, version_table
from tests.unit.schemas.published import PAYLOADS, Payload

# Rows of the table of checks on an inbound frame (OCPP-J rules, section 3).
VALID, FRAME, MISSING, UNKNOWN, TYPE, COUNT, VALUE = 0, 7, 12, 13, 14, 15, 16

_INT32 = (-(2**31), 2**31 - 1)
_LETTERS = "abcXYZ019 -_:@.\u00fc\u20ac\U0001f50c"
_TIMES = ("2024-02-29T23:59:59Z", "2031-01-01T00:00:00.123456+05:30", "1999-12-31T12:00:00.5-11:00")
_LONGEST_LIST = 8
_LONGEST_FAULTY_LIST = 100
_LONGEST_TEXT = 3000


@dataclass(frozen=True, slots=True)
class Case:
    """A payload with the row of the check that refuses it (VALID: none).

    `formal` marks a broken `format`, which JSON Schema validators do not assert.
    """

    payload: Payload
    row: int
    fault: str
    value: Any
    formal: bool = False

    def text(self) -> bytes:
        return json.dumps(self.value, ensure_ascii=False).encode()


def cases(version: str, seed: int, *, valid: int, broken: int) -> Iterator[Case]:
    """For every payload of a version: `valid` valid values, and each single fault of `broken` of them: of the smallest one,
    of the fullest one and of random ones."""
    chance = random.Random(seed)
    for payload in (payload for payload in PAYLOADS if payload.version == version):
        table = version_table(payload.version)
        root = table["actions"][payload.action][payload.kind]
        assert root is not None, payload
        shares = [0.0, 1.0, *(chance.random() for _ in range(valid - 2))]
        values = [Generator(table, chance, share).value(root) for share in shares]
        for value in values:
            yield Case(payload, VALID, "none", value)
        for value in values[:broken]:
            yield from _broken(payload, table, root, value)


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


def _broken(payload: Payload, table: VersionTable, root: Node, value: Any) -> Iterator[Case]:
    """Every single fault of `value`; each case shares the one object, changed while it is looked at."""
    holder = {"value": value}

    def replace(new: Any) -> None:
        holder["value"] = new

    for fault, row, formal in _faults(table, root, value, replace, ""):
        whole = holder["value"]
        if whole is None:
            continue  # null for a whole payload stands for an empty object
        row = row if isinstance(whole, dict) else FRAME
        yield Case(payload, row, fault, json.loads(json.dumps(whole)), formal)


Fault = tuple[str, int, bool]


def _faults(table: VersionTable, node: Node, value: Any, put: Callable[[Any], None], path: str) -> Iterator[Fault]:
    """Puts each faulty value in place, yields what is wrong with it, and puts the right one back."""
    if node["t"] == "ref":
        node = table["types"][node["name"]]
    for name, row, faulty, formal in _replacements(node, value):
        put(faulty)
        yield f"{name} at {path or '/'}", row, formal
    put(value)
    if node["t"] == "object":
        yield from _member_faults(table, node, value, path)
    elif node["t"] == "array":
        for index, element in enumerate(value[:2]):
            yield from _faults(table, node["items"], element, _setter(value, index), f"{path}/{index}")


def _member_faults(table: VersionTable, node: Node, value: dict[str, Any], path: str) -> Iterator[Fault]:
    value["noSuchMember"] = 1
    yield f"extra member in {path or '/'}", UNKNOWN, False
    del value["noSuchMember"]
    if node["custom_data"]:
        custom = value.get("customData")
        for name, row, faulty in (
            ("customData without vendorId", MISSING, {"other": 1}),
            ("customData is a list", TYPE, []),
            ("vendorId is a number", TYPE, {"vendorId": 1}),
            ("vendorId too long", VALUE, {"vendorId": "v" * 256}),
        ):
            value["customData"] = faulty
            yield f"{name} in {path or '/'}", row, False
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
            yield f"missing {path}/{name}", MISSING, False
            value[name] = present
        yield from _faults(table, field["type"], value[name], _setter(value, name), f"{path}/{name}")


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


def _replacements(node: Node, value: Any) -> Iterator[tuple[str, int, Any, bool]]:
    for other in _OTHER_TYPES[node["t"]]:
        yield f"{json.dumps(other)} for {node['t']}", TYPE, other, False
    match node:
        case {"t": "array"}:
            least, most = node.get("min", 0), node.get("max")
            if least:
                yield "too few elements", COUNT, value[: least - 1], False
            if most is not None and most <= _LONGEST_FAULTY_LIST:
                yield "too many elements", COUNT, [value[0]] * (most + 1), False
        case {"t": "string", "enum": [first, *_]}:
            yield "outside the enumeration", VALUE, "noSuchValue", False
            yield "empty text for an enumeration", VALUE, "", False
            if first.swapcase() not in node["enum"]:
                yield "enumeration value in other case", VALUE, first.swapcase(), False
        case {"t": "string", "format": str()}:
            yield "bad form", VALUE, "not in this form", True
        case {"t": "string", "max": most}:
            yield "too long", VALUE, "\U0001f50c" * (most + 1), False
        case {"t": "integer"}:
            yield "below the range", VALUE, node.get("min", _INT32[0]) - 1, False
            yield "above the range", VALUE, node.get("max", _INT32[1]) + 1, False
        case {"t": "number"}:
            if "min" in node:
                yield "below the range", VALUE, node["min"] - 0.5, False
            if "max" in node:
                yield "above the range", VALUE, node["max"] + 0.5, False
