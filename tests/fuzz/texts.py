"""JSON texts, mostly right, and what our codec and `orjson` make of them as the payload of a DataTransfer."""

from __future__ import annotations

import json
import random
import string

import orjson

from tests.unit.native.client import catalogue

VERSION = "ocpp2.0.1"

_LEAVES = (
    "null", "true", "false", "0", "-0", "-1", "1.5", "1e5", "1E-7", "2147483648", "-9223372036854775809", "18446744073709551616",
    '""', '"text"', '"\\u00fc"', '"\\ud83d\\udd0c"', '"ü€🔌"', '"\\n\\"\\\\\\/"', "[]", "{}",
)  # fmt: skip
_NASTY = (
    "1e400", "-1e400", "1e-400", "1e308", "1e309", "1e-309", "1e-2147483648", "1e99999999999", "0e999", "1.0e-308",
    "1" + "0" * 39, "1" + "0" * 40, "0." + "1" * 60, "01", "+1", ".5", "1.", "1e", "0x1", "NaN", "Infinity",
    "-Infinity", "nul", "True",
    '"\\u0000"', '"\\ud800"', '"\\udc00"', '"\\ud800\\ud800"', '"\\ud83dx"', '"\\x41"', '"\\u12g4"', '"\x01"', '"\x00"', '"\x7f"',
    "'x'", '"open', "[1,]", "[,]", "[1 2]", '{"a":1,}', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"":1,"":2}', "{a:1}",
    '{"a"}', '{1:2}',
    "// c", "/**/", "\ufeff", "\u00a0", "\u2028", "\x0b", "\x00", "]", "}", ",", ":", "[[", "{}{}",
)  # fmt: skip


def make(chance: random.Random) -> bytes:
    """A payload; what is random stands in its `data`, which may be any JSON."""
    text = _value(chance, 0).encode()
    if chance.random() < 0.5:
        damaged = bytearray(text)
        for _ in range(chance.randint(1, 3)):
            _damage(damaged, chance)
        text = bytes(damaged)
    return b'{"vendorId":"v","data":' + text + b"}"


def _value(chance: random.Random, depth: int) -> str:
    space = chance.choice(("", "", "", " ", "\n\t"))
    match chance.randrange(10):
        case 0 | 1 if depth < 4:
            return space + "[" + ",".join(_value(chance, depth + 1) for _ in range(chance.randint(0, 4))) + space + "]"
        case 2 | 3 if depth < 4:
            members = (f'"{_name(chance)}"{space}:{_value(chance, depth + 1)}' for _ in range(chance.randint(0, 4)))
            return space + "{" + ",".join(members) + space + "}"
        case 4 if chance.random() < 0.3:
            levels = chance.choice((20, 28, 29, 30, 31, 32, 40))
            begin, end = chance.choice((("[", "]"), ('{"a":', "}")))
            return begin * levels + "0" + end * levels
        case 5 if chance.random() < 0.02:
            return "[" + ",".join("0" for _ in range(chance.choice((9_999, 10_000, 10_001)))) + "]"
        case 6 if chance.random() < 0.05:
            return "{" + ",".join(f'"{n}":0' for n in range(chance.choice((999, 1_000, 1_001)))) + "}"
        case 7:
            digits = "".join(chance.choices(string.digits, k=chance.choice((1, 5, 17, 20, 38, 39, 40, 41, 60))))
            return (
                chance.choice(("", "-"))
                + (digits.lstrip("0") or "0")
                + chance.choice(("", "", ".5", "e3", "E+30", "e-300", "e308"))
            )
        case 8:
            return chance.choice(_NASTY)
        case 9:
            return json.dumps("".join(chr(chance.choice((34, 92, 9, 97, 0xE9, 0x20AC, 0x1F50C))) for _ in range(6)))
    return chance.choice(_LEAVES)


def _name(chance: random.Random) -> str:
    return chance.choice(("a", "b", "c", "", "name", "\\u0061", "ü", "\\u00fc"))


def _damage(text: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(text) + 1)
    match chance.randrange(5):
        case 0 if at < len(text):
            text[at] ^= 1 << chance.randrange(8)
        case 1:
            text[at:at] = chance.choice(_NASTY).encode()
        case 2:
            del text[at : at + chance.randint(1, 3)]
        case 3:
            text[at:at] = bytes([chance.choice((0, 9, 10, 13, 31, 32, 34, 44, 58, 91, 92, 93, 123, 125, 128, 0xC0, 0xED, 0xFF))])
        case _:
            text[at:at] = text[at : at + chance.randint(1, 20)]


def ours(text: bytes) -> bool:
    """Whether the codec takes it for JSON."""
    fault = catalogue().validate(VERSION, "DataTransfer", "request", text)
    return fault is None or fault.row > 2


def theirs(text: bytes) -> bool:
    """Whether `orjson` does, and finds an object."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
