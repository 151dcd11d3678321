"""Harmless deviations that are accepted in every mode, found where handling a message met them anyway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from csms.domain.times import deviations
from csms.domain.tolerance import Relaxation, counted_path


def take_deviations(ocpp_version: str, action: str, payload: bytes) -> tuple[Relaxation, ...]:
    """What was noted about the times of this message, once per place and rule. What is not in it is of another, and dropped."""
    noted: dict[str, set[str]] = {}
    for text, rule in deviations:
        noted.setdefault(text, set()).add(rule)
    deviations.clear()
    found = {(path, rule) for path, text in _texts(msgspec.json.decode(payload), "") for rule in noted.get(text, ())}
    return tuple(Relaxation("call", ocpp_version, action, path, rule, "always") for path, rule in sorted(found))


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """(path as it is counted, text) of every text; the codec has bounded the depth."""
    if isinstance(value, str):
        yield counted_path(path), value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _texts(member, f"{path}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}/{index}")
