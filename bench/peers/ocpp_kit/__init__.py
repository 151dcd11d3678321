"""hupe1980/ocpp-kit, a Rust crate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.peers.peer import Peer, Running
from bench.peers.server import server
from bench.peers.setup import pinned, place, prepared, require

_NAME: Final = "ocpp-kit"
_SOURCE: Final = Path(__file__).parent


def _prepare(cache: Path) -> None:
    require(_NAME, "cargo")
    prepared(_NAME, _SOURCE, cache, ("cargo", "build", "--release", "--locked", "--target-dir", "target"))


@contextmanager
def _run(cache: Path, port: int) -> Iterator[Running]:
    directory = place(cache, _SOURCE)
    binary = directory / "target" / "release" / "open-csms-bench-ocpp-kit"
    with server([str(binary), str(port)], port, directory) as running:
        yield running


PEER: Final = Peer(
    name=_NAME,
    language="Rust",
    version=pinned(_SOURCE / "Cargo.lock", r'name = "ocpp-kit"\nversion = "([^"]+)"'),
    licence="MIT OR Apache-2.0",
    kind="library",
    stores="nothing",
    threads="as many as there are cores (Tokio's multi-thread runtime), and one that reads standard input",
    protocols=("ocpp1.6", "ocpp2.0.1"),
    prepare=_prepare,
    run=_run,
)
