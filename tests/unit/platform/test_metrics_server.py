"""`/metrics` and `/health` of a process without an HTTP API."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from csms.cli.metrics_server import metrics_server
from csms.health import HealthRegistry
from tests.e2e.running import free_port


@pytest.fixture
def health() -> HealthRegistry:
    return HealthRegistry()


@pytest.fixture
def url(health: HealthRegistry) -> Iterator[str]:
    port = free_port()
    with metrics_server("127.0.0.1", port, health):
        yield f"http://127.0.0.1:{port}"


def test_metrics(url: str) -> None:
    answer = httpx.get(f"{url}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "python_info" in answer.text


def test_health_is_that_of_the_process(url: str, health: HealthRegistry) -> None:
    health.report("gateway", "ok")
    health.report("bus", "degraded", "Redis does not answer")
    answer = httpx.get(f"{url}/health")
    assert answer.status_code == 200, "it serves stations without the bus"
    assert answer.json() == {
        "status": "degraded",
        "components": {"bus": {"state": "degraded", "detail": "Redis does not answer"}, "gateway": {"state": "ok", "detail": ""}},
    }
    health.report("gateway", "degraded", "draining")
    assert httpx.get(f"{url}/health").status_code == 503


def test_what_is_not_there(url: str) -> None:
    assert httpx.get(f"{url}/").status_code == 404
    assert httpx.post(f"{url}/metrics").status_code == 405


def test_deaf_and_silent_clients_leave_room_again(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(12)]
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                assert httpx.get(f"{url}/metrics", timeout=1).status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
    finally:
        for client in silent:
            client.close()


def test_a_taken_port_is_an_error(health: HealthRegistry) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"in use: '127.0.0.1:{port}'"), metrics_server("127.0.0.1", port, health):
            pytest.fail("it serves nothing")


def test_without_a_port_nothing_is_served(health: HealthRegistry) -> None:
    with metrics_server("127.0.0.1", None, health):
        pass
