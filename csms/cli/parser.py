"""What can be typed, and the text of `--help`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from csms.settings import MOST_GATEWAYS

_DESCRIPTION = "Open-CSMS, a charging station management system."

_EPILOG = """\
Settings are environment variables CSMS_... or a TOML file named by CSMS_CONFIG; docs/operations/settings.md lists
them. Without CSMS_DATABASE_URL an embedded PostgreSQL in CSMS_DATA_DIR (./data) is used.
"""

_SCHEMAS_EPILOG = """\
A table of fields has four columns: name, cardinality, type with its limits, meaning.
  1       must be there               string[36]   text of at most 36 characters
  0..1    may be left out             integer(>=0) whole number from 0 on
  1..*    a list of one or more       dateTime     RFC 3339, such as 2026-01-31T08:00:00Z
Datatypes and enumerations that occur in a message follow it. Names are found in any case; versions are written
1.6, 2.0.1 or 2.1, also with ocpp before it.
"""


def make_parser(arguments: list[str]) -> argparse.ArgumentParser:
    """The parser; `arguments` decide which command's own options are loaded."""
    parser = argparse.ArgumentParser(
        prog="csms", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"csms {_version()}")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")

    serve = _command(
        commands,
        "serve",
        "csms.cli.serve:serve",
        "run the whole system on this host",
        "Run the whole system: the gateway for stations and the hub for people and programs, on the embedded PostgreSQL unless "
        "CSMS_DATABASE_URL is set. Ctrl-C stops it in order; a second Ctrl-C at once.",
    )
    serve.add_argument(
        "--gateways",
        type=_count,
        default=0,
        metavar="N",
        help=f"serve stations from N processes (1 to {MOST_GATEWAYS}) that share the port and are started again when they die; "
        "needs CSMS_REDIS_URL. SIGUSR1 replaces them one by one",
    )
    gateway = _command(
        commands,
        "gateway",
        "csms.cli.serve:gateway",
        "run a gateway process: stations only",
        "Run one gateway process. Any number may share a port and a database. Needs CSMS_DATABASE_URL, and CSMS_REDIS_URL "
        "for commands to reach stations from another process.",
    )
    # given by `csms serve --gateways`: its number, for the log; it stops when standard input ends
    gateway.add_argument("--supervised", type=int, help=argparse.SUPPRESS)
    _command(
        commands,
        "hub",
        "csms.cli.serve:hub",
        "run a hub process: the HTTP API only",
        "Run one hub process. Needs CSMS_DATABASE_URL, and CSMS_REDIS_URL to reach stations, which other processes hold.",
    )
    _command(
        commands,
        "migrate",
        "csms.cli.migrate:migrate",
        "bring the database's schema up to date",
        "Apply the migrations that are missing, and bind a new database to the root secret. `csms serve` does it by itself "
        "on the embedded database; on another one do it before starting a new version.",
    )
    partitions = _command(
        commands,
        "partitions",
        "csms.cli.partitions:partitions",
        "show how much meter readings and events take, month by month",
        "Show the partitions of meter readings and of the events of sessions. Exits with 1 when rows are left that have no "
        "partition of their month. Works also while csms runs.",
    )
    partitions.add_argument(
        "--move",
        action="store_true",
        help="first give such rows a partition, however many they are; meanwhile messages of stations wait for their answers",
    )
    client = _command(
        commands,
        "database",
        "csms.cli.client:database",
        "run psql, pg_dump or pg_restore on the embedded database",
        "Run a PostgreSQL program, connected to the embedded database as its superuser. The server is started if csms does "
        "not run. For example: csms database pg_dump -Fc -f csms.dump",
    )
    client.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM ...", help="the program and its arguments")
    _export(commands, arguments)
    simulate = _command(
        commands,
        "simulate",
        "csms.simulate.command:run",
        "run virtual stations against any CSMS",
        "Run virtual charging stations that do realistic days of charging against the CSMS at --url.",
        needs_settings=False,
    )
    if "simulate" in arguments:
        import_module("csms.simulate.command").add_arguments(simulate)
    bench = _command(
        commands,
        "bench",
        "csms.cli.bench:bench",
        "run the bench suite (in a source checkout)",
        "Run the bench suite, by default its short form; further arguments go to it.",
        needs_settings=False,
    )
    bench.set_defaults(arguments=[])  # what this parser does not know is the suite's own

    _schemas(commands)
    _ocpi(commands, arguments)

    user = commands.add_parser("user", help="manage users from the machine itself", description="Manage users.")
    users = user.add_subparsers(title="commands", dest="user_command", required=True, metavar="COMMAND")
    set_password = _command(
        users,
        "set-password",
        "csms.cli.users:set_password",
        "set a user's password",
        "Set a user's password and let him in again; his sessions end. The password is asked for, or read from standard "
        "input when that is not a terminal. Works also while csms runs.",
    )
    set_password.add_argument("email", help="the user's e-mail address")
    set_password.add_argument("--tenant", default="default", help="the tenant he belongs to (default: %(default)s)")
    set_password.add_argument("--generate", action="store_true", help="make a password up and print it")
    return parser


