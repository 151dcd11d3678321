"""One `csms gateway` process of a launcher: its start, its end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import msgspec
import trio

from csms.cli.failure import CommandError
from csms.cli.lifeline import Ready

START_S: Final = 60.0
"""Seconds within which it has to be ready for stations."""
_KILL_S: Final = 5.0
_NOTICE_S: Final = 0.2
"""Two signals of a kind that come together are one."""
_FORCED_S: Final = 2.0
_LONGEST_LINE: Final = 64 * 1024


class NotStarted(CommandError):
    """The process ended, or was ended, before it was ready."""


class GatewayProcess:
    """A process that is ready for stations."""

    def __init__(self, process: trio.Process, urls: list[str]) -> None:
        self._process = process
        self._asked = False
        self.urls = urls

    @classmethod
    async def start(cls, number: int, environment: Mapping[str, str]) -> Self:
        """Start the one with this number and wait until it is ready. Raises NotStarted. Cancelled, it leaves nothing running."""
        process = await trio.lowlevel.open_process(
            # not the folder that we happen to be in: the same modules as ours (`child_environment`)
            [sys.executable, "-P", "-m", "csms.cli", "gateway", "--supervised", str(number)],
            stdin=-1,
            stdout=-1,
            env=dict(environment),
            # what a terminal sends to us, we pass on when its turn has come
            process_group=0,
        )
        started = cls(process, [])
        try:
            with trio.move_on_after(START_S):
                started.urls = await _read_urls(process)
                return started
            raise NotStarted(f"a gateway process was not ready after {START_S:.0f} s")
        except BaseException:
            with trio.CancelScope(shield=True):
                await started._kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> None:
        """Until it has ended."""
        await self._process.wait()

    async def end(self, within_s: float) -> None:
        """Have it say goodbye to its stations, and wait for its end for at most `within_s` seconds."""
        self._asked = True
        self._process.send_signal(signal.SIGTERM)
        with trio.move_on_after(within_s):
            await self._process.wait()

    async def end_now(self) -> int:
        """Let it store what it was told, without goodbyes, and end it whatever it does; gives its exit status, negative: the signal
        that killed it. Takes a few seconds at most."""
        if self._process.returncode is None and not self._asked:
            await self.end(_NOTICE_S)
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)  # the second one: at once
            with trio.move_on_after(_FORCED_S):
                await self._process.wait()
        await self._kill()
        return self._process.returncode or 0

    async def _kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            with trio.move_on_after(_KILL_S):
                await self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                await stream.aclose()


async def _read_urls(process: trio.Process) -> list[str]:
    assert process.stdout is not None, "its output is a pipe"  # noqa: S101 - asked for above
    line = bytearray()
    while not line.endswith(b"\n"):
        data = await process.stdout.receive_some(4096)
        if not data:
            status = await process.wait()
            raise NotStarted(f"a gateway process ended with status {status} before it was ready; it said why above")
        line += data
        if len(line) > _LONGEST_LINE:
            raise NotStarted("a gateway process said what nobody asked for")
    try:
        return msgspec.json.decode(bytes(line), type=Ready).urls
    except msgspec.DecodeError as error:
        raise NotStarted(f"a gateway process said what nobody asked for: {error}") from None


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Our environment with `changes`, for a process that runs the same modules; without what only a hub needs."""
    environment = {name: value for name, value in os.environ.items() if name != "CSMS_ADMIN_PASSWORD"}
    environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return environment | dict(changes)
