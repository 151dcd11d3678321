"""`csms simulate`: the options of the command line, and the run."""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import trio

from csms.clock import SystemClock, SystemIds
from csms.simulate.fleet import simulate
from csms.simulate.options import VERSIONS, OptionsError, SimulateOptions

_DEFAULT_URL = "ws://127.0.0.1:9000/ocpp"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `csms simulate`."""
    add = parser.add_argument
    default = SimulateOptions(url=_DEFAULT_URL)
    add("--url", default=_DEFAULT_URL, help="OCPP endpoint; each station's identity is appended (default: %(default)s)")
    add("--stations", type=int, default=default.stations, metavar="N", help="number of stations (default: %(default)s)")
    add(
        "--version",
        choices=(*VERSIONS, "mix"),
        default=default.version,
        help="OCPP version (default: %(default)s)",
    )
    add("--prefix", default=default.prefix, help="identities are PREFIX-00001 and so on (default: %(default)s)")
    add("--password", help="Basic authentication: one password for all stations")
    add("--password-file", type=Path, metavar="FILE", help="Basic authentication: lines of identity:password")
    add(
        "--speed",
        type=float,
        default=default.speed,
        help="simulated seconds per second; needs --duration (default: %(default)s)",
    )
    add("--duration", type=float, metavar="SECONDS", help="real seconds to run; without it until Ctrl-C")
    add("--connectors", type=int, default=default.connectors, metavar="N", help="per station (default: %(default)s)")
    add("--seed", type=int, default=default.seed, help="the same seed gives the same drivers (default: %(default)s)")
    add(
        "--id-token",
        action="append",
        metavar="TOKEN",
        help="token of the drivers; may be given several times (default: one per connector, IDENTITY-CONNECTOR)",
    )
    add(
        "--meter-interval",
        type=float,
        default=default.meter_interval,
        metavar="SECONDS",
        help="simulated (default: %(default)s)",
    )
    add(
        "--sessions-per-day",
        type=float,
        default=default.sessions_per_day,
        help="mean per connector (default: %(default)s)",
    )
    add("--even", action="store_true", help="drivers come at the same rate at all hours, also at night")
    add(
        "--offline-per-day",
        type=float,
        default=default.offline_spells_per_day,
        help="mean per station (default: %(default)s)",
    )
    add(
        "--connect-rate",
        type=float,
        default=default.connect_rate,
        help="first connections per second (default: %(default)s)",
    )
    add("--report", choices=("text", "json"), default="text", help="form of the final report (default: %(default)s)")


def options_from(arguments: Namespace) -> SimulateOptions:
    """The options given; OptionsError names what is wrong with one."""
    default = SimulateOptions(url=_DEFAULT_URL)
    return SimulateOptions(
        url=arguments.url,
        stations=arguments.stations,
        version=arguments.version,
        prefix=arguments.prefix,
        password=arguments.password,
        passwords=_read_passwords(arguments.password_file) if arguments.password_file else {},
        speed=arguments.speed,
        duration=arguments.duration,
        connectors=arguments.connectors,
        seed=arguments.seed,
        id_tokens=tuple(arguments.id_token) if arguments.id_token else default.id_tokens,
        meter_interval=arguments.meter_interval,
        sessions_per_day=arguments.sessions_per_day,
        even=arguments.even,
        offline_spells_per_day=arguments.offline_per_day,
        connect_rate=arguments.connect_rate,
    )


def run(arguments: Namespace) -> int:
    """Run the simulation; the report goes to standard output, progress to standard error. Gives the exit status."""
    try:
        options = options_from(arguments)
    except OptionsError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    clock = SystemClock()

    async def main() -> str:
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_on_signal, stop)
            report = await simulate(options, clock=clock, ids=SystemIds(clock), stop=stop, progress=_tell)
            nursery.cancel_scope.cancel()
        return report.json() if arguments.report == "json" else report.text()

    sys.stdout.write(trio.run(main) + "\n")
    return 0


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


async def _stop_on_signal(stop: trio.Event) -> None:
    """The first signal ends the simulation with a report, the second at once."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if stop.is_set():
                raise SystemExit(130)
            stop.set()
            _tell("finishing the running transactions (again: stop at once)")


def _read_passwords(path: Path) -> dict[str, str]:
    passwords: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionsError(f"password-file: cannot read {path}: {error}") from None
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            identity, colon, password = line.strip().partition(":")
            if not colon or not identity or not password:
                raise OptionsError(f"password-file: line {number} of {path} is not identity:password")
            passwords[identity] = password
    return passwords
