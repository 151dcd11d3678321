"""The bus on a Redis Cluster of three, of which one is killed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from tests.processes.charging import charging, command, differences, holders
from tests.processes.conftest import Shared
from tests.processes.installation import Redis, Server, running, until

pytestmark = pytest.mark.slow

SLOTS = 16384
_BETWEEN_NODES = 10_000
"""Nodes talk to each other on their port plus this."""


def _port() -> int:
    """One of which both are free, and below those that the kernel gives to others."""
    while True:
        port = 10_000 + int.from_bytes(os.urandom(2)) % 12_000
        try:
            for one in (port, port + _BETWEEN_NODES):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", one))
        except OSError:
            continue
        return port


def _ask(node: Redis, *words: object) -> str:
    with socket.create_connection(("127.0.0.1", node.port), 5) as connection:
        parts = [str(word).encode() for word in words]
        connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
        answer = connection.recv(65536).decode()
    assert not answer.startswith("-"), answer
    return answer


@pytest.fixture
def nodes() -> Iterator[list[Redis]]:
    """Three that hold a third of the slots each."""
    with ExitStack() as stack:
        found: list[Redis] = []
        for _ in range(3):
            found.append(Redis.start(_port(), **{"cluster-enabled": "yes", "cluster-node-timeout": "2000"}))
            stack.callback(found[-1].gone)
        for number, node in enumerate(found):
            _ask(node, "CLUSTER", "ADDSLOTSRANGE", number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1)
        for node in found[1:]:
            _ask(found[0], "CLUSTER", "MEET", "127.0.0.1", node.port)
        yield found


def _complete(node: Redis) -> bool:
    told = _ask(node, "CLUSTER", "INFO")
    return "cluster_state:ok" in told and "cluster_known_nodes:3" in told


async def test_commands_go_on_when_a_node_is_killed(shared: Shared, nodes: list[Redis], tmp_path: Path) -> None:
    await until(lambda: all(_complete(node) for node in nodes), "the cluster is complete")
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    environment = {**shared.environment, "CSMS_REDIS_URL": f"redis://{hosts}"}
    with running(Server(tmp_path, environment, "serve", "--gateways", "2")) as launcher, launcher.api() as api:
        assert launcher.health()["components"]["bus"] == {"state": "ok", "detail": "a cluster"}
        async with charging(launcher.ws_url, 8) as fleet:
            await holders(shared.database_url, fleet.identities)
            ends = [await command(api, identity) for identity in fleet.identities]
            assert [end for _, end in ends] == ["accepted"] * 8
            assert max(seconds for seconds, _ in ends) < 0.5, ends
            nodes[0].kill()  # the one that all processes use
            ends = [await command(api, identity) for identity in fleet.identities]
            assert [end for _, end in ends] == ["accepted"] * 8
            assert max(seconds for seconds, _ in ends) < 2, ends
            await until(
                lambda: all(launcher.told(number)[1]["components"]["bus"]["state"] == "ok" for number in (None, 0, 1)),
                "all use another node",
                within=5,
            )
            ends = [await command(api, identity) for identity in fleet.identities]
            assert [end for _, end in ends] == ["accepted"] * 8
            assert max(seconds for seconds, _ in ends) < 0.5, ends
            report = await fleet.finish()
            assert await trio.to_thread.run_sync(differences, api, report) == []
