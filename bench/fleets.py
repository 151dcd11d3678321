"""The station fleet: its processes, started and ordered as one, and what they report, added up."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import trio

from bench.histogram import Histogram
from bench.processes import BenchError

_ROOT: Final = Path(__file__).parents[1]
_LONGEST_LINE: Final = 64 * 1024 * 1024
_READ: Final = 1 << 20
_END_S: Final = 30.0
_SUMS: Final = ("connected", "accepted", "charging", "sent", "answered", "errors", "waiting")


def build(profile: str = "release") -> Path:
    """Build the fleet with this profile of cargo when its sources have changed; gives the program. Raises BenchError."""
    arguments = ["cargo", "build", "--quiet", "--package", "csms-fleet", "--message-format", "json", "--profile", profile]
    try:
        built = subprocess.run(arguments, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=False)
    except FileNotFoundError:
        raise BenchError("cargo not found: install a Rust toolchain (https://rustup.rs)") from None
    if built.returncode != 0:
        raise BenchError("the fleet could not be built; what cargo says stands above")
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and message["target"]["name"] == "csms-fleet" and message["executable"]:
            return Path(message["executable"])
    raise BenchError("cargo built no program csms-fleet")


class FleetProcess:
    """One process of the fleet."""

    def __init__(self, process: trio.Process, number: int) -> None:
        self.pid = process.pid
        self.progress: dict[str, Any] = {}
        self.ready: dict[str, Any] | None = None
        self._process = process
        self._number = number
        self._results, self._received = trio.open_memory_channel[dict[str, Any]](16)
        self._readied = trio.Event()

    async def order(self, **order: Any) -> None:
        assert self._process.stdin is not None
        try:
            await self._process.stdin.send_all(json.dumps(order).encode() + b"\n")
        except trio.BrokenResourceError:
            raise BenchError(f"fleet process {self._number} has ended") from None

    async def until_ready(self) -> dict[str, Any]:
        await self._readied.wait()
        if self.ready is None:
            raise BenchError(f"fleet process {self._number} ended before its stations were ready")
        return self.ready

    async def result(self) -> dict[str, Any]:
        try:
            message = await self._received.receive()
        except trio.EndOfChannel:
            raise BenchError(f"fleet process {self._number} ended without a result") from None
        if message["type"] == "error":
            raise BenchError(f"fleet process {self._number} cannot do what it is told: {message['message']}")
        return message

    async def read(self) -> None:
        """Take in what it writes until it ends."""
        assert self._process.stdout is not None
        rest = b""
        with self._results:
            async for data in self._process.stdout:
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    raise BenchError(f"fleet process {self._number} wrote a line without an end")
                for line in lines:
                    self._take(json.loads(line))
        self._readied.set()

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "progress":
            self.progress = message
        elif kind == "ready":
            self.ready = message
            self._readied.set()
        elif kind in ("result", "error"):
            self._results.send_nowait(message)

    async def end(self) -> None:
        """Close its input, which ends it; a run under way gives what it has."""
        assert self._process.stdin is not None
        await self._process.stdin.aclose()
        with trio.move_on_after(_END_S) as scope:
            await self._process.wait()
        if scope.cancelled_caught:
            self._process.kill()
            await self._process.wait()


class Fleet:
    """All processes of the fleet."""

    def __init__(self, processes: list[FleetProcess]) -> None:
        self.processes = processes

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self.processes]

    def progress(self) -> dict[str, Any]:
        """The last report of each, added up; times are the worst of all."""
        reports = [process.progress for process in self.processes if process.progress]
        merged: dict[str, Any] = {name: sum(report[name] for report in reports) for name in _SUMS}
        merged["phase"] = reports[0]["phase"] if reports else "starting"
        for name in ("p50_ms", "p99_ms", "max_ms"):
            merged[name] = max((report[name] for report in reports if report[name] is not None), default=None)
        return merged

    async def until_ready(self) -> dict[str, Any]:
        """All are connected and accepted, and who charges from the beginning has a transaction."""
        parts = [await process.until_ready() for process in self.processes]
        return {
            **{name: sum(part[name] for part in parts) for name in ("connected", "accepted", "charging")},
            "seconds": max(part["seconds"] for part in parts),
            "connect": Histogram.merged(part["connect"] for part in parts),
            "accepted_after": Histogram.merged(part["accepted_after"] for part in parts),
        }

    async def order(self, **order: Any) -> None:
        for process in self.processes:
            await process.order(**order)

    async def run(self, name: str, seconds: float, speed: float) -> dict[str, Any]:
        """A run of all; gives their results, added up."""
        await self.order(order="run", name=name, seconds=seconds, speed=speed)
        return await self.results()

    async def results(self) -> dict[str, Any]:
        return merged([await process.result() for process in self.processes])

    async def end(self) -> None:
        async with trio.open_nursery() as nursery:
            for process in self.processes:
                nursery.start_soon(process.end)


@asynccontextmanager
async def open_fleet(program: Path, plans: Iterable[Mapping[str, Any]]) -> AsyncIterator[Fleet]:
    """Start a process for each plan; they are ended with the context."""
    with tempfile.TemporaryDirectory(prefix="csms-fleet-") as folder:
        async with trio.open_nursery() as nursery:
            fleet = Fleet([])
            try:
                for number, plan in enumerate(plans):
                    path = trio.Path(folder) / f"plan-{number}.json"
                    await path.write_text(json.dumps(plan))
                    process = await trio.lowlevel.open_process(
                        [str(program), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
                    )
                    started = FleetProcess(process, number)
                    fleet.processes.append(started)
                    nursery.start_soon(started.read)
                yield fleet
            finally:
                with trio.CancelScope(shield=True):
                    await fleet.end()
            nursery.cancel_scope.cancel()


def merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The results of one run of several processes as one."""
    requests = sorted({name for part in parts for name in part["http"]})
    return {
        "partial": any(part["partial"] for part in parts),
        "seconds": max(part["seconds"] for part in parts),
        "fleet_cpu_seconds": sum(part["cpu_seconds"] for part in parts),
        **{
            name: sum(part[name] for part in parts)
            for name in ("sent", "answered", "resent", "dropped", "unanswered", "reconnects", "commands_answered")
        },
        **{
            name: dict(sum((Counter(part[name]) for part in parts), Counter()))
            for name in ("errors", "cuts", "connect_failures", "faults")
        },
        "latency": _by_action([part["latency"] for part in parts]),
        "answering": _by_action([part["answering"] for part in parts]),
        "connect": Histogram.merged(part["connect"] for part in parts),
        "accepted_after": Histogram.merged(part["accepted_after"] for part in parts),
        "http": {name: _http([part["http"][name] for part in parts if name in part["http"]]) for name in requests},
        "per_second": _per_second([part["per_second"] for part in parts]),
    }


def _by_action(parts: list[dict[str, Any]]) -> dict[str, Histogram]:
    actions = sorted({action for part in parts for action in part})
    return {action: Histogram.merged(part[action] for part in parts if action in part) for action in actions}


def _http(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "sent": sum(part["sent"] for part in parts),
        "answered": sum(part["answered"] for part in parts),
        "errors": dict(sum((Counter(part["errors"]) for part in parts), Counter())),
        "latency": Histogram.merged(part["latency"] for part in parts),
    }


def _per_second(parts: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Second by second: counts are added up, times are the worst of all processes."""
    result = []
    for second in range(max(map(len, parts), default=0)):
        rows = [part[second] for part in parts if second < len(part)]
        times = {
            name: max((row[name] for row in rows if row[name] is not None), default=None) for name in ("p50_ms", "p99_ms", "max_ms")
        }
        result.append({"t": second, "sent": sum(r["sent"] for r in rows), "answered": sum(r["answered"] for r in rows), **times})
    return result
