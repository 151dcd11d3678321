"""Running a peer: its process, from the first connection that it takes until the context ends."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.peers.peer import Running
from bench.processes import BenchError, listens

_START_TIMEOUT: Final = 30.0
_END_TIMEOUT: Final = 5.0  # seconds for each of: standard input closed, SIGTERM, SIGKILL
_LOG_SHOWN: Final = 2000  # bytes of the end of a log that an error quotes


@contextmanager
def server(
    arguments: Sequence[str],
    port: int,
    directory: Path,
    *,
    environment: Mapping[str, str] | None = None,
    ends_with_input: bool = True,
) -> Iterator[Running]:
    """One process that listens on `port`; its output goes to `directory`/server.log.

    It is ended by closing its standard input, or by SIGTERM. BenchError: it ended, or did not listen within 30 s.
    """
    log = directory / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            env=os.environ | dict(environment or {}),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield Running([process.pid], f"ws://127.0.0.1:{port}/ocpp")
    finally:
        if not ends_with_input:
            process.terminate()
        _end(process)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        if listens(process.pid, port):
            return
        time.sleep(0.05)
    said = log.read_bytes()[-_LOG_SHOWN:].decode(errors="replace").strip()
    what = f"ended with {process.returncode}" if process.poll() is not None else f"did not listen within {_START_TIMEOUT:.0f} s"
    raise BenchError(f"{process.args!r} {what}: {said}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    for harder in (process.terminate, process.kill):
        try:
            process.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            harder()
    process.wait(_END_TIMEOUT)
