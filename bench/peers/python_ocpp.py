"""The PyPI package `ocpp` on `websockets`: its peer, and what `python -m bench.peers.central_system` serves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from bench.peers.peer import Peer, PeerUnavailable, Running
from bench.peers.server import server

_NAME: Final = "ocpp (Python)"
_ROOT: Final = Path(__file__).parents[2]


def _prepare(cache: Path) -> None:
    missing = [package for package in ("ocpp", "websockets") if find_spec(package) is None]
    if missing:
        raise PeerUnavailable(f"{_NAME} is left out: Python package {' and '.join(missing)} not installed (make setup-dev)")
    cache.mkdir(parents=True, exist_ok=True)


@contextmanager
def _run(cache: Path, port: int) -> Iterator[Running]:
    arguments = [sys.executable, "-m", "bench.peers.central_system", str(port)]
    with server(arguments, port, cache, environment={"PYTHONPATH": str(_ROOT)}) as running:
        yield running


def _versions() -> str:
    try:
        return f"{version('ocpp')} on websockets {version('websockets')}"
    except PackageNotFoundError:
        return "not installed"


PEER: Final = Peer(
    name=_NAME,
    language="Python",
    version=_versions(),
    licence="MIT",
    kind="library",
    stores="nothing",
    threads="1 (asyncio)",
    protocols=("ocpp1.6", "ocpp2.0.1"),
    prepare=_prepare,
    run=_run,
)
