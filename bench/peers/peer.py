"""What a peer is: an OCPP server of others that the bench puts under the same load as the gateway."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from bench.processes import BenchError

CACHE: Final = Path.home() / ".cache" / "open-csms-bench" / "peers"
"""Where peers are installed and built unless the caller says otherwise."""


STATION_PREFIX: Final = "BENCH-"
KNOWN_STATIONS: Final = 2000
"""A system that takes only stations it was told of is told of those with this prefix and the numbers 000001 to 002000."""


class PeerUnavailable(BenchError):
    """A peer cannot be prepared here; the text is one line that names it and says why. The run goes on without it."""


class Running(NamedTuple):
    """A peer that takes connections."""

    pids: list[int]
    """The processes whose CPU is the peer's, its database apart."""
    url_prefix: str
    """`ws://127.0.0.1:PORT/PATH`; a station connects to `{url_prefix}/{identity}`."""
    postmaster: int | None = None
    """The parent of its PostgreSQL's processes, if it stores."""


@dataclass(frozen=True, slots=True)
class Peer:
    """How to get a peer, run it, and describe it in a report."""

    name: str
    language: str
    version: str
    licence: str
    kind: Literal["library", "system"]
    """A small central system written with the library, or a complete CSMS as it ships."""
    stores: str
    threads: str
    """What runs in parallel, in words; CPU is counted over all threads."""
    protocols: tuple[str, ...]
    """WebSocket sub-protocols that it answers."""
    prepare: Callable[[Path], None]
    """Install and build below a cache folder, with progress on standard error. PeerUnavailable: not on this machine."""
    run: Callable[[Path, int], AbstractContextManager[Running]]
    """Run what was prepared in that cache folder, on that port, until the context ends. BenchError: it did not start."""
