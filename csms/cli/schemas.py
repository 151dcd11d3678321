"""`csms schemas …`: the messages of OCPP for people."""

from __future__ import annotations

import json
import textwrap
from argparse import Namespace
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from csms.cli.failure import CommandError
from schemas.action import Action
from schemas.description import Definition, Description, block_of, describe
from schemas.json_schema import json_schema
from schemas.versions import VERSIONS

_WIDTH: Final = 120
_NARROWEST: Final = 40
"""Characters of a line, and those of its last column however long the others are."""


def list_messages(arguments: Namespace) -> int:
    """Print the actions of one version, or of all, with who calls them."""
    for version in [_version(arguments.version)] if arguments.version else VERSIONS:
        rows = [(name, _direction(action), block_of(action)) for name, action in VERSIONS[version].actions.items()]
        print(f"{version}: {len(rows)} messages")
        print("\n".join(_aligned(rows)), end="\n\n")
    return 0


def show(arguments: Namespace) -> int:
    """Print the definition of one message."""
    version = _version(arguments.version)
    print("\n".join(_page(describe(version, _action(version, arguments.action)))))
    return 0


def show_json(arguments: Namespace) -> int:
    """Print the JSON Schema of one payload."""
    version = _version(arguments.version)
    action = _action(version, arguments.action)
    if arguments.kind == "response" and VERSIONS[version].actions[action].response is None:
        raise CommandError(f"{action} is sent by SEND and has no response")
    print(json.dumps(json_schema(version, action, arguments.kind), indent=2))
    return 0


def _version(typed: str) -> str:
    name = typed if typed.startswith("ocpp") else f"ocpp{typed}"
    if name not in VERSIONS:
        known = ", ".join(version.removeprefix("ocpp") for version in VERSIONS)
        raise CommandError(f"there is no OCPP version {typed!r}: it is one of {known}")
    return name


def _action(version: str, typed: str) -> str:
    actions = VERSIONS[version].actions
    by_lower_case = {name.lower(): name for name in actions}
    if (exact := by_lower_case.get(typed.lower())) is not None:
        return exact
    near = _near(typed.lower(), by_lower_case)
    names = " or ".join(by_lower_case[name] for name in near)
    elsewhere = [name for name, other in VERSIONS.items() if typed.lower() in map(str.lower, other.actions)]
    hint = f": it belongs to {', '.join(elsewhere)}" if elsewhere else f": did you mean {names}?" if near else ""
    raise CommandError(f"{version} has no message {typed!r}{hint} (`csms schemas list {version}` names all)")


def _near(typed: str, known: Collection[str]) -> list[str]:
    inside = [name for name in known if typed in name]
    return (get_close_matches(typed, known, n=3, cutoff=0.7) or inside)[:3]


def _direction(action: Action) -> str:
    if action.from_station and action.from_csms:
        return "both ways"
    if action.send:
        return "station -> CSMS (SEND)"
    return "station -> CSMS" if action.from_station else "CSMS -> station"


def _page(message: Description) -> Iterator[str]:
    yield f"{message.action.name} ({message.version}, {message.block}), {_direction(message.action)}"
    for definition in (message.request, message.response, *message.datatypes):
        if definition is not None:
            yield ""
            yield from _definition(definition)
    for name, values in message.enumerations.items():
        yield ""
        yield name
        yield from textwrap.wrap(" | ".join(values), _WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False)
    if message.extensible:
        yield ""
        yield "Every object may also carry customData: an object with vendorId (string[255]) and any other members."


def _definition(definition: Definition) -> Iterator[str]:
    yield definition.name
    yield from textwrap.wrap(definition.purpose, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    rows = [(field.name, field.cardinality, field.type, field.comment) for field in definition.fields]
    yield from _aligned(rows) if rows else ["    (no members)"]


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The rows with their columns below each other; a long last cell goes on in lines of its own."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    indent = 4 + sum(widths) + 2 * len(widths)
    for *cells, last in rows:
        head = "    " + "".join(cell.ljust(width) + "  " for cell, width in zip(cells, widths, strict=True))
        lines = textwrap.wrap(last, max(_WIDTH - indent, _NARROWEST), break_long_words=False, break_on_hyphens=False) or [""]
        yield (head + lines[0]).rstrip()
        yield from (" " * indent + line for line in lines[1:])
