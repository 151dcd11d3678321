"""Takes out of a message what breaks its schema, as far as somebody allows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec

from csms.domain.tolerance import ToleranceRule

if TYPE_CHECKING:
    from gateway._native import Catalogue, Fault

_FEWEST_ROUNDS: Final = 8
_MOST_ROUNDS: Final = 64
_MOST_BYTES: Final = 512 * 1024
"""Bytes that are validated for one message, at least eight rounds: a message with many faults must not hold up others."""

_FIRST_ROW: Final = 12
"""Faults of an earlier row of the table in section 3 are not in a member: nothing could be taken out."""
_MISSING: Final = 12
"""The row of a required member that is not there: the object that lacks it has to go."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Allowance(NamedTuple):
    """A fault may be forgiven: by a rule, or (None) by the tenant's mode."""

    rule: ToleranceRule | None


class Removal(NamedTuple):
    """What was taken out and why."""

    fault: Fault
    allowance: Allowance


Allow = Callable[[tuple[str, ...]], Allowance | None]
"""Whether the fault at these paths is forgiven: where the schema is broken, and what would have to go."""


def spare(
    catalogue: Catalogue,
    version: str,
    action: str,
    kind: Literal["request", "response"],
    payload: bytes,
    essential: tuple[str, ...],
    allow: Allow,
) -> tuple[bytes, list[Removal]] | None:
    """The payload without the members that break its schema, and what was taken out; None when it cannot be spared.

    Nothing `essential` (JSON pointers), nor what holds it, is ever taken out.
    """
    removals: list[Removal] = []
    tree = None
    rounds = min(_MOST_ROUNDS, max(_FEWEST_ROUNDS, _MOST_BYTES // max(1, len(payload))))
    for _ in range(rounds):
        fault = catalogue.validate(version, action, kind, payload)
        if fault is None:
            # without a fault in a member the message was refused for another reason, such as its direction
            return (payload, removals) if removals else None
        if fault.row < _FIRST_ROW:
            return None
        path = fault.path.rpartition("/")[0] if fault.row == _MISSING else fault.path
        if not path or any(vital == path or vital.startswith(f"{path}/") for vital in essential):
            return None
        allowance = allow((fault.path,) if path == fault.path else (fault.path, path))
        if allowance is None:
            return None
        if tree is None:
            # numbers as they were sent: meter values are never floats
            tree = json.loads(payload, parse_float=Decimal)
        if not _take_out(tree, path):
            return None
        removals.append(Removal(fault, allowance))
        payload = _encode(tree)
    return None


def _take_out(tree: Any, path: str) -> bool:
    """Remove what a JSON pointer (RFC 6901) points at."""
    *parents, last = (step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/"))
    node = tree
    try:
        for step in parents:
            node = node[int(step)] if isinstance(node, list) else node[step]
        del node[int(last) if isinstance(node, list) else last]
    except (KeyError, IndexError, ValueError, TypeError):
        return False
    return True
