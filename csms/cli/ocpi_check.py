"""`csms ocpi check`: whether somebody's platform keeps to OCPI 2.2.1."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from typing import Final

import msgspec
import trio

from csms.cli.failure import CommandError
from csms.clock import SystemClock, SystemIds
from hub.external_authorization.destinations import BadUrl
from hub.ocpi.client import PlatformClient
from hub.ocpi.conformance.examine import examine
from hub.ocpi.conformance.probe import Limits, Target
from hub.ocpi.conformance.report import CheckReport
from schemas.ocpi221.headers import Party

STANDARD_INPUT: Final = "-"
_LONGEST_TOKEN: Final = 64


def party(text: str) -> Party:
    """A party such as `NL-TNT`."""
    country_code, _, party_id = text.partition("-")
    if len(country_code) != 2 or not 1 <= len(party_id) <= 3 or not text.isascii() or not text.isprintable() or " " in text:
        raise ArgumentTypeError(f"{text!r} is no party such as NL-TNT")
    return Party(country_code.upper(), party_id.upper())


def seconds(text: str) -> float:
    """A time limit."""
    if not text.isdecimal() or not 1 <= int(text) <= 3600:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 3600")
    return float(text)


def check(arguments: Namespace) -> int:
    """`csms ocpi check URL TOKEN`: 1 if a point failed, or not all could be tried."""
    report = trio.run(_check, arguments)
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        print("\n".join(report.lines()))
    return 0 if report.passed else 1


async def _check(arguments: Namespace) -> CheckReport:
    token = sys.stdin.readline().strip() if arguments.token == STANDARD_INPUT else arguments.token
    if not 1 <= len(token) <= _LONGEST_TOKEN or not all("!" <= character <= "~" for character in token):
        raise CommandError(f"a token has 1 to {_LONGEST_TOKEN} characters, all of them visible ASCII (A2)")
    target = Target(
        versions_url=arguments.url,
        token=token,
        encoding="raw" if arguments.raw else "base64",
        sender=arguments.sender,
        receiver=arguments.receiver,
    )
    clock = SystemClock()
    async with PlatformClient(clock, private=arguments.private) as client:
        try:
            client.check_url(target.versions_url)
        except BadUrl as error:
            private = "" if arguments.private else "; --private allows plain HTTP and addresses of your own network"
            raise CommandError(f"{target.versions_url} {error}{private}") from None
        limits = Limits(seconds=arguments.seconds)
        return await examine(client, clock, SystemIds(clock), target, limits, lambda step: print(f"… {step}", file=sys.stderr))
