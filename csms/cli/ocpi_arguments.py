"""What can be typed after `csms ocpi` about parties, the hub, partners and messages."""

from __future__ import annotations

import argparse
import re
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from csms.cli.export import moment

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[ArgumentParser]  # noqa: SLF001 - what add_subparsers gives has no public name

_PARTY: Final = re.compile(r"(?P<country>[A-Za-z]{2})[-*](?P<party>[A-Za-z0-9]{3})")
_MOST: Final = 500

_PARTY_EXAMPLE = """\
for example:
  csms ocpi party set NL-NOR CPO --name "North Charging" --website https://north.example
  csms ocpi party list
"""
_HUB_EXAMPLE = """\
for example, and then partners of the hub:
  csms ocpi hub set NL-HUB --name "Our hub"
  csms ocpi partner add "A platform" --tenant hub
"""
_PARTNER_EXAMPLE = """\
for example, the platform starts, with the URL and the token that this prints:
  csms ocpi partner add "A platform"
or we start, with the URL and the token that the platform has given us (here on standard input):
  csms ocpi partner register "A platform" https://platform.example/ocpi/versions - < token
"""
_MESSAGES_EXAMPLE = """\
for example, what failed in exchange with one party today, and one message with its bodies:
  csms ocpi messages --party DE-ABC --failed --since 2026-07-01
  csms ocpi messages 0198c5b4-7d1e-7000-8000-0123456789ab
"""


def add_commands(ways: Commands, late: Callable[[str], Callable[[argparse.Namespace], int]]) -> None:
    """`late` makes the function of a command from where it is, which is loaded only when it runs."""

    def command(into: Commands, name: str, target: str, summary: str, description: str, example: str = "") -> ArgumentParser:
        parser = into.add_parser(
            name, help=summary, description=description, epilog=example or None, formatter_class=RawDescriptionHelpFormatter
        )
        parser.set_defaults(run=late(f"csms.cli.ocpi:{target}"), needs_settings=True)
        parser.add_argument("--tenant", default="default", help="whose; hub: the hub's own (default: %(default)s)")
        return parser

    def group(name: str, summary: str, description: str, example: str) -> Commands:
        parser = ways.add_parser(
            name, help=summary, description=description, epilog=example, formatter_class=RawDescriptionHelpFormatter
        )
        return parser.add_subparsers(title="commands", dest=f"{name}_command", required=True, metavar="COMMAND")

    parties = group("party", "as whom a tenant appears to partners", "Parties of a tenant.", _PARTY_EXAMPLE)
    command(parties, "list", "list_parties", "list the parties", "List the parties of a tenant.")
    put = command(parties, "set", "set_party", "make or change a party", "Make a party, or change what partners are told of it.")
    remove = command(
        parties,
        "remove",
        "remove_party",
        "do not appear as a party any more",
        "Remove a party: when partners know that what it has told them is void, within a day at most.",
    )
    for parser in (put, remove):
        parser.add_argument("party", type=party, metavar="PARTY", help="country code and party id, such as NL-NOR")
        parser.add_argument("role", choices=("CPO", "EMSP"), help="one that is both is set twice")
    _add_details(put)
    put.add_argument("--not-on-hub", action="store_true", help="it is no party of this installation's hub")
    remove.add_argument("--at-once", action="store_true", help="do not wait until partners know")

    hub = group("hub", "this installation as an OCPI hub", "The installation's own OCPI hub.", _HUB_EXAMPLE)
    command(hub, "show", "show_hub", "who the hub is", "Show who the hub is, and where platforms register.")
    be = command(hub, "set", "set_hub", "make this installation a hub", "Make this installation a hub, or change who it is as one.")
    be.add_argument("party", type=party, metavar="PARTY", help="country code and party id of the hub, such as NL-HUB")
    _add_details(be)

    _add_partners(group("partner", "platforms of roaming partners", "Partners of a tenant.", _PARTNER_EXAMPLE), command)
    _add_messages(
        command(ways, "messages", "messages", "search the log of messages", "Show OCPI messages, newest first.", _MESSAGES_EXAMPLE)
    )


def _add_details(parser: ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="of the company, as drivers are told it")
    parser.add_argument("--website", help="of the company")


def _add_partners(partners: Commands, command: Callable[..., ArgumentParser]) -> None:
    add = command(
        partners, "add", "add_partner", "make a partner", "Make a partner. Prints the token with which it may register, once."
    )
    add.add_argument("name", help="what it is called here")
    listed = command(partners, "list", "list_partners", "list the partners", "List the partners of a tenant.")
    listed.add_argument("--left", action="store_true", help="also those that have left")
    for name, target, summary, description in (
        ("show", "show_partner", "one partner", "Show a partner with its parties and endpoints."),
        ("register", "register_partner", "register at a platform", "Register at a platform; csms must run, because it calls back."),
        ("rotate", "rotate_partner", "renew the tokens of both sides", "Renew tokens, and read anew what both sides offer."),
        ("refresh", "refresh_partner", "read its endpoints anew", "Read the platform's endpoints anew, with the same tokens."),
        ("suspend", "suspend_partner", "have nothing to do with it for a while", "Neither ask nor answer the partner."),
        ("resume", "resume_partner", "end a suspension", "End the suspension of a partner."),
        ("token", "renew_token", "make a new token for a registration", "Make a new token A; the one before is void."),
        ("remove", "remove_partner", "end the connection", "Tell the platform that the connection has ended, and end it."),
    ):
        parser = command(partners, name, target, summary, description)
        parser.add_argument("partner", metavar="PARTNER", help="its id or its name")
        if name == "register":
            parser.add_argument("url", metavar="URL", help="the platform's versions endpoint")
            parser.add_argument("token", metavar="TOKEN", help="the token that it has given us; - reads it from standard input")


def _add_messages(parser: ArgumentParser) -> None:
    parser.add_argument("message", nargs="?", metavar="ID", help="one message, with its bodies")
    parser.add_argument("--partner", help="sent to or received from this partner (id or name)")
    parser.add_argument("--party", type=party, metavar="PARTY", help="from or to this party, such as DE-ABC")
    parser.add_argument("--module", help="such as locations")
    parser.add_argument("--correlation", metavar="ID", help="with this correlation id")
    parser.add_argument("--request", metavar="ID", help="with this request id")
    parser.add_argument("--failed", action="store_true", help="only those that failed")
    parser.add_argument("--text", help="with this text in the path or a body")
    parser.add_argument("--since", type=instant, metavar="TIME", help="from then on: a date (UTC), or a time with offset")
    parser.add_argument("--until", type=instant, metavar="TIME", help="until then, exclusive")
    parser.add_argument("--limit", type=_limit, default=50, help="how many at most (default: %(default)s)")


def party(text: str) -> tuple[str, str]:
    """Country code and party id, in capitals."""
    match = _PARTY.fullmatch(text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is no party such as NL-NOR")
    return match["country"].upper(), match["party"].upper()


def instant(text: str) -> datetime:
    """A time; a date is its midnight in UTC."""
    time = moment(text)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {_MOST}")
    return int(text)
