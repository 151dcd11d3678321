"""Which Redis server's turn it is."""

from __future__ import annotations

import pytest

from csms.bus.redis_servers import RedisServers


@pytest.mark.parametrize(
    ("url", "urls", "addresses"),
    [
        ("redis://h", ["redis://h"], [("h", 6379)]),
        ("redis://u:p@h:7000/3?x=1", ["redis://u:p@h:7000/3?x=1"], [("h", 7000)]),
        (
            "redis://u:p%40@a:1,b:2,[::1]:3",
            [f"redis://u:p%40@{host}" for host in ("a:1", "b:2", "[::1]:3")],
            [("a", 1), ("b", 2), ("::1", 3)],
        ),
        ("rediss://a, b:7", ["rediss://a", "rediss://b:7"], [("a", 6379), ("b", 7)]),
        ("unix:///run/redis.sock", ["unix:///run/redis.sock"], []),
    ],
)
def test_those_of_the_setting(url: str, urls: list[str], addresses: list[tuple[str, int]]) -> None:
    servers = RedisServers(url)
    assert servers.addresses() == addresses
    found = []
    for _ in urls:
        found.append(servers.current)
        servers.next()
    assert found == urls
    assert servers.current == urls[0], "round and round"


def test_those_of_the_cluster_follow() -> None:
    servers = RedisServers("redis://:secret@a:1,b:2")
    servers.next()
    servers.tell([("c", 3), ("b", 2), ("::1", 4), ("c", 3)])
    assert servers.current == "redis://:secret@b:2", "the one in use stays in use"
    assert servers.addresses() == [("b", 2), ("c", 3), ("::1", 4), ("a", 1)]
    servers.next()
    servers.tell([("a", 1)])
    assert servers.current == "redis://:secret@a:1", "the one in use has left the cluster"


def test_a_huge_cluster_is_bounded() -> None:
    servers = RedisServers("redis://a")
    servers.tell((f"h{number}", 1) for number in range(1000))
    assert servers.count == 101
