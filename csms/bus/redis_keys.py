"""What processes keep together in Redis for a moment: claims of questions, counters. Nothing that must last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import unquote

import structlog
import trio
from coredis import PureToken, Redis, RedisCluster
from coredis.connection import TCPLocation
from coredis.retry import NoRetryPolicy

from csms.bus.port import BusUnavailable, Counted
from csms.bus.redis_servers import RedisServers

log = structlog.get_logger()

PREFIX: Final = "csms."
_TIMEOUT_S: Final = 1.0
_CONNECT_TIMEOUT_S: Final = 3.0
_AGAIN_S: Final = 1.0

Client = Redis[bytes] | RedisCluster[bytes]


class RedisKeys:
    """Keys of one Redis server, or of a cluster, where each key has a server of its own."""

    def __init__(self) -> None:
        self._client: Client | None = None

    @asynccontextmanager
    async def on_server(self, client: Redis[bytes]) -> AsyncIterator[None]:
        """Use the bus's own connection while the context is open."""
        self._client = client
        try:
            yield
        finally:
            self._client = None

    @asynccontextmanager
    async def on_cluster(self, servers: RedisServers) -> AsyncIterator[None]:
        """Connect to the cluster while the context is open. That it is down costs nothing but these keys."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_connected, servers)
            try:
                yield
            finally:
                nursery.cancel_scope.cancel(reason="the bus connects anew")

    async def claim(self, name: str, seconds: int) -> bool:
        """True for the first who asks within `seconds`. Raises BusUnavailable."""
        client = self._connected()
        try:
            with trio.fail_after(_TIMEOUT_S):
                return bool(await client.set(PREFIX + name, b"", condition=PureToken.NX, ex=seconds))
        except Exception as error:  # whatever the client library throws: callers have a fallback for one kind
            raise BusUnavailable(f"Redis: {reason(error)}") from error

    async def add(self, amounts: Mapping[str, int], period_s: float) -> dict[str, Counted]:
        """Add to counters that end `period_s` after they began; gives those that could be reached. Raises BusUnavailable."""
        client = self._connected()
        names = list(amounts)
        try:
            with trio.fail_after(_TIMEOUT_S):
                async with client.pipeline(transaction=False, raise_on_error=False) as pipe:
                    for name in names:
                        key = PREFIX + name
                        pipe.set(key, "0", condition=PureToken.NX, px=int(period_s * 1000))
                        pipe.incrby(key, amounts[name])
                        pipe.pttl(key)
                results = pipe.results or ()
        except Exception as error:  # whatever the client library throws: callers have a fallback for one kind
            raise BusUnavailable(f"Redis: {reason(error)}") from error
        counted: dict[str, Counted] = {}
        for name, total, left in zip(names, results[1::3], results[2::3], strict=True):
            if isinstance(total, int) and isinstance(left, int):
                counted[name] = Counted(total, max(left, 0) / 1000)
        return counted

    def _connected(self) -> Client:
        if self._client is None:
            raise BusUnavailable("Redis is not connected")
        return self._client

    async def _keep_connected(self, servers: RedisServers) -> None:
        while True:
            try:
                with trio.fail_after(_CONNECT_TIMEOUT_S) as connecting:
                    async with _open_cluster(servers) as client:
                        connecting.deadline = float("inf")
                        self._client = client
                        await trio.sleep_forever()
            except BaseException as error:  # noqa: BLE001 - the boundary: whatever the client library throws ends one connection
                passing = exits(error)
                if passing is not None:
                    raise passing from None
                log.warning("bus.cluster_keys_lost", error=reason(error))
            finally:
                self._client = None
            await trio.sleep(_AGAIN_S)


def _open_cluster(servers: RedisServers) -> RedisCluster[bytes]:
    parts = servers.parts
    options: dict[str, Any] = {}
    if parts.scheme == "rediss":
        options["ssl"] = True
    return RedisCluster(
        startup_nodes=[TCPLocation(host, port) for host, port in servers.addresses()],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        connect_timeout=_TIMEOUT_S,
        stream_timeout=_TIMEOUT_S,
        # a part of the keys is better than none
        skip_full_coverage_check=True,
        retry_policy=NoRetryPolicy(),
        **options,
    )


def exits(error: BaseException) -> BaseException | None:
    """The cancellation or exit in it: the library wraps that together with errors of its own."""
    kinds = (trio.Cancelled, KeyboardInterrupt, SystemExit)
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(kinds)
    return error if isinstance(error, kinds) else None


def reason(error: BaseException) -> str:
    """The first cause inside a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
