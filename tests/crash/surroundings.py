"""What the tests do to the world around the server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio


async def in_asyncio(work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Run asyncio code from a Trio test: in a thread with a loop of its own."""

    async def main() -> Any:
        return await work(*arguments)

    def run() -> Any:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            return runner.run(main())

    return await trio.to_thread.run_sync(run)


def signal_tree(pid: int, number: signal.Signals) -> None:
    """Signal a process and its children; the parent first, so that a stopped one makes no new ones."""
    os.kill(pid, number)
    for child in children(pid):
        try:
            os.kill(child, number)
        except ProcessLookupError:
            pass  # it ended in this moment


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it ended in this moment
            if parent == pid:
                found.append(int(entry.name))
    return found
