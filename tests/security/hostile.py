"""What the tests with hostile stations share: a server process, its memory, and an honest station that must not suffer."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self

from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret
from tests.conformance.wire import Station, Wire
from tests.e2e.databases import external_database
from tests.e2e.running import RunningServer

MIB = 1024 * 1024
OCPP16 = "ocpp1.6"
LONGEST_WAIT_S = 2.0
"""An honest station's longest wait for an answer; the machine may be busy with other tests, too."""
USUAL_WAIT_S = 0.3
_SAMPLE_S = 0.02
_numbers = count(1)


@dataclass(slots=True)
class Watch:
    """What was seen of the server during an attack."""

    before: int
    most: int
    waits: list[float] = field(default_factory=list)
    failure: BaseException | None = None

    @property
    def grown(self) -> int:
        """Bytes of resident memory that the server took at most beyond what it had."""
        return self.most - self.before


class Arena:
    """Where one test plays: stations and bare sockets that are gone when it is over."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            each.close()

    def booted(self, *, deflate: bool = False) -> Station:
        """A new OCPP 1.6 station that is accepted."""
        identity = f"H-{next(_numbers)}"
        wire = Wire.connect(self.server.ocpp_port, f"/ocpp/{identity}", OCPP16, deflate=deflate)
        self._sockets.append(wire.socket)
        station = Station(wire, identity)
        assert station.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})["status"] == "Accepted"
        return station

    def connected(self, *, receive_buffer: int | None = None) -> socket.socket:
        """A bare connection."""
        made = socket.socket()
        self._sockets.append(made)
        made.settimeout(10)
        if receive_buffer is not None:
            # before the connection is made, which settles how much the peer may have under way
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.connect(("127.0.0.1", self.server.ocpp_port))
        return made

    @contextmanager
    def attacked(self, *, allowed: int) -> Iterator[Watch]:
        """Watch the server: its memory may grow by `allowed` bytes at most, and an honest station goes on being answered."""
        server = self.server
        honest = self.booted()
        watch = Watch(server.memory(), server.memory())
        over = threading.Event()

        def look() -> None:
            while not over.wait(_SAMPLE_S):
                watch.most = max(watch.most, server.memory())

        def charge() -> None:
            status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
            try:
                while not over.wait(_SAMPLE_S):
                    began = time.monotonic()
                    # one that is answered from memory, one that is committed first
                    honest.call("Heartbeat", {})
                    honest.call("StatusNotification", status)
                    watch.waits.append(time.monotonic() - began)
            except BaseException as error:
                watch.failure = error

        with ExitStack() as stack:
            for work in (look, charge):
                thread = threading.Thread(target=work)
                thread.start()
                stack.callback(thread.join, 30)
            stack.callback(over.set)
            yield watch
            time.sleep(5 * _SAMPLE_S)
        assert watch.failure is None, f"the honest station failed: {watch.failure!r}"
        assert watch.waits, "the honest station was never answered"
        assert max(watch.waits) < LONGEST_WAIT_S, f"waited {max(watch.waits):.2f} s"
        assert statistics.median(watch.waits) < USUAL_WAIT_S, f"waited {statistics.median(watch.waits):.2f} s usually"
        assert watch.grown < allowed, f"the server grew by {watch.grown / MIB:.1f} MiB"
        assert server.exit_status is None


@contextmanager
def serving(
    postgres: EmbeddedPostgres, template: str, secret: RootSecret, folder: Path, **settings: str
) -> Iterator[RunningServer]:
    """A server whose default tenant takes every station; warm, so that what grows later was not needed before."""
    with external_database(postgres, template, secret, folder) as (_, environment):
        server = RunningServer(folder, {**environment, **settings})
        try:
            server.start()
            with Arena(server) as arena:
                for _ in range(3):
                    arena.booted(deflate=True).call("Heartbeat", {})
            yield server
        finally:
            server.ensure_gone()
