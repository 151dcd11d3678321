"""Where Redis is: the servers that CSMS_REDIS_URL names, and those that they tell of when they are a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from csms.addresses import split_hosts

_MOST: Final = 100
"""Servers of a cluster that are remembered."""
_DEFAULT_PORT: Final = 6379


class RedisServers:
    """The servers in turn: one is used until it fails, then the next."""

    def __init__(self, url: str) -> None:
        """`url` may name several, parted by commas: `redis://user:password@one:7000,two:7001`."""
        self._whole = url
        self._parts, self._named = split_hosts(url)
        credentials, at, _ = self._parts.netloc.rpartition("@")
        self._credentials = credentials + at
        self._told: tuple[str, ...] = ()
        self._turn = 0

    @property
    def current(self) -> str:
        """The URL of the server whose turn it is."""
        hosts = self._hosts
        return self._url(hosts[self._turn % len(hosts)])

    @property
    def count(self) -> int:
        return len(self._hosts)

    @property
    def parts(self) -> SplitResult:
        """What all servers have in common: scheme, credentials, query."""
        return self._parts

    def next(self) -> None:
        """The current one has failed."""
        self._turn = (self._turn + 1) % len(self._hosts)

    def tell(self, members: Iterable[tuple[str, int]]) -> None:
        """Remember the members of the cluster: those that were named may all go one day."""
        current = self._hosts[self._turn % len(self._hosts)]
        self._told = tuple(dict.fromkeys(_address(host, port) for host, port in members))[:_MOST]
        hosts = self._hosts
        self._turn = hosts.index(current) if current in hosts else 0

    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each, the current one first."""
        hosts = self._hosts
        turn = self._turn % len(hosts)
        found = []
        for host in (*hosts[turn:], *hosts[:turn]):
            parsed = urlsplit(f"//{host}")
            if parsed.hostname is not None:
                found.append((parsed.hostname, parsed.port or _DEFAULT_PORT))
        return found

    @property
    def _hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._named, *self._told)))

    def _url(self, host: str) -> str:
        # a socket in the file system has no host: putting its URL together again would lose slashes
        return self._parts._replace(netloc=self._credentials + host).geturl() if host else self._whole


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
