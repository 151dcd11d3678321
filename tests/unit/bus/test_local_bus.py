"""The bus inside one process."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from csms.bus import NoAnswer
from csms.bus.local import LocalBus


async def test_every_subscriber_gets_what_is_published() -> None:
    async with LocalBus() as bus, bus.subscribe("t") as one, bus.subscribe("t") as two, bus.subscribe("other") as other:
        await bus.publish("t", b"x")
        assert (one.receive_nowait(), two.receive_nowait()) == (b"x", b"x")
        with pytest.raises(trio.WouldBlock):
            other.receive_nowait()


async def test_nobody_listening_is_no_error() -> None:
    async with LocalBus() as bus:
        await bus.publish("t", b"x")


async def test_a_slow_subscriber_loses_the_oldest_and_delays_nobody() -> None:
    async with LocalBus() as bus, bus.subscribe("t") as slow:
        for n in range(1500):
            await bus.publish("t", b"%d" % n)
        assert slow.receive_nowait() == b"500"


async def test_a_request_is_answered() -> None:
    async def double(body: bytes) -> bytes:
        return body * 2

    async with LocalBus() as bus, bus.serve("t", double):
        assert await bus.request("t", b"ab", 1) == b"abab"


async def test_a_request_without_server_or_in_vain_is_told(autojump_clock: trio.testing.MockClock) -> None:
    async def never(body: bytes) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    async with LocalBus() as bus:
        with pytest.raises(NoAnswer, match="nobody serves"):
            await bus.request("t", b"", 1)
        async with bus.serve("t", never):
            with pytest.raises(NoAnswer, match="within 3 s"):
                await bus.request("t", b"", 3)


async def test_leaving_the_bus_ends_the_subscribers() -> None:
    bus = LocalBus()
    async with bus:
        subscription = bus.subscribe("t")
        receive = await subscription.__aenter__()
    with pytest.raises(trio.EndOfChannel):
        await receive.receive()
    await subscription.__aexit__(None, None, None)
