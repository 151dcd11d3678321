"""Processes that the bench starts, and what any of them costs: CPU of all threads and resident memory, from /proc."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_chance: Final = random.SystemRandom()  # Hypothesis seeds the module's own
_LISTENING: Final = "0A"  # the state in /proc/net/tcp
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class BenchError(Exception):
    """A part of the bench did not work; the text says which and why."""


@contextmanager
def service(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `csms` command that runs until it is told to stop; its output goes to `log`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CSMS_")}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "import sys; from csms.cli import main; sys.exit(main())", *arguments],
            env=inherited | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def free_port() -> int:
    """A port of the loopback interface that nothing listens on. Not one that the kernel gives: a connection of somebody else could
    get the same one before it is used."""
    while True:
        port = _chance.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def listens(pid: int, port: int) -> bool:
    """Whether this very process listens on the port; another one might, or share it."""
    try:
        own = {str(number.readlink()) for number in Path(f"/proc/{pid}/fd").iterdir()}
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == _LISTENING and int(local.rpartition(":")[2], 16) == port and f"socket:[{inode}]" in own:
                    return True
    except OSError:
        pass  # it closed a file or ended in this moment: the caller asks again
    return False


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads, finished ones included."""
    return _times(pid)[0]


def tree_cpu_seconds(pid: int) -> float:
    """The same for a process and its children: those that live, and those it has waited for."""
    total = sum(_times(pid))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int(_stat(int(entry.name))[1]) == pid:
                    total += sum(_times(int(entry.name)))
            except OSError:
                continue  # it ended in this moment; its parent's account has it now
    return total


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def _times(pid: int) -> tuple[float, float]:
    fields = _stat(pid)
    own, children = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return own / _TICKS, children / _TICKS


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
