"""The fault proxy does what it says, to the lines it is told, and gives each byte as it was sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random

import pytest
import trio

from tests.crash.proxy import FaultProxy, Weather, open_proxy, to_tcp


@dataclass
class Scene:
    """A proxy before a server that sends back what it is sent."""

    proxy: FaultProxy
    accepted: list[trio.SocketStream]
    """The server's side of each connection."""
    clients: list[trio.SocketStream] = field(default_factory=list)

    async def connected(self) -> trio.SocketStream:
        stream = await trio.open_tcp_stream("127.0.0.1", self.proxy.port)
        self.clients.append(stream)
        return stream

    async def used(self) -> trio.SocketStream:
        """A connection that has been used, so that it is a line of the proxy's."""
        stream = await self.connected()
        await said(stream, b"hello")
        return stream


@asynccontextmanager
async def echo_behind_a_proxy() -> AsyncGenerator[Scene]:
    accepted: list[trio.SocketStream] = []

    async def echo(stream: trio.SocketStream) -> None:
        accepted.append(stream)
        try:
            async for data in stream:
                await stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the proxy cut it

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, echo, 0, host="127.0.0.1"))
        async with open_proxy(to_tcp(listener.socket.getsockname()[1])) as proxy:
            scene = Scene(proxy, accepted)
            try:
                yield scene
            finally:
                for stream in scene.clients:
                    await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()


async def said(stream: trio.SocketStream, data: bytes) -> float:
    """Send it and wait for all of it to come back; gives the seconds that took."""
    began = trio.current_time()
    await stream.send_all(data)
    back = b""
    while len(back) < len(data):
        more = await stream.receive_some()
        assert more, "closed"
        back += more
    assert back == data
    return trio.current_time() - began


async def silent(stream: trio.SocketStream, seconds: float = 0.1) -> bool:
    with trio.move_on_after(seconds) as scope:
        await stream.receive_some()
    return scope.cancelled_caught


@pytest.mark.parametrize("slice_bytes", [None, 1, 7])
async def test_delay_and_slices_change_no_byte(slice_bytes: int | None) -> None:
    async with echo_behind_a_proxy() as scene:
        stream = await scene.used()
        data = Random(1).randbytes(300)
        assert await said(stream, data) < 0.1
        scene.proxy.set_weather(Weather(0.1, 0.05, slice_bytes))
        assert await said(stream, data) >= 0.2
        scene.proxy.set_weather(Weather())
        await said(stream, Random(2).randbytes(1_000_000))


async def test_reset_reaches_both_ends_of_the_chosen_line_alone() -> None:
    async with echo_behind_a_proxy() as scene:
        hit, other = await scene.used(), await scene.used()
        scene.proxy.reset([next(iter(scene.proxy.lines.values()))])
        with pytest.raises(trio.BrokenResourceError):
            await hit.receive_some()
        await trio.sleep(0.05)
        with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):  # closed by the server, which saw it first
            await scene.accepted[0].send_all(b"x")
        await said(other, b"still there")


async def test_black_hole_delivers_late_what_it_kept() -> None:
    async with echo_behind_a_proxy() as scene:
        stream = await scene.used()
        scene.proxy.stall()
        await stream.send_all(b"kept")
        assert await silent(stream)
        newcomer = await scene.connected()
        await newcomer.send_all(b"also kept")
        assert await silent(newcomer)
        scene.proxy.resume()
        assert await stream.receive_some() == b"kept"
        assert await newcomer.receive_some() == b"also kept"


@pytest.mark.parametrize("near_side_knows", [True, False])
async def test_half_open_is_known_to_one_end_alone(near_side_knows: bool) -> None:
    async with echo_behind_a_proxy() as scene:
        near = await scene.used()
        far = scene.accepted[0]
        (line,) = scene.proxy.lines.values()
        line.half_open(near_side_knows=near_side_knows)
        scene.proxy.resume()  # half-open lines stay silent
        if near_side_knows:
            with pytest.raises(trio.BrokenResourceError):
                await near.receive_some()
            await far.send_all(b"into the void")
        else:
            await near.send_all(b"into the void")
            assert await silent(near)
        assert list(scene.proxy.lines.values()) == [line]
        scene.proxy.bury()
        await trio.sleep(0.05)
        assert not scene.proxy.lines
        if not near_side_knows:
            with pytest.raises(trio.BrokenResourceError):
                await near.receive_some()


async def test_refuses_newcomers_and_leaves_the_others() -> None:
    async with echo_behind_a_proxy() as scene:
        stream = await scene.used()
        scene.proxy.refusing = True
        with pytest.raises((trio.BrokenResourceError, AssertionError)):
            await scene.used()
        await said(stream, b"still there")
        scene.proxy.refusing = False
        await scene.used()


async def test_the_end_of_one_side_reaches_the_other_after_its_last_byte() -> None:
    async with echo_behind_a_proxy() as scene:
        stream = await scene.used()
        await stream.send_all(b"last words")
        await stream.send_eof()
        heard = b""
        while data := await stream.receive_some():
            heard += data
        assert heard == b"last words"
