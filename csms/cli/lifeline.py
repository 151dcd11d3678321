"""How a supervised process and its launcher know of each other: a pipe each way, which the kernel closes when one of them dies."""

from __future__ import annotations

import os
import sys
from typing import Final

import msgspec
import structlog
import trio

from csms.cli.shutdown import Shutdown

log = structlog.get_logger()

_CHUNK: Final = 1024
_STANDARD_INPUT: Final = 0


class Ready(msgspec.Struct, frozen=True):
    """What a supervised process says on its standard output, as a line of JSON, once stations can connect to `urls`."""

    urls: list[str]


def tell_ready(urls: list[str]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(Ready(urls)) + b"\n")
    sys.stdout.buffer.flush()


async def stop_with_launcher(shutdown: Shutdown) -> None:
    """Ask for a stop when standard input ends: its other end is the launcher's. Runs until cancelled."""
    async with trio.lowlevel.FdStream(os.dup(_STANDARD_INPUT)) as stream:
        try:
            while await stream.receive_some(_CHUNK):
                pass  # nothing is ever said
        except (OSError, trio.BrokenResourceError) as error:
            log.warning("launcher.lifeline_broken", error=str(error))
    if not shutdown.requested.is_set():
        log.error("launcher.gone")
        shutdown.request()
