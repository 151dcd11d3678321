"""`csms bench` and `python -m bench`: put this product, or another, under load and tell what it took. Loopback unless `--url`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
import trio

from bench import codec, compare, fleets, page, readme, scenario
from bench.peers import CACHE, PEERS, PeerUnavailable
from bench.peers.check import check
from bench.processes import BenchError, free_port
from bench.progress import Progress
from bench.runner import Runner
from bench.scenario import Scenario

_RESULTS: Final = Path("bench-results")
_INTERRUPTED: Final = 130


def main() -> int:
    arguments = _parser().parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="csms bench",
        description="Put this product, or another, under the load of many stations and tell what it took. Without a command: the"
        " short form, two minutes, which also writes the figures of the README.",
    )
    parser.add_argument("--dry", action="store_true", help="the short form, without writing the README and bench/reports")
    parser.set_defaults(run=_short)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    what = "Play scenarios one after the other. Ctrl-C keeps what is there."
    what = "Play scenarios one after the other. Ctrl-C keeps what is there."
    run = commands.add_parser("run", help="play scenarios", description=what)
    run.add_argument("scenarios", nargs="+", metavar="SCENARIO", help="a name that `csms bench list` shows, or a TOML file")
    run.add_argument("--url", help="against the stations' URL of a system that runs already, such as ws://127.0.0.1:9000/ocpp")
    run.add_argument("--stations", type=int, help="so many in every case, instead of the scenario's number")
    run.add_argument("--seconds", type=float, help="the length of every step, instead of the scenario's")
    run.add_argument("--case", action="append", metavar="NAME", help="only this case (may be given several times)")
    run.add_argument("--out", type=Path, default=_RESULTS, help="folder of the results (default: %(default)s)")
    run.add_argument("--fleet", type=Path, metavar="PROGRAM", help="a fleet that is built already (default: cargo builds it)")
    run.add_argument("--cache", type=Path, default=CACHE, help="folder where peers are installed (default: %(default)s)")
    run.set_defaults(run=_run)

    commands.add_parser("list", help="show the scenarios").set_defaults(run=_list)

    report = commands.add_parser("report", help="make the page and the pictures of a result again")
    report.add_argument("result", type=Path, help="a result.json")
    report.set_defaults(run=_report)

    two = commands.add_parser("compare", help="compare two results of one scenario")
    two.add_argument("first", type=Path, help="a result.json")
    two.add_argument("second", type=Path, help="another one")
    two.add_argument("--out", type=Path, help="folder of the page (default: beside the second)")
    two.set_defaults(run=_compare)

    peers = commands.add_parser("peers", help="show which other servers can be measured, install and check them")
    peers.add_argument("--install", action="store_true", help="install and build them now")
    peers.add_argument("--check", action="store_true", help="install them, and see whether they answer as the load needs it")
    peers.add_argument("--cache", type=Path, default=CACHE, help="where (default: %(default)s)")
    peers.set_defaults(run=_peers)
    return parser


def _short(arguments: argparse.Namespace) -> int:
    tell = Progress()
    tell("decode, validate and answer")
    measured = codec.measure()
    result = _play(scenario.load("short"), tell, cache=CACHE)
    if result["partial"]:
        return _INTERRUPTED
    for failure in result["failed"]:
        raise BenchError(f"{failure['case']}: {failure['reason']}")
    figures = {"codec": measured, **_slim(result)}
    sys.stdout.write(readme.table(figures) + "\n")
    if not arguments.dry:
        tell(f"written: {', '.join(readme.write(figures))}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    tell = Progress()
    loaded = [_chosen(scenario.load(name, _changes(arguments)), arguments) for name in arguments.scenarios]
    missed = False
    for each in loaded:
        tell(f"{each.title}")
        result = _play(each, tell, cache=arguments.cache, url=arguments.url, program=arguments.fleet)
        folder: Path = arguments.out / each.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text(json.dumps(result) + "\n")
        written = page.write(result, each.charts, folder)
        _tell_aims(result)
        tell(f"written: {folder / 'result.json'}, {', '.join(map(str, written))}")
        if result["partial"]:
            return _INTERRUPTED
        missed = missed or bool(result["failed"]) or not all(aim["held"] for aim in result["aims"])
    return 1 if missed else 0


def _list(arguments: argparse.Namespace) -> int:
    for name in scenario.names():
        found = scenario.load(name)
        by_hand = " (long: by hand)" if found.by_hand else ""
        cases = f", {len(found.cases)} cases" if len(found.cases) > 1 else ""
        sys.stdout.write(f"{name:20} {found.title}{cases}{by_hand}\n")
    return 0


def _report(arguments: argparse.Namespace) -> int:
    result = _read(arguments.result)
    charts = scenario.load(result["scenario"]).charts
    for path in page.write(result, charts, arguments.result.parent):
        sys.stdout.write(f"{path}\n")
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    first, second = _read(arguments.first), _read(arguments.second)
    if first["scenario"] != second["scenario"]:
        raise BenchError(f"these are results of two scenarios, {first['scenario']} and {second['scenario']}")
    sys.stdout.write(compare.text(first, second) + "\n")
    folder = arguments.out or arguments.second.parent
    folder.mkdir(parents=True, exist_ok=True)
    for path in compare.write(first, second, folder):
        sys.stdout.write(f"{path}\n")
    return 0


def _peers(arguments: argparse.Namespace) -> int:
    failed = False
    for peer in PEERS:
        line = f"{peer.name:20} {peer.version:12} {peer.language:12} {peer.licence:12} stores {peer.stores}"
        try:
            if arguments.install or arguments.check:
                peer.prepare(arguments.cache)
            if arguments.check:
                with peer.run(arguments.cache, free_port()) as running:
                    check(peer, running)
                line += "  answers as agreed"
        except BenchError as error:
            line += f"  {error}"
            failed = failed or not isinstance(error, PeerUnavailable)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return int(failed)


def _play(each: Scenario, tell: Progress, *, cache: Path, url: str | None = None, program: Path | None = None) -> dict[str, Any]:
    if program is None:
        tell("building the fleet")
        program = fleets.build()
    return trio.run(Runner(each, program, cache, tell, url).play)


def _changes(arguments: argparse.Namespace) -> dict[str, Any]:
    return {} if arguments.stations is None else {"fleet": {"stations": arguments.stations}}


def _chosen(each: Scenario, arguments: argparse.Namespace) -> Scenario:
    """The scenario with the cases and lengths that were asked for."""
    if arguments.case:
        known = [case.name for case in each.cases]
        for name in arguments.case:
            if name not in known:
                raise BenchError(f"{each.name} has no case {name}; it has {', '.join(known)}")
        each.cases = [case for case in each.cases if case.name in arguments.case]
    if arguments.seconds is not None:
        for case in each.cases:
            for step in case.steps:
                shorter = arguments.seconds / step.seconds
                step.seconds = arguments.seconds
                step.warm_up_s *= min(1.0, shorter)
                for event in step.events:
                    event.at_s *= shorter
    return each


def _tell_aims(result: dict[str, Any]) -> None:
    for aim in result["aims"]:
        limit = f"at most {page.number(aim['most'])}" if aim["most"] is not None else f"at least {page.number(aim['least'])}"
        sys.stdout.write(f"{'held  ' if aim['held'] else 'MISSED'} {aim['figure']}: {page.number(aim['value'])} ({limit})\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        result = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        raise BenchError(f"there is no file {path}") from None
    except msgspec.DecodeError as error:
        raise BenchError(f"{path} is not a result: {error}") from None
    if not {"scenario", "figures", "cases", "machine"} <= result.keys():
        raise BenchError(f"{path} is not a result of `csms bench run`")
    return result


def _slim(result: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a run in the repository: figures, not samples."""
    return {name: result[name] for name in ("scenario", "machine", "figures", "aims")}


if __name__ == "__main__":
    sys.exit(main())
