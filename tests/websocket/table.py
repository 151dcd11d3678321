"""The list of all cases, and the page of the documentation that is made from it: `make pages`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from tests.websocket.cases import RFC6455, RFC7692, Case, FrameCase
from tests.websocket.closing import CLOSING, UTF8
from tests.websocket.compression import COMPRESSION
from tests.websocket.framing import CONTROL, FRAGMENTATION, FRAMING
from tests.websocket.handshakes import HANDSHAKES

FRAMES: tuple[FrameCase, ...] = (*FRAMING, *FRAGMENTATION, *CONTROL, *CLOSING, *UTF8, *COMPRESSION)
CASES: tuple[Case, ...] = (*HANDSHAKES, *FRAMES)
PAGE = Path(__file__).parents[2] / "docs" / "ocpp" / "websocket-conformance.md"
_LONGEST = 140

_INTRODUCTION = """\
# WebSocket conformance

Each line is a test that plays a client against the running gateway over TCP: RFC 6455 (WebSocket) and RFC 7692
(permessage-deflate), by section. This page is made from the cases themselves (`make pages`), and a test
keeps the two in step. "goes on" means that the connection stays open and the next CALL is answered; after every close the
gateway ends the TCP connection, too.

What we chose where the standards leave a choice: text messages only (binary is closed with 1003), a message of at most 64 KiB in
OCPP 1.6 and 256 KiB in 2.x after inflation (1009), at most 4,096 fragments in a message (1008), no context takeover in
either direction, and lengths that are not in their shortest form are refused.
"""


def page() -> str:
    """The text of the page."""
    lines = [_INTRODUCTION]
    for standard in (RFC6455, RFC7692):
        cases = sorted((case for case in CASES if case.standard == standard), key=_order)
        lines += [f"## {standard}", "", f"{len(cases)} cases.", "", "| section | case | outcome |", "|---|---|---|"]
        for section, group in groupby(cases, key=lambda case: case.section):
            lines += [f"| {section} | {case.name} | {_short(case.outcome)} |" for case in group]
        lines.append("")
    return "\n".join(lines)


def _order(case: Case) -> tuple[list[int], str]:
    return [int(part) for part in case.section.split(".")], case.name


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
