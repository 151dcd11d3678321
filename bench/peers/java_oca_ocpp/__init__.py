"""ChargeTimeEU/Java-OCA-OCPP, a Maven artifact."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.peers.peer import Peer, Running
from bench.peers.server import server
from bench.peers.setup import pinned, place, prepared, require

_NAME: Final = "Java-OCA-OCPP"
_SOURCE: Final = Path(__file__).parent


def _prepare(cache: Path) -> None:
    require(_NAME, "java", "javac", "mvn")
    prepared(_NAME, _SOURCE, cache, ("mvn", "-B", "-q", "-ntp", "compile", "dependency:copy-dependencies"))


@contextmanager
def _run(cache: Path, port: int) -> Iterator[Running]:
    directory = place(cache, _SOURCE)
    classes = os.pathsep.join(str(directory / "target" / part) for part in ("classes", "dependency/*"))
    with server(["java", "-cp", classes, "bench.peers.CentralSystem", str(port)], port, directory) as running:
        yield running


PEER: Final = Peer(
    name=_NAME,
    language="Java",
    version=pinned(_SOURCE / "pom.xml", r"<artifactId>v1_6</artifactId>\s*<version>([^<]+)"),
    licence="MIT",
    kind="library",
    stores="nothing",
    threads="1 that selects, 4 workers (the library's default), and the JVM's for compilation and G1",
    protocols=("ocpp1.6",),
    prepare=_prepare,
    run=_run,
)