def _export(commands: argparse._SubParsersAction[argparse.ArgumentParser], arguments: list[str]) -> None:
    export = _command(
        commands,
        "export",
        "csms.cli.export:export",
        "write charge detail records or sessions to a file",
        "Write the charge detail records of the sessions that ended in a time, or the sessions that started in it, one row for "
        "each. Works also while csms runs.",
    )
    if "export" not in arguments:
        return
    moment = import_module("csms.cli.export").moment
    export.add_argument("what", choices=("cdrs", "sessions"), help="what to write")
    export.add_argument(
        "--from",
        dest="begin",
        type=moment,
        metavar="TIME",
        help="from then on: a date in the tenant's time zone, or a time with offset",
    )
    export.add_argument("--to", dest="end", type=moment, metavar="TIME", help="until then, exclusive")
    export.add_argument(
        "--format",
        choices=("csv", "json", "jsonl", "parquet"),
        default="csv",
        help="jsonl: an object a line (default: %(default)s)",
    )
    export.add_argument(
        "--output", required=True, metavar="FILE", help="the file, which gets its name when it is complete; - is standard output"
    )
    export.add_argument("--tenant", default="default", help="whose (default: %(default)s)")


def _ocpi(commands: argparse._SubParsersAction[argparse.ArgumentParser], arguments: list[str]) -> None:
    ocpi = commands.add_parser("ocpi", help="roaming: parties, partners and their messages", description="Roaming by OCPI.")
    ways = ocpi.add_subparsers(title="commands", dest="ocpi_command", required=True, metavar="COMMAND")
    check = _command(
        ways,
        "check",
        "csms.cli.ocpi_check:check",
        "look whether a platform keeps to OCPI 2.2.1",
        "Ask a platform all that can be asked without changing anything there, and report point by point. Exits with 1 when a "
        "point failed or not all could be tried.",
        needs_settings=False,
    )
    if "ocpi" not in arguments:
        return
    import_module("csms.cli.ocpi_arguments").add_commands(ways, _late)
    types = import_module("csms.cli.ocpi_check")
    check.add_argument("url", metavar="URL", help="its versions endpoint")
    check.add_argument("token", metavar="TOKEN", help="the token that it has given out; - reads it from standard input")
    check.add_argument(
        "--from", dest="sender", type=types.party, metavar="PARTY", help="as which party to ask, such as NL-TNT; some need it"
    )
    check.add_argument(
        "--to", dest="receiver", type=types.party, metavar="PARTY", help="which party to ask for (default: those it names)"
    )
    check.add_argument("--raw", action="store_true", help="send the token as it stands, not in Base64")
    check.add_argument("--private", action="store_true", help="allow plain HTTP and addresses of your own network")
    check.add_argument("--seconds", type=types.seconds, default=300.0, help="give up after so many (default: %(default)g)")
    check.add_argument("--json", action="store_true", help="print the report as JSON")


def _schemas(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    schemas = commands.add_parser(
        "schemas",
        help="show the messages of OCPP 1.6, 2.0.1 and 2.1",
        description="Show the messages of OCPP 1.6, 2.0.1 and 2.1, as this system understands, checks and sends them.",
        epilog=_SCHEMAS_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).add_subparsers(title="commands", dest="schemas_command", required=True, metavar="COMMAND")
    listing = _command(
        schemas,
        "list",
        "csms.cli.schemas:list_messages",
        "list the messages",
        "List the messages of a version, or of all, and who sends them.",
        needs_settings=False,
    )
    show = _command(
        schemas,
        "show",
        "csms.cli.schemas:show",
        "show the definition of a message",
        "Show a message with all its fields, datatypes and enumerations. For example: csms schemas show 2.0.1 TransactionEvent",
        needs_settings=False,
    )
    as_json = _command(
        schemas,
        "json",
        "csms.cli.schemas:show_json",
        "print the JSON Schema of a message",
        "Print the JSON Schema (draft 2020-12) of a message's request or response.",
        needs_settings=False,
    )
    listing.add_argument("version", nargs="?", help="1.6, 2.0.1 or 2.1; all when it is left out")
    for command in (show, as_json):
        command.add_argument("version", help="1.6, 2.0.1 or 2.1")
        command.add_argument("action", help="the message's name, such as BootNotification")
    as_json.add_argument("kind", nargs="?", choices=("request", "response"), default="request", help="default: %(default)s")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    target: str,
    summary: str,
    description: str,
    *,
    needs_settings: bool = True,
) -> argparse.ArgumentParser:
    """A command whose function `target` ("module:name") is imported only when it runs."""
    parser = commands.add_parser(name, help=summary, description=description)
    parser.set_defaults(run=_late(target), needs_settings=needs_settings)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_GATEWAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_GATEWAYS}")
    return int(text)


def _late(target: str) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        module, _, name = target.partition(":")
        status: int = getattr(import_module(module), name)(arguments)
        return status

    return run


def _version() -> str:
    try:
        return version("open-csms")
    except PackageNotFoundError:
        return "(not installed)"
