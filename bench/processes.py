"""Child processes of the bench, and what they cost: CPU of all threads and resident memory, from /proc."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class BenchError(Exception):
    """A part of the bench did not work; the text says which and why."""


class Child:
    """A process that talks in lines of JSON."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lines = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def line(self, timeout: float) -> dict[str, Any]:
        """The next line it writes; BenchError when it ends, is late, or reports an error."""
        output = self._process.stdout
        assert output is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._lines:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                raise BenchError(f"{self._process.args!r} said nothing for {timeout} s")
            data = os.read(output.fileno(), 65_536)
            if not data:
                raise BenchError(f"{self._process.args!r} ended with status {self._process.wait(10)}")
            self._lines += data
        line, _, self._lines = self._lines.partition(b"\n")
        result = cast("dict[str, Any]", json.loads(line))
        if "error" in result:
            raise BenchError(str(result["error"]))
        return result

    def order(self) -> None:
        """Tell it to go on."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()


@contextmanager
def child(*arguments: str) -> Iterator[Child]:
    """`python -m …` in the checkout; at the end its standard input is closed, and it is given 10 s to end."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    try:
        yield Child(process)
    finally:
        _end(process)


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
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:
                pass  # it ended before reading all of its orders
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


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
