"""Payloads with any number of faults, and what our codec and the published schemas make of them."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from gateway import _native as native
from schemas.tables import version_table
from tests.unit.native.client import catalogue
from tests.unit.schemas.generation import Generator
from tests.unit.schemas.published import PAYLOADS, Payload, expected

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2.0, 2**31, -(2**31) - 1, 10**20, "", "x", "2024-01-01T00:00:00Z", "x" * 60, "x" * 600, [], {},
    [{}], ["x"], {"x": 1}, {"vendorId": "v"}, "Accepted", "Available", "Celcius",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """A payload of an action and both verdicts."""

    payload: Payload
    value: Any
    fault: native.Fault | None
    accepted: bool
    """By the published schema."""


def make(chance: random.Random) -> Judged:
    payload = chance.choice(PAYLOADS)
    table = version_table(payload.version)
    node = table["actions"][payload.action][payload.kind]
    holder = [Generator(table, chance, chance.choice((0.0, 0.2, 0.7))).value(node)]
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        _change(holder, chance)
    return judge(payload, holder[0])


def judge(payload: Payload, value: Any) -> Judged:
    fault = catalogue().validate(*payload, json.dumps(value, ensure_ascii=False).encode())
    return Judged(payload, value, fault, bool(_published(payload).is_valid(value)))


def _change(holder: list[Any], chance: random.Random) -> None:
    """Change one place of the value."""
    place: Any
    place, key = holder, 0
    while isinstance(place[key], dict | list) and place[key] and chance.random() < 0.75:
        place = place[key]
        key = chance.choice(list(place)) if isinstance(place, dict) else chance.randrange(len(place))
    inside = place[key]
    match chance.randrange(6):
        case 0 if place is not holder:
            del place[key]
        case 1 if isinstance(place, dict):
            place[chance.choice((f"{key}X", key.swapcase(), "customData", "x"))] = deepcopy(place[key])
        case 2 if isinstance(inside, list) and inside:
            inside += deepcopy(inside[:1] * chance.choice((1, 3, 50)))
        case 3 if isinstance(inside, dict):
            inside[chance.choice(("x", "customData", "status", "id"))] = deepcopy(chance.choice(_VALUES))
        case 4 if isinstance(inside, int | float) and not isinstance(inside, bool):
            place[key] = chance.choice((float(inside), -inside, 10**12, str(inside)))
        case _:
            place[key] = deepcopy(chance.choice(_VALUES))


@cache
def _published(payload: Payload) -> Validator:
    schema = expected(payload.version)[payload.message]

    def inline(node: Any) -> Any:
        # without references, which jsonschema resolves anew, and slowly, for each payload
        if isinstance(node, list):
            return [inline(member) for member in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            *_, group, name = node["$ref"].split("/")
            return inline(schema[group][name])
        return {key: inline(member) for key, member in node.items() if key != "definitions"}

    made: Validator = validator_for(schema)(inline(schema))
    return made
