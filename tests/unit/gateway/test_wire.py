"""Sending to a peer that reads slowly, or not at all."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from gateway.closing import CloseReason
from gateway.readiness import Readiness
from gateway.wire import UNSENT_LIMIT, Wire


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Wire, socket.socket]]:
    """Our side of a socket with small buffers, and the peer's."""
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with theirs, Readiness() as readiness:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(readiness.run)
            wire = Wire(ours, nursery, readiness, None)
            yield wire, theirs
            wire.close(CloseReason.LOST)
            await trio.testing.wait_all_tasks_blocked()  # what the writer has begun
            nursery.cancel_scope.cancel()


async def receive(theirs: socket.socket, size: int) -> bytes:
    received = b""
    with trio.fail_after(5):
        while len(received) < size:
            await trio.lowlevel.wait_readable(theirs)
            received += theirs.recv(65536)
    return received


async def test_what_the_socket_does_not_take_follows_in_order() -> None:
    async with pair() as (wire, theirs):
        sent = b"".join(number.to_bytes(4) * 250 for number in range(200))
        for start in range(0, len(sent), 1000):
            wire.send(sent[start : start + 1000])
        assert wire.end is None
        assert await receive(theirs, len(sent)) == sent
        await trio.testing.wait_all_tasks_blocked()
        wire.send(b"direct again")
        assert theirs.recv(100) == b"direct again"


async def test_more_than_the_limit_unsent_aborts() -> None:
    async with pair() as (wire, _):
        for _ in range(UNSENT_LIMIT // 1000 + 20):
            wire.send(bytes(1000))
        assert wire.end is CloseReason.SLOW_CONSUMER
        wire.send(b"ignored")


async def test_what_waits_must_leave_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.wire.WRITE_DEADLINE_S", 0.1)
    async with pair() as (wire, _):
        wire.send(bytes(100_000))
        assert wire.end is None
        await trio.sleep(0.3)
        assert wire.end is CloseReason.SLOW_CONSUMER


async def test_a_peer_that_is_gone_is_noticed_while_sending() -> None:
    async with pair() as (wire, theirs):
        theirs.close()
        wire.send(b"x")
        wire.send(b"x")
        assert wire.end is CloseReason.LOST


async def test_finishing_waits_for_what_is_unsent() -> None:
    async with pair() as (wire, theirs):
        wire.send(bytes(50_000))
        wire.finish_sending()
        assert await receive(theirs, 50_000) == bytes(50_000)
        await trio.lowlevel.wait_readable(theirs)
        assert theirs.recv(10) == b""


async def test_closing_wakes_the_reader() -> None:
    async with pair() as (wire, _), trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await trio.lowlevel.wait_readable(wire.sock)

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        wire.abort(CloseReason.REPLACED)
        wire.abort(CloseReason.LOST)
        assert wire.end is CloseReason.REPLACED
