"""The page of the docs that lists what `csms ocpi check` looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hub.ocpi.conformance.points import POINTS

PAGE: Final = Path(__file__).parents[2] / "docs" / "ocpi" / "check.md"

_GROUPS: Final = {
    "answers": "Every answer",
    "requests": "Every request",
    "token": "The token",
    "versions": "Versions",
    "details": "Version details",
    "credentials": "Credentials",
    "list": "Lists: locations, sessions, cdrs, tariffs, tokens, hubclientinfo, where they are offered as sender",
    "objects": "The objects in them",
    "single": "Single objects: locations, and objects that a receiver was never told of",
}


def page() -> str:
    """The page as it has to be."""
    lines = [
        "# What `csms ocpi check` looks at",
        "",
        "Written by `make pages`. The check asks a platform what can be asked without changing anything there: GET, and one PATCH",
        "without a body of the versions URL, where nothing can be written. How to use it is in the",
        "[user guide](../user-guide/roaming.md#is-the-other-side-in-order).",
        "",
        "A point that does not hold has *failed* where the standard demands it, and is a *warning* where it only is what many",
        "others rely on.",
    ]
    for group, title in _GROUPS.items():
        lines += ["", f"## {title}", "", "| point | rule | a good platform | else |", "|---|---|---|---|"]
        lines += [
            f"| `{name}` | {point.rule} | {point.expected} | {point.broken} |"
            for name, point in POINTS.items()
            if name.partition(".")[0] == group
        ]
    return "\n".join(lines) + "\n"
