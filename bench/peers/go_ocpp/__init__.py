"""lorenzodonini/ocpp-go, a Go module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.peers.peer import Peer, Running
from bench.peers.server import server
from bench.peers.setup import pinned, place, prepared, require

_NAME: Final = "ocpp-go"
_SOURCE: Final = Path(__file__).parent


def _prepare(cache: Path) -> None:
    require(_NAME, "go")
    prepared(_NAME, _SOURCE, cache, ("go", "build", "-trimpath", "-o", "server", "."))


@contextmanager
def _run(cache: Path, port: int) -> Iterator[Running]:
    directory = place(cache, _SOURCE)
    with server([str(directory / "server"), str(port)], port, directory) as running:
        yield running


PEER: Final = Peer(
    name=_NAME,
    language="Go",
    version=pinned(_SOURCE / "go.mod", r"lorenzodonini/ocpp-go v(\S+)"),
    licence="MIT",
    kind="library",
    stores="nothing",
    threads="as many as there are cores (GOMAXPROCS default), 2 goroutines a connection",
    protocols=("ocpp1.6",),
    prepare=_prepare,
    run=_run,
)
