"""One gateway for all cases of a test process: the real listener on TCP, in a thread with a Trio of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count

import pytest
import trio

from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret
from tests.e2e.databases import external_database
from tests.integration.gateway.site import running

_numbers = count(1)


@pytest.fixture(scope="session")
def gateway_port(
    postgres: EmbeddedPostgres, migrated_template: str, root_secret: RootSecret, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """The port of a gateway that takes unknown stations without credentials."""
    with external_database(postgres, migrated_template, root_secret, tmp_path_factory.mktemp("websocket")) as (url, _):
        served = _Served(url)
        try:
            yield served.port
        finally:
            served.stop()


@pytest.fixture
def identity() -> str:
    """A station that no other case plays."""
    return f"WS-{next(_numbers)}"


class _Served:
    """A gateway in a thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self.port = 0
        self._stop: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="gateway")
        self._thread.start()
        self._ready.wait(60)
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        assert self.port, "the gateway did not start"

    def _run(self) -> None:
        async def serve() -> None:
            stop = trio.Event()
            token = trio.lowlevel.current_trio_token()
            async with running(self._url) as site:
                self.port = site.port
                self._stop = lambda: token.run_sync_soon(stop.set)
                self._ready.set()
                await stop.wait()

        try:
            trio.run(serve)
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    def stop(self) -> None:
        self._stop()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the gateway did not stop"
        if self._failure is not None:
            raise self._failure
