"""The npm package ocpp-rpc."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.peers.peer import Peer, Running
from bench.peers.server import server
from bench.peers.setup import NPM_INSTALL, npm_version, place, prepared, require

_NAME: Final = "ocpp-rpc"
_SOURCE: Final = Path(__file__).parent


def _prepare(cache: Path) -> None:
    require(_NAME, "node", "npm")
    prepared(_NAME, _SOURCE, cache, NPM_INSTALL)


@contextmanager
def _run(cache: Path, port: int) -> Iterator[Running]:
    directory = place(cache, _SOURCE)
    arguments = ["node", str(directory / "server.js"), str(port)]
    with server(arguments, port, directory, environment={"NODE_ENV": "production"}) as running:
        yield running


PEER: Final = Peer(
    name=_NAME,
    language="JavaScript (Node.js)",
    version=npm_version(_SOURCE, "ocpp-rpc"),
    licence="MIT",
    kind="library",
    stores="nothing",
    threads="1 for JavaScript, and V8's for compilation and garbage collection",
    protocols=("ocpp1.6", "ocpp2.0.1"),
    prepare=_prepare,
    run=_run,
)
